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
