from __future__ import annotations

import math
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, cohen_kappa_score

from hemato_lab.agreement.correlation import lin_concordance
from hemato_lab.agreement.deming import deming
from hemato_lab.agreement.differences import bland_altman
from hemato_lab.agreement.kappa import cohen_kappa
from hemato_lab.agreement.passing_bablok import passing_bablok
from hemato_lab.comparison import pooling
from hemato_lab.comparison.pooling import PairedSmear, pool
from hemato_lab.errors import ConfigError

NAMES = ("RBC", "WBC", "platelet")


def smears(count: int, *, cells: int = 40, seed: int = 0) -> tuple[list[PairedSmear], list[tuple[str, str]]]:
    """Return smears with one statistic in mixed units and names that agree about four times in five, and all names."""
    generator = np.random.default_rng(seed)
    made, named = [], []
    for number in range(count):
        first = float(generator.uniform(4, 12))
        second = first * 1.1 + float(generator.normal(0, 0.2))
        values = (first, second, "10*3/uL") if number % 2 == 0 else (first * 1000, second * 1000, "/uL")
        ours = generator.choice(NAMES, cells)
        theirs = np.where(generator.random(cells) < 0.7, ours, generator.choice(NAMES, cells))
        pairs = [(str(one), str(other)) for one, other in zip(ours, theirs, strict=True)]
        named += pairs
        made.append(PairedSmear("", {"wbc-concentration": values}, Counter(pairs)))
    return made, named


def test_each_statistic_is_that_of_the_methods_in_one_unit():
    made, _ = smears(30)
    (found,) = pool(made).statistics
    values = [one.statistics["wbc-concentration"] for one in made]
    first, second = (
        np.array([value[side] / (1000 if value[2] == "/uL" else 1) for value in values]) for side in (0, 1)
    )
    assert (found.key, found.unit, found.smears, found.left_out) == ("wbc-concentration", "10*3/uL", 30, 0)
    for ours, method in (
        (found.difference, bland_altman),
        (found.deming, deming),
        (found.passing_bablok, passing_bablok),
        (found.concordance, lin_concordance),
    ):
        assert ours is not None
        for row, expected in zip(ours.rows(), method(first, second).rows(), strict=True):
            assert row.figure == expected.figure
            assert row[1:4] == pytest.approx(expected[1:4], rel=1e-9, nan_ok=True)


def test_kappa_of_all_cells_is_that_of_a_peer_and_its_limits_are_those_of_whole_patients():
    made, named = smears(12)
    patients = [f"p{number // 3}" for number in range(12)]
    found = pool(made, patients, resamples=100)
    assert (found.smears, found.patients) == (12, 4)
    ours, theirs = zip(*named, strict=True)
    assert found.names.kappa.value == pytest.approx(cohen_kappa_score(ours, theirs), rel=1e-12)
    assert found.names.agreement.value == pytest.approx(accuracy_score(ours, theirs), rel=1e-12)
    assert found.names.names == NAMES
    assert found.names.cells == len(named)
    assert cohen_kappa(found.names.confusion()).value.value == pytest.approx(found.names.kappa.value)

    # The same bootstrap, cell by cell.
    draws = np.random.default_rng(20240918).multinomial(4, [0.25] * 4, size=100)
    kappas = []
    for draw in draws:
        cells = [
            pair for patient, times in enumerate(draw) for pair in named[patient * 120 : patient * 120 + 120] * times
        ]
        kappas.append(cohen_kappa_score(*zip(*cells, strict=True)))
    expected = np.percentile(kappas, [2.5, 97.5])
    assert (found.names.kappa.low, found.names.kappa.high) == pytest.approx(tuple(expected), rel=1e-9)


def test_without_patients_each_smear_is_one():
    made, _ = smears(5)
    assert pool(made).patients == 5
    assert pool(made, ["", "", "a", "a", "b"]).patients == 4
    assert pool([PairedSmear("a"), PairedSmear("a")]).patients == 1
    with pytest.raises(ConfigError, match="5 comparisons have 2 patients"):
        pool(made, ["a", "b"])


def test_one_patient_gives_no_limits_and_one_name_no_kappa():
    found = pool([PairedSmear("a", {}, {("RBC", "RBC"): 7})])
    assert math.isnan(found.names.kappa.value)
    assert found.names.agreement.value == 1
    assert math.isnan(found.names.agreement.low)
    assert found.names.agreement.method == "no limits from one patient"
    # Two of them: every resample has the one name only.
    two = pool([PairedSmear("a", {}, {("RBC", "RBC"): 7}), PairedSmear("b", {}, {("RBC", "RBC"): 1})])
    assert math.isnan(two.names.kappa.low)
    assert (two.names.agreement.low, two.names.agreement.high) == (1, 1)


def test_what_one_reader_does_not_list_has_no_name_to_agree_on():
    unlisted = {("RBC", "not listed"): 50, ("not listed", "WBC"): 9}
    agreeing = {("RBC", "RBC"): 7, ("WBC", "RBC"): 1, ("WBC", "WBC"): 2}
    both, alone = (pool([PairedSmear("a", {}, one)] * 2).names for one in (agreeing | unlisted, agreeing))
    assert both.kappa.value == alone.kappa.value > 0
    assert (both.cells, both.names) == (20, ("RBC", "WBC"))


def test_many_patients_and_names_take_little_memory():
    made = [PairedSmear(f"p{n}", {}, {(f"a{n}", f"a{n}"): 3, (f"a{n}", f"b{n}"): 1}) for n in range(600)]
    tracemalloc.start()
    found = pool(made, resamples=200).names
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.agreement.value == 0.75
    # Tables of every patient would be 600 x 1,200 x 1,200 figures: 7 GB.
    assert peak < 200e6
    with pytest.raises(ConfigError, match="1200 names are too many"):
        found.confusion()


def test_smaller_blocks_give_the_same_limits(monkeypatch: pytest.MonkeyPatch):
    made, _ = smears(6)
    whole = pool(made, resamples=50).names
    monkeypatch.setattr(pooling, "_MOST_HELD", 20)
    assert pool(made, resamples=50).names.kappa == whole.kappa
    for impossible in (0, -1):
        with pytest.raises(ConfigError, match="impossible"):
            pool(made, resamples=impossible)


def test_smears_whose_units_lead_nowhere_are_left_out_and_counted():
    made = [PairedSmear("", {"plt": (1.0, 2.0, unit)}) for unit in ("/mm2", "/uL", "/um2", "y")]
    (found,) = pool(made).statistics
    assert (found.smears, found.left_out) == (2, 2)
    assert found.difference.pairs.first.tolist() == [1.0, 1e6]


def test_too_many_smears_for_all_slopes_leave_that_method_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pooling, "MOST_SAMPLES", 4)
    made, _ = smears(5)
    (found,) = pool(made).statistics
    assert found.passing_bablok is None
    assert not any("Passing" in row.figure for row in found.rows())


def test_nothing_to_pool_is_an_empty_result():
    found = pool([])
    assert (found.smears, found.patients, found.statistics) == (0, 0, ())
    assert math.isnan(found.names.kappa.value)
    assert (found.names.cells, found.names.names) == (0, ())


def test_all_figures_as_a_frame():
    made, _ = smears(10)
    frame = pool(made).to_frame()
    assert list(frame.columns)[:3] == ["statistic", "figure", "value"]
    assert {"Bland-Altman: bias", "Deming: slope", "Passing-Bablok: slope", "Lin: concordance", "Cohen's kappa"} <= set(
        frame["figure"]
    )


@pytest.mark.parametrize("document", [{}, {"statistics": [{}]}, {"statistics": [], "cells": {"names": [{"first": 1}]}}])
def test_what_is_no_comparison_is_refused(document: dict[str, object]):
    with pytest.raises(ConfigError, match="is no comparison"):
        PairedSmear.from_dict(document, patient="")
