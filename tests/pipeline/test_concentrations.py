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


NAMEABLE = ("neutrophil", "lymphocyte", "nucleated RBC")
FOUND = cells_of({"normal RBC": 2500, "neutrophil": 75, "lymphocyte": 25, "platelet": 125, "nucleated RBC": 20})
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
    # 20 for 100: 12 x 100 / 120
    assert analyser_white_cells(context, REFERENCE, TYPES) == pytest.approx(10.0)
    assert analyser_white_cells(context, REFERENCE, None) == 12.0
    assert analyser_white_cells(NOBODY, REFERENCE, TYPES) is None


def test_nothing_may_be_judged_that_rests_on_an_assumption():
    known = assumptions_of(NOBODY, None, REFERENCE, TYPES)
    assert concentrations_of(counted(FOUND, known), known, NOBODY, TYPES, nameable=NAMEABLE, clumped=False) == {}


def test_a_stated_red_cell_count_makes_estimates_by_the_ratio_of_densities():
    known = assumptions_of(NOBODY, 4e6, REFERENCE, TYPES)
    cells = counted(FOUND, known)
    found = concentrations_of(cells, known, NOBODY, TYPES, nameable=NAMEABLE, clumped=False)
    assert set(found) == {"WBC", "platelet", "neutrophil", "lymphocyte"}
    red, white = cells.counts["RBC"], cells.counts["WBC"]
    per_odds = 4000 * red.total_area_mm2 / white.total_area_mm2
    assert found["WBC"].value == pytest.approx(100 / 2500 * per_odds)
    assert found["neutrophil"].value == pytest.approx(75 / 2500 * per_odds)
    threshold = 150.0
    odds = threshold / per_odds
    assert found["WBC"].probability_above(threshold) == pytest.approx(
        stats.beta(100.5, 2500.5).sf(odds / (1 + odds)), abs=1e-9
    )


def test_a_share_of_the_blood_count_takes_the_analysers_white_cells():
    context = ClinicalContext(blood_count=BloodCount(wbc=12.0))
    known = assumptions_of(context, None, REFERENCE, TYPES)
    found = concentrations_of(counted(FOUND, known), known, context, TYPES, nameable=NAMEABLE, clumped=False)
    assert set(found) == {"WBC", "neutrophil", "lymphocyte"}
    assert found["WBC"].probability_above(9.9) == 1.0
    assert found["neutrophil"].value == pytest.approx(7.5)
    assert found["neutrophil"].probability_above(7.0) == pytest.approx(stats.beta(75.5, 25.5).sf(0.7), abs=1e-9)


def test_clumps_leave_only_the_analysers_platelets():
    known = assumptions_of(NOBODY, 4e6, REFERENCE, TYPES)
    assert "platelet" not in concentrations_of(
        counted(FOUND, known), known, NOBODY, TYPES, nameable=NAMEABLE, clumped=True
    )
    context = ClinicalContext(blood_count=BloodCount(plt=90.0))
    found = concentrations_of(counted(FOUND, known), known, context, TYPES, nameable=NAMEABLE, clumped=True)
    assert (found["platelet"].value, found["platelet"].origin) == (90.0, "blood count")


def test_without_red_cells_there_is_no_ratio():
    alone = cells_of({"neutrophil": 3})
    known = assumptions_of(NOBODY, 4e6, REFERENCE, None)
    assert (
        concentrations_of(counted(alone, known), known, NOBODY, differential(alone, 1), nameable=(), clumped=False)
        == {}
    )


def test_a_few_cells_of_a_film_correct_no_analyser():
    few = differential(cells_of({"neutrophil": 9, "nucleated RBC": 1}), 1)
    assert analyser_white_cells(ClinicalContext(blood_count=BloodCount(wbc=4.2)), REFERENCE, few) == 4.2


@pytest.mark.parametrize("count", [{"wbc": 1.0}, {"rbc": 4.0}])
def test_a_type_that_no_cell_is_of_has_a_concentration_too(count):
    """200 lymphocytes and no neutrophil: nearly surely below 1.5 thousand a microlitre, and said so by a rule."""
    context = ClinicalContext(blood_count=BloodCount(**count))
    found = cells_of({"normal RBC": 200_000, "lymphocyte": 200})
    types = differential(found, 1)
    known = assumptions_of(context, None, REFERENCE, types)
    one = concentrations_of(counted(found, known), known, context, types, nameable=NAMEABLE, clumped=False)[
        "neutrophil"
    ]
    assert (one.n, one.value, one.too_few(REFERENCE)) == (0, 0.0, "")
    assert one.probability_above(1.0) < 0.01


def test_no_white_cell_of_an_analyser_is_no_crash():
    context = ClinicalContext(blood_count=BloodCount(wbc=0.0))
    known = assumptions_of(context, None, REFERENCE, TYPES)
    found = concentrations_of(counted(FOUND, known), known, context, TYPES, nameable=NAMEABLE, clumped=False)
    assert found["neutrophil"].probability_above(1.5) == 0.0


def test_an_estimate_of_a_type_needs_white_cells_too():
    known = assumptions_of(NOBODY, 5e6, REFERENCE, None)
    lone = cells_of({"normal RBC": 1000, "lymphocyte": 1})
    found = concentrations_of(
        counted(lone, known), known, NOBODY, differential(lone, 1), nameable=NAMEABLE, clumped=False
    )
    assert found["lymphocyte"].too_few(REFERENCE) == "too few white cells: 1 of 100"
