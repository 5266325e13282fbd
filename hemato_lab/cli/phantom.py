"""``hemato-lab phantom``: make synthetic smears with exact truth."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path  # noqa: TC003 (the command line reads the annotation)
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hemato_lab.phantom.recipe import Recipe

_LARGEST_SIDE_PX = 200_000
_RECIPE_HELP = (
    "normal, differential (many white cells), malaria, sickle, acute_leukaemia, iron_deficiency, spherocytosis, "
    "microangiopathy or poikilocytosis (every red-cell shape)."
)


def phantom(
    out_dir: Annotated[Path, typer.Argument(help="Folder to write to; made when absent.")],
    *,
    recipe: Annotated[str, typer.Option(help=_RECIPE_HELP)] = "normal",
    fields: Annotated[int, typer.Option(min=1, help="Number of fields of a data set.")] = 4,
    size: Annotated[str, typer.Option(help="Width x height in pixels of a field or slide.")] = "640x480",
    seed: Annotated[int, typer.Option(min=0, help="Same recipe, size and seed: same pixels.")] = 0,
    rbc_diameter_px: Annotated[float | None, typer.Option(help="Diameter of a normal red cell in pixels.")] = None,
    white_cells_per_mm2: Annotated[float | None, typer.Option(min=0, help="Change the recipe's density.")] = None,
    output_format: Annotated[
        Literal["dataset", "slide"], typer.Option("--format", help="Annotated fields, or one pyramidal TIFF.")
    ] = "dataset",
) -> None:
    """Make a synthetic smear with exact truth: annotated fields, or one slide. For Research Use Only."""
    from hemato_lab.phantom.dataset import NOTICE
    from hemato_lab.phantom.recipes import named_recipe

    width, height = parse_size(size)
    chosen = _adapted(named_recipe(recipe), rbc_diameter_px, white_cells_per_mm2)
    if output_format == "slide":
        lines = _write_slide(out_dir, chosen, seed, width, height)
    else:
        lines = _write_dataset(out_dir, chosen, seed, fields=fields, width=width, height=height)
    for line in [*lines, NOTICE]:
        typer.echo(line)


def parse_size(size: str) -> tuple[int, int]:
    """Return width and height of a size like ``640x480``.

    Raises
    ------
    ConfigError
        If it is not of this form or a side is not from 1 to 200,000 pixels.
    """
    matched = re.fullmatch(r"\s*(\d{1,6})\s*[xX×]\s*(\d{1,6})\s*", size)
    sides = tuple(int(side) for side in matched.groups()) if matched else (0, 0)
    if not all(1 <= side <= _LARGEST_SIDE_PX for side in sides):
        raise ConfigError(
            f"{size!r} is no size in pixels", subject="--size", hint="write it as WIDTHxHEIGHT, for example 640x480"
        )
    return sides[0], sides[1]


def _adapted(recipe: Recipe, rbc_diameter_px: float | None, white_cells_per_mm2: float | None) -> Recipe:
    from hemato_lab.smear import RED_CELL_DIAMETER_UM

    changes: dict[str, Any] = {}
    if rbc_diameter_px is not None:
        if not rbc_diameter_px > 0:
            raise ConfigError(f"{rbc_diameter_px} is no diameter in pixels", subject="--rbc-diameter-px")
        changes["um_per_px"] = RED_CELL_DIAMETER_UM / rbc_diameter_px
    if white_cells_per_mm2 is not None:
        changes["white_cells_per_mm2"] = white_cells_per_mm2
    return replace(recipe, **changes)


def _write_dataset(out_dir: Path, recipe: Recipe, seed: int, *, fields: int, width: int, height: int) -> list[str]:
    from hemato_lab.phantom.dataset import write_dataset

    path = write_dataset(out_dir, recipe, seed, fields=fields, width=width, height=height)
    document = json.loads(path.read_text(encoding="utf-8"))
    names = {category["id"]: category["name"] for category in document["categories"]}
    counts = Counter(names[annotation["category_id"]] for annotation in document["annotations"])
    images = sorted((path.parent / "images").glob("*.jpg"))
    size = sum(image.stat().st_size for image in images) / 1e6
    return [
        f"{path.parent / 'images'}: {len(images)} fields of {width} x {height} px, {size:.1f} MB",
        f"{path}: {_listed(counts)}",
    ]


def _write_slide(out_dir: Path, recipe: Recipe, seed: int, width: int, height: int) -> list[str]:
    from tqdm import tqdm

    from hemato_lab.phantom.slide import read_truth, write_slide

    with tqdm(total=width * height // 10**6, unit="Mpx", desc="rendering", disable=None) as bar:
        slide, truth = write_slide(out_dir / f"{recipe.name}.tif", recipe, seed, width, height, progress=_follow(bar))
    size = slide.stat().st_size / 1e6
    return [
        f"{slide}: {width} x {height} px, {size:.1f} MB",
        f"{truth}: {_listed(Counter(read_truth(truth)['name'].tolist()))}",
    ]


def _follow(bar: Any) -> Callable[[int, int], None]:
    def follow(done: int, total: int) -> None:
        bar.update(done - bar.n)
        bar.total = total

    return follow


def _listed(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{count} {name}" for name, count in ordered) or "no cells"
