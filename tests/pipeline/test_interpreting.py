"""From cells to a report that can be checked line by line."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest

from hemato_lab.detections import Detections
from hemato_lab.diagnosis import load_rules
from hemato_lab.errors import ConfigError
from hemato_lab.export import render
from hemato_lab.formats import open_smear
from hemato_lab.narrative import resolve
from hemato_lab.phantom import RECIPES, phantom_smear
from hemato_lab.pipeline import Interpretation, analyze
from hemato_lab.pipeline.interpreting import Reading, interpret, picture_quality
from hemato_lab.reference import BloodCount, ClinicalContext
from hemato_lab.report import Report, report_schema
from hemato_lab.resources import shipped
from hemato_lab.smear import RED_CELL_DIAMETER_UM, ArraySource, Field, Scale, Smear
from hemato_lab.vocabulary import TERMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hemato_lab.analysis import Analysis

NO_HISTORY = "No demographics or past medical history is available about the patient."
SAMPLES = sorted(path.name for path in shipped("sample_data").iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def one_ring() -> Analysis:
    """A field with a single infected red cell, which the networks are sure of."""
    recipe = replace(
        RECIPES["malaria"],
        um_per_px=RED_CELL_DIAMETER_UM / 60,
        red_cells={"normal RBC": 0.98, "ring trophozoite": 0.02},
    )
    smear, truth = phantom_smear(recipe, 85, 1, 800, 600)
    assert truth.count("ring trophozoite") == 1
    return analyze(smear)


@pytest.fixture(scope="module", params=SAMPLES)
def sample(request: pytest.FixtureRequest) -> Analysis:
    return analyze(open_smear(shipped("sample_data") / request.param))


def extension(analysis: Analysis) -> dict[str, Any]:
    """What is ours, as it is written."""
    return json.loads(render(analysis, "json"))["hemato_lab"]


def test_the_vendors_sample_report_in_kind(one_ring: Analysis):
    """One ring trophozoite with centre and radius, B50, and text: lines 283 to 301 of the vendor's document."""
    strict = one_ring.report.to_dict(strict=True)
    jsonschema.Draft202012Validator(report_schema()).validate(strict)
    ring = strict["morphological_findings"]["ring trophozoite"]
    assert ring["count"] == "1"
    ((x, y), radius) = ring["heat_map"][0]["center"], ring["heat_map"][0]["radius"]
    assert (set(ring["heat_map"][0]), len(ring["heat_map"])) == ({"center", "radius"}, 1)
    assert all(isinstance(number, int) for number in (x, y, radius))
    assert 25 <= radius <= 36
    first = strict["diagnostic_report"]["differential_diagnosis"][0]
    assert {key: first[key] for key in ("score", "clinical-significance", "icd10-code")} == {
        "score": 7,
        "clinical-significance": "D",
        "icd10-code": "B50",
    }
    assert first["english-long"] == "Malaria Infection with Plasmodium Falciparum"
    assert first["english-short"] == "Malaria"
    assert 0.9 <= float(first["confidence"]) <= 0.99
    running = " ".join(strict["pathology_report"].split())
    assert NO_HISTORY in running
    assert "1 ring trophozoite" in running


def test_every_sentence_leads_to_its_facts(sample: Analysis):
    ours = extension(sample)
    assert len(ours["narrative"]) > 20
    for sentence in ours["narrative"]:
        assert sentence["traces"], sentence["text"]
        for trace in sentence["traces"]:
            assert resolve(ours, trace) not in (None, ""), trace
    told = " ".join(sample.report.pathology_report.split())
    assert all(" ".join(sentence["text"].split()) in told for sentence in ours["narrative"])


def conditions_of(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Every condition of a rule that was judged by itself."""
    found, left = [], list(item["conditions"])
    while left:
        condition = left.pop()
        parts = condition.get("parts")
        left += parts or []
        found += [] if parts else [condition]
    return found


def test_every_diagnosis_leads_to_a_rule_with_counts_and_limits(one_ring: Analysis, sample: Analysis):
    rules = load_rules().rules
    for analysis in (one_ring, sample):
        listed = analysis.report.diagnostic_report.differential_diagnosis
        items = extension(analysis)["diagnosis"]["items"]
        assert [item["code"] for item in items] == [one.icd10_code for one in listed]
        for item in items:
            rule = rules[item["rule"]]
            assert item["code"] in {one.who for one in rule.diagnoses}
            assert item["source"] == rule.source
            for condition in conditions_of(item):
                assert 0 <= condition["probability"] <= 1
                assert {"count", "value", "rule"} & set(condition), condition


def test_every_finding_is_counted_or_said_to_be_missing(sample: Analysis):
    ours = extension(sample)
    wanted = {
        name
        for name, term in TERMS.items()
        if term.lineage != "artefact" and name not in {"RBC", "WBC", "platelet", "normal RBC", "uncategorised RBC"}
    } - {"uninfected RBC", "unclassified WBC", "benign"}
    said = set(ours["findings"]) | set(ours["not_assessed"]) | set(ours["measurements"])
    assert wanted <= said
    for name, finding in sample.report.morphological_findings.items():
        assert finding.count == str(len(finding.heat_map))
        assert int(finding.count) == ours["findings"][name]["count"] or TERMS[name].kind == "arrangement"
        low, high = ours["findings"][name]["limits_95"]
        assert low <= ours["findings"][name]["value"]
        assert high is None or ours["findings"][name]["value"] <= high


def test_every_circle_lies_on_a_cell_of_its_file(one_ring: Analysis):
    (circle,) = one_ring.report.morphological_findings["ring trophozoite"].heat_map
    cells = one_ring.detections.select(one_ring.detections["name"] == "ring trophozoite")
    assert circle.center == (round(float(cells["x"][0])), round(float(cells["y"][0])))
    assert circle.file_id == one_ring.smear.fields[0].file_id


def test_nothing_seen_says_what_could_have_been_missed(phantom):
    analysis = analyze(phantom("normal", seed=3, size=(640, 480)))
    limit = extension(analysis)["parasitaemia"]["detection_limit"]
    cells = extension(analysis)["findings"]["parasitised RBC"]["n_reference"]
    assert extension(analysis)["findings"]["parasitised RBC"]["count"] == 0
    assert limit["percent"] == pytest.approx(100 * (1 - 0.05 ** (1 / cells)) / limit["sensitivity"], rel=1e-3)
    details = extension(analysis)["feature_statistics"]["parasitaemia"]
    assert details["detection_limit"]["percent"] == limit["percent"]
    assert "does not rule out malaria" in " ".join(analysis.report.pathology_report.split())


# What the user decides


def test_each_level_holds_those_before_it(phantom):
    smear = phantom("malaria", size=(640, 480))
    reports = {
        level: analyze(smear, interpretation=Interpretation(level=level)).report
        for level in ("morphological_findings", "diagnostic_report", "pathology_report")
    }
    first, second, third = reports.values()
    assert first.morphological_findings == second.morphological_findings == third.morphological_findings
    assert not first.diagnostic_report.differential_diagnosis
    assert second.diagnostic_report == third.diagnostic_report
    assert second.diagnostic_report.differential_diagnosis
    assert (first.pathology_report, second.pathology_report) == ("", "")
    assert third.pathology_report
    for report in reports.values():
        assert Report.from_json(report.to_json()) == report


def test_codes_of_the_other_system(one_ring: Analysis):
    other = analyze(one_ring.smear, interpretation=Interpretation(code_system="CM")).report
    assert other.diagnostic_report.differential_diagnosis[0].icd10_code == "B50.9"
    assert other.extension["diagnosis"]["code_system"] == "CM"
    assert other.extension["provenance"]["interpretation"]["code_system"] == "CM"


def test_the_users_own_values_are_used_and_told(one_ring: Analysis):
    own = {"parasites": {"false_per_1000_surest": 500.0}}
    strict = analyze(one_ring.smear, interpretation=Interpretation(reference=own)).report
    assert not strict.diagnostic_report.differential_diagnosis
    assert strict.extension["provenance"]["reference"]["overrides"] == {"parasites.false_per_1000_surest": 500.0}


def test_what_is_known_of_the_patient_is_told(one_ring: Analysis):
    context = ClinicalContext("child", "female", BloodCount(rbc=4.0, plt=60.0))
    report = analyze(one_ring.smear, interpretation=Interpretation(context)).report
    running = " ".join(report.pathology_report.split())
    assert NO_HISTORY not in running
    assert report.extension["provenance"]["context"] == {
        "age_group": "child",
        "sex": "female",
        "blood_count": {"rbc": 4.0, "plt": 60.0},
    }
    assert report.extension["provenance"]["assumptions"]["rbc_origin"] == "blood count"
    details = report.extension["feature_statistics"]["parasite-concentration"]
    assert details["assumption"] == "red-cell concentration 4.000 10*6/uL, blood count"


def test_a_blood_count_alone_lets_rules_speak_of_concentrations(phantom):
    smear = phantom("normal", size=(640, 480))
    context = ClinicalContext(blood_count=BloodCount(plt=15.0))
    with_count = analyze(smear, interpretation=Interpretation(context)).report
    assert [one.icd10_code for one in with_count.diagnostic_report.differential_diagnosis] == ["D69.6"]
    assert with_count.diagnostic_report.differential_diagnosis[0].clinical_significance == "D"
    without = analyze(smear).report
    assert not without.diagnostic_report.differential_diagnosis
    reasons = {one["rule"]: one["reason"] for one in without.extension["diagnosis"]["not_evaluated"]}
    assert "blood count" in reasons["P1"]


def test_sizes_are_judged_by_a_stated_pixel_size_alone(phantom):
    smear = phantom("iron_deficiency", size=(640, 480))
    told = analyze(smear).report.extension
    assert "microcyte" in told["findings"]
    scaled = Smear("by its cells", smear.fields, {}, replace(smear.scale, origin="stated red-cell diameter"))
    guessed = analyze(scaled).report.extension
    assert "microcyte" not in guessed["findings"]
    assert "stated pixel size" in guessed["not_assessed"]["microcyte"]


@pytest.mark.parametrize(
    ("decided", "part"),
    [
        ({"level": "all"}, "level"),
        ({"code_system": "SNOMED"}, "code system"),
    ],
)
def test_what_cannot_be_decided_is_refused(decided: dict[str, Any], part: str):
    with pytest.raises(ConfigError, match=part):
        Interpretation(**decided)


def test_files_that_cannot_be_used_are_refused_before_anything_is_read(tmp_path):
    damaged = tmp_path / "own.toml"
    damaged.write_text("version = ", encoding="utf-8")
    for decided in (Interpretation(reference=damaged), Interpretation(rules=damaged)):
        with pytest.raises(ConfigError, match="not TOML"):
            analyze("no such file.jpg", interpretation=decided)


# What the cells of a smear are taken for


def reading_of(cells: Detections, verdicts: list[dict[str, Any]]) -> Reading:
    fields = tuple(
        Field(f"{number}", ArraySource(np.zeros((400, 400, 3), np.uint8)), f"id {number}")
        for number in range(len(verdicts))
    )
    scale = Scale.from_um_per_px(0.25)
    quality = {f"{number}": {"red_cells_per_mm2": 6000.0, **verdict} for number, verdict in enumerate(verdicts)}
    smear = Smear("made", fields, {}, scale)
    return Reading(smear, scale, cells, quality, (), [1.0] * len(verdicts), {"RBC": "shapes"}, (), "")


def cells_at(rows: list[tuple[int, str, float]]) -> Detections:
    field, name, x = zip(*rows, strict=True)
    n = len(rows)
    columns = {"x": np.array(x), "y": np.full(n, 200.0), "radius": np.full(n, 5.0), "score": np.ones(n)}
    return Detections({"field": np.array(field), "name": np.array(name), **columns})


def test_each_failed_check_costs_confidence_by_its_share_of_cells():
    cells = cells_at([(0, "RBC", 50.0)] * 3 + [(1, "RBC", 50.0)])
    verdicts = [
        {"monolayer": "ok", "focus": "blurred", "stain": "odd"},
        {"monolayer": "too thick", "focus": "not assessed: x"},
    ]
    quality = picture_quality(reading_of(cells, verdicts), 0.9)
    assert quality.factor == pytest.approx((3 * 0.9**2 + 1 * 0.9) / 4)
    assert quality.monolayer
    assert quality.failed == {"focus": 1, "stain": 1, "monolayer": 1}
    assert quality.unknown == {"focus": 1}


def test_platelets_in_clumps_have_no_estimate():
    platelets = [(0, "platelet", 100.0 + 10 * k) for k in range(5)]
    cells = cells_at([*[(0, "RBC", 20.0 * k) for k in range(1, 18)], *platelets])
    interpreted = interpret(reading_of(cells, [{"monolayer": "ok"}]), Interpretation(), rbc_per_ul=4e6)
    for key in ("platelet-density", "platelet-concentration"):
        assert interpreted.statistics.documented[key].value == "not assessed"
        assert "clumps" in interpreted.statistics.extension[key]["reason"]
    assert "platelet" not in interpreted.facts.concentrations
    assert "WBC" in interpreted.facts.concentrations
    apart = interpret(
        reading_of(cells.select(np.arange(len(cells) - 1)), [{"monolayer": "ok"}]), Interpretation(), rbc_per_ul=4e6
    )
    assert apart.statistics.documented["platelet-density"].value != "not assessed"
