from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hemato_lab.errors import ConfigError
from hemato_lab.statistics.limits import Limits, poisson_limits
from hemato_lab.statistics.overdispersion import binomial_overdispersion, poisson_overdispersion

COUNTS = st.lists(st.integers(0, 200), min_size=2, max_size=20).filter(any)


@settings(deadline=None)
@given(COUNTS)
def test_with_equal_areas_it_is_variance_over_mean(counts: list[int]):
    spread = poisson_overdispersion(counts, [0.3] * len(counts))
    assert spread.factor == pytest.approx(np.var(counts, ddof=1) / np.mean(counts))
    assert spread.fields == len(counts)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200), st.floats(0.1, 10)), min_size=2, max_size=20), st.randoms())
def test_with_unequal_areas_it_is_pearson_chi_squared_over_df(fields: list[tuple[int, float]], shuffled):
    counts, areas = (np.array(column, float) for column in zip(*fields, strict=True))
    if counts.sum() == 0:
        return
    expected = counts.sum() * areas / areas.sum()
    reference = stats.chisquare(counts, expected).statistic / (len(counts) - 1)
    assert poisson_overdispersion(counts, areas).factor == pytest.approx(reference, rel=1e-9)
    shuffled.shuffle(fields)
    assert poisson_overdispersion(*zip(*fields, strict=True)).factor == pytest.approx(reference, rel=1e-9)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)).filter(any), min_size=2, max_size=12))
def test_of_a_share_it_is_the_chi_squared_of_the_contingency_table(fields: list[tuple[int, int]]):
    two_rows = np.array(fields).T
    spread = binomial_overdispersion(two_rows[0], two_rows.sum(axis=0))
    if 0 in two_rows.sum(axis=1):
        assert spread.factor is None
        return
    reference = stats.chi2_contingency(two_rows, correction=False).statistic / (len(fields) - 1)
    assert spread.factor == pytest.approx(reference, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("counts", "areas", "reason"),
    [
        ([5], [1.0], "one field only"),
        ([5, 0], [1.0, 0.0], "one field only"),
        ([0], [1.0], "one field only"),
        ([0, 0], [1.0, 1.0], "no cell was counted"),
        ([], [], "no cell was counted"),
    ],
)
def test_what_cannot_be_estimated_says_so_and_widens_nothing(counts: list[int], areas: list[float], reason: str):
    spread = poisson_overdispersion(counts, areas)
    assert (spread.factor, spread.reason, spread.widening) == (None, reason, 1.0)
    assert spread.widen(Limits(3, 9), 5) == (3, 9)


def test_clustered_counts_widen_by_the_square_root():
    spread = poisson_overdispersion([0, 16], [1, 1])  # variance 128, mean 8
    assert spread.factor == pytest.approx(16)
    assert spread.widen(Limits(10, 20), 16) == pytest.approx((0, 32))
    assert spread.widen(Limits(15, 18), 16) == pytest.approx((12, 24))
    assert spread.widen_ratio(Limits(1, 4), 2) == pytest.approx((2 / 16, 2 * 16))


@settings(deadline=None)
@given(COUNTS)
def test_limits_are_never_narrowed(counts: list[int]):
    total = sum(counts)
    plain = poisson_limits(total)
    wide = poisson_overdispersion(counts, [1.0] * len(counts)).widen(plain, total)
    assert wide.low <= plain.low + 1e-9
    assert wide.high >= plain.high - 1e-9


def test_counts_and_areas_go_together():
    with pytest.raises(ConfigError):
        poisson_overdispersion([1, 2], [1.0])


def test_poisson_fields_have_a_factor_near_one():
    counts = np.random.default_rng(3).poisson(40, 2000)
    factor = poisson_overdispersion(counts, np.ones(2000)).factor
    assert factor == pytest.approx(1, abs=5 * np.sqrt(2 / 1999))
