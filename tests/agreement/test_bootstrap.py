from __future__ import annotations

import math

import numpy as np
import pytest

from hemato_lab.agreement.bootstrap import (
    cluster_bootstrap,
    draw_groups,
    draw_in_blocks,
    group_index,
    percentile_limits,
)
from hemato_lab.errors import ConfigError


def test_groups_are_numbered_as_they_appear() -> None:
    index, count = group_index(["b", "a", "b", "c"])
    assert index.tolist() == [0, 1, 0, 2]
    assert count == 3


def test_every_resample_draws_as_many_groups_as_there_are() -> None:
    drawn = draw_groups(17, resamples=400)
    assert drawn.shape == (400, 17)
    assert (drawn.sum(axis=1) == 17).all()
    # each group is drawn once on average, with the multinomial's variance 1 - 1/17
    assert drawn.mean() == pytest.approx(1.0)
    assert drawn.var(axis=0).mean() == pytest.approx(1 - 1 / 17, rel=0.05)


def test_the_draw_is_seeded() -> None:
    assert np.array_equal(draw_groups(5), draw_groups(5))
    assert not np.array_equal(draw_groups(5), draw_groups(5, seed=1))


def test_blocks_are_the_same_draw(monkeypatch) -> None:
    whole = draw_groups(7, resamples=100)
    monkeypatch.setattr("hemato_lab.agreement.bootstrap._BLOCK", 7 * 30)
    blocks = list(draw_in_blocks(7, resamples=100))
    assert [len(block) for block in blocks] == [30, 30, 30, 10]
    assert np.array_equal(np.concatenate(blocks), whole)


def test_limits_of_a_mean_are_those_of_the_normal_law() -> None:
    values = np.random.default_rng(3).normal(10.0, 2.0, 200)
    means = draw_groups(200, resamples=4000) @ values / 200
    limits = percentile_limits({"mean": means}, 200)["mean"]
    assert limits is not None
    error = values.std() / np.sqrt(200)
    assert limits[0] == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert limits[1] == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_confidence_chooses_the_percentiles() -> None:
    values = np.arange(1001.0)
    assert percentile_limits({"x": values}, 2) == {"x": (25, 975)}
    assert percentile_limits({"x": values}, 2, confidence=0.9) == {"x": (50, 950)}


def test_undefined_resamples_are_left_out() -> None:
    limits = percentile_limits({"some": np.array([np.nan, 1.0, 1.0]), "never": np.array([np.nan, np.nan])}, 2)
    assert limits == {"some": (1.0, 1.0), "never": None}


def test_one_group_has_no_limits() -> None:
    assert percentile_limits({"f1": np.ones(10)}, 1) == {"f1": None}


def test_a_mean_by_rows_has_the_limits_of_the_same_mean_by_counts() -> None:
    values = np.random.default_rng(4).normal(size=30)
    groups = [f"patient {row // 3}" for row in range(30)]
    found = cluster_bootstrap(lambda rows: values[rows].mean(), groups, resamples=500)
    sums = values.reshape(10, 3).sum(axis=1)
    limits = percentile_limits({"mean": draw_groups(10, resamples=500) @ sums / 30}, 10)["mean"]
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx(limits)
    assert found.method == "bootstrap of 10 groups"


def test_items_of_one_patient_are_worth_one() -> None:
    """With five copies of each item the limits are those of one, not narrower."""
    values = np.random.default_rng(5).normal(size=40)
    copies = np.repeat(values, 5)
    groups = [str(row // 5) for row in range(200)]
    alone = cluster_bootstrap(lambda rows: values[rows].mean(), [str(row) for row in range(40)])
    together = cluster_bootstrap(lambda rows: copies[rows].mean(), groups)
    naive = cluster_bootstrap(lambda rows: copies[rows].mean(), [str(row) for row in range(200)])
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high))
    assert naive.high - naive.low < 0.6 * (together.high - together.low)


def test_limits_cover_the_truth_as_often_as_they_say() -> None:
    generator = np.random.default_rng(6)
    groups = [str(row // 4) for row in range(160)]
    covered = 0
    for seed in range(60):
        values = np.repeat(generator.normal(size=40), 4) + generator.normal(size=160)
        covered += cluster_bootstrap(lambda rows, v=values: v[rows].mean(), groups, resamples=200, seed=seed).covers(0)
    assert covered >= 60 * 0.95 - 3 * math.sqrt(60 * 0.95 * 0.05)


def test_a_single_group_has_a_value_without_limits() -> None:
    found = cluster_bootstrap(lambda rows: float(len(rows)), ["one", "one"])
    assert found.value == 2
    assert math.isnan(found.low)
    assert math.isnan(cluster_bootstrap(lambda _: math.nan, ["a", "b"]).high)


def test_impossible_settings_are_refused() -> None:
    for arguments in ({"resamples": 0}, {"confidence": 1.0}):
        with pytest.raises(ConfigError):
            cluster_bootstrap(lambda _: 0.0, ["a", "b"], **arguments)


@pytest.mark.parametrize(("count", "resamples"), [(0, 10), (-1, 10), (3, 0), (3, -1)])
def test_nothing_can_be_drawn_from_nothing_or_no_times(count: int, resamples: int) -> None:
    with pytest.raises(ConfigError, match="nothing can be drawn"):
        draw_groups(count, resamples=resamples)
