from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from hemato_lab.agreement.counting import Counting, envelope
from hemato_lab.agreement.pairs import Pairs, make_pairs
from hemato_lab.errors import ConfigError


def _two_sided(tail: np.ndarray) -> np.ndarray:
    return np.minimum(1, 2 * tail)


def test_shares_are_judged_as_the_exact_conditional_test_of_two_counts_does():
    cells = 200
    first, second = (one.ravel() for one in np.meshgrid(np.arange(41), np.arange(41)))
    found = envelope(Pairs(first / 2, second / 2), Counting.of_shares(cells)).outside
    low, high = np.minimum(first, second), first + second
    p_value = _two_sided(stats.hypergeom.cdf(low, 2 * cells, high, cells))
    # A normal law with the half-step correction may differ from the exact one only where it is a close call.
    assert not found[p_value > 0.07].any()
    assert found[p_value < 0.035].all()
    assert (found == (p_value < 0.05)).mean() > 0.9


def test_densities_are_judged_as_the_exact_conditional_test_of_two_counts_does():
    areas = 0.5, 1.0
    first, second = (one.ravel() for one in np.meshgrid(np.arange(60), np.arange(60)))
    found = envelope(Pairs(first / areas[0], second / areas[1]), Counting.of_densities(*areas)).outside
    below = stats.binom.cdf(first, first + second, 1 / 3)
    above = stats.binom.sf(first - 1, first + second, 1 / 3)
    p_value = _two_sided(np.minimum(below, above))
    assert not found[p_value > 0.1].any()
    assert found[p_value < 0.025].all()
    assert (found == (p_value < 0.05)).mean() > 0.95


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7])
def test_two_counts_of_the_same_film_rarely_differ_by_more(share: float):
    counts = np.random.default_rng(3).binomial(200, share, (2, 20_000))
    found = envelope(Pairs(*(counts / 2)), Counting.of_shares(200))
    assert 0.005 < found.share_outside.value < 0.055
    assert found.share_outside.low < found.share_outside.value < found.share_outside.high


def test_one_cell_more_or_less_is_always_chance():
    found = envelope(make_pairs([0, 0.5, 100, 0], [0.5, 0, 99.5, 0]), Counting.of_shares(200))
    assert not found.outside.any()


def test_values_beyond_nothing_and_all_have_the_width_of_those():
    widths = Counting.of_shares(200).half_width(np.array([-1.0, 0, 100, 101]))
    np.testing.assert_allclose(widths, 0.5)


def test_samples_counted_unlike_have_widths_of_their_own():
    counting = Counting.of_shares([100, 400])
    found = envelope(make_pairs([10, 10], [14, 14]), counting)
    assert counting.uniform is None
    alike = Counting.of_shares([100, 100]).uniform
    assert alike is not None
    assert alike.first == 1
    assert found.half_width[0] > 1.9 * found.half_width[1]


def test_fractions_are_shares_of_one():
    percent = Counting.of_shares(200).half_width(np.array([30.0]))
    fraction = Counting.of_shares(200, whole=1).half_width(np.array([0.3]))
    np.testing.assert_allclose(percent, 100 * fraction)


def test_the_larger_count_weighs_more():
    pairs = make_pairs([10], [20])
    np.testing.assert_allclose(Counting.of_shares(100, 300).pooled(pairs), 17.5)


def test_no_pairs_have_no_share_outside():
    found = envelope(make_pairs([], []), Counting.of_shares(200))
    assert math.isnan(found.share_outside.value)
    assert len(found.outside) == 0


@pytest.mark.parametrize("cells", [0, -1, math.nan, [100, 0]])
def test_nothing_counted_is_refused(cells: object):
    for make in (Counting.of_shares, Counting.of_densities):
        with pytest.raises(ConfigError, match="cannot come from"):
            make(cells)


def test_counts_must_be_those_of_the_samples():
    with pytest.raises(ConfigError, match="not those of 3 samples"):
        envelope(make_pairs([1, 2, 3], [1, 2, 3]), Counting.of_shares([100, 200]))


def test_a_whole_must_be_positive():
    with pytest.raises(ConfigError, match="whole"):
        Counting(np.array(1.0), np.array(1.0), 0)
