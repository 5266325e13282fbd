from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.batch.outliers import FAR, LEAST_SMEARS, outliers
from hemato_lab.batch.summary import Summary


def summary(values: Sequence[float | None], limits: Sequence[tuple[float, float]] | None = None) -> Summary:
    rows = [{"smear_id": f"s{number}", "x": value, "x_unit": "/mm2"} for number, value in enumerate(values)]
    for row, pair in zip(rows, limits or [], strict=False):
        row |= {"x_low": pair[0], "x_high": pair[1]}
    return Summary({"smear_id": "text", "x": "number"}, tuple(rows), ("x",))


def test_a_value_far_from_the_rest_is_found_with_its_distance() -> None:
    (found,) = outliers(summary([10, 11, 9, 10, 12, 8, 10, 11, 50]))
    # By hand: the median is 10, the median absolute deviation 1.
    assert (found.smear_id, found.median, found.value) == ("s8", 10, 50)
    assert found.distance == pytest.approx(40 / 1.4826)


def test_the_modified_z_score_is_that_of_iglewicz_and_hoaglin() -> None:
    values = np.random.default_rng(1).normal(100, 10, 60).tolist()
    deviation = np.median(np.abs(values - np.median(values)))
    score = 0.6745 * np.abs(values - np.median(values)) / deviation
    pushed = [*values, float(np.median(values)) + 3.6 * deviation / 0.6745]
    assert {one.smear_id for one in outliers(summary(values))} == {f"s{i}" for i in np.flatnonzero(score > 3.5)}
    assert FAR == 3.5
    assert "s60" in {one.smear_id for one in outliers(summary(pushed))}


def test_few_cells_are_not_far_only_because_they_vary() -> None:
    values = [10, 11, 9, 10, 12, 8, 10, 11, 50]
    narrow = [(value - 1, value + 1) for value in values]
    assert len(outliers(summary(values, narrow))) == 1
    assert outliers(summary(values, [*narrow[:-1], (5, 200)])) == ()


def test_where_most_are_equal_limits_decide() -> None:
    zeros = [0.0] * 9
    limits = [(0.0, 5.0)] * 9
    assert outliers(summary([*zeros, 1.0], [*limits, (0.0, 6.0)])) == ()
    (found,) = outliers(summary([*zeros, 20.0], [*limits, (12.0, 30.0)]))
    assert (found.value, found.distance) == (20.0, float("inf"))
    assert outliers(summary([*zeros, 20.0])) == ()
    # One cell: its limits exclude 0, and yet nobody can tell it from none.
    assert outliers(summary([*zeros, 1.0], [*limits, (0.03, 5.6)])) == ()


def test_of_few_smears_none_is_far() -> None:
    values = [10.0] * (LEAST_SMEARS - 2) + [11.0, 1000.0]
    limits = [(value - 0.1, value + 0.1) for value in values]
    assert outliers(summary(values, limits))
    assert outliers(summary(values[1:], limits[1:])) == ()


def test_only_values_of_the_same_unit_are_compared() -> None:
    made = summary([10, 11, 9, 10, 12, 8, 10, 11, 1000])
    rows = [*made.rows[:-1], {**made.rows[-1], "x_unit": "/um2"}]
    assert outliers(Summary(made.columns, tuple(rows), ("x",))) == ()


def test_the_pixel_size_is_looked_at_too() -> None:
    rows = [{"smear_id": f"s{n}", "um_per_px": value} for n, value in enumerate([0.1, 0.11, 0.1, 0.09] * 3 + [0.3])]
    (found,) = outliers(Summary({"um_per_px": "number"}, tuple(rows)))
    assert (found.smear_id, found.key, found.unit) == ("s12", "um_per_px", "µm/px")


@given(st.lists(st.none() | st.floats(-1e6, 1e6), max_size=30))
def test_the_farthest_come_first_and_scale_changes_nothing(values: list[float | None]) -> None:
    found = outliers(summary(values))
    assert [one.distance for one in found] == sorted((one.distance for one in found), reverse=True)
    doubled = outliers(summary([None if value is None else 2 * value for value in values]))
    assert [one.smear_id for one in doubled] == [one.smear_id for one in found]
