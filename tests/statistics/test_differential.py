from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemato_lab.errors import ConfigError
from hemato_lab.statistics.differential import OUTSIDE, corrected_white_cells, differential
from hemato_lab.statistics.limits import clopper_pearson_limits
from hemato_lab.statistics.shares import cells_needed
from hemato_lab.vocabulary import TERMS, is_a
from tests.statistics.conftest import table

WHITE = [name for name, term in TERMS.items() if is_a(name, "WBC") and term.kind == "cell"]


def test_types_by_their_widest_name(make_table):
    counts = {"segmented neutrophil": 30, "band neutrophil": 5, "neutrophil": 5, "lymphocyte": 8, "WBC": 2}
    others = {"nucleated RBC": 6, "smudge cell": 3, "normal RBC": 40, "platelet": 9}
    names = [name for name, count in {**counts, **others}.items() for _ in range(count)]
    found = differential(make_table([(0, name, 10.0 * k, 10.0, 5.0) for k, name in enumerate(names)]), 1)
    assert found.total == 50
    assert {name: one.estimate.count for name, one in found.types.items()} == {
        "neutrophil": 40,
        "lymphocyte": 8,
        "unclassified WBC": 2,
    }
    assert found.types["lymphocyte"].estimate.limits == clopper_pearson_limits(8, 50)
    assert found.types["lymphocyte"].cells_needed == cells_needed(0.16, 0.05)
    assert (found.nucleated_red_cells.share, found.smudge_cells.share) == (0.12, 0.06)
    written = found.to_dict()
    assert written["insufficient_count"] is True
    assert written["types"]["neutrophil"]["value"] == 80.0


def test_no_white_cell_is_no_differential_but_no_error(make_table):
    found = differential(make_table([(0, "normal RBC", 10.0, 10.0, 5.0)]), 1)
    assert (found.total, dict(found.types)) == (0, {})


@pytest.mark.parametrize(("nucleated", "corrected"), [(0, 12.0), (5, 12.0), (20, 10.0), (100, 6.0)])
def test_nucleated_red_cells_are_taken_off_above_five(nucleated: float, corrected: float):
    """WBC x 100 / (100 + nRBC), when nRBC > 5 (DOMAIN.md section 2.5)."""
    assert corrected_white_cells(12.0, nucleated) == pytest.approx(corrected)


def test_less_than_nothing_is_refused():
    with pytest.raises(ConfigError):
        corrected_white_cells(-1.0, 0.0)


def test_without_white_cells_a_ratio_to_them_has_no_upper_limit(make_table):
    written = differential(make_table([(0, "nucleated RBC", 10.0, 10.0, 5.0)]), 1).to_dict()
    assert written["per_100_white_cells"]["nucleated RBC"]["limits_95"][1] is None
    json.dumps(written, allow_nan=False)


@pytest.mark.parametrize(("white", "few"), [(99, True), (100, False)])
def test_a_differential_needs_a_hundred_white_cells(make_table, white: int, few: bool):  # noqa: FBT001
    rows = [(0, "lymphocyte", 10.0 * k, 10.0, 5.0) for k in range(white)]
    rows += [(0, name, 10.0, 50.0, 5.0) for name in OUTSIDE for _ in range(20)]
    assert differential(make_table(rows), 1).to_dict()["insufficient_count"] is few


def test_types_that_lie_in_one_field_have_wider_limits(make_table):
    def limits(fields: list[int]) -> tuple[float, float]:
        rows = [(field, "basophil", 10.0 * k, 10.0, 5.0) for k, field in enumerate(fields)]
        rows += [(k % 2, "lymphocyte", 10.0 * k, 50.0, 5.0) for k in range(80)]
        return differential(make_table(rows), 2).types["basophil"].estimate.limits

    (even_low, even_high), (low, high) = limits([0, 1] * 5), limits([0] * 10)
    assert low < even_low < even_high < high


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(WHITE), max_size=40), st.randoms())
def test_every_white_cell_is_of_one_type_in_any_order(names: list[str], chance):
    def found(listed: list[str]):
        return differential(table([(0, name, 10.0 * k, 10.0, 5.0) for k, name in enumerate(listed)]), 1)

    one, other = found(names), found(chance.sample(names, len(names)))
    assert one == other
    assert list(one.types) == [name for name in TERMS if name in one.types]
    assert sum(type_.estimate.count for type_ in one.types.values()) == one.total
    assert one.total + sum(names.count(name) for name in OUTSIDE) == len(names)
    assert {TERMS[name].parent for name in one.types} <= {"WBC"}
