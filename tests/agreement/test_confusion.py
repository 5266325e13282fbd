from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from hemato_lab.agreement.confusion import Confusion, confusion, confusion_of
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.statistics.limits import clopper_pearson_limits

NAMES = st.lists(st.sampled_from(["blast", "monocyte", "neutrophil"]), max_size=40)


def table() -> Confusion:
    """Grades 0 to 3 that two readers gave 88 patients (SAS/STAT User's Guide, PROC FREQ, "Agreement Study")."""
    return confusion_of([[10, 4, 1, 0], [5, 10, 12, 2], [2, 4, 12, 5], [0, 2, 6, 13]], ["0", "1+", "2+", "3+"])


def test_rows_are_the_first_reader_and_columns_the_second():
    counted = confusion(["a", "a", "b", "c"], ["a", "b", "b", "a"], names=("examiner", "twin"))
    assert counted.classes == ("a", "b", "c")
    assert counted.counts.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]
    assert counted.names == ("examiner", "twin")
    assert len(counted) == 4


def test_classes_may_be_named_beforehand_in_their_order():
    counted = confusion(["2+", "1+"], ["2+", "2+"], classes=["1+", "2+", "3+"])
    assert counted.counts.tolist() == [[0, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_agreement_and_within_one_grade_have_exact_limits():
    assert table().agreement.value == pytest.approx(45 / 88)
    assert (table().agreement.low, table().agreement.high) == pytest.approx(clopper_pearson_limits(45, 88))
    assert table().within(1).value == pytest.approx((45 + 4 + 5 + 12 + 4 + 5 + 6) / 88)
    assert table().within(0) == table().agreement
    assert table().within(3).value == 1


def test_specific_agreement_is_the_published_formula():
    for one, found in enumerate(table().per_class()):
        counts = table().counts
        both, first, second = counts[one, one], counts[one].sum(), counts[:, one].sum()
        assert (found.both, found.first, found.second) == (both, first, second)
        assert found.specific.value == pytest.approx(2 * both / (first + second))
        assert found.kept.value == pytest.approx(both / first)
        assert found.specific.low < found.specific.value < found.specific.high


def test_specific_agreement_of_two_classes_is_that_of_cicchetti_and_feinstein():
    # Feinstein and Cicchetti, J. Clin. Epidemiol. 43 (1990) 543-549: 40, 9, 6, 45 of 100 cases
    yes, no = confusion_of([[40, 9], [6, 45]]).per_class()
    assert (round(yes.specific.value, 2), round(no.specific.value, 2)) == (0.84, 0.86)


def test_a_class_that_nobody_named_has_no_agreement():
    found = confusion_of([[3, 0], [0, 0]]).per_class()[1]
    assert not found.specific.defined
    assert not found.kept.defined
    assert found.specific.method == "none counted"


def test_one_class_against_all_others():
    assert table().against("1+").counts.tolist() == [[10, 19], [10, 49]]
    with pytest.raises(ConfigError, match="no class '4\\+'"):
        table().against("4+")


@given(NAMES, st.randoms())
def test_readers_can_be_swapped(names, random):
    others = random.sample(names, len(names))
    one, other = confusion(names, others), confusion(others, names)
    assert np.array_equal(one.counts, other.counts.T)
    assert one.agreement == other.agreement or not names
    assert [found.specific for found in one.per_class()] == [found.specific for found in other.per_class()]


def test_nothing_named_is_an_empty_table():
    empty = confusion([], [])
    assert empty.classes == ()
    assert len(empty) == 0
    assert not empty.agreement.defined
    assert confusion([], [], classes=["a"]).counts.tolist() == [[0]]


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda: confusion(["a"], []), "named 1 cells and second 0"),
        (lambda: confusion(["a"], ["b"], classes=["a"]), "'b' is none of the classes"),
        (lambda: confusion_of([[1, 2, 3]]), "not square"),
        (lambda: confusion_of([[1, -2], [3, 4]]), "not hold counts"),
        (lambda: confusion_of([[1, 0.5], [3, 4]]), "not hold counts"),
        (lambda: confusion_of([[1, np.nan], [3, 4]]), "not hold counts"),
        (lambda: confusion_of([["1", "2"], ["3", "4"]]), "not hold counts"),
        (lambda: confusion_of([[1, 0], [0, 1]], ["a"]), "1 names for 2 classes"),
        (lambda: confusion_of([[1, 0], [0, 1]], ["a", "a"]), "2 names for 2 classes"),
    ],
)
def test_what_is_no_table_is_refused(call, problem: str):
    with pytest.raises(ConfigError, match=problem):
        call()


def test_the_table_cannot_be_changed():
    counts = np.array([[1, 0], [0, 1]])
    held = confusion_of(counts)
    counts[0, 0] = 7
    assert held.counts[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        held.counts[0, 0] = 7


def test_rows_and_frame_list_the_same():
    frame = table().to_frame()
    assert frame["figure"].tolist()[:2] == ["agreement", "agreement on 0"]
    assert frame["value"][0] == pytest.approx(45 / 88)


def test_the_picture_shows_counts_names_and_notice():
    axes = table().plot(Figure().subplots())
    shown = [text.get_text() for text in axes.texts]
    assert {"10", "4", "13"} <= set(shown)
    assert "0" not in shown, "an empty place is left empty"
    assert RESEARCH_USE_NOTICE in shown
    assert axes.get_xlabel() == "second, n = 88"
    assert "0.511" in axes.get_title(loc="left")


def test_formulas_in_names_are_drawn_as_they_stand():
    figure = Figure()
    confusion_of([[1, 0], [0, 1]], ["$\\frac{", "b"]).plot(figure.subplots())
    figure.canvas.draw()
