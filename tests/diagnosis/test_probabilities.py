from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hemato_lab.diagnosis.probabilities import (
    Counted,
    apparent_threshold,
    counted_of,
    precision_of,
    probability_present,
    probability_share_at_least,
    probability_value_at_least,
    share_of_percent,
)
from tests.diagnosis.made_up import finding

if TYPE_CHECKING:
    from hemato_lab.reference import Reference

counts = st.integers(0, 300)
thresholds = st.floats(0.001, 0.999)


def test_forty_of_two_hundred_is_a_coin_flip_at_twenty_percent() -> None:
    assert probability_share_at_least(Counted(40, 160), 0.2) == pytest.approx(0.51, abs=0.005)


@pytest.mark.parametrize(("called", "others", "spread"), [(0, 100, 1.0), (12, 1988, 1.0), (12, 1988, 3.0)])
def test_a_share_follows_the_beta_posterior_of_jeffreys(called: int, others: int, spread: float) -> None:
    expected = stats.beta.sf(0.005, called / spread + 0.5, others / spread + 0.5)
    assert probability_share_at_least(Counted(called, others, spread), 0.005) == pytest.approx(expected)


def test_every_share_is_at_least_nothing_and_none_is_more_than_all() -> None:
    assert probability_share_at_least(Counted(0, 10), 0.0) == 1.0
    assert probability_share_at_least(Counted(10, 0), 1.0) == 0.0


@given(counts, counts, thresholds, st.floats(0.5, 20))
def test_a_share_gets_likelier_with_each_cell(called: int, others: int, threshold: float, spread: float) -> None:
    fewer = probability_share_at_least(Counted(called, others, spread), threshold)
    more = probability_share_at_least(Counted(called + 1, others, spread), threshold)
    assert 0.0 <= fewer <= more <= 1.0


def test_mistakes_move_the_threshold(reference: Reference) -> None:
    sickle = reference.misnaming["sickle cell"]
    moved = apparent_threshold(0.005, sickle, {"schistocyte": 0.02})
    assert moved == pytest.approx(0.9 * 0.005 + 0.0016 * 0.995 + 0.1 * 0.02)
    assert apparent_threshold(0.005, None, {}) == 0.005
    assert apparent_threshold(1.0, sickle, {"schistocyte": 5.0}) == 1.0


@pytest.mark.parametrize(("count", "expected"), [(0, 0.5), (1, 0.18), (3, 1.8), (20, 9.0)])
def test_presence_is_what_mistakes_do_not_explain(count: int, expected: float) -> None:
    assert probability_present(count, expected) == pytest.approx(
        stats.poisson.cdf(count - 1, expected) if count else 0.0
    )


def test_presence_needs_its_number_of_cells() -> None:
    assert probability_present(1, 0.0, at_least=2) == 0.0
    assert probability_present(2, 0.0, at_least=2) == 1.0


@given(counts, st.floats(0, 200), st.integers(1, 5))
def test_presence_gets_likelier_with_each_cell(count: int, expected: float, at_least: int) -> None:
    fewer = probability_present(count, expected, at_least=at_least) * precision_of(count, expected)
    more = probability_present(count + 1, expected, at_least=at_least) * precision_of(count + 1, expected)
    assert 0.0 <= fewer <= more <= 1.0


def test_precision_is_the_share_that_is_no_mistake() -> None:
    assert precision_of(4, 1.0) == 0.75
    assert precision_of(1, 2.0) == 0.0
    assert precision_of(0, 2.0) == 0.0


def test_a_measured_value_follows_the_normal_law() -> None:
    assert probability_value_at_least(9.5, 0.4, 9.0) == pytest.approx(stats.norm.sf(9.0, 9.5, 0.4))
    assert probability_value_at_least(9.0, 0.0, 9.0) == 1.0
    assert probability_value_at_least(8.9, 0.0, 9.0) == 0.0


def test_a_ratio_to_cells_that_do_not_contain_it_becomes_a_share() -> None:
    smudge = finding("smudge cell", 250)
    assert counted_of(smudge)[:2] == (250, 200)
    assert share_of_percent(smudge, 25.0) == pytest.approx(0.2)
    blast = finding("blast", 40)
    assert counted_of(blast)[:2] == (40, 160)
    assert share_of_percent(blast, 25.0) == 0.25
