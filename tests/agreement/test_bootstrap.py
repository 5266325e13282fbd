from __future__ import annotations

import numpy as np
import pytest

from hemato_lab.agreement.bootstrap import draw_groups, group_index, percentile_limits


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


def test_limits_of_a_mean_are_those_of_the_normal_law() -> None:
    values = np.random.default_rng(3).normal(10.0, 2.0, 200)
    means = draw_groups(200, resamples=4000) @ values / 200
    limits = percentile_limits({"mean": means}, 200)["mean"]
    assert limits is not None
    error = values.std() / np.sqrt(200)
    assert limits[0] == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert limits[1] == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_undefined_resamples_are_left_out() -> None:
    limits = percentile_limits({"some": np.array([np.nan, 1.0, 1.0]), "never": np.array([np.nan, np.nan])}, 2)
    assert limits == {"some": (1.0, 1.0), "never": None}


def test_one_group_has_no_limits() -> None:
    assert percentile_limits({"f1": np.ones(10)}, 1) == {"f1": None}
