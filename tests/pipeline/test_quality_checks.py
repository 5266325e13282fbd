"""What the quality checks of an analysis say of what nobody measured."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import jsonschema
import numpy as np
import pytest

from hemato_lab.analysis import tables, wording
from hemato_lab.detections import Detections
from hemato_lab.detectors import DETECTORS
from hemato_lab.detectors.features import FEATURES
from hemato_lab.export import render
from hemato_lab.pipeline import analyze
from hemato_lab.report import report_schema
from hemato_lab.smear import Smear
from hemato_lab.vocabulary import DETECTOR_CLASSES, RBC

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hemato_lab.analysis import Analysis
    from hemato_lab.smear import Field, Tile

UNREAD = "not assessed: no red-cell size was read from this field"


class Placed:
    """A detector that finds red cells along the diagonal of a tile, with a given overlap each."""

    operating_scores = dict.fromkeys(DETECTOR_CLASSES, 0.5)

    def __init__(self, columns: dict[str, np.ndarray], count: int) -> None:
        self.columns, self.count = columns, count

    def __call__(self, _tile: Tile) -> Detections:
        places = np.linspace(20, 300, self.count)
        edges = {"x_min": places - 15, "y_min": places - 15, "x_max": places + 15, "y_max": places + 15}
        unmeasured = {name: np.full(self.count, np.nan) for name in FEATURES if name != "overlapped"}
        return Detections(
            {
                "field": np.zeros(self.count),
                "x": places,
                "y": places,
                "radius": np.full(self.count, 15.0),
                "name": np.full(self.count, RBC),
                "score": np.ones(self.count),
                **unmeasured,
                **edges,
                **self.columns,
            }
        )


@pytest.fixture
def gates_of_placed(phantom: Callable[..., Smear], monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Gates of a field in which so many red cells are found, with a column of their overlap or none."""

    def gates(overlapped: list[float] | None, count: int) -> dict[str, Any]:
        columns = {} if overlapped is None else {"overlapped": np.array(overlapped)}
        monkeypatch.setitem(DETECTORS, "placed", lambda _calibration, **_options: Placed(columns, count))
        (found,) = analyze(phantom("normal"), detector="placed", names=False).quality.values()
        assert found["red_cells_per_mm2"] > 0
        return dict(found)

    return gates


NAN = float("nan")


@pytest.mark.parametrize(
    ("overlapped", "share"),
    [
        ([1.0] * 5 + [0.0] * 15 + [NAN] * 20, 0.25),
        ([0.0] * 20 + [NAN] * 20, 0.0),
        ([1.0] * 10 + [0.0] * 30, 0.25),
        ([NAN] * 40, None),
        (None, None),
    ],
)
def test_cells_without_an_outline_do_not_count_as_lying_apart(
    gates_of_placed: Callable[..., dict[str, Any]], overlapped: list[float] | None, share: float | None
) -> None:
    gates = gates_of_placed(overlapped, 40)
    assert gates["overlap_share"] == share
    if share is None:
        assert gates["monolayer"] == "not assessed: overlap measured in none of the red cells"
    elif share:
        assert gates["monolayer"] == "too thick: 25 % of the red cells overlap or touch"
    else:
        assert gates["monolayer"] == "ok"


@pytest.fixture(scope="module")
def unmeasured(phantom: Callable[..., Smear]) -> Analysis:
    return analyze(phantom("normal"), names=False, measured=False)


def test_an_analysis_that_measures_nothing_claims_no_overlap(unmeasured: Analysis) -> None:
    red = unmeasured.detections.select(unmeasured.detections.of_kind(RBC))
    assert len(red) > 20
    assert np.isnan(red["overlapped"]).all(), "nothing was measured"
    (gates,) = unmeasured.quality.values()
    assert gates["overlap_share"] is None
    assert gates["monolayer"] == "not assessed: overlap measured in none of the red cells"
    assert " % of the red cells overlap" not in render(unmeasured, "html").decode()
    written = json.loads(render(unmeasured, "json"))
    jsonschema.Draft202012Validator(report_schema()).validate(written)
    assert written["hemato_lab"]["quality"] == unmeasured.quality


def test_measured_cells_are_judged(phantom: Callable[..., Smear]) -> None:
    (gates,) = analyze(phantom("normal"), names=False).quality.values()
    assert 0 <= gates["overlap_share"] < 0.2
    assert gates["monolayer"] == "ok"


def test_a_field_that_the_ruler_refuses_has_no_verdict_on_its_scale(
    phantom: Callable[..., Smear], field_of: Callable[..., Field]
) -> None:
    smear = phantom("normal", size=(640, 480))
    flat = field_of(225, "flat.png", (640, 480))
    found = analyze(Smear("both", (*smear.fields, flat), {}, smear.scale), detector="classical", names=False)
    assert [gates["scale"] for gates in found.quality.values()] == ["ok", UNREAD]


def test_fields_that_were_not_assessed_hide_none_that_failed(unmeasured: Analysis) -> None:
    (gates,) = unmeasured.quality.values()
    passed = {**gates, "monolayer": "ok"}
    quality = {f"{number}.png": {**passed, "scale": UNREAD} for number in range(5)}
    quality["6.png"] = {**passed, "scale": "red cells of this field differ from the scale by +40 %"}
    wrong, unknown = (row for row in tables.cautions(replace(unmeasured, quality=quality)).rows if row[0] == "Scale")
    assert wrong[1] == "1 of 6 fields; 6.png: red cells of this field differ from the scale by +40 %"
    assert wrong[2] == wording.CHECKS["scale"].spoils
    assert unknown[1].startswith(f"5 of 6 fields; 0.png: {UNREAD}; 1.png")
    assert unknown[2] == "Not known: what this check warns of may be there unnoticed."
