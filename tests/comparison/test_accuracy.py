from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from scipy import stats

from hemato_lab.comparison import Comparison
from hemato_lab.comparison.accuracy import Accuracy, accuracy_of
from hemato_lab.comparison.diagnoses import DiagnosesComparison
from hemato_lab.comparison.matching import compare_cells
from hemato_lab.comparison.narrative import NarrativeComparison
from hemato_lab.comparison.pairing import pair_files
from tests.comparison.placed import side

if TYPE_CHECKING:
    from hemato_lab.comparison.sides import Side

TRUTH = side((0, 10, 10, "RBC"), (0, 50, 50, "WBC"), (0, 90, 90, "RBC"), (0, 90, 10, "RBC"))
FOUND = replace(side((0, 11, 10, "RBC"), (0, 50, 51, "RBC"), (0, 200, 200, "RBC")), kind="analysis")


def compared(first: Side, second: Side) -> Comparison:
    pairing = pair_files(first.files, second.files)
    cells = compare_cells(first, second, pairing)
    return Comparison(first, second, pairing, cells, (), (), DiagnosesComparison(), NarrativeComparison())


def accuracy(first: Side, second: Side) -> Accuracy:
    found = accuracy_of(compared(first, second))
    assert found is not None
    return found


@pytest.mark.parametrize("sides", [(TRUTH, FOUND), (FOUND, TRUTH)], ids=["truth first", "truth second"])
def test_a_cell_called_differently_is_a_mistake_and_a_miss(sides: tuple[Side, Side]) -> None:
    found = accuracy(*sides)
    # One of three found is right; one of four marked was found by its name.
    assert (found.precision.value, found.recall.value) == (1 / 3, 1 / 4)
    assert (found.place_precision.value, found.place_recall.value) == (
        2 / 3,
        2 / 4,
    )  # one more was found, by another name
    assert found.f1 == pytest.approx(2 / 7)  # 2 tp / (2 tp + fp + fn)
    exact = stats.binomtest(1, 4).proportion_ci(method="exact")
    assert (found.recall.low, found.recall.high) == pytest.approx((exact.low, exact.high))
    assert compared(*sides).to_dict()["summary"]["f1"] == pytest.approx(2 / 7)


def test_a_wider_name_that_both_use_is_right() -> None:
    found = accuracy(side((0, 10, 10, "WBC")), replace(side((0, 10, 10, "lymphocyte")), kind="analysis"))
    assert (found.precision.value, found.recall.value, found.f1) == (1, 1, 1)


def test_nothing_found_has_no_precision_and_nothing_marked_no_recall() -> None:
    nothing_found = accuracy(TRUTH, replace(side(), kind="analysis"))
    assert math.isnan(nothing_found.precision.value)
    assert nothing_found.recall.value == 0
    assert nothing_found.f1 == 0
    nothing_marked = accuracy(side(), FOUND)
    assert nothing_marked.precision.value == 0
    assert math.isnan(nothing_marked.recall.value)
    assert nothing_marked.f1 == 0
    wrong = accuracy(side((0, 10, 10, "RBC")), replace(side((0, 99, 99, "RBC")), kind="analysis"))
    assert (wrong.precision.value, wrong.recall.value) == (0, 0)
    assert wrong.f1 == 0
    assert math.isnan(accuracy(side(), replace(side(), kind="analysis")).f1), "neither marked nor found"


def test_two_readings_or_two_annotations_have_no_accuracy() -> None:
    assert accuracy_of(compared(TRUTH, TRUTH)) is None
    assert accuracy_of(compared(FOUND, FOUND)) is None
