"""``hemato-lab phantom``: make synthetic smears with exact truth."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path  # noqa: TC003 (the command line reads the annotation)
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from hemato_lab.cli.analyze import check_scale
from hemato_lab.cli.output import print_text, progress_bar
from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hemato_lab.phantom.recipe import Recipe

_SMALLEST_SIDE_PX: Final = 21
"""Smaller pictures have no room for a red cell at any magnification that shows one."""
_LARGEST_SIDE_PX: Final = 60_000
"""A slide of this side is computed in little memory, but for hours; a JPEG file cannot be much wider."""
_LARGEST_FIELD_PX: Final = 36_000_000
"""Pixels of a field: it is rendered whole, in 110 bytes of memory a pixel."""
_MOST_COVERED: Final = 1.0
"""Share of the film that cells may cover before they have no room."""
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
    _check_size(width, height, output_format)
    chosen = _adapted(named_recipe(recipe), rbc_diameter_px, white_cells_per_mm2)
    if output_format == "slide":
        lines = _write_slide(out_dir, chosen, seed, width, height)
    else:
        lines = _write_dataset(out_dir, chosen, seed, fields=fields, width=width, height=height)
    for line in [*lines, NOTICE]:
        print_text(line)


def parse_size(size: str) -> tuple[int, int]:
    """Return width and height of a size like ``640x480``.

    Raises
    ------
    ConfigError
        If it is not of this form.
    """
    matched = re.fullmatch(r"\s*([0-9]{1,9})\s*[xX×]\s*([0-9]{1,9})\s*", size)
    sides = tuple(int(side) for side in matched.groups()) if matched else (0, 0)
    if min(sides) < 1:
        raise ConfigError(
            f"{size!r} is no size in pixels", subject="--size", hint="write it as WIDTHxHEIGHT, for example 640x480"
        )
    return sides[0], sides[1]


def _check_size(width: int, height: int, output_format: str) -> None:
    size = f"{width}x{height}"
    if min(width, height) < _SMALLEST_SIDE_PX:
        raise ConfigError(
            f"{size} is too small to show a cell", subject="--size", hint=f"use {_SMALLEST_SIDE_PX} pixels or more"
        )
    if max(width, height) > _LARGEST_SIDE_PX:
        raise ConfigError(
            f"{size} is too large to be computed",
            subject="--size",
            hint=f"use at most {_LARGEST_SIDE_PX} x {_LARGEST_SIDE_PX} pixels",
        )
    if output_format == "dataset" and width * height > _LARGEST_FIELD_PX:
        raise ConfigError(
            f"{size} is too large for a field, which is computed whole", subject="--size", hint="add --format slide"
        )


def _adapted(recipe: Recipe, rbc_diameter_px: float | None, white_cells_per_mm2: float | None) -> Recipe:
    from hemato_lab.smear import RED_CELL_DIAMETER_UM

    changes: dict[str, Any] = {}
    if rbc_diameter_px is not None:
        check_scale(None, rbc_diameter_px)
        changes["um_per_px"] = RED_CELL_DIAMETER_UM / rbc_diameter_px
    if white_cells_per_mm2 is not None:
        changes["white_cells_per_mm2"] = white_cells_per_mm2
    adapted = replace(recipe, **changes)
    if white_cells_per_mm2 is not None:
        _check_room(adapted)
    return adapted


def _check_room(recipe: Recipe) -> None:
    """Refuse more white cells than the film has room for beside the other cells."""
    from hemato_lab.phantom.recipe import SIZES

    def mean_area_mm2(mix: Mapping[str, float]) -> float:
        return sum(share * math.pi / 4 * SIZES[name].mean_um ** 2 for name, share in mix.items()) * 1e-6

    others = recipe.red_cells_per_mm2 * mean_area_mm2(recipe.red_cells)
    others += recipe.platelets_per_mm2 * mean_area_mm2(recipe.platelets)
    most = (_MOST_COVERED - others) / mean_area_mm2(recipe.white_cells)
    if recipe.white_cells_per_mm2 > most:
        raise ConfigError(
            f"{recipe.white_cells_per_mm2:g} white cells do not fit on a square millimetre",
            subject="--white-cells-per-mm2",
            hint=f"at most {100 * math.floor(most / 100)} do beside the other cells of the recipe {recipe.name}",
        )


def _write_dataset(out_dir: Path, recipe: Recipe, seed: int, *, fields: int, width: int, height: int) -> list[str]:
    from hemato_lab.phantom.dataset import write_dataset

    with progress_bar("rendering", "field") as progress:
        path = write_dataset(out_dir, recipe, seed, fields=fields, width=width, height=height, progress=progress)
    document = json.loads(path.read_text(encoding="utf-8"))
    names = {category["id"]: category["name"] for category in document["categories"]}
    counts = Counter(names[annotation["category_id"]] for annotation in document["annotations"])
    images = sorted((path.parent / "images").glob("*.jpg"))
    size = sum(image.stat().st_size for image in images) / 1e6
    noun = "field" if len(images) == 1 else "fields"
    return [
        f"{path.parent / 'images'}: {len(images)} {noun} of {width} x {height} px, {size:.1f} MB",
        f"{path}: {_listed(counts)}",
    ]


def _write_slide(out_dir: Path, recipe: Recipe, seed: int, width: int, height: int) -> list[str]:
    from hemato_lab.phantom.slide import read_truth, write_slide

    with progress_bar("rendering", "px") as progress:
        slide, truth = write_slide(out_dir / f"{recipe.name}.tif", recipe, seed, width, height, progress=progress)
    size = slide.stat().st_size / 1e6
    return [
        f"{slide}: {width} x {height} px, {size:.1f} MB",
        f"{truth}: {_listed(Counter(read_truth(truth)['name'].tolist()))}",
    ]


def _listed(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{count} {name}" for name, count in ordered) or "no cells"
