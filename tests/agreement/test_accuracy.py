"""Accuracy and McNemar's test against published examples, scipy and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from statsmodels.stats.contingency_tables import mcnemar as peer_mcnemar
from statsmodels.stats.proportion import proportion_confint

from hemato_lab.agreement.accuracy import FIGURES, Accuracy, McNemar, accuracy, accuracy_of, mcnemar
from hemato_lab.agreement.confusion import confusion_of
from hemato_lab.agreement.plots.accuracy import draw
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE

SETS = 1000
COUNTS = st.integers(0, 400)
# Altman and Bland, BMJ 308 (1994) 1552 and 309 (1994) 102: liver scans of 344 patients.
LIVER = Accuracy(231, 27, 32, 54)


def test_the_liver_scans_of_altman_and_bland():
    printed = {"sensitivity": 0.90, "specificity": 0.63, FIGURES[2]: 0.88, FIGURES[3]: 0.67}
    assert {name: round(LIVER.figures()[name].value, 2) for name in printed} == printed
    assert LIVER.prevalence.value == 0.75
    # "if the prevalence was 0.25": 0.45 and 0.95
    assert [round(value, 2) for value in LIVER.predictive_values_at(0.25)] == [0.45, 0.95]


def test_predictive_values_at_the_prevalence_of_the_sample_are_those_of_the_sample():
    values = LIVER.predictive_values_at(LIVER.prevalence.value)
    assert values == pytest.approx((LIVER.positive_predictive_value.value, LIVER.negative_predictive_value.value))


def test_limits_are_those_of_statsmodels_on_a_thousand_tables():
    generator = np.random.default_rng(20240918)
    counts = generator.poisson(generator.uniform(0.2, 60, (SETS, 4)))
    tp, fn, fp, tn = counts.T
    cases = dict(
        zip(
            FIGURES,
            [(tp, tp + fn), (tn, tn + fp), (tp, tp + fp), (tn, tn + fn), (tp + tn, tp + fn + fp + tn)],
            strict=True,
        )
    )
    for limits, method in (("exact", "beta"), ("wilson", "wilson")):
        ours = [Accuracy(*row, limits=limits).figures() for row in counts.tolist()]
        for name, (part, whole) in cases.items():
            some = np.flatnonzero(whole)
            low, high = proportion_confint(part[some], whole[some], method=method)
            found = np.array([[ours[row][name].value, ours[row][name].low, ours[row][name].high] for row in some])
            # statsmodels leaves the end NaN where Clopper and Pearson define 0 and 1
            theirs = [part[some] / whole[some], np.nan_to_num(low), np.nan_to_num(high, nan=1.0)]
            assert pytest.approx(np.array(theirs), abs=1e-9) == found.T
            assert not any(ours[row][name].defined for row in np.flatnonzero(whole == 0))


def test_accuracy_of_cases_and_of_a_table_are_the_same():
    truth = [True, True, False, False, False]
    called = [True, False, True, False, False]
    found = accuracy(truth, called, label="blasts")
    assert (found.true_positives, found.false_negatives, found.false_positives, found.true_negatives) == (1, 1, 1, 2)
    table = confusion_of([[1, 1], [1, 2]], ["blasts", "none"])
    assert accuracy_of(table, "blasts") == found
    assert len(found) == 5


def test_no_case_at_all_is_undefined():
    nothing = accuracy([], [])
    assert not any(one.defined for one in nothing.figures().values())
    assert all(math.isnan(value) for value in nothing.predictive_values_at(0.5))
    assert nothing.rows()[0].method == "no such case"


@pytest.mark.parametrize(
    "call",
    [
        lambda: Accuracy(-1, 0, 0, 0),
        lambda: Accuracy(1, 2, 3, 4, limits="wald"),
        lambda: Accuracy(1, 2, 3, 4, confidence=1.5),
        lambda: accuracy([True], []),
        lambda: accuracy([2], [1]),
        lambda: accuracy([[True]], [[True]]),
        lambda: LIVER.predictive_values_at(1.5),
        lambda: McNemar(5, 6, 10),
        lambda: McNemar(-1, 0, 10),
        lambda: McNemar(math.nan, 1, 10),
        lambda: McNemar(1, 1, math.inf),
        lambda: Accuracy(math.nan, 1, 1, 1),
        lambda: Accuracy(1, math.inf, 1, 1),
        lambda: Accuracy(1.5, 1, 1, 1),
        lambda: accuracy_of(confusion_of([[1]], ["a"]), "b"),
    ],
)
def test_impossible_counts_are_refused(call):
    with pytest.raises(ConfigError):
        call()


def test_the_children_of_bentur():
    # Fagerland, Lydersen and Laake, BMC Med. Res. Methodol. 13 (2013) 91, table 1: 21 children, 1 against 7
    found = McNemar(1, 7, 21)
    assert (round(found.exact_p, 4), round(found.mid_p, 4)) == (0.0703, 0.0391)
    assert (round(found.chi_squared()[1], 4), round(found.chi_squared(corrected=True)[1], 4)) == (0.0339, 0.0771)


def test_the_culture_media_of_armitage_and_berry():
    # StatsDirect's manual, "Matched pairs": 12 against 2 of 50 specimens; Liddell's exact limits
    found = McNemar(2, 12, 50)
    statistic, p_value = found.chi_squared(corrected=True)
    assert (round(statistic, 6), round(p_value, 4)) == (5.785714, 0.0162)
    assert round(found.exact_p, 4) == 0.0129
    ratio = found.odds_ratio
    assert [round(ratio.value, 6), round(ratio.low, 6), round(ratio.high, 6)] == [6, 1.335744, 55.197091]


def test_the_approval_of_agresti():
    # Penn State, STAT 504, "McNemar Test": 150 against 86 of 1,600; Agresti prints -0.06 to -0.02 for the difference
    found = McNemar(150, 86, 1600)
    statistic, p_value = found.chi_squared()
    assert (round(statistic, 4), float(f"{p_value:.3e}")) == (17.3559, 3.099e-05)
    assert [round(end, 2) for end in (found.difference.low, found.difference.high)] == [-0.06, -0.02]


def test_mcnemar_is_that_of_statsmodels_on_a_thousand_tables():
    generator = np.random.default_rng(20240918)
    for first, second, rest in generator.poisson(generator.uniform(0, 40, (SETS, 3))).tolist():
        found = McNemar(first, second, first + second + rest)
        table = [[rest, first], [second, 0]]
        assert found.exact_p == pytest.approx(min(1.0, peer_mcnemar(table, exact=True).pvalue), abs=1e-12)
        if not first + second:
            continue
        for corrected in (False, True):
            if corrected and first == second:
                continue  # statsmodels takes a difference of 0, less 1, for 1
            peer = peer_mcnemar(table, exact=False, correction=corrected)
            assert found.chi_squared(corrected=corrected) == pytest.approx((peer.statistic, peer.pvalue), abs=1e-12)


@given(COUNTS, COUNTS)
def test_the_mid_p_lies_below_the_exact_p_and_readers_can_be_swapped(first: int, second: int):
    found, swapped = McNemar(first, second, first + second), McNemar(second, first, first + second)
    assert 0 <= found.mid_p <= found.exact_p <= 1
    assert found.mid_p == pytest.approx(swapped.mid_p)
    assert found.difference.value == pytest.approx(-swapped.difference.value, nan_ok=True)
    if first and second:
        assert found.odds_ratio.value == pytest.approx(1 / swapped.odds_ratio.value)


def test_the_correction_for_continuity_never_turns_a_difference_round():
    assert McNemar(5, 5, 20).chi_squared(corrected=True) == (0, 1)


def test_the_limits_of_the_difference_are_those_of_a_mean_of_paired_differences():
    differences = np.repeat([-1.0, 1.0, 0.0], [1, 7, 13])
    found = McNemar(1, 7, 21).difference
    error = differences.std() / math.sqrt(21)
    assert found.value == pytest.approx(differences.mean())
    assert (found.low, found.high) == pytest.approx((found.value - 1.959964 * error, found.value + 1.959964 * error))


def test_readers_that_never_differ_cannot_be_told_apart():
    same = mcnemar([True, False, True], [True, False, True])
    assert (same.first_only, same.second_only, same.cases) == (0, 0, 3)
    assert same.exact_p == 1
    assert same.mid_p == 1, "nothing speaks for a difference"
    assert math.isnan(same.chi_squared()[0])
    assert not same.odds_ratio.defined
    assert McNemar(0, 3, 9).odds_ratio.value == math.inf
    assert not McNemar(0, 0, 0).difference.defined


def test_rows_list_all_figures():
    assert [row.figure for row in LIVER.rows()] == [*FIGURES, "prevalence"]
    assert "mid-p" in McNemar(1, 7, 21).to_frame()["figure"].tolist()


def test_the_picture_shows_every_figure_with_limits_and_notice():
    axes = draw({"liver": LIVER, "empty": Accuracy(0, 0, 0, 0)}, Figure().subplots())
    shown = [text.get_text() for text in axes.texts]
    assert "89.5 (85.0 to 93.0)" in shown or "89.5 (85.1 to 93.0)" in shown
    assert shown.count("undefined") == len(FIGURES)
    assert RESEARCH_USE_NOTICE in shown
    assert [label.get_text() for label in axes.get_yticklabels()] == list(FIGURES)
    assert LIVER.plot(Figure().subplots()).get_xlabel() == "per cent, with 95 % limits"
