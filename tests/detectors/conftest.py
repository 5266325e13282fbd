"""Phantom fields of several recipes with their truth, analysed once, and the pairing of cells with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from hemato_lab import vocabulary
from hemato_lab.detections import OPERATING_SCORE, Detections
from hemato_lab.detectors import make_detector
from hemato_lab.imaging.calibration import calibrate
from hemato_lab.imaging.tiling import read_tile
from hemato_lab.phantom import RECIPES, phantom_smear
from hemato_lab.smear import RED_CELL_DIAMETER_UM, ArraySource, Field, Scale, Smear

if TYPE_CHECKING:
    from collections.abc import Callable

FIELDS = {"normal": 2, "differential": 2, "acute_leukaemia": 2}
"""Fields of a smear, where it is not one: enough for the rarer cells."""


class Scores(NamedTuple):
    """How well a class is found; cells at the border, where the truth shows in part only, are left out."""

    precision: float
    recall: float
    f1: float
    truth: int


class Pairs(NamedTuple):
    """Rows of found and true cells that belong together, in the same order."""

    found: Detections
    truth: Detections


@dataclass(frozen=True)
class Detected:
    """A smear, its truth and what the detector finds above the operating score."""

    smear: Smear
    truth: Detections
    cells: Detections

    @property
    def first_field(self) -> Detections:
        """Cells of the first field."""
        return self.cells.select(self.cells["field"] == 0)

    def pairs(self, name: str) -> Pairs:
        """Pair by centre, one to one, closest in all; a pair lies within the true cell's radius."""
        found, truth = self.cells.named(name), _of_class(self.truth, name)
        distance = np.hypot(found["x"][:, None] - truth["x"], found["y"][:, None] - truth["y"])
        near = (distance <= truth["radius"]) & (found["field"][:, None] == truth["field"])
        rows, columns = linear_sum_assignment(np.where(near, distance, 1e6))
        kept = near[rows, columns]
        return Pairs(found.select(rows[kept]), truth.select(columns[kept]))

    def scores(self, name: str) -> Scores:
        """Precision over found and recall over true cells that lie half a red cell inside the field."""
        found, truth = self.pairs(name)
        every_truth = self._inside(_of_class(self.truth, name))
        precision = self._inside(found) / max(self._inside(self.cells.named(name)), 1)
        recall = self._inside(truth) / max(every_truth, 1)
        return Scores(precision, recall, 2 * precision * recall / max(precision + recall, 1e-9), every_truth)

    def _inside(self, table: Detections) -> int:
        assert self.smear.scale is not None
        margin = self.smear.scale.rbc_diameter_px / 2
        width, height = self.smear.fields[0].width, self.smear.fields[0].height
        x, y = table["x"], table["y"]
        within = (x >= margin) & (y >= margin) & (x < width - margin) & (y < height - margin)
        return int(np.count_nonzero(within))


def _of_class(table: Detections, name: str) -> Detections:
    return table.select(np.array([vocabulary.detector_class(one) == name for one in table["name"].tolist()], bool))


def _detect(field: Field, scale: Scale, index: int = 0) -> Detections:
    """Cells of a field as one tile, above the operating score."""
    table = make_detector("classical", calibrate(field, scale))(read_tile(field, index, field.window, 0))
    return table.select(table["score"] >= OPERATING_SCORE)


@pytest.fixture(scope="session")
def phantom() -> Callable[..., Detected]:
    """Fields of a named recipe and seed with red cells of a given size."""

    @cache
    def make(name: str, seed: int = 0, rbc_px: float = 40.0, size: tuple[int, int] = (720, 540)) -> Detected:
        recipe = replace(RECIPES[name], um_per_px=RED_CELL_DIAMETER_UM / rbc_px)
        smear, truth = phantom_smear(recipe, seed, FIELDS.get(name, 1), *size)
        scale = smear.scale
        assert scale is not None
        tables = [_detect(field, scale, index) for index, field in enumerate(smear.fields)]
        return Detected(smear, truth, Detections.concatenate(tables))

    return make


@pytest.fixture(scope="session")
def detect_pixels() -> Callable[[np.ndarray, float], Detections]:
    """Cells of a picture with a stated red-cell diameter."""

    def detect(pixels: np.ndarray, rbc_diameter_px: float) -> Detections:
        field = Field("field", ArraySource(np.ascontiguousarray(pixels)), "sha224-i-00")
        return _detect(field, Scale.from_rbc_diameter_px(rbc_diameter_px))

    return detect
