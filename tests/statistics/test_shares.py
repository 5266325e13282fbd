from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hemato_lab.errors import ConfigError
from hemato_lab.statistics.limits import clopper_pearson_limits
from hemato_lab.statistics.shares import cells_needed, cells_to_meet, detection_limit, ratio_of, share_of

# DOMAIN.md section 2.7: cells, per cent as printed, per microlitre at 5 million red cells.
DETECTION = {
    1_000: ("0.30", 15_000),
    2_000: ("0.15", 7_500),
    10_000: ("0.030", 1_500),
    20_000: ("0.015", 750),
    50_000: ("0.006", 300),
    100_000: ("0.003", 150),
}


@pytest.mark.parametrize(("cells", "printed"), DETECTION.items())
def test_the_detection_limit_is_that_of_the_domain_reference(cells: int, printed: tuple[str, int]):
    percent, per_ul = printed
    decimals = len(percent.split(".")[1])
    assert f"{100 * detection_limit(cells):.{decimals}f}" == percent
    assert float(f"{5e6 * detection_limit(cells):.2g}") == per_ul
    assert detection_limit(cells) == pytest.approx(1 - 0.05 ** (1 / cells), rel=1e-9)


def test_an_eye_that_misses_half_has_twice_the_limit():
    assert detection_limit(1000, sensitivity=0.5) == pytest.approx(2 * detection_limit(1000))
    assert detection_limit(0) == 1.0
    assert detection_limit(1, sensitivity=0.5) == 1.0


@pytest.mark.parametrize(("share", "cells"), [(0.01, 299), (0.02, 149), (0.05, 59)])
def test_cells_to_meet_a_class_are_those_of_the_domain_reference(share: float, cells: int):
    assert cells_to_meet(share) == cells
    assert stats.binom(cells, share).sf(0) >= 0.95 > stats.binom(cells - 1, share).sf(0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 0.3))
def test_the_cells_needed_are_just_enough(per_mille: int, half_width: float):
    share = per_mille / 1000
    needed = cells_needed(share, half_width)

    def farthest(n: int) -> float:
        k = share * n
        low = stats.beta(k, n - k + 1).ppf(0.025) if k > 0 else 0.0
        high = stats.beta(k + 1, n - k).ppf(0.975) if k < n else 1.0
        return max(share - low, high - share)

    assert farthest(needed) <= half_width + 1e-6
    if needed > 1:
        assert farthest(needed - 1) > half_width - 1e-6


def test_more_cells_for_narrower_limits_and_for_even_shares():
    assert cells_needed(0.05, 0.02) > cells_needed(0.05, 0.04)
    assert cells_needed(0.5, 0.05) > cells_needed(0.1, 0.05)


@pytest.mark.parametrize(
    "call",
    [
        lambda: cells_needed(1.1, 0.1),
        lambda: cells_needed(0.5, 0.0),
        lambda: cells_needed(0.5, 1e-6),
        lambda: cells_to_meet(0.0),
        lambda: detection_limit(-1),
        lambda: detection_limit(10, sensitivity=0.0),
    ],
)
def test_what_cannot_be_is_refused(call):
    with pytest.raises(ConfigError):
        call()


def test_a_share_has_exact_limits_that_the_spread_of_the_fields_widens():
    even = share_of(np.array([True, False, False, False] * 10), np.repeat(np.arange(10), 4), 10)
    assert (even.count, even.reference, even.share) == (10, 40, 0.25)
    assert even.limits == clopper_pearson_limits(10, 40)
    uneven = share_of(np.array([True] * 10 + [False] * 30), np.repeat(np.arange(10), 4), 10)
    assert uneven.overdispersion.factor == pytest.approx(
        stats.chi2_contingency([[4, 4, 2, *[0] * 7], [0, 0, 2, *[4] * 7]], correction=False)[0] / 9
    )
    assert uneven.limits.high > even.limits.high
    assert uneven.limits.low < even.limits.low


def test_a_ratio_may_exceed_one_and_knows_no_upper_end_without_a_reference():
    estimate = ratio_of(np.zeros(30, int), np.zeros(10, int), 1)
    assert estimate.share == 3.0
    low, high = clopper_pearson_limits(30, 40)
    assert estimate.limits == pytest.approx((low / (1 - low), high / (1 - high)))
    assert ratio_of(np.zeros(3, int), np.zeros(0, int), 1).limits.high == float("inf")


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 10**6), st.floats(0.1, 0.999))
def test_the_detection_limit_is_the_share_that_so_many_cells_meet(cells: int, chance: float):
    least = detection_limit(cells, chance=chance)
    assert cells_to_meet(least, chance) == cells
    assert detection_limit(cells + 1, chance=chance) < least
    assert detection_limit(cells, chance=chance, sensitivity=0.9) > least


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=60), st.randoms())
def test_the_order_of_cells_does_not_matter_and_the_rest_is_the_mirror(cells: list[tuple[int, bool]], chance):
    def of(rows: list[tuple[int, bool]], *, wanted: bool = True):
        return share_of(np.array([one is wanted for _, one in rows]), np.array([field for field, _ in rows]), 4)

    estimate, shuffled = of(cells), chance.sample(cells, len(cells))
    assert of(shuffled) == estimate
    rest = of(cells, wanted=False)
    assert rest.count == estimate.reference - estimate.count
    assert rest.limits == pytest.approx((1 - estimate.limits.high, 1 - estimate.limits.low), abs=1e-9)
    assert 0 <= estimate.limits.low <= estimate.share <= estimate.limits.high <= 1


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 500), st.integers(0, 499))
def test_more_cells_of_a_class_are_a_larger_share_with_higher_limits(total: int, count: int):
    count = min(count, total - 1)
    less, more = (share_of(np.arange(total) < k, np.zeros(total, int), 1) for k in (count, count + 1))
    assert less.share < more.share
    assert less.limits.low < more.limits.low
    assert less.limits.high <= more.limits.high


def test_no_cell_leaves_every_share_possible():
    nothing = share_of(np.zeros(0, bool), np.zeros(0, int), 3)
    assert (nothing.count, nothing.reference, nothing.share, nothing.limits) == (0, 0, 0.0, (0.0, 1.0))


def test_a_ratio_is_widened_by_the_spread_of_its_fields_too():
    even = ratio_of(np.repeat(np.arange(4), 2), np.repeat(np.arange(4), 5), 4)
    uneven = ratio_of(np.zeros(8, int), np.repeat(np.arange(4), 5), 4)
    assert even.share == uneven.share == 0.4
    expected = stats.chi2_contingency([[8, 0, 0, 0], [5, 5, 5, 5]], correction=False)[0] / 3
    assert uneven.overdispersion.factor == pytest.approx(expected)
    stretch = expected**0.5
    for limit, wide in zip(even.limits, uneven.limits, strict=True):
        assert np.log(wide / 0.4) == pytest.approx(stretch * np.log(limit / 0.4))
