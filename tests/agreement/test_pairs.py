from __future__ import annotations

import numpy as np
import pytest

from hemato_lab.agreement.pairs import Pairs, make_pairs
from hemato_lab.errors import ConfigError


def test_differences_are_second_minus_first_and_means_lie_between():
    pairs = make_pairs([1, 2], [3, 1], names=("microscope", "hemato_lab"), unit="%")
    assert len(pairs) == 2
    np.testing.assert_array_equal(pairs.differences, [2, -1])
    np.testing.assert_array_equal(pairs.means, [2, 1.5])
    assert (pairs.names, pairs.unit) == (("microscope", "hemato_lab"), "%")


def test_values_are_kept_as_they_were():
    given = np.array([1.0, 2.0])
    pairs = Pairs(given, given)
    given[0] = 5
    assert pairs.first[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        pairs.first[0] = 5


def test_no_pair_at_all_is_allowed():
    assert len(make_pairs([], [])) == 0


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ([1, 2], [1], "first has 2 values and second 1"),
        ([[1, 2]], [[1, 2]], "2 dimensions"),
        (3.0, 3.0, "0 dimensions"),
        ([1, np.nan], [1, 2], "value 2 of first"),
        ([1, 2], [np.inf, 2], "value 1 of second"),
        ([1, None], [1, 2], "value 2 of first"),
        ([1, 1e200], [1, 2], "value 2 of first"),
        (["a"], [1], "not numbers"),
        ([1j], [1], "not numbers"),
        (np.ma.masked_equal([1, 2], 2), [1, 2], "value 2 of first"),
    ],
)
def test_what_is_no_pair_of_numbers_is_refused(first: object, second: object, says: str):
    with pytest.raises(ConfigError, match=says) as caught:
        make_pairs(first, second)
    assert caught.value.hint
