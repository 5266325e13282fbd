from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hemato_lab.detections import Detections
from hemato_lab.errors import ScaleNotCredibleError
from hemato_lab.networks import model_sha256
from hemato_lab.pipeline import blasts
from hemato_lab.pipeline.blasts import BlastReader
from tests.pipeline.stains import BLUE, DIAMETER, GREEN, PALE, PLACES, RED, Stain, picture_of, probabilities

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hemato_lab.classifiers.network import NetworkClassifier
    from hemato_lab.imaging.calibration import FieldCalibration
    from hemato_lab.smear import Smear, Tile

    Tell = Callable[[list[tuple[str, float]]], "Told"]


@dataclass
class Told:
    """A detector that has been told what is there: names and scores of the cells at `PLACES`."""

    cells: list[tuple[str, float]]
    operating_scores: Mapping[str, float] = field(default_factory=lambda: {"RBC": 0.1, "WBC": 0.6, "platelet": 0.1})
    diameters: list[float] = field(default_factory=list)

    def made(self, name: str, calibration: FieldCalibration, *, measured: bool) -> Told:
        assert (name, measured) == ("onnx", False)
        self.diameters.append(calibration.scale.rbc_diameter_px)
        return self

    def __call__(self, tile: Tile) -> Detections:
        assert tile.core == tile.window
        count = len(self.cells)
        x, y = np.array(PLACES[:count], float).reshape(count, 2).T
        columns = {"field": np.zeros(count), "x": x, "y": y, "radius": np.full(count, 15.0)}
        names, scores = np.array([name for name, _ in self.cells], "<U32"), np.array([one for _, one in self.cells])
        return Detections({**columns, "name": names, "score": scores})


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, classifiers: Mapping[str, NetworkClassifier]) -> Tell:
    """Make the reader of pictures find certain cells, and name them by their colour."""

    def tell(cells: list[tuple[str, float]]) -> Told:
        detector = Told(cells)
        monkeypatch.setattr(blasts, "make_detector", detector.made)
        monkeypatch.setattr(blasts, "load_classifiers", lambda: classifiers)
        return detector

    return tell


STAINS: list[Stain] = [RED, GREEN, BLUE, PALE]


def of_picture(share: float) -> float:
    """The logistic curve of the odds of the mean share, written out."""
    odds = (share / (1 - share)) ** blasts.SLOPE * np.exp(blasts.INTERCEPT)
    return float(odds / (1 + odds))


def test_a_picture_has_the_mean_probability_over_its_white_cells(told: Tell) -> None:
    told([("WBC", 0.9)] * 4)
    seen = BlastReader().classify([picture_of(STAINS)], rbc_diameter_px=DIAMETER)
    assert seen.classes == ("benign", "blast")
    expected = of_picture(float(np.mean([probabilities(stain, "white-cells")[0] for stain in STAINS])))
    np.testing.assert_allclose(seen.probabilities, [[1 - expected, expected]], rtol=0, atol=1e-4)
    assert not seen.unknown.any()


def test_only_white_cells_from_the_operating_score_on_count(told: Tell) -> None:
    told([("RBC", 0.9), ("WBC", 0.6), ("WBC", 0.59), ("platelet", 0.9)])
    seen = BlastReader().classify([picture_of(STAINS)], rbc_diameter_px=DIAMETER)
    assert seen.probabilities[0, 1] == pytest.approx(of_picture(probabilities(GREEN, "white-cells")[0]), abs=1e-4)


def test_pictures_are_read_one_by_one(told: Tell) -> None:
    told([("WBC", 0.9)])
    stains = [RED, BLUE, GREEN]
    seen = BlastReader().classify([picture_of([stain]) for stain in stains], rbc_diameter_px=DIAMETER)
    assert seen.names.tolist() == ["blast", "benign", "benign"]
    expected = [of_picture(probabilities(stain, "white-cells")[0]) for stain in stains]
    np.testing.assert_allclose(seen.probabilities[:, 1], expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("cells", [[], [("RBC", 0.9)], [("WBC", 0.1)]])
def test_a_picture_without_white_cells_is_undecided_and_unknown(told: Tell, cells: list[tuple[str, float]]) -> None:
    told(cells)
    seen = BlastReader().classify([picture_of([RED])], rbc_diameter_px=DIAMETER)
    assert seen.probabilities.tolist() == [[0.5, 0.5]]
    assert seen.unknown.tolist() == [True]


def test_a_picture_without_a_scale_is_undecided_and_unknown(told: Tell) -> None:
    detector = told([("WBC", 0.9)])
    flat = np.full((200, 200, 3), 230, np.uint8)
    seen = BlastReader().classify([flat])
    assert seen.probabilities.tolist() == [[0.5, 0.5]]
    assert seen.unknown.tolist() == [True]
    assert detector.diameters == []


def test_the_scale_is_read_from_the_picture_unless_it_is_stated(told: Tell, phantom: Callable[..., Smear]) -> None:
    detector = told([("WBC", 0.9)])
    pixels = np.array(phantom("normal", size=(640, 480)).fields[0].read())
    BlastReader().classify([pixels])
    BlastReader().classify([pixels], rbc_diameter_px=27.5)
    assert detector.diameters[0] == pytest.approx(30.0, rel=0.08)
    assert detector.diameters[3] == 27.5
    # Each picture is read at its scale and beside it.
    for first in (0, 3):
        beside = [one / detector.diameters[first] for one in detector.diameters[first + 1 : first + 3]]
        assert beside == pytest.approx(list(blasts.BESIDE))
    assert len(detector.diameters) == 6


def test_the_shares_at_all_scales_are_averaged(told: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    told([("WBC", 0.9)])
    shares = iter([np.array([0.2, 0.4]), np.empty(0), np.array([0.9])])
    monkeypatch.setattr(BlastReader, "_probabilities", lambda *_: next(shares))
    seen = BlastReader().classify([picture_of([RED])], rbc_diameter_px=DIAMETER)
    assert seen.probabilities[0, 1] == pytest.approx(of_picture((0.3 + 0.9) / 2), abs=1e-9)


def test_at_the_edge_of_what_is_credible_fewer_scales_are_read(told: Tell) -> None:
    detector = told([("WBC", 0.9)])
    assert not BlastReader().classify([picture_of([RED])], rbc_diameter_px=15.2).unknown.any()
    assert detector.diameters == pytest.approx([15.2, 1.07 * 15.2])


def test_an_impossible_stated_diameter_is_refused(told: Tell) -> None:
    told([("WBC", 0.9)])
    with pytest.raises(ScaleNotCredibleError):
        BlastReader().classify([picture_of([RED])], rbc_diameter_px=3.0)


def test_no_picture_gives_an_empty_result(told: Tell) -> None:
    told([])
    seen = BlastReader().classify([])
    assert seen.probabilities.shape == (0, 2)
    assert seen.unknown.shape == (0,)


def test_the_model_is_the_one_that_names_white_cells() -> None:
    assert BlastReader().model_sha256 == model_sha256("white-cells")


def test_the_models_that_ship_read_a_picture(phantom: Callable[..., Smear]) -> None:
    smear = phantom("acute_leukaemia")
    seen = BlastReader().classify([np.array(smear.fields[0].read())], rbc_diameter_px=30.0)
    assert not seen.unknown.any()
    assert 0 <= seen.probabilities[0, 1] <= 1
