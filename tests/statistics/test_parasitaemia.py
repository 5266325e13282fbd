from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hemato_lab.statistics.parasitaemia import is_searched, parasitaemia
from hemato_lab.statistics.shares import detection_limit


@pytest.fixture
def infected(make_table):
    """20 of 1,000 red cells, 5 of them gametocytes, 4 white cells and a nucleated red cell."""
    names = ["ring trophozoite"] * 12 + ["schizont"] * 3 + ["gametocyte"] * 5 + ["normal RBC"] * 980
    names += ["lymphocyte"] * 4 + ["nucleated RBC"] + ["platelet"] * 9
    return make_table([(0, name, 10.0 * k, 10.0, 5.0) for k, name in enumerate(names)])


def test_three_ways_by_hand(infected):
    found = parasitaemia(infected, 1, rbc_per_ul=4e6, wbc_per_ul=9000, sensitivity=0.9)
    assert (found.infected.count, found.infected.reference) == (20, 1000)
    assert (found.asexual.count, found.asexual.reference) == (15, 1000)
    assert found.per_ul_by_red_cells == pytest.approx(0.02 * 4e6)
    assert found.per_ul_by_white_cells == pytest.approx(20 / 4 * 9000)
    low, high = stats.beta(20, 981).ppf(0.025), stats.beta(21, 980).ppf(0.975)
    assert found.limits_by_red_cells == pytest.approx((low * 4e6, high * 4e6))
    low, high = stats.beta(20, 5).ppf(0.025), stats.beta(21, 4).ppf(0.975)
    assert found.limits_by_white_cells == pytest.approx((low / (1 - low) * 9000, high / (1 - high) * 9000))


def test_none_seen_has_a_limit_in_percent_and_per_microlitre(make_table):
    healthy = make_table([(0, "normal RBC", 10.0 * k, 10.0, 5.0) for k in range(2000)])
    found = parasitaemia(healthy, 1, rbc_per_ul=5e6, wbc_per_ul=8000, sensitivity=1.0)
    assert found.detection_limit == detection_limit(2000)
    assert found.detection_limit_per_ul == pytest.approx(7484, abs=1)
    assert found.per_ul_by_white_cells is None
    written = found.to_dict()
    assert written["per_ul_by_white_cells"]["limits_95"] == [0.0, None]
    assert written["detection_limit"]["percent"] == 0.1497


def test_red_cells_count_as_searched_when_they_have_a_score(infected):
    assert not is_searched(infected)
    assert is_searched(infected.with_columns(parasite_score=np.zeros(len(infected))))
    assert not is_searched(infected.with_columns(parasite_score=np.full(len(infected), np.nan)))


def test_the_report_has_every_number_and_what_it_rests_on(infected):
    written = parasitaemia(infected, 1, rbc_per_ul=4e6, wbc_per_ul=9000, sensitivity=0.9).to_dict()
    low, high = 100 * stats.beta(20, 981).ppf(0.025), 100 * stats.beta(21, 980).ppf(0.975)
    assert written["infected"] == {
        "n": 20,
        "n_reference": 1000,
        "percent": 2.0,
        "limits_95": pytest.approx([low, high], rel=5e-4),
    }
    assert (written["without_gametocytes"]["n"], written["without_gametocytes"]["percent"]) == (15, 1.5)
    by_red, by_white = written["per_ul_by_red_cells"], written["per_ul_by_white_cells"]
    assert (by_red["value"], by_red["red_cells_per_ul"]) == (80_000, 4e6)
    assert by_red["limits_95"] == pytest.approx([4e4 * low, 4e4 * high], rel=5e-4)
    assert (by_white["value"], by_white["white_cells"], by_white["white_cells_per_ul"]) == (45_000, 4, 9000)
    # 1 - 0.05^(1/1000) is 0.2991 %; nine of ten are seen.
    limit = written["detection_limit"]
    assert (limit["percent"], limit["sensitivity"]) == (pytest.approx(0.2991 / 0.9, rel=5e-4), 0.9)
    assert limit["per_ul"] == pytest.approx(4e4 * 0.2991 / 0.9, rel=1e-3)


def test_parasites_of_one_field_only_have_wider_limits(make_table):
    def spread(fields: list[int]) -> tuple[float, float]:
        rows = [(field, "ring trophozoite", 10.0 * k, 10.0, 5.0) for k, field in enumerate(fields)]
        rows += [(k % 2, "normal RBC", 10.0 * k, 50.0, 5.0) for k in range(400)]
        found = parasitaemia(make_table(rows), 2, rbc_per_ul=5e6, wbc_per_ul=8000, sensitivity=1.0)
        return found.limits_by_red_cells

    (even_low, even_high), (low, high) = spread([0, 1] * 5), spread([0] * 10)
    assert low < even_low < even_high < high


def test_the_order_of_cells_does_not_matter(infected):
    known = {"rbc_per_ul": 4e6, "wbc_per_ul": 9000, "sensitivity": 0.9}
    shuffled = infected.select(np.random.default_rng(2).permutation(len(infected)))
    assert parasitaemia(shuffled, 1, **known) == parasitaemia(infected, 1, **known)
