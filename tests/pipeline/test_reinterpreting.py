"""A report made again from the same cells is the same; from other cells it says what they say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hemato_lab.detections import RENAMED, REVIEWED
from hemato_lab.diagnosis.loading import _text
from hemato_lab.errors import ConfigError, ScaleNotCredibleError
from hemato_lab.export import render
from hemato_lab.pipeline import Interpretation, analyze
from hemato_lab.pipeline.reinterpreting import interpretation_of, reinterpret
from hemato_lab.reference import BloodCount, ClinicalContext
from hemato_lab.smear import Smear

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hemato_lab.analysis import Analysis
    from hemato_lab.detections import Detections
    from hemato_lab.smear import Field

OWN = Interpretation(
    ClinicalContext("child", "female", BloodCount(rbc=4.1, wbc=7.5)),
    level="diagnostic_report",
    code_system="CM",
    reference={"minimum_counts": {"red_cells": {"value": 150, "source": "own"}}},
)


@pytest.fixture(scope="module")
def named(phantom: Callable[..., Smear]) -> Analysis:
    return analyze(phantom("malaria", seed=3), interpretation=OWN)


@pytest.fixture(scope="module")
def unnamed(phantom: Callable[..., Smear]) -> Analysis:
    return analyze(phantom("spherocytosis", size=(520, 400)), detector="classical")


def renamed(cells: Detections, rows: list[int], *names: str) -> Detections:
    column, reviewed = cells["name"].astype(object), np.zeros(len(cells))
    column[rows] = np.resize(np.array(names, object), len(rows))
    reviewed[rows] = RENAMED
    return cells.with_columns(name=column.astype(str), **{REVIEWED: reviewed})


def test_the_same_cells_give_the_same_report(named: Analysis, unnamed: Analysis):
    for analysis in (named, unnamed):
        again = reinterpret(analysis, analysis.detections)
        assert render(again, "json") == render(analysis, "json")
        assert again.provenance == analysis.provenance


def test_fields_in_which_nothing_can_be_seen_stay_out(
    phantom: Callable[..., Smear], field_of: Callable[..., Field], stated: object
):
    """A dark, a blank and a grey field beside a good one."""
    good = phantom("normal", size=(520, 400)).fields[0]
    grey = np.repeat(good.read().mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    smear = Smear("mixed", (good, field_of(3, "dark"), field_of(235, "blank"), field_of(grey, "grey")), scale=stated)
    analysis = analyze(smear, rbc_per_ul=4.5e6)
    assert render(reinterpret(analysis, analysis.detections), "json") == render(analysis, "json")


def test_how_it_was_interpreted_is_read_from_the_provenance(named: Analysis):
    assert interpretation_of(named) == replace(OWN, reference=interpretation_of(named).reference)
    assert interpretation_of(named).reference["minimum_counts"]["red_cells"]["value"] == 150


def test_rules_of_ones_own_have_to_be_given_again(phantom: Callable[..., Smear], tmp_path: Path):
    rules = tmp_path / "rules.toml"
    rules.write_text(_text(None) + "\n# own\n", "utf-8")
    own = Interpretation(rules=rules)
    analysis = analyze(phantom("normal"), detector="classical", interpretation=own)
    with pytest.raises(ConfigError, match="other rules") as raised:
        reinterpret(analysis, analysis.detections)
    assert "interpretation=" in raised.value.hint
    again = reinterpret(analysis, analysis.detections, interpretation=own)
    assert render(again, "json") == render(analysis, "json")


def test_an_analysis_that_does_not_say_how_it_was_made_is_refused(unnamed: Analysis):
    for damaged, message in (
        (replace(unnamed, provenance={}), "does not say how"),
        (replace(unnamed, quality={}), "quality was not judged"),
    ):
        with pytest.raises(ConfigError, match=message):
            reinterpret(damaged, damaged.detections)
    with pytest.raises(ScaleNotCredibleError):
        reinterpret(replace(unnamed, smear=replace(unnamed.smear, scale=None)), unnamed.detections)


def test_names_that_no_network_gives_are_findings_when_a_reader_gives_them(named: Analysis):
    rows = np.flatnonzero(named.detections["name"] == "normal RBC")[:4].tolist()
    report = reinterpret(named, renamed(named.detections, rows, "acanthocyte")).report
    assert report.morphological_findings["acanthocyte"].count == "4"
    details = report.extension["findings"]["acanthocyte"]
    assert (details["count"], details["rule"]) == (4, "reader")
    assert "acanthocyte" in named.report.extension["not_assessed"]
    assert "acanthocyte" not in report.extension["not_assessed"]


def test_a_cell_is_listed_under_the_narrowest_name_that_a_reader_gave(named: Analysis):
    red = np.flatnonzero(named.detections["name"] == "normal RBC")[:3].tolist()
    cells = renamed(named.detections, red, "parasitised RBC", "neutrophil", "band neutrophil")
    findings = reinterpret(named, cells).report
    listed = findings.morphological_findings
    assert [listed[name].count for name in ("parasitised RBC", "neutrophil", "band neutrophil")] == ["1", "1", "1"]
    assert findings.extension["findings"]["neutrophil"]["count"] == 2, "a band neutrophil is a neutrophil"
    infected = findings.extension["findings"]["parasitised RBC"]["count"]
    assert infected == named.report.extension["findings"]["parasitised RBC"]["count"] + 1


def test_a_reader_is_believed_against_measures_and_where_cells_overlap(unnamed: Analysis):
    """The classical detector names nothing; spherocytes are what measures less its pallor."""
    cells = unnamed.detections
    red = np.flatnonzero(cells["name"] == "RBC")
    border = red[cells["on_border"][red] == 1][:2].tolist()
    report = reinterpret(unnamed, renamed(cells, border, "target cell")).report
    assert report.morphological_findings["target cell"].count == "2"
    assert report.extension["findings"]["target cell"]["method"] == "named by a reader, where one saw it"
    before = unnamed.report.extension["findings"]["spherocyte"]
    all_renamed = reinterpret(unnamed, renamed(cells, red.tolist(), "target cell")).report
    assert all_renamed.extension["findings"]["spherocyte"]["count"] == 0
    assert before["count"] > 5
    assert before["n_reference"] <= all_renamed.extension["findings"]["target cell"]["count"] == len(red)
