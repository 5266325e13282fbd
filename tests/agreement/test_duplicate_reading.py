from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import stats

from hemato_lab.agreement.duplicate_reading import (
    KINDS,
    READER_CELLS,
    DuplicateReading,
    difference_limits,
    duplicate_reading,
    percent,
)
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE

CLASSES = ("neutrophil", "lymphocyte", "blast")


def reading() -> DuplicateReading:
    """Three films of 200 cells a reader."""
    first = [[120, 80, 0], [100, 90, 10], [140, 58, 2]]
    second = [[124, 76, 0], [130, 58, 12], [136, 64, 0]]
    test = [[118, 82, 0], [90, 92, 18], [100, 96, 4]]
    return duplicate_reading(first, second, test, CLASSES)


def test_the_reference_is_the_mean_of_both_examiners():
    assert reading().reference.tolist() == [[61, 39, 0], [57.5, 37, 5.5], [69, 30.5, 0.5]]
    assert reading().test[1].tolist() == [45, 46, 9]
    assert reading().readers_difference[1].tolist() == [15, -16, 1]
    assert reading().films == ("1", "2", "3")


@pytest.mark.parametrize(("first", "second"), [(200, 200), (200, 100), (400, 200), (37, 5)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_limits_are_the_central_part_of_the_hypergeometric_distribution(first: int, second: int, confidence: float):
    tail = (1 - confidence) / 2
    for together in {0, 1, 2, 7, (first + second) // 3, first + second - 1, first + second}:
        law = stats.hypergeom(first + second, together, second)
        # The least and the most cells that are not in a tail of at most the allowed size.
        found = int(law.ppf(tail * (1 + 1e-9))), int(law.isf(tail * (1 + 1e-9)))
        in_first = min(first, together)
        counts = [np.array([[one, size - one]]) for one, size in ((in_first, first), (together - in_first, second))]
        low, high = difference_limits(*counts, confidence)
        ends = [100 * (count / second - (together - count) / first) for count in found]
        assert (low[0, 0], high[0, 0]) == pytest.approx(ends)


@pytest.mark.parametrize("share", [0.005, 0.03, 0.2, 0.55])
def test_counting_alone_stays_within_as_often_as_it_says(share: float):
    generator = np.random.default_rng(7)
    first, second = (generator.binomial(READER_CELLS, share, 4000) for _ in range(2))
    counts = [np.stack([one, READER_CELLS - one], axis=1) for one in (first, second)]
    low, high = difference_limits(*counts)
    apart = (percent(counts[1]) - percent(counts[0]))[:, 0]
    outside = np.mean((apart < low[:, 0] - 1e-9) | (apart > high[:, 0] + 1e-9))
    assert outside <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 4000)


def test_the_limits_are_those_of_fishers_test():
    """A difference lies outside just where Fisher's one-sided test has a p of half of 5 % or less."""
    rows = np.array([[10, 190]])
    for other in range(40):
        low, high = difference_limits(rows, np.array([[other, 200 - other]]))
        apart = (other - 10) / 2
        table = [[10, 190], [other, 200 - other]]
        p_value = min(stats.fisher_exact(table, alternative=side)[1] for side in ("less", "greater"))
        assert (low[0, 0] - 1e-9 <= apart <= high[0, 0] + 1e-9) == (p_value > 0.025)


def test_a_film_is_within_where_counting_explains_it():
    # 57.5 against 45 % and 37 against 46 % (148 of 400, 92 of 200; Fisher's p is 0.04): beyond counting
    assert stats.fisher_exact([[148, 252], [92, 108]])[1] == pytest.approx(0.04, abs=0.005)
    assert reading().test_within.tolist() == [[True, True, True], [False, False, True], [False, False, True]]
    assert reading().readers_agree.tolist() == [[True, True, True], [False, False, True], [True, True, True]]


def test_figures_of_every_class():
    neutrophil, _, blast = reading().per_class()
    assert neutrophil.name == "neutrophil"
    assert neutrophil.bias.value == pytest.approx(np.mean([-2, -12.5, -19]))
    interval = stats.t.interval(0.95, 2, np.mean([-2, -12.5, -19]), stats.sem([-2, -12.5, -19]))
    assert (neutrophil.bias.low, neutrophil.bias.high) == pytest.approx(interval)
    assert neutrophil.test_within.value == pytest.approx(1 / 3)
    assert blast.test_within.value == 1
    assert blast.reference == 2
    assert len(reading().rows()) == 5 * len(CLASSES)


def test_abnormal_films_are_told_by_shares_and_by_what_is_there():
    found = reading().abnormality({"neutrophil": (50, 70)}, {"blast": 2})
    assert set(found) == set(KINDS)
    counts = {
        kind: (one.true_positives, one.false_negatives, one.false_positives, one.true_negatives)
        for kind, one in found.items()
    }
    # reference: neutrophils 61, 57.5, 69 and blasts 0, 5.5, 0.5 %; test: 59, 45, 50 and 0, 9, 2 %
    assert counts["distributional"] == (0, 0, 1, 2)
    assert counts["morphological"] == (1, 0, 1, 1)
    assert counts["either"] == (1, 0, 1, 1)
    assert found["either"].label == "either abnormality"


def test_one_film_and_none_have_no_limits():
    alone = duplicate_reading([[100, 100]], [[90, 110]], [[95, 105]], ["a", "b"])
    assert alone.per_class()[0].bias.value == 0
    assert math.isnan(alone.per_class()[0].bias.low)
    none = duplicate_reading(np.empty((0, 2)), np.empty((0, 2)), np.empty((0, 2)), ["a", "b"])
    assert len(none) == 0
    assert math.isnan(none.per_class()[0].reference)
    assert not none.per_class()[0].test_within.defined


@pytest.mark.parametrize(
    "call",
    [
        lambda: duplicate_reading([[1, 2]], [[1, 2]], [[1, 2]], ["a"]),
        lambda: duplicate_reading([[1]], [[1], [2]], [[1]], ["a"]),
        lambda: duplicate_reading([[1]], [[1]], [[1]], ["a"], films=["x", "y"]),
        lambda: duplicate_reading([[1, 2]], [[1, 2]], [[1, 2]], ["a", "a"]),
        lambda: duplicate_reading([[0]], [[1]], [[1]], ["a"]),
        lambda: duplicate_reading([[0.5]], [[1]], [[1]], ["a"]),
        lambda: duplicate_reading([[1]], [[1]], [[1]], ["a"], confidence=0),
        lambda: reading().abnormality({"basophil": (0, 1)}, {}),
        lambda: reading().plot(Figure().subplots(), name="basophil"),
    ],
)
def test_what_does_not_fit_is_refused(call):
    with pytest.raises(ConfigError):
        call()


def test_the_picture_shows_what_is_beyond_counting():
    axes = reading().plot(Figure().subplots())
    assert axes.get_xlabel().startswith("neutrophil, mean of both examiners (%), n = 3")
    labels = axes.get_legend_handles_labels()[1]
    assert "test beyond counting: 2" in labels
    assert RESEARCH_USE_NOTICE in [text.get_text() for text in axes.texts]
    assert reading().plot(Figure().subplots(), name="blast").get_title(loc="left").startswith("blast")
