"""Annotated fields as optical densities on one grid, ready to be cut into training crops.

Every field is resampled once so that a red cell measures `GRID_CELLS` grid cells, and kept in a cache folder. What is
not annotated stays unknown: `Knowledge` says for every channel of the detector where an unmarked place may be taken for
empty.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import ndimage

from hemato_lab.evaluation.dataset import BOX_COLUMNS, AnnotatedImage, DetectionSet, read_dataset
from hemato_lab.formats import open_smear
from hemato_lab.imaging.calibration import calibrate
from hemato_lab.imaging.light import LINEAR_LIGHT
from hemato_lab.imaging.working import WorkingGrid
from hemato_lab.kernels.resample import relative_density, transmitted_light
from hemato_lab.phantom import RECIPES, write_dataset
from hemato_lab.phantom.recipe import SIZES
from hemato_lab.smear import RED_CELL_DIAMETER_UM, Scale
from hemato_lab.vocabulary import PLATELET, RBC, WBC, detector_class, term

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from hemato_lab.phantom import Recipe

GRID_CELLS: Final = 30.0
"""Diameter of a red cell in the cache: finer than any model's grid, so that crops can be enlarged a little."""
CHANNELS: Final = (RBC, WBC, PLATELET, "parasitised RBC")
"""What the detector draws a heat map of, in this order; a parasitised cell is a red cell too."""
MALARIA_FREE: Final = ("bccd", "deepbionet", "txl_pbc_cells", "chula_rbc12", "sickle_uganda")
"""Sets of other diseases or of healthy people: an unmarked cell in them has no parasite."""
MOST_CELLS_MARKED: Final = ("bccd", "deepbionet", "iml_malaria")
"""Sets in which the red cells without a mark are mostly cut by the border or overlapped."""
PHANTOM_RECIPES: Final = ("normal", "differential", "malaria", "sickle", "acute_leukaemia", "poikilocytosis")
PHANTOM_FIELDS: Final = 12
WHITE_CELL_FIELDS: Final = 36
WHITE_CELL_STAINS: Final = ("normal", "malaria", "acute_leukaemia")
"""Recipes whose stain and light the white cells are rendered with in turn."""
_CACHE_VERSION: Final = 1


class Knowledge(IntEnum):
    """Where a place without a mark is known to hold no object of a channel."""

    IN_OTHER_MARKS = 0
    """Only inside objects that are marked as something else."""
    ON_BACKGROUND = 1
    """There, and wherever nothing is stained."""
    NEARLY_EVERYWHERE = 2
    """A stained place without a mark is less likely an object than others: most of them are marked."""
    EVERYWHERE = 3


@dataclass(frozen=True)
class MarkedField:
    """One field of the cache.

    Attributes
    ----------
    source, split, group, file : str
        Name of its set, its split and group there, and its file.
    density : array of shape (height, width, 3), float16
        Optical density against the background; a red cell measures `GRID_CELLS`.
    foreground : array of shape (height, width), bool
        Whatever stands out from the background, its holes filled.
    boxes : array of shape (n, 4), float32
        x_min, y_min, x_max, y_max in grid cells; the first cell's outer corner is 0. A place without a box has the
        square of a red cell.
    has_box : array of shape (n,), bool
    channel : array of shape (n,), int8
        Index in `CHANNELS` of the cell's class; parasitised cells have that of red cells.
    parasitised : array of shape (n,), bool
    ignored : array of shape (n,), bool
        Neither truth nor background.
    knowledge : tuple of Knowledge
        One a channel.
    """

    source: str
    split: str
    group: str
    file: str
    density: NDArray[np.float16]
    foreground: NDArray[np.bool_]
    boxes: NDArray[np.float32]
    has_box: NDArray[np.bool_]
    channel: NDArray[np.int8]
    parasitised: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    knowledge: tuple[Knowledge, ...]


def load_fields(folder: Path, cache: Path, sources: Iterable[str], splits: Sequence[str]) -> list[MarkedField]:
    """Return the fields of the given sets and splits, made on first use.

    Parameters
    ----------
    folder : Path
        Holds one folder a set; the source ``phantom`` is rendered.
    cache : Path
        Where prepared fields are kept.
    sources, splits
        Names of sets and splits. A split named "test" is refused: it is for final figures only.
    """
    if "test" in splits:
        raise ValueError("test splits are for final figures, not for training")
    fields: list[MarkedField] = []
    for source in sources:
        location = phantom_folder(cache) if source == "phantom" else folder / source
        dataset = read_dataset(location)
        if not isinstance(dataset, DetectionSet):
            raise TypeError(f"{source} holds no fields")
        dataset = replace(dataset, name=source)
        fields += [_cached(dataset, image, cache) for image in dataset.images if image.split in splits]
    return fields


def phantom_folder(cache: Path) -> Path:
    """Render phantoms of several recipes and magnifications as one annotated set."""
    recipes = [
        (f"{name}_{field}", _at_diameter(RECIPES[name], 26.0 + 4.0 * ((field * 5 + number) % PHANTOM_FIELDS)), field)
        for number, name in enumerate(PHANTOM_RECIPES)
        for field in range(PHANTOM_FIELDS)
    ]
    return _rendered(cache / "phantom_images", recipes, 500)


def white_cell_folder(cache: Path) -> Path:
    """Render every type of white cell, crowded, in several stains and magnifications as one annotated set."""
    names = [name for name in SIZES if detector_class(name) == WBC]
    shares = {name: (4.0 if name in {"blast", "lymphocyte"} else 1.0) for name in names}
    mix = {name: share / sum(shares.values()) for name, share in shares.items()}
    recipes = []
    for field in range(WHITE_CELL_FIELDS):
        base = RECIPES[WHITE_CELL_STAINS[field % len(WHITE_CELL_STAINS)]]
        crowded = replace(base, white_cells=mix, white_cells_per_mm2=2200.0, red_cells_per_mm2=2500.0)
        recipes.append((f"white_cells_{field}", _at_diameter(crowded, 26.0 + 4.0 * (field % 9)), field))
    return _rendered(cache / "phantom_white_cells", recipes, 700)


def _at_diameter(recipe: Recipe, rbc_diameter_px: float) -> Recipe:
    return replace(recipe, um_per_px=RED_CELL_DIAMETER_UM / rbc_diameter_px)


def _rendered(folder: Path, recipes: Sequence[tuple[str, Recipe, int]], first_seed: int) -> Path:
    """Write one field of each recipe, every sixth for validation, and their marks together."""
    marker = folder / "annotations.json"
    if marker.is_file():
        return folder
    images: list[dict[str, Any]] = []
    marks: list[dict[str, Any]] = []
    categories: dict[int, dict[str, Any]] = {}
    document: dict[str, Any] = {}
    for number, (name, recipe, field) in enumerate(recipes):
        write_dataset(folder / name, recipe, first_seed + field, fields=1, width=480, height=480)
        document = json.loads((folder / name / "annotations.json").read_text())
        categories.update({category["id"]: category for category in document["categories"]})
        for image in document["images"]:
            image["id"] += 1000 * number
            image["file_name"] = f"{name}/{image['file_name']}"
            image["split"] = "val" if field % 6 == 5 else "train"
            images.append(image)
        for mark in document["annotations"]:
            mark["image_id"] += 1000 * number
            marks.append(mark)
    whole = {**document, "images": images, "annotations": marks, "categories": list(categories.values())}
    marker.write_text(json.dumps(whole))
    return folder


def _cached(dataset: DetectionSet, image: AnnotatedImage, cache: Path) -> MarkedField:
    key = hashlib.sha256(f"{_CACHE_VERSION} {GRID_CELLS} {dataset.name} {image.file_name}".encode()).hexdigest()[:20]
    path = cache / "fields" / f"{key}.npz"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        density, foreground, step = _densities(dataset, image)
        np.savez(path, density=density, foreground=foreground, step=step)
    with np.load(path) as stored:
        density, foreground, step = stored["density"], stored["foreground"], float(stored["step"])
    return _marked(dataset, image, density, foreground, step)


def _densities(dataset: DetectionSet, image: AnnotatedImage) -> tuple[NDArray[np.float16], NDArray[np.bool_], float]:
    diameter = dataset.cell_diameter_px(image)
    if diameter is None:
        raise ValueError(f"{image.file_name} states no red-cell diameter")
    field = open_smear(image.path).fields[0]
    calibration = calibrate(field, Scale.from_rbc_diameter_px(diameter))
    illumination = calibration.illumination
    grid = WorkingGrid(field.width, field.height, GRID_CELLS / diameter)
    window = grid.window
    light = transmitted_light(
        field.read(), (0, 0), (window.x0, window.y0, window.x1, window.y1), grid.step, LINEAR_LIGHT
    )
    x = grid.to_pixels(np.arange(window.x1, dtype=np.float64))
    y = grid.to_pixels(np.arange(window.y1, dtype=np.float64))
    u, v = (2 * x + 1) / grid.width - 1, (2 * y + 1) / grid.height - 1
    density = relative_density(light, u, v, illumination.coefficients)
    density[~illumination.is_lit(x, y)] = 0.0
    # A pale middle is not background, and neither is a gap that cells enclose sure to be.
    foreground = ndimage.binary_fill_holes(density[..., 1:].mean(axis=2) > calibration.levels.threshold)
    return density.astype(np.float16), foreground, grid.step


def _marked(
    dataset: DetectionSet,
    image: AnnotatedImage,
    density: NDArray[np.float16],
    foreground: NDArray[np.bool_],
    step: float,
) -> MarkedField:
    truth = image.truth
    names = [str(name) for name in truth["name"]]
    classes = [detector_class(name) for name in names]
    keep = np.array([one is not None for one in classes], np.bool_)
    boxes = np.stack([truth[column] for column in BOX_COLUMNS], axis=1)
    has_box = ~np.isnan(boxes).any(axis=1)
    centre = np.stack([truth["x"], truth["y"]], axis=1)
    half = GRID_CELLS / step / 2
    square = np.concatenate([centre - half, centre + half], axis=1)
    boxes = (np.where(has_box[:, None], boxes, square) + 0.5) * step
    channel = np.array([CHANNELS.index(one) if one else -1 for one in classes], np.int8)
    parasitised = np.array([term(name).lineage == "parasite" for name in names], np.bool_)
    return MarkedField(
        source=dataset.name,
        split=image.split,
        group=image.group,
        file=image.file_name,
        density=density,
        foreground=foreground,
        boxes=boxes[keep].astype(np.float32),
        has_box=has_box[keep],
        channel=channel[keep],
        parasitised=parasitised[keep],
        ignored=(truth["ignored"] > 0)[keep],
        knowledge=_knowledge(dataset, image),
    )


def _knowledge(dataset: DetectionSet, image: AnnotatedImage) -> tuple[Knowledge, ...]:
    """Return what an unmarked place means for each channel."""
    complete = image.complete
    red = Knowledge.NEARLY_EVERYWHERE if dataset.name in MOST_CELLS_MARKED else Knowledge.ON_BACKGROUND
    red = Knowledge.EVERYWHERE if RBC in complete else red
    white = Knowledge.EVERYWHERE if WBC in complete else Knowledge.IN_OTHER_MARKS
    small = Knowledge.EVERYWHERE if PLATELET in complete else Knowledge.IN_OTHER_MARKS
    no_parasite_missed = dataset.name in MALARIA_FREE or "ring trophozoite" in complete
    parasites = Knowledge.EVERYWHERE if no_parasite_missed else Knowledge.IN_OTHER_MARKS
    return red, white, small, parasites
