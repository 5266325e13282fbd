from __future__ import annotations

import math
import time
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.comparison.codes import RELATIONS, relation
from hemato_lab.comparison.diagnoses import compare_diagnoses, rank_biased_overlap
from tests.comparison.made_up import report

RANKINGS = st.lists(st.sampled_from("abcdefgh"), max_size=8, unique=True)


def pairs(
    first: tuple[str, ...], second: tuple[str, ...]
) -> list[tuple[str | None, str | None, str | None, int | None]]:
    return [
        (one.first and one.first.code, one.second and one.second.code, one.relation, one.displacement)
        for one in compare_diagnoses(report(codes=first), report(codes=second)).pairs
    ]


def test_the_same_differential_is_equal():
    found = compare_diagnoses(report(codes=("B50", "D57.1")), report(codes=("B50", "D57.1")))
    assert found.equal
    assert found.top == "same code"
    assert found.rank_biased_overlap == pytest.approx(1)
    assert found.count("same code") == 2


def test_two_empty_differentials_are_equal_and_have_no_overlap():
    found = compare_diagnoses(report(), report())
    assert found.equal
    assert found.top is None
    assert math.isnan(found.rank_biased_overlap)
    assert found.to_dict() == {"top": None, "rank_biased_overlap": None, "pairs": []}


def test_each_code_pairs_once_with_the_nearest_code_and_then_the_nearest_rank():
    assert pairs(("B50", "D50", "D61"), ("D53.9", "B54", "B50.9")) == [
        ("B50", "B50.9", "same category", 2),
        ("D50", "D53.9", "same block", -1),
        ("D61", None, None, None),
        (None, "B54", None, None),
    ]
    # Of two of one category the same code wins, wherever it stands; the other goes to what is left.
    assert pairs(("D57.0", "D57.1"), ("D57.1", "D57.2")) == [
        ("D57.0", "D57.2", "same category", 1),
        ("D57.1", "D57.1", "same code", -1),
    ]
    # Nothing but the rank decides between two of one block.
    assert pairs(("B51",), ("B54", "B53")) == [("B51", "B54", "same block", 0), (None, "B53", None, None)]


def test_one_code_listed_twice_pairs_with_one():
    assert pairs(("B50", "B50"), ("B50",)) == [("B50", "B50", "same code", 0), ("B50", None, None, None)]


def test_another_order_is_a_difference():
    found = compare_diagnoses(report(codes=("B50", "D57")), report(codes=("D57", "B50")))
    assert not found.equal
    assert found.top is None
    assert [pair.displacement for pair in found.pairs] == [1, -1]
    assert 0 < found.rank_biased_overlap < 1


def test_a_differential_beside_none_shares_nothing():
    found = compare_diagnoses(report(codes=("B50",)), report())
    assert (found.equal, found.top, found.rank_biased_overlap) == (False, None, 0.0)


def test_overlap_equals_the_published_software_on_rankings_with_ties_broken_in_every_way():
    """The README of julian-urbano/sigir2024-rbo prints 0.6922853, the mean over all ways to break the ties."""
    first = [("red",), ("blue", "green"), ("yellow",), ("pink",)]
    second = [("blue", "red"), ("white",), ("yellow", "black", "purple"), ("green",)]

    def broken(ranking: list[tuple[str, ...]]) -> list[list[str]]:
        return [[item for tied in ways for item in tied] for ways in product(*(list(permutations(t)) for t in ranking))]

    found = [rank_biased_overlap(one, other, persistence=0.95) for one in broken(first) for other in broken(second)]
    assert len(found) == 24
    assert sum(found) / 24 == pytest.approx(0.6922853, abs=5e-8)


@given(RANKINGS, RANKINGS)
def test_overlap_is_symmetric_within_bounds_and_one_only_for_the_same_beginning(first: list[str], second: list[str]):
    found = rank_biased_overlap(first, second)
    assert found == rank_biased_overlap(second, first) or not (first or second)
    if first or second:
        assert -1e-12 <= found <= 1 + 1e-12
        short = min(len(first), len(second))
        assert (found > 1 - 1e-9) == (short > 0 and first[:short] == second[:short])
        assert (found == 0) == (not set(first) & set(second))


def test_repeated_items_count_where_they_stand_first():
    assert rank_biased_overlap(["a", "b", "a"], ["a", "b"]) == rank_biased_overlap(["a", "b"], ["a", "b"])


def by_every_pair(first: list[str], second: list[str]) -> set[tuple[int, int]]:
    """Return the ranks of the pairs as their description says, by looking at every pair."""
    near = sorted(
        (RELATIONS.index(kind), abs(one - other), one, other)
        for one, code in enumerate(first, start=1)
        for other, another in enumerate(second, start=1)
        if (kind := relation(code, another)) is not None
    )
    found: dict[int, int] = {}
    for _, _, one, other in near:
        if one not in found and other not in found.values():
            found[one] = other
    return set(found.items())


CODES = st.lists(st.sampled_from(["B50", "B50.9", "B51", "B54", "D57.0", "d570", "D61", "", "none"]), max_size=12)


@given(CODES, CODES)
def test_pairs_are_those_of_looking_at_every_pair(first: list[str], second: list[str]):
    found = compare_diagnoses(report(codes=tuple(first)), report(codes=tuple(second)))
    paired = {(one.first.rank, one.second.rank) for one in found.pairs if one.first and one.second}
    assert paired == by_every_pair(first, second)
    for one in found.pairs:
        if one.first and one.second:
            assert one.relation == relation(one.first.code, one.second.code)


@pytest.mark.parametrize("kinds", [1, 40])
def test_long_differentials_take_no_longer_than_they_are(kinds: int):
    first = report(codes=tuple(f"B{50 + number % kinds}" for number in range(5000)))
    second = report(codes=tuple(f"B{50 + number * 7 % kinds}" for number in range(5000)))
    start = time.process_time()
    found = compare_diagnoses(first, second)
    assert found.count("same code") == 5000
    # Looking at every pair takes minutes.
    assert time.process_time() - start < 3
