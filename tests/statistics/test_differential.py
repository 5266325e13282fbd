from __future__ import annotations

import pytest

from hemato_lab.errors import ConfigError
from hemato_lab.statistics.differential import corrected_white_cells, differential
from hemato_lab.statistics.limits import clopper_pearson_limits
from hemato_lab.statistics.shares import cells_needed


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
