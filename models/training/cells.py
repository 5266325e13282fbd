"""Single cells for the classifiers: patches of optical density, and the names that each may have.

A patch is larger than what the network looks at, so that it can be turned and enlarged. A label that says less than one
class ("parasitised", "no blast") is kept as the set of classes that it allows.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from hemato_lab.classifiers.crops import CropShape, crop_density, cut_cells
from hemato_lab.evaluation.dataset import DetectionSet, read_dataset
from hemato_lab.formats import open_smear
from hemato_lab.imaging.calibration import calibrate
from hemato_lab.smear import Scale
from hemato_lab.vocabulary import PLATELET, RBC, WBC, is_a
from models.training.marked_fields import phantom_folder, white_cell_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from hemato_lab.detections import Detections

WHITE_CELLS: Final = (
    *("neutrophil", "eosinophil", "basophil", "lymphocyte", "monocyte", "immature granulocyte", "blast"),
    *("nucleated RBC", "platelet", "artefact"),
)
SHAPES: Final = (
    *("normal RBC", "macrocyte", "microcyte", "hypochromic cell", "spherocyte", "elliptocyte", "ovalocyte"),
    *("teardrop cell", "sickle cell", "schistocyte", "target cell", "stomatocyte", "echinocyte"),
)
STAGES: Final = ("uninfected RBC", "ring trophozoite", "trophozoite", "schizont", "gametocyte")
PBC_RBC_PX: Final = 37.7
"""Half of what isolated red cells measure in txl_pbc_cells, which are the same pictures at twice the size."""
TALEQANI_RBC_PX: Final = 16.7
"""Median of the package's own ruler over the training images."""
MPIDB_RBC_PX: Final = 125.0
"""Red cells in MP-IDB's photographs, by look; the crops hold only the parasite."""
UNREMARKABLE: Final = ("normal RBC",)
"""What a round red cell of the usual size is taken for in sets that mark no shapes: few of their patients have other
round ones, and with more names allowed a network settles on the rarest."""
_ROUND: Final = 1.15
"""Longer to shorter side of the box, at most."""
_USUAL_SIZE: Final = 0.08
"""Relative distance of the box's size from the median of its field, at most."""
_CACHE_VERSION: Final = {"white-cells": 2, "red-cell-shape": 3, "malaria": 1}
_SEED: Final = 7


@dataclass(frozen=True)
class Task:
    """One classifier.

    Attributes
    ----------
    name : str
        As in the registry of classifiers.
    classes : tuple of str
    shape : CropShape
        What the network looks at.
    patch : int
        Side of a training patch at the same scale.
    size_jitter : float
        Natural logarithm, uniform.
    """

    name: str
    classes: tuple[str, ...]
    shape: CropShape
    patch: int
    size_jitter: float
    widths: tuple[int, int, int, int]


TASKS: Final = {
    task.name: task
    for task in (
        Task("white-cells", WHITE_CELLS, CropShape(96, 32.0), 152, 0.15, (24, 48, 80, 112)),
        Task("red-cell-shape", SHAPES, CropShape(56, 36.0), 88, 0.07, (24, 48, 80, 112)),
        Task("malaria", STAGES, CropShape(56, 40.0), 88, 0.12, (32, 56, 96, 128)),
    )
}


@dataclass(frozen=True)
class Cells:
    """Patches of one task and split.

    Attributes
    ----------
    patches : array of shape (n, patch, patch, 3), float16
        Optical density.
    allowed : array of shape (n, classes), bool
    source : array of str, shape (n,)
    """

    patches: NDArray[np.float16]
    allowed: NDArray[np.bool_]
    source: NDArray[np.str_]


def load_cells(task: Task, folder: Path, cache: Path, split: str) -> Cells:
    """Return the cells of a task in a split, made on first use; "test" is refused."""
    if split == "test":
        raise ValueError("test splits are for final figures, not for training")
    key = hashlib.sha256(f"{_CACHE_VERSION[task.name]} {task}".encode()).hexdigest()[:12]
    path = cache / f"{task.name}-{split}-{key}.npz"
    if not path.is_file():
        found = list(_GATHER[task.name](task, folder, cache, split))
        index = {name: place for place, name in enumerate(task.classes)}
        allowed = np.zeros((len(found), len(task.classes)), np.bool_)
        for row, (_, names, _) in enumerate(found):
            allowed[row, [index[name] for name in names]] = True
        patches = np.stack([patch.transpose(1, 2, 0) for patch, _, _ in found]).astype(np.float16)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, patches=patches, allowed=allowed, source=np.array([source for _, _, source in found]))
    with np.load(path) as stored:
        return Cells(stored["patches"], stored["allowed"], stored["source"])


def _patch_shape(task: Task) -> CropShape:
    return CropShape(task.patch, task.shape.rbc_diameter_px)


def _crops(
    task: Task, folder: Path, split: str, diameter: float | None, allowed: Callable[[str], tuple[str, ...]]
) -> Iterator[tuple[NDArray[np.float32], tuple[str, ...], str]]:
    """Yield the crops of a crop set."""
    with (folder / "labels.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == split]
    for row in rows:
        pixels = open_smear(folder / row["file"]).fields[0].read()
        yield crop_density(pixels, _patch_shape(task), diameter), allowed(row["label"]), folder.name


def _marks(
    task: Task,
    folder: Path,
    split: str,
    allowed: Callable[[str], tuple[str, ...]],
    *,
    most: int = 10**6,
    source: str | None = None,
    fitting: Callable[[Detections], NDArray[np.bool_]] | None = None,
) -> Iterator[tuple[NDArray[np.float32], tuple[str, ...], str]]:
    """Yield marked cells of a detection set, at most so many of each name an image; no allowed name leaves one out."""
    dataset = read_dataset(folder)
    if not isinstance(dataset, DetectionSet):
        raise TypeError(f"{folder} holds no fields")
    random = np.random.default_rng(_SEED)
    for image in dataset.images:
        diameter = dataset.cell_diameter_px(image)
        if image.split != split or diameter is None or not len(image.truth):
            continue
        truth = image.truth.select(image.truth["ignored"] == 0)
        truth = truth if fitting is None else truth.select(fitting(truth))
        names = truth["name"]
        chosen = [
            row
            for name in np.unique(names)
            if allowed(str(name))
            for row in random.permutation(np.flatnonzero(names == name))[:most]
        ]
        if not chosen:
            continue
        field = open_smear(image.path).fields[0]
        calibration = calibrate(field, Scale.from_rbc_diameter_px(diameter))
        centres = np.stack([truth["x"], truth["y"]], axis=1)[chosen]
        patches = cut_cells(field.read(), field.window, calibration, centres, _patch_shape(task))
        for patch, row in zip(patches, chosen, strict=True):
            yield patch, allowed(str(names[row])), source or dataset.name


def _white_cells_found(
    task: Task, folder: Path, split: str, diameter: float, allowed: Callable[[str], tuple[str, ...]]
) -> Iterator[tuple[NDArray[np.float32], tuple[str, ...], str]]:
    """Yield the white cells that the classical detector finds in images with one label each."""
    from hemato_lab.detectors import make_detector
    from hemato_lab.imaging.tiling import read_tile

    with (folder / "labels.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == split]
    for row in rows:
        field = open_smear(folder / row["file"]).fields[0]
        calibration = calibrate(field, Scale.from_rbc_diameter_px(diameter))
        found = make_detector("classical", calibration)(read_tile(field, 0, field.window, 0))
        cells = found.select((found["name"] == WBC) & (found["on_border"] == 0))
        centres = np.stack([cells["x"], cells["y"]], axis=1)
        for patch in cut_cells(field.read(), field.window, calibration, centres, _patch_shape(task)):
            yield patch, allowed(row["label"]), folder.name


def _white_cells(
    task: Task, folder: Path, cache: Path, split: str
) -> Iterator[tuple[NDArray[np.float32], tuple[str, ...], str]]:
    not_blast = tuple(name for name in WHITE_CELLS if name != "blast")
    mature = WHITE_CELLS[:6]

    def of_crop(label: str) -> tuple[str, ...]:
        return (label,)

    def of_leukaemia(label: str) -> tuple[str, ...]:
        return not_blast if label == "benign" else ("blast",)

    def of_field(name: str) -> tuple[str, ...]:
        if name == PLATELET:
            return (PLATELET,)
        if name == RBC:
            return ("artefact",)
        return mature if name == WBC else ()

    def of_phantom(name: str) -> tuple[str, ...]:
        if name in {"smudge cell", "stain precipitate"} or is_a(name, RBC):
            return ("artefact",)
        return (PLATELET,) if is_a(name, PLATELET) else ()

    def of_white_phantom(name: str) -> tuple[str, ...]:
        if name == "smudge cell":
            return ("artefact",)
        return tuple(one for one in (*mature, "blast", "nucleated RBC") if is_a(name, one))

    yield from _crops(task, folder / "pbc_cells", split, PBC_RBC_PX, of_crop)
    yield from _white_cells_found(task, folder / "taleqani_all", split, TALEQANI_RBC_PX, of_leukaemia)
    for source in ("bccd", "deepbionet", "txl_pbc_cells"):
        yield from _marks(task, folder / source, split, of_field, most=2)
    yield from _marks(task, phantom_folder(cache), split, of_phantom, most=3, source="phantom")
    yield from _marks(task, white_cell_folder(cache), split, of_white_phantom, source="phantom")


def _shapes(
    task: Task, folder: Path, cache: Path, split: str
) -> Iterator[tuple[NDArray[np.float32], tuple[str, ...], str]]:
    def own_name(name: str) -> tuple[str, ...]:
        return (name,) if name in SHAPES else ()

    def of_field(name: str) -> tuple[str, ...]:
        return UNREMARKABLE if name == RBC else ()

    yield from _marks(task, folder / "chula_rbc12", split, own_name)
    yield from _marks(task, folder / "sickle_uganda", split, own_name)
    yield from _without_sickle_cells(task, folder / "sickle_uganda", split)
    # Other stains and microscopes, with the little that their boxes tell about shape.
    for source in ("bccd", "deepbionet", "txl_pbc_cells", "iml_malaria"):
        yield from _marks(task, folder / source, split, of_field, most=3, fitting=_round_and_usual)
    yield from _marks(task, phantom_folder(cache), split, own_name, most=6, source="phantom")


def _round_and_usual(truth: Detections) -> NDArray[np.bool_]:
    """Tell which boxes are those of round red cells as large as most of their field."""
    width, height = truth["x_max"] - truth["x_min"], truth["y_max"] - truth["y_min"]
    size = np.sqrt(width * height)
    usual = np.median(size[truth["name"] == RBC]) if (truth["name"] == RBC).any() else np.nan
    is_round = np.maximum(width, height) <= _ROUND * np.minimum(width, height)
    return np.asarray((truth["name"] == RBC) & is_round & (np.abs(size / usual - 1) <= _USUAL_SIZE))


def _without_sickle_cells(
    task: Task, folder: Path, split: str
) -> Iterator[tuple[NDArray[np.float32], tuple[str, ...], str]]:
    """Yield red cells of the fields in which every sickle cell is marked and none is."""
    from hemato_lab.detectors import make_detector
    from hemato_lab.imaging.tiling import read_tile

    dataset = read_dataset(folder)
    if not isinstance(dataset, DetectionSet):
        raise TypeError(f"{folder} holds no fields")
    others = tuple(name for name in SHAPES if name != "sickle cell")
    random = np.random.default_rng(_SEED)
    for image in dataset.images:
        diameter = dataset.cell_diameter_px(image)
        if image.split != split or "sickle cell" not in image.complete or diameter is None:
            continue
        field = open_smear(image.path).fields[0]
        calibration = calibrate(field, Scale.from_rbc_diameter_px(diameter))
        found = make_detector("classical", calibration)(read_tile(field, 0, field.window, 0))
        cells = found.select((found["name"] == RBC) & (found["on_border"] == 0) & (found["score"] > 0.8))
        cells = cells.select(random.permutation(len(cells))[:25])
        centres = np.stack([cells["x"], cells["y"]], axis=1)
        for patch in cut_cells(field.read(), field.window, calibration, centres, _patch_shape(task)):
            yield patch, others, dataset.name


def _stages(
    task: Task, folder: Path, cache: Path, split: str
) -> Iterator[tuple[NDArray[np.float32], tuple[str, ...], str]]:
    def of_crop(label: str) -> tuple[str, ...]:
        return STAGES[1:] if label == "parasitised RBC" else (label,)

    def parasite(name: str) -> tuple[str, ...]:
        return (name,) if name in STAGES[1:] else ()

    def uninfected(name: str) -> tuple[str, ...]:
        return STAGES[:1] if is_a(name, RBC) and name not in STAGES else ()

    yield from _crops(task, folder / "nih_malaria_cells", split, None, of_crop)
    yield from _crops(task, folder / "mpidb_stages", split, MPIDB_RBC_PX, of_crop)
    yield from _marks(task, folder / "iml_malaria", split, parasite)
    yield from _marks(task, folder / "iml_malaria", split, uninfected, most=60)
    for source in ("bccd", "deepbionet", "txl_pbc_cells", "chula_rbc12"):
        yield from _marks(task, folder / source, split, uninfected, most=3)
    yield from _marks(task, phantom_folder(cache), split, parasite, most=8, source="phantom")
    yield from _marks(task, phantom_folder(cache), split, uninfected, most=4, source="phantom")


_GATHER: Final = {"white-cells": _white_cells, "red-cell-shape": _shapes, "malaria": _stages}
