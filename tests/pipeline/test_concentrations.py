"""Which concentrations rules may judge, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hemato_lab.detections import Detections
from hemato_lab.pipeline.concentrations import analyser_white_cells, assumptions_of, concentrations_of
from hemato_lab.reference import BloodCount, ClinicalContext, load_reference
from hemato_lab.smear import Scale
from hemato_lab.statistics.differential import differential
from hemato_lab.statistics.estimates import Assumptions, Cells

REFERENCE = load_reference().values
SCALE = Scale.from_um_per_px(0.25)
NOBODY = ClinicalContext()


def cells_of(counts: dict[str, int]) -> Detections:
    names = [name for name, count in counts.items() for _ in range(count)]
    n = len(names)
    return Detections(
        {
            "field": np.zeros(n, int),
            "x": np.full(n, 400.0),
            "y": np.full(n, 400.0),
            "radius": np.full(n, 10.0),
            "name": np.array(names),
            "score": np.ones(n),
        }
    )


def counted(found: Detections, known: Assumptions) -> Cells:
    return Cells(found, [(1000, 800)], SCALE, known, (), None)


FOUND = cells_of({"normal RBC": 1000, "neutrophil": 30, "lymphocyte": 10, "platelet": 50, "nucleated RBC": 8})
TYPES = differential(FOUND, 1)


@pytest.mark.parametrize(
    ("count", "stated", "expected"),
    [
        ({}, None, (5e6, "assumed")),
        ({"rbc": 3.2}, None, (3.2e6, "blood count")),
        ({"rbc": 3.2}, 4.1e6, (4.1e6, "stated by the user")),
    ],
)
def test_what_the_user_states_goes_before_the_blood_count_and_that_before_the_assumption(count, stated, expected):
    known = assumptions_of(ClinicalContext(blood_count=BloodCount(**count)), stated, REFERENCE, None)
    assert (known.rbc_per_ul, known.rbc_origin) == expected
    assert (known.wbc_per_ul, known.wbc_origin) == (8000.0, "assumed")


def test_an_analyser_counts_nucleated_red_cells_among_the_white_ones():
    context = ClinicalContext(blood_count=BloodCount(wbc=12.0))
    # 8 for 40 white cells are 20 for 100: 12 x 100 / 120
    assert analyser_white_cells(context, REFERENCE, TYPES) == pytest.approx(10.0)
    assert analyser_white_cells(context, REFERENCE, None) == 12.0
    assert analyser_white_cells(NOBODY, REFERENCE, TYPES) is None


def test_nothing_may_be_judged_that_rests_on_an_assumption():
    known = assumptions_of(NOBODY, None, REFERENCE, TYPES)
    assert concentrations_of(counted(FOUND, known), known, NOBODY, TYPES, clumped=False) == {}


def test_a_stated_red_cell_count_makes_estimates_by_the_ratio_of_densities():
    known = assumptions_of(NOBODY, 4e6, REFERENCE, TYPES)
    cells = counted(FOUND, known)
    found = concentrations_of(cells, known, NOBODY, TYPES, clumped=False)
    assert set(found) == {"WBC", "platelet", "neutrophil", "lymphocyte"}
    red, white = cells.counts["RBC"], cells.counts["WBC"]
    per_odds = 4000 * red.total_area_mm2 / white.total_area_mm2
    assert found["WBC"].value == pytest.approx(40 / 1000 * per_odds)
    assert found["neutrophil"].value == pytest.approx(30 / 1000 * per_odds)
    threshold = 150.0
    odds = threshold / per_odds
    assert found["WBC"].probability_above(threshold) == pytest.approx(
        stats.beta(40.5, 1000.5).sf(odds / (1 + odds)), abs=1e-9
    )


def test_a_share_of_the_blood_count_takes_the_analysers_white_cells():
    context = ClinicalContext(blood_count=BloodCount(wbc=12.0))
    known = assumptions_of(context, None, REFERENCE, TYPES)
    found = concentrations_of(counted(FOUND, known), known, context, TYPES, clumped=False)
    assert set(found) == {"WBC", "neutrophil", "lymphocyte"}
    assert found["WBC"].probability_above(9.9) == 1.0
    assert found["neutrophil"].value == pytest.approx(7.5)
    assert found["neutrophil"].probability_above(7.0) == pytest.approx(stats.beta(30.5, 10.5).sf(0.7), abs=1e-9)


def test_clumps_leave_only_the_analysers_platelets():
    known = assumptions_of(NOBODY, 4e6, REFERENCE, TYPES)
    assert "platelet" not in concentrations_of(counted(FOUND, known), known, NOBODY, TYPES, clumped=True)
    context = ClinicalContext(blood_count=BloodCount(plt=90.0))
    found = concentrations_of(counted(FOUND, known), known, context, TYPES, clumped=True)
    assert (found["platelet"].value, found["platelet"].origin) == (90.0, "blood count")


def test_without_red_cells_there_is_no_ratio():
    alone = cells_of({"neutrophil": 3})
    known = assumptions_of(NOBODY, 4e6, REFERENCE, None)
    assert concentrations_of(counted(alone, known), known, NOBODY, differential(alone, 1), clumped=False) == {}
