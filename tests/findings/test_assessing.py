"""Every name is counted with its own denominator, or listed with the reason why not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hemato_lab.findings import Sample, assess
from hemato_lab.findings.assessing import (
    NEEDS_SCALE,
    NO_METHOD,
    NO_MONOLAYER,
    NOT_MEASURED,
    NOT_NAMED,
    SUMMED,
    UNREMARKABLE,
)
from hemato_lab.smear import Scale
from hemato_lab.vocabulary import TERMS

STATED = Scale.from_um_per_px(0.125)
GUESSED = Scale.from_rbc_diameter_px(60.0)
NAMED_BY = {
    **dict.fromkeys(("normal RBC", "target cell", "schistocyte", "spherocyte", "microcyte"), "red-cell-shape"),
    **dict.fromkeys(("uninfected RBC", "ring trophozoite", "gametocyte"), "malaria"),
    **dict.fromkeys(("neutrophil", "lymphocyte", "blast", "nucleated RBC"), "white-cells"),
}


@pytest.fixture
def smear(make_cells, make_red_cell):
    """1,200 red cells and others; of the target cells two are cut or overlapped."""
    reds = [make_red_cell() for _ in range(1100)] + [make_red_cell("target cell") for _ in range(58)]
    reds += [make_red_cell("target cell", on_border=1.0), make_red_cell("target cell", overlapped=1.0)]
    reds += [make_red_cell("schistocyte") for _ in range(10)] + [make_red_cell("ring trophozoite") for _ in range(20)]
    reds += [make_red_cell("ring trophozoite", on_border=1.0) for _ in range(10)]
    names = ["neutrophil"] * 90 + ["blast"] * 20 + ["WBC"] * 10 + ["nucleated RBC"] * 6 + ["platelet"] * 50
    return make_cells([*reds, *[make_red_cell(name) for name in names]])


def look(cells, reference, *, scale=STATED, monolayer=(0,), named_by=NAMED_BY):
    return assess(Sample(cells, 1, monolayer, scale, named_by), reference)


def test_shapes_are_counted_among_whole_cells_that_lie_apart(smear, reference):
    found = look(smear, reference)
    target = found.assessed["target cell"]
    assert (target.count, target.reference, target.denominator) == (58, 1188, "RBC")
    assert found.red_cells == 1188
    assert target.limits_percent == pytest.approx(
        (100 * stats.beta(58, 1131).ppf(0.025), 100 * stats.beta(59, 1130).ppf(0.975))
    )
    assert (target.grade, target.grade_range) == ("none", ("none", "2+"))
    assert (found.assessed["schistocyte"].grade, found.assessed["schistocyte"].grade_range) == ("1+", ("1+", "2+"))
    assert len(target.circles) == 58
    assert target.rule == "network red-cell-shape"


def test_parasites_are_counted_among_all_red_cells(smear, reference):
    found = look(smear, reference)
    ring, infected = found.assessed["ring trophozoite"], found.assessed["parasitised RBC"]
    assert (ring.count, ring.reference, ring.grade) == (30, 1200, None)
    assert (infected.count, infected.rule) == (30, SUMMED)


def test_white_cells_have_their_own_denominator_and_minimum(smear, reference):
    found = look(smear, reference).assessed
    assert (found["neutrophil"].count, found["neutrophil"].reference) == (90, 120)
    assert (found["neutrophil"].minimum, found["neutrophil"].insufficient_count) == (100, False)
    assert (found["blast"].minimum, found["blast"].insufficient_count) == (200, True)
    nucleated = found["nucleated RBC"]
    assert (nucleated.count, nucleated.reference, nucleated.unit, nucleated.percent) == (6, 120, "/100{WBC}", 5.0)


def test_below_the_minimum_there_is_a_value_but_no_grade(make_cells, make_red_cell, reference):
    few = [make_red_cell() for _ in range(900)] + [make_red_cell("target cell") for _ in range(99)]
    target = look(make_cells(few), reference).assessed["target cell"]
    assert (target.insufficient_count, target.grade, target.grade_range) == (True, None, None)
    assert target.percent == pytest.approx(9.91, abs=0.01)
    enough = look(make_cells([*few, make_red_cell()]), reference).assessed["target cell"]
    assert (enough.insufficient_count, enough.grade) == (False, "2+")


def test_every_name_is_assessed_or_said_to_be_missing(smear, reference):
    wanted = {name for name, term in TERMS.items() if term.lineage != "artefact"} - set(UNREMARKABLE) - {"benign"}
    for options in ({}, {"scale": GUESSED}, {"named_by": {}}, {"monolayer": ()}):
        found = look(smear, reference, **options)
        named = [*found.assessed, *found.not_assessed, *(name for name in found.measurements if name in TERMS)]
        assert sorted(named) == sorted(wanted)
        assert all(found.not_assessed.values())
        assert all(finding.name == name for name, finding in found.assessed.items())


def test_reasons(smear, reference):
    assert look(smear, reference, scale=GUESSED).not_assessed["microcyte"] == NEEDS_SCALE
    assert "microcyte" in look(smear, reference).assessed
    assert look(smear, reference).not_assessed["Auer rod"] == NO_METHOD
    assert look(smear, reference, monolayer=()).not_assessed["rouleaux"] == NO_MONOLAYER
    unnamed = assess(Sample(smear, 1, (0,), STATED, {}, NAMED_BY), reference)
    assert unnamed.not_assessed["giant platelet"] == NOT_NAMED
    assert unnamed.not_assessed["target cell"] == unnamed.not_assessed["parasitised RBC"] == NOT_NAMED
    assert unnamed.not_assessed["Auer rod"] == NO_METHOD
    assert unnamed.assessed["spherocyte"].rule == "measured.spherocyte"
    nothing = look(smear.select(np.zeros(len(smear), bool)), reference)
    assert nothing.assessed == {}
    assert nothing.not_assessed["target cell"] == "no red cell was found that could be judged"


def test_the_order_of_cells_does_not_matter(smear, reference):
    shuffled = smear.select(np.random.default_rng(1).permutation(len(smear)))
    for name, finding in look(smear, reference).assessed.items():
        other = look(shuffled, reference).assessed[name]
        assert finding.to_dict() == other.to_dict()


def test_rouleaux_count_the_cells_that_lie_in_them(make_cells, make_red_cell, reference):
    stack = [make_red_cell() | {"x": 100.0 + 42 * k, "y": 500.0} for k in range(5)]
    cells = make_cells([*stack, *[make_red_cell() | {"x": 5000.0 + 100 * k} for k in range(95)]])
    rouleaux = look(cells, reference).assessed["rouleaux"]
    assert (rouleaux.count, rouleaux.reference, len(rouleaux.circles)) == (5, 100, 1)


def test_without_names_what_was_measured_is_counted(make_cells, make_red_cell, reference):
    pale = {"od_green": 0.14, "od_red": 0.066, "pallor_ratio": 0.6}
    cells = make_cells([*[make_red_cell("RBC") for _ in range(80)], *[make_red_cell("RBC", **pale) for _ in range(20)]])
    for named_by in ({}, {"lymphocyte": "white-cells"}):  # a network that does not name red cells changes nothing
        found = look(cells, reference, named_by=named_by).assessed["hypochromic cell"]
        assert (found.count, found.reference, found.rule) == (20, 100, "measured.hypochromic cell")
        assert len(found.circles) == 20
        assert found.source == reference.measured.hypochromic_cell.source


def test_sizes_without_a_measured_red_cell_are_not_assessed(make_cells, make_red_cell, reference):
    """No red cell to compare with: none called giant would not mean that there is none."""
    blind = {"equivalent_diameter_um": np.nan}
    cells = make_cells([make_red_cell(name, **blind) for name in ["normal RBC"] * 30 + ["platelet"] * 10])
    found = look(cells, reference)
    for name in ("giant platelet", "large platelet", "smudge cell", "polychromatic cell"):
        assert found.not_assessed[name] == NOT_MEASURED
    assert found.assessed["target cell"].reference == 30
    assert found.assessed["platelet clump"].reference == 10


@pytest.mark.parametrize(("count", "grade"), [(0, "none"), (1, "1+"), (9, "1+"), (10, "2+"), (20, "2+"), (21, "3+")])
def test_schistocytes_of_a_thousand_red_cells(make_cells, make_red_cell, reference, count: int, grade: str):
    cells = make_cells([make_red_cell("schistocyte" if k < count else "normal RBC") for k in range(1000)])
    found = look(cells, reference).assessed["schistocyte"]
    assert (found.count, found.reference, found.grade, len(found.circles)) == (count, 1000, grade, count)


def test_cells_of_one_field_only_have_wider_limits(make_cells, make_red_cell, reference):
    def target(fields: list[int]):
        cells = [make_red_cell() | {"field": k % 2} for k in range(960)]
        cells += [make_red_cell("target cell") | {"field": field} for field in fields]
        return assess(Sample(make_cells(cells), 2, (0, 1), STATED, NAMED_BY), reference).assessed["target cell"]

    even, uneven = target([0, 1] * 20), target([0] * 40)
    assert even.overdispersion == 1.0
    expected = stats.chi2_contingency([[40, 0], [480, 480]], correction=False)[0]
    assert uneven.overdispersion == pytest.approx(expected)
    assert uneven.limits_percent.low < even.limits_percent.low < even.limits_percent.high < uneven.limits_percent.high
    assert {circle.field for circle in uneven.circles} == {0}


def test_platelets_in_a_clump_are_counted_among_platelets(make_cells, make_red_cell, reference):
    clump = [make_red_cell("platelet") | {"x": 100.0 + 18 * k, "y": 900.0, "radius": 9.0} for k in range(6)]
    single = [make_red_cell("platelet") | {"x": 100.0 * k, "y": 3000.0, "radius": 9.0} for k in range(14)]
    found = look(make_cells([*[make_red_cell() for _ in range(30)], *clump, *single]), reference)
    clumped = found.assessed["platelet clump"]
    assert (clumped.count, clumped.reference, clumped.denominator) == (6, 20, "platelet")
    assert len(clumped.circles) == 1


def test_rouleaux_are_counted_in_the_monolayer_alone(make_cells, make_red_cell, reference):
    stack = [make_red_cell() | {"x": 100.0 + 42 * k, "y": 500.0} for k in range(5)]
    rows = [one | {"field": field} for field in (0, 1) for one in (*stack, make_red_cell() | {"x": 5000.0})]
    sample = Sample(make_cells(rows), 2, (1,), STATED, NAMED_BY)
    rouleaux = assess(sample, reference).assessed["rouleaux"]
    assert (rouleaux.count, rouleaux.reference) == (5, 6)
    assert [circle.field for circle in rouleaux.circles] == [1]


def test_some_names_are_of_neutrophils_alone(make_cells, make_red_cell, reference):
    names = ["neutrophil"] * 88 + ["hypersegmented neutrophil"] * 12 + ["lymphocyte"] * 200
    cells = make_cells([make_red_cell(name) for name in names])
    found = look(cells, reference, named_by={**NAMED_BY, "hypersegmented neutrophil": "white-cells"}).assessed
    one = found["hypersegmented neutrophil"]
    assert (one.count, one.reference, one.denominator, one.minimum) == (12, 100, "neutrophil", 100)
    assert (found["neutrophil"].count, found["neutrophil"].reference) == (100, 300)
