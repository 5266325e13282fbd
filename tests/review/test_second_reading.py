"""A blind second reading against the analysis and the first reader, checked with scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from hemato_lab.errors import ConfigError
from hemato_lab.review import read_twice
from hemato_lab.review.reviewing import Review


def test_agreement_is_of_the_names_that_both_gave(malaria, log):
    cells = malaria.detections["name"].tolist()
    first, second = Review(malaria, log, reader="A"), Review(malaria, log, reader="B", blind=True)
    random = np.random.default_rng(2)
    said = ["normal RBC", "target cell", "ring trophozoite"]
    firsts, seconds = {}, {}
    for row in range(60):
        name = said[random.integers(3)]
        if row < 40:
            first.decide([row], "reclassify", name)
            firsts[row] = name
        other = name if random.random() < 0.7 else said[random.integers(3)]
        if row % 10 == 9:
            second.decide([row], "reject")
            other = "not a cell"
        else:
            second.decide([row], "reclassify", other)
        seconds[row] = other
    reading = read_twice(malaria, log)
    both = sorted(firsts)
    assert len(reading) == 60
    assert len(reading.against_first) == 40
    expected = cohen_kappa_score([firsts[row] for row in both], [seconds[row] for row in both])
    assert reading.kappas[1].value.value == pytest.approx(expected)
    expected = cohen_kappa_score([cells[row] for row in range(60)], [seconds[row] for row in range(60)])
    assert reading.kappas[0].value.value == pytest.approx(expected)
    figures = [one.figure for one in reading.rows()]
    assert figures[0] == "agreement with the analysis (60 cells)"
    assert figures[5] == "AC1 with the first reader (40 cells)"
    assert reading.ac1s[1].value.defined
    assert len(reading.to_frame()) == 6


def test_a_wider_name_does_not_contradict_a_finer_one(malaria, log):
    row = int(np.flatnonzero(malaria.detections["name"] == "ring trophozoite")[0])
    Review(malaria, log, reader="B", blind=True).decide([row], "reclassify", "parasitised RBC")
    reading = read_twice(malaria, log)
    assert reading.against_analysis.classes == ("parasitised RBC",)
    assert reading.against_analysis.agreement.value == 1
    assert len(reading.against_first) == 0


def test_several_blind_readers_have_to_be_chosen_from(malaria, log):
    for reader in ("B", "C"):
        Review(malaria, log, reader=reader, blind=True).decide([1], "reclassify", "target cell")
    with pytest.raises(ConfigError, match="2 readers"):
        read_twice(malaria, log)
    assert len(read_twice(malaria, log, second="C")) == 1


def test_no_blind_reading_gives_empty_tables(malaria, log):
    reading = read_twice(malaria, log)
    assert len(reading) == 0
    assert not reading.kappas[0].value.defined


def test_a_second_reader_is_not_compared_with_himself(malaria, log):
    for row, blind in ((1, False), (2, False), (1, True), (3, True)):
        Review(malaria, log, reader="B", blind=blind).decide([row], "reclassify", "target cell")
    Review(malaria, log, reader="A").decide([3], "reject")
    reading = read_twice(malaria, log)
    assert (len(reading), len(reading.against_first), reading.seen_before) == (2, 1, 1)
    assert reading.against_first.agreement.value == 0
