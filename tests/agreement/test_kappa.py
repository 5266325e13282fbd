"""Kappa and AC1 against published examples, the delta method, scikit-learn and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa

from hemato_lab.agreement.confusion import confusion, confusion_of
from hemato_lab.agreement.kappa import (
    NO_CELLS,
    NO_DISAGREEMENT,
    ONE_CLASS,
    ONE_READER_CONSTANT,
    Kappa,
    agreement_weights,
    cohen_kappa,
    gwet_ac1,
    gwet_ac2,
    weighted_kappa,
)
from hemato_lab.errors import ConfigError
from hemato_lab.statistics.limits import clopper_pearson_limits

SETS = 1000
# Cohen, Psychol. Bull. 70 (1968) 213-220, table 1: 200 cases, weights of disagreement 1, 3 and 6.
COHEN = [[88, 14, 18], [10, 40, 10], [2, 6, 12]]
COHEN_WEIGHTS = 1 - np.array([[0, 1, 3], [1, 0, 6], [3, 6, 0]]) / 6
# Fleiss, Cohen and Everitt, Psychol. Bull. 72 (1969) 323-327: 200 cases, weights of agreement.
FLEISS = [[106, 10, 4], [22, 28, 10], [2, 12, 6]]
FLEISS_WEIGHTS = [[1, 0, 0.4444], [0, 1, 0.6667], [0.4444, 0.6667, 1]]
# SAS/STAT User's Guide, PROC FREQ, "Agreement Study": 88 patients with a skin condition, four grades.
SKIN = [[10, 4, 1, 0], [5, 10, 12, 2], [2, 4, 12, 5], [0, 2, 6, 13]]
# Gwet's data "cont3x3abstractors" of the R package irrCAC, printed in its vignette "overview".
ABSTRACTORS = [[13, 0, 0], [0, 20, 7], [0, 4, 56]]


def test_cohens_example():
    table = confusion_of(COHEN)
    assert round(cohen_kappa(table).value.value, 3) == 0.492
    assert round(weighted_kappa(table, COHEN_WEIGHTS).value.value, 3) == 0.348


def test_the_example_of_fleiss_cohen_and_everitt():
    """Their variance is that of the delta method, for their own weights too."""
    for weights in (np.eye(3), np.array(FLEISS_WEIGHTS)):

        def kappa(shares: np.ndarray, weights=weights) -> float:
            shares = shares / shares.sum()
            chance = shares.sum(axis=1) @ weights @ shares.sum(axis=0)
            return float(((shares * weights).sum() - chance) / (1 - chance))

        ours = weighted_kappa(confusion_of(FLEISS), weights)
        assert ours.value.value == pytest.approx(kappa(np.array(FLEISS) / 200), abs=1e-12)
        assert ours.standard_error == pytest.approx(delta_method(kappa, np.array(FLEISS)), rel=1e-5)


def test_the_example_of_sas():
    kappa = cohen_kappa(confusion_of(SKIN))
    printed = (kappa.value.value, kappa.standard_error, kappa.value.low, kappa.value.high, kappa.null_error)
    assert [round(figure, 4) for figure in printed] == [0.3449, 0.0724, 0.2030, 0.4868, 0.0612]
    assert round(kappa.value.value / kappa.null_error, 4) == 5.6366
    assert kappa.p_value < 1e-7


def test_another_example_of_sas():
    # Printed by SAS for this table, as the tests of statsmodels list it; SAS weighs linearly.
    table = confusion_of([[0, 4, 1], [0, 8, 0], [0, 1, 5]])
    for kappa, printed in (
        (cohen_kappa(table), [0.4842, 0.1380, 0.2137, 0.7547, 0.1484, 0.0011]),
        (weighted_kappa(table, "linear"), [0.4701, 0.1457, 0.1845, 0.7558, 0.1426, 0.0010]),
    ):
        ours = (kappa.value.value, kappa.standard_error, kappa.value.low, kappa.value.high, kappa.null_error)
        assert [*ours, kappa.p_value] == pytest.approx(printed, abs=0.51e-4)


def test_the_example_of_fleiss_1981():
    # Statistical Methods for Rates and Proportions, 2nd ed., section 13.1: 100 cases, three diagnoses
    kappa = cohen_kappa(confusion_of([[75, 1, 4], [5, 4, 1], [0, 0, 10]]))
    assert (round(kappa.value.value, 2), round(kappa.null_error, 3)) == (0.68, 0.076)


def test_gwets_example():
    table = confusion_of(ABSTRACTORS)
    kappa = cohen_kappa(table)
    assert kappa.value.value == pytest.approx(0.7964094, abs=5e-8)
    assert kappa.standard_error == pytest.approx(0.05891072, abs=5e-9)
    ac1 = gwet_ac1(table)
    assert ac1.value.value == pytest.approx(0.8493305, abs=5e-8)
    assert ac1.standard_error == pytest.approx(0.04321747, abs=5e-9)


def random_tables():
    generator = np.random.default_rng(20240918)
    for _ in range(SETS):
        classes = int(generator.integers(2, 7))
        counts = generator.poisson(generator.uniform(0.3, 30), (classes, classes))
        counts += np.diag(generator.poisson(generator.uniform(1, 100), classes) + 1)
        counts[0, 1] += 1  # some disagreement, without which the peers divide by 0
        yield counts


def kappa_of(counts: np.ndarray, name: str | None) -> Kappa:
    table = confusion_of(counts)
    return cohen_kappa(table) if name is None else weighted_kappa(table, name)


def check_against_scikit_learn(counts: np.ndarray, name: str | None) -> None:
    up, across = np.indices(counts.shape).reshape(2, -1)
    learned = cohen_kappa_score(up, across, weights=name, sample_weight=counts.ravel())
    assert kappa_of(counts, name).value.value == pytest.approx(learned, abs=1e-12)


def check_against_statsmodels(counts: np.ndarray, name: str | None) -> None:
    """Compare all figures; statsmodels wants weights of disagreement, and lets limits go beyond 1."""
    ours = kappa_of(counts, name)
    peer = cohens_kappa(counts, weights=None if name is None else 1 - agreement_weights(len(counts), name))
    theirs = (peer.kappa, peer.std_kappa, peer.std_kappa0, peer.kappa_low, min(1.0, peer.kappa_upp))
    mine = (ours.value.value, ours.standard_error, ours.null_error, ours.value.low, ours.value.high)
    assert mine == pytest.approx(theirs, abs=1e-9)
    assert ours.p_value == pytest.approx(peer.pvalue_two_sided, abs=1e-12)


WEIGHTS = (None, "linear", "quadratic")


def test_equal_to_the_peers_on_a_thousand_tables():
    for number, counts in enumerate(random_tables()):
        check_against_scikit_learn(counts, WEIGHTS[number % 3])
        if number % 16 == 0:  # it takes its time, and meets all of them in the slow run
            check_against_statsmodels(counts, WEIGHTS[number % 3])


@pytest.mark.slow
@pytest.mark.parametrize("name", WEIGHTS)
def test_every_kappa_is_equal_to_both_peers_on_a_thousand_tables(name):
    for counts in random_tables():
        check_against_scikit_learn(counts, name)
        check_against_statsmodels(counts, name)


def gwet_2008(counts: np.ndarray) -> tuple[float, float]:
    """AC1 and its standard error, written from equations (18) to (20) of the paper."""
    shares = counts / counts.sum()
    used = (shares.sum(axis=0) + shares.sum(axis=1)) / 2
    observed, chance = np.trace(shares), (used * (1 - used)).sum() / (len(counts) - 1)
    ac1 = (observed - chance) / (1 - chance)
    of_diagonal = (np.diag(shares) * (1 - used)).sum() / (len(counts) - 1) - observed * chance
    of_pairs = (shares * (1 - np.add.outer(used, used) / 2) ** 2).sum() / (len(counts) - 1) ** 2 - chance**2
    spread = observed * (1 - observed) - 4 * (1 - ac1) * of_diagonal + 4 * (1 - ac1) ** 2 * of_pairs
    return float(ac1), float(math.sqrt(spread / counts.sum()) / (1 - chance))


def test_ac1_is_the_formula_of_the_paper_on_a_thousand_tables():
    for counts in random_tables():
        ours = gwet_ac1(confusion_of(counts))
        assert (ours.value.value, ours.standard_error) == pytest.approx(gwet_2008(counts), abs=1e-10)


def delta_method(coefficient, counts: np.ndarray) -> float:
    """Large-sample standard error of any coefficient: its slopes, found numerically, and the multinomial's spread."""
    size, step = counts.sum(), 1e-6
    slopes = np.empty(counts.shape)
    for place in np.ndindex(*counts.shape):
        moved = np.zeros(counts.shape)
        moved[place] = step
        slopes[place] = (coefficient(counts / size + moved) - coefficient(counts / size - moved)) / (2 * step)
    shares = counts / size
    return float(math.sqrt(((shares * slopes**2).sum() - (shares * slopes).sum() ** 2) / size))


@pytest.mark.parametrize("name", ["linear", "quadratic"])
def test_ac2_has_the_standard_error_of_the_delta_method(name):
    weights = agreement_weights(4, name)

    def ac2(shares: np.ndarray) -> float:
        shares = shares / shares.sum()
        used = (shares.sum(axis=0) + shares.sum(axis=1)) / 2
        chance = weights.sum() / 12 * (used * (1 - used)).sum()
        return float(((shares * weights).sum() - chance) / (1 - chance))

    ours = gwet_ac2(confusion_of(SKIN), name)
    assert ours.value.value == pytest.approx(ac2(np.array(SKIN) / 88), abs=1e-12)
    assert ours.standard_error == pytest.approx(delta_method(ac2, np.array(SKIN)), rel=1e-5)


def test_ac2_without_partial_agreement_is_ac1():
    assert gwet_ac2(confusion_of(SKIN), np.eye(4)).value == gwet_ac1(confusion_of(SKIN)).value


def test_rare_classes_pull_kappa_down_and_not_ac1():
    # Feinstein and Cicchetti's paradox: 118, 5, 2, 0 of 125 cases agree in 94 %
    table = confusion_of([[118, 5], [2, 0]])
    assert round(cohen_kappa(table).value.value, 2) == -0.02
    assert gwet_ac1(table).value.value > 0.93


def test_one_class_has_no_kappa_and_an_ac1_of_one():
    for counts in ([[20]], [[20, 0], [0, 0]]):
        kappa, ac1 = cohen_kappa(confusion_of(counts)), gwet_ac1(confusion_of(counts))
        assert math.isnan(kappa.value.value)
        assert kappa.reason == ONE_CLASS
        assert math.isnan(kappa.p_value)
        assert ac1.value.value == 1
        assert ac1.reason == ""


def test_agreement_on_all_cells_is_one_with_limits_that_are_not():
    kappa = cohen_kappa(confusion_of([[10, 0], [0, 10]]))
    assert (kappa.value.value, kappa.value.high) == (1, 1)
    # kappa of the least agreement that 20 of 20 cells allow, half of it being chance
    assert kappa.value.low == pytest.approx((clopper_pearson_limits(20, 20).low - 0.5) / 0.5)
    assert gwet_ac1(confusion_of([[10, 0], [0, 10]])).value == kappa.value


def test_agreement_on_no_cell_has_limits_too():
    kappa = cohen_kappa(confusion_of([[0, 10], [10, 0]]))
    assert (kappa.value.value, kappa.value.low) == (-1, -1)
    assert kappa.value.high == pytest.approx((clopper_pearson_limits(0, 20).high - 0.5) / 0.5)


def test_a_reader_with_one_name_makes_kappa_meaningless():
    kappa = cohen_kappa(confusion_of([[90, 0], [10, 0]]))
    assert kappa.value.value == pytest.approx(0)
    assert math.isnan(kappa.value.low)
    assert kappa.reason == ONE_READER_CONSTANT


def test_no_cells_and_no_disagreement_are_undefined():
    empty = confusion([], [], classes=["a", "b"])
    assert cohen_kappa(empty).reason == gwet_ac1(empty).reason == NO_CELLS
    assert cohen_kappa(confusion([], [])).reason == NO_CELLS
    lenient = gwet_ac2(confusion_of([[1, 1], [1, 1]]), [[1, 1], [1, 1]])
    assert lenient.reason == NO_DISAGREEMENT
    assert not lenient.value.defined


def test_confidence_comes_from_the_table():
    wide, narrow = (cohen_kappa(confusion_of(SKIN, confidence=level)).value for level in (0.99, 0.9))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_large_tables_do_not_overflow():
    kappa = cohen_kappa(confusion_of(np.array(SKIN) * 10**9))
    assert kappa.value.value == pytest.approx(cohen_kappa(confusion_of(SKIN)).value.value, abs=1e-12)
    assert 0 < kappa.standard_error < 1e-4


@pytest.mark.parametrize("weights", ["cubic", [[1, 0]], [[1, 2], [0, 1]], [[0.5, 0], [0, 1]], [[1, math.nan], [0, 1]]])
def test_impossible_weights_are_refused(weights):
    with pytest.raises(ConfigError):
        weighted_kappa(confusion_of([[1, 2], [3, 4]]), weights)


def test_rows_name_the_coefficient_and_what_it_is_made_of():
    frame = weighted_kappa(confusion_of(SKIN)).to_frame()
    assert frame["figure"].tolist() == ["quadratic weighted kappa", "weighted agreement", "agreement by chance"]
    assert frame["method"][0] == "large sample"
    assert cohen_kappa(confusion_of(SKIN)).rows()[1].figure == "agreement"
