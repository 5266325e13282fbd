"""Validation fields as a detection network sees them, at their annotated scale, next to what is marked in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from hemato_lab.detectors.onnx import NetworkDetector
from hemato_lab.evaluation.dataset import DetectionSet, read_dataset
from hemato_lab.evaluation.fields import FieldOutcome
from hemato_lab.evaluation.matching import match_greedily
from hemato_lab.formats import open_smear
from hemato_lab.imaging.calibration import FieldCalibration, calibrate
from hemato_lab.imaging.tiling import read_tile
from hemato_lab.smear import Scale
from hemato_lab.vocabulary import RBC
from models.training.marked_fields import MALARIA_FREE

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from hemato_lab.detections import Detections
    from hemato_lab.evaluation.dataset import AnnotatedImage
    from hemato_lab.networks import Network
    from hemato_lab.smear import Tile

MOST_IMAGES: Final = 40
PARASITES: Final = ("parasitised RBC", "ring trophozoite", "trophozoite", "schizont", "gametocyte")


@dataclass(frozen=True)
class SeenField:
    """One field of a set.

    Attributes
    ----------
    image : AnnotatedImage
        With its marks.
    calibration : FieldCalibration
    tile : Tile
        The whole field.
    cells : Detections
        All candidates of the network.
    diameter : float
        Annotated diameter of a red cell in pixels.
    """

    image: AnnotatedImage
    calibration: FieldCalibration
    tile: Tile
    cells: Detections
    diameter: float

    @property
    def outcome(self) -> FieldOutcome:
        """As an evaluation takes it."""
        return FieldOutcome(self.cells, self.diameter)


@dataclass(frozen=True)
class SeenSet:
    """The validation fields of a set, at most `MOST_IMAGES`."""

    dataset: DetectionSet
    fields: tuple[SeenField, ...]

    @property
    def images(self) -> list[AnnotatedImage]:
        """The images of the fields."""
        return [field.image for field in self.fields]

    @property
    def outcomes(self) -> list[FieldOutcome]:
        """What the network made of them."""
        return [field.outcome for field in self.fields]


def see_validation_fields(network: Network, folder: Path) -> SeenSet:
    """Run a network over a set's validation fields."""
    dataset = read_dataset(folder)
    if not isinstance(dataset, DetectionSet):
        raise TypeError(f"{folder} holds no fields")
    images = [image for image in dataset.images if image.split == "val"][:MOST_IMAGES]
    return SeenSet(dataset, tuple(_see(network, dataset, image) for image in images))


def _see(network: Network, dataset: DetectionSet, image: AnnotatedImage) -> SeenField:
    diameter = dataset.cell_diameter_px(image)
    if diameter is None:
        raise ValueError(f"{image.file_name} has no annotated scale")
    field = open_smear(image.path).fields[0]
    calibration = calibrate(field, Scale.from_rbc_diameter_px(diameter))
    tile = read_tile(field, 0, field.window, 0)
    cells = NetworkDetector(calibration, network, measured=False)(tile)
    return SeenField(image, calibration, tile, cells, diameter)


def red_cells(seen: SeenField, least_score: float) -> Detections:
    """Return the likely red cells by falling score."""
    red = seen.cells.select((seen.cells["name"] == RBC) & (seen.cells["score"] >= least_score))
    return red.select(np.argsort(-red["score"], kind="stable"))


def parasitised(red: Detections, seen: SeenField, set_name: str) -> NDArray[np.bool_]:
    """Tell which red cells, sorted by falling score, are marked as parasitised; shape (n,)."""
    infected = np.zeros(len(red), bool)
    if set_name in MALARIA_FREE:
        return infected
    truth = seen.image.truth
    apart = np.hypot(red["x"][:, None] - truth["x"], red["y"][:, None] - truth["y"])
    matched = match_greedily(1 - apart / np.maximum(2 * truth["radius"], 1), truth["ignored"] > 0)
    infected[matched >= 0] = np.isin(truth["name"], PARASITES)[matched[matched >= 0]]
    return infected
