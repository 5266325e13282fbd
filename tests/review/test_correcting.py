"""The corrected report says what the corrected cells say."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from hemato_lab.analysis import conclusions
from hemato_lab.export import render
from hemato_lab.pipeline import Interpretation
from hemato_lab.report import Report, report_schema
from hemato_lab.review import DecisionLog, correct
from hemato_lab.review.correcting import corrected_cells
from hemato_lab.review.reviewing import Review
from tests.review.made_up import decision

PARASITES = ("ring trophozoite", "trophozoite", "schizont", "gametocyte")


def rows_of(analysis, *names):
    return np.flatnonzero(np.isin(analysis.detections["name"], names)).tolist()


def test_without_decisions_or_with_all_taken_back_the_report_is_the_same(malaria, log):
    assert render(correct(malaria, log), "json") == render(malaria, "json")
    review = Review(malaria, log)
    review.decide([0, 1], "reject")
    review.undo()
    assert render(correct(malaria, log), "json") == render(malaria, "json")


@pytest.fixture
def corrected(malaria, log):
    """All rings are platelets on red cells, two red cells are dirt, and one white cell is a blast."""
    review = Review(malaria, log, reader="AB")
    review.decide(rows_of(malaria, "ring trophozoite"), "reclassify", "normal RBC")
    review.decide(rows_of(malaria, "normal RBC")[:2], "reject")
    review.decide(rows_of(malaria, "lymphocyte"), "reclassify", "blast")
    review.decide(rows_of(malaria, "schizont"), "accept")
    return review.corrected()


def test_the_cells_are_what_the_reader_says(malaria, corrected):
    before, after = malaria.detections, corrected.detections
    assert len(after) == len(before) - 2
    assert after.count("ring trophozoite") == 0
    assert after.count("blast") == 1
    assert after.count("normal RBC") == before.count("normal RBC") - 2 + before.count("ring trophozoite")
    renamed = after["reviewed"] == 3
    assert renamed.sum() == before.count("ring trophozoite") + 1
    assert np.isnan(after["name_confidence"][renamed]).all()
    assert np.all(after["parasite_score"][after["name"] == "schizont"] == 1)
    assert np.all(after["parasite_score"][renamed & (after["name"] == "normal RBC")] == 0)


def test_findings_and_statistics_follow(malaria, corrected):
    after = corrected.detections
    infected = np.isin(after["name"], PARASITES)
    red = after.of_kind("RBC").sum()
    parasitised = corrected.report.extension["findings"]["parasitised RBC"]
    assert (parasitised["count"], parasitised["n_reference"]) == (infected.sum(), red)
    # The fields may spread the limits further, never narrow them.
    exact = proportion_confint(int(infected.sum()), int(red), method="beta")
    low, high = parasitised["limits_95"]
    assert low <= 100 * exact[0] + 0.01
    assert high >= 100 * exact[1] - 0.01
    findings = corrected.report.morphological_findings
    assert "ring trophozoite" not in findings
    assert findings["blast"].count == "1"
    assert (findings["blast"].heat_map[0].center, findings["schizont"].count) == (
        malaria.report.morphological_findings["lymphocyte"].heat_map[0].center,
        malaria.report.morphological_findings["schizont"].count,
    )
    assert "lymphocyte" not in findings
    assert any(one["id"].startswith("blast") for one in corrected.report.extension["review"]["reasons"])
    red_before = malaria.report.extension["cells_found"]["RBC"]
    assert corrected.report.extension["cells_found"]["RBC"] == red_before - 2


def test_the_report_tells_of_the_decisions_and_stays_in_its_schema(malaria, corrected, log):
    written = json.loads(render(corrected, "json"))
    jsonschema.Draft202012Validator(report_schema()).validate(written)
    assert Report.from_json(render(corrected, "json")) == corrected.report
    rings = malaria.detections.count("ring trophozoite")
    said = written["hemato_lab"]["review"]["decisions"]
    assert said["counts"] == {"accepted": 3, "rejected": 2, "renamed": rings + 1}
    assert (said["log_sha256"], said["readers"], said["unattached"]) == (log.sha256, ["AB"], [])
    assert written["hemato_lab"]["provenance"]["review"]["log_sha256"] == log.sha256
    assert corrected.provenance["models"] == malaria.provenance["models"]
    text = " ".join(corrected.report.pathology_report.split())
    assert f"A reader decided on {rings + 6} candidates (3 accepted, 2 rejected and {rings + 1} renamed)" in text
    assert "not reviewed as a whole by a qualified" in text
    assert "hemato_lab" not in corrected.report.to_dict(strict=True)


def test_decisions_about_cells_that_are_not_listed_are_told(malaria, log):
    review = Review(malaria, log)
    review.decide([3, 4], "reject")
    others = replace(malaria, detections=malaria.detections.select(np.arange(4, len(malaria.detections))))
    said = correct(others, log).report.extension["review"]["decisions"]
    assert said["counts"]["rejected"] == 1
    (lost,) = said["unattached"]
    cells = malaria.detections
    assert (lost["x"], lost["y"], lost["action"]) == (cells["x"][3], cells["y"][3], "reject")


def test_a_corrected_analysis_stays_one_when_it_is_opened_again(malaria, corrected, log, tmp_path):
    untouched = correct(corrected, DecisionLog.of_smear(malaria.smear, tmp_path / "new.jsonl"))
    assert render(untouched, "json") == render(corrected, "json")
    assert render(correct(corrected, log), "json") == render(corrected, "json"), "a log is carried out once"


def shown(analysis):
    return dict(conclusions.decisions(analysis.report).rows), " ".join(analysis.report.pathology_report.split())


def test_a_second_correction_is_told_with_the_first(malaria, log, tmp_path):
    Review(malaria, log, reader="A").decide(range(4), "reject")
    renamed = rows_of(malaria, "normal RBC")[-1]
    Review(malaria, log, reader="A").decide([renamed], "reclassify", "sickle cell")
    first = correct(malaria, log)
    other = DecisionLog.of_smear(malaria.smear, tmp_path / "other.jsonl")
    Review(first, other, reader="B").decide([10], "accept")
    second = correct(first, other)
    rows, text = shown(second)
    assert (rows["cells rejected"], rows["cells accepted"], rows["readers"]) == ("4", "1", "B, A")
    assert "2 readers decided on 6 candidates (1 accepted, 4 rejected and 1 renamed)" in text
    assert "Who the readers were" in text
    assert rows["log of decisions, SHA-256"] == other.sha256
    assert rows["log of an earlier correction, SHA-256"] == log.sha256
    assert second.detections["reviewed"][second.detections["name"] == "sickle cell"][-1] == 3
    assert render(correct(second, log), "json") == render(second, "json")


def test_a_log_that_went_on_is_carried_out_from_where_it_was(malaria, log):
    review = Review(malaria, log)
    review.decide([10], "accept")
    review.decide([1, 2], "reject")
    first = review.corrected()
    review.undo()
    review.decide([11], "reject")
    again = correct(first, log)
    said = again.report.extension["review"]["decisions"]
    assert said["counts"] == {"accepted": 0, "rejected": 1, "renamed": 0}
    assert (said["taken_back"], said["unattached"]) == (2, [])
    assert len(again.detections) == len(malaria.detections) - 3
    assert "taken back since" in " ".join(shown(again)[0])


def test_torn_lines_and_blind_decisions_are_told_on_every_surface(malaria, log):
    Review(malaria, log, reader="B", blind=True).decide([3], "reject")
    Review(malaria, log).decide([1], "reject")
    log.path.write_bytes(log.path.read_bytes()[:-30])
    rows, text = shown(correct(malaria, DecisionLog.of_smear(malaria.smear, log.path)))
    assert rows["lines of the log that could not be read"] == "1"
    assert rows["decisions of blind readings, left out"] == "1"
    assert "1 line of the log of decisions could not be read." in text
    assert "1 decision of blind readings is left out." in text
    assert "decided on" not in text


def test_blind_decisions_are_left_out_unless_asked_for(malaria, log):
    Review(malaria, log, blind=True).decide([3], "reject")
    open_eyed = correct(malaria, log)
    assert len(open_eyed.detections) == len(malaria.detections)
    assert open_eyed.report.extension["review"]["decisions"]["blind_left_out"] == 1
    assert len(correct(malaria, log, blind=True).detections) == len(malaria.detections) - 1


def test_a_corrected_report_can_be_interpreted_otherwise(malaria, log):
    Review(malaria, log).decide([3], "reject")
    only_findings = correct(malaria, log, interpretation=Interpretation(level="morphological_findings"))
    assert only_findings.report.pathology_report == ""
    assert len(only_findings.detections) == len(malaria.detections) - 1


def test_a_cell_that_becomes_another_kind_loses_its_parasite_score(malaria):
    row = rows_of(malaria, "normal RBC")[0]
    white = rows_of(malaria, "lymphocyte")[0]
    decided = {
        row: decision(action="reclassify", new_name="platelet"),
        white: decision(action="reclassify", new_name="ring trophozoite"),
    }
    after = corrected_cells(malaria.detections, decided)
    assert np.isnan(after["parasite_score"][row])
    assert after["parasite_score"][white] == 1
    assert np.array_equal(
        malaria.detections["parasite_score"][row + 1 : row + 5], after["parasite_score"][row + 1 : row + 5]
    )
