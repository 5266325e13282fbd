from __future__ import annotations

import base64
import json
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from fhir.resources.R4B.bundle import Bundle

from hemato_lab import export
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis

UCUM = "http://unitsofmeasure.org"


def parsed(analysis: Analysis) -> Bundle:
    return Bundle.model_validate_json(export.render(analysis, "fhir"))


def of_type(analysis: Analysis, kind: str) -> list[dict[str, Any]]:
    document = json.loads(export.render(analysis, "fhir"))
    return [entry["resource"] for entry in document["entry"] if entry["resource"]["resourceType"] == kind]


def by_text(analysis: Analysis) -> dict[str, dict[str, Any]]:
    return {one["code"]["text"]: one for one in of_type(analysis, "Observation")}


def part(observation: dict[str, Any], text: str) -> dict[str, Any]:
    return next(one for one in observation["component"] if one["code"]["text"] == text)


def test_the_bundle_is_valid_r4_and_all_references_lead_somewhere(real: Analysis, analysis: Analysis):
    for one in (real, analysis):
        bundle = parsed(one)
        assert bundle.type == "collection"
        addresses = [entry.fullUrl for entry in bundle.entry]
        assert len(set(addresses)) == len(addresses)
        assert [f"urn:uuid:{entry.resource.id}" for entry in bundle.entry] == addresses
        report = bundle.entry[0].resource
        observations = [entry.resource for entry in bundle.entry if entry.resource.__resource_type__ == "Observation"]
        assert [result.reference for result in report.result] == [f"urn:uuid:{one.id}" for one in observations]
        for observation in observations:
            assert {observation.specimen.reference, observation.device.reference} <= set(addresses)


def test_nothing_is_verified_and_nothing_of_a_patient_or_dated(real: Analysis):
    report, observations = of_type(real, "DiagnosticReport")[0], of_type(real, "Observation")
    assert report["status"] == "partial"
    assert {one["status"] for one in observations} == {"preliminary"}
    absent = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
    assert all(one["subject"] == {"extension": [{"url": absent, "valueCode": "unknown"}]} for one in observations)
    text = export.render(real, "fhir").decode()
    for word in ("Patient", "issued", "effective", "negative"):
        assert f'"{word}' not in text


def test_every_estimate_has_its_value_unit_and_limits(real: Analysis):
    found = by_text(real)
    for key, statistic in real.report.feature_statistics.items():
        value = found[key]["valueQuantity"]
        assert value["value"] == statistic.number
        assert (value["system"], value["code"]) == (UCUM, statistic.unit)
        limits = part(found[key], "95 % limits of counting")["valueRange"]
        assert (limits["low"]["value"], limits["high"]["value"]) == statistic.limits_95
        assert part(found[key], "cells counted")["valueInteger"] == statistic.details["n"]
        assert found[key]["method"]["text"] == statistic.details["method"]
    wider = part(found["rbc-density"], "95 % limits with the uncertainty of the scale")["valueRange"]
    stated = real.report.feature_statistics["rbc-density"].details["limits_95_with_scale"]
    assert [wider["low"]["value"], wider["high"]["value"]] == stated
    assert any("assumed" in note["text"] for note in found["wbc-concentration"]["note"])


def test_decimals_keep_their_value(real: Analysis):
    entry = next(one for one in parsed(real).entry if one.fullUrl.endswith(by_text(real)["rbc-density"]["id"]))
    assert entry.resource.valueQuantity.value == Decimal(real.report.feature_statistics["rbc-density"].value)


def test_findings_have_share_limits_and_counts_also_where_none_was_seen(real: Analysis):
    found, stated = by_text(real), real.report.extension["findings"]
    for name, details in stated.items():
        assert found[name]["valueQuantity"]["value"] == details["value"]
        assert part(found[name], "candidates")["valueInteger"] == details["count"]
        limits = part(found[name], "95 % limits of counting")["valueRange"]
        assert limits["high"]["value"] == details["limits_95"][1]
    assert any(details["count"] == 0 for details in stated.values())
    missing = [one["code"]["text"] for one in found["not assessed"]["component"]]
    assert missing == list(real.report.extension["not_assessed"])
    assert {one["dataAbsentReason"]["coding"][0]["code"] for one in found["not assessed"]["component"]} == {
        "not-performed"
    }


def test_codes_stand_only_where_they_mean_just_this(real: Analysis):
    coded = {
        one["code"]["text"]: [coding["code"] for coding in one["code"]["coding"]]
        for one in of_type(real, "Observation")
        if "coding" in one["code"]
    }
    assert coded == {
        "platelet-concentration": ["49497-1"],
        "wbc-concentration": ["49498-9"],
    }
    assert "777-3" not in export.render(real, "fhir").decode()


def test_parasites_are_told_in_words_that_promise_nothing(real: Analysis):
    infected = real.report.extension["parasitaemia"]["infected"]
    words = by_text(real)["Plasmodium, candidates"]["valueString"]
    assert words.startswith(f"{infected['n']} candidates in {infected['n_reference']} red cells")
    none = {**real.report.extension["parasitaemia"], "infected": {**infected, "n": 0}}
    clear = replace(real, report=replace(real.report, extension={**real.report.extension, "parasitaemia": none}))
    words = by_text(clear)["Plasmodium, candidates"]["valueString"]
    assert "cannot be excluded" in words
    assert "negative" not in words


def test_a_candidate_is_no_conclusion(real: Analysis):
    report = of_type(real, "DiagnosticReport")[0]
    assert "conclusionCode" not in report
    candidates = [one for one in of_type(real, "Observation") if "no conclusion" in one["code"]["text"]]
    listed = real.report.diagnostic_report.differential_diagnosis
    assert [one["valueCodeableConcept"]["coding"][0]["code"] for one in candidates] == [x.icd10_code for x in listed]
    assert listed
    assert candidates[0]["valueCodeableConcept"]["coding"][0]["system"] == "http://hl7.org/fhir/sid/icd-10"


def test_text_notice_and_models_go_along(real: Analysis):
    report, device = of_type(real, "DiagnosticReport")[0], of_type(real, "Device")[0]
    assert report["conclusion"].endswith(RESEARCH_USE_NOTICE)
    assert base64.b64decode(report["presentedForm"][0]["data"]) == export.render(real, "txt")
    page = ET.fromstring(report["text"]["div"])  # noqa: S314 (made by the package)
    assert page.tag == "{http://www.w3.org/1999/xhtml}div"
    assert RESEARCH_USE_NOTICE in "".join(page.itertext())
    values = {one["type"]["text"]: one["value"] for one in device["version"]}
    for name, model in real.provenance["models"].items():
        assert values[f"model {name}"] == f"sha256:{model['sha256']}"
    for one in of_type(real, "Observation"):
        assert one["note"][-1]["text"] == RESEARCH_USE_NOTICE


def test_what_is_not_known_says_why(analysis: Analysis):
    blasts = by_text(analysis)["blast-density"]
    assert "valueQuantity" not in blasts
    assert blasts["dataAbsentReason"]["text"] == "the classical detector tells no blasts"
    assert blasts["dataAbsentReason"]["coding"][0]["code"] == "not-performed"
    silent = replace(analysis, report=replace(analysis.report, extension={}))
    assert by_text(silent)["blast-density"]["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    cells = by_text(analysis)["RBC"]
    assert cells["valueString"] == "3 candidates"


@pytest.mark.parametrize("limits", [[3.0, None], [None, None], "x", [True, 1], None])
def test_limits_that_are_open_or_no_limits_are_left_out(analysis: Analysis, limits: Any):
    details = {"rbc-density": {"limits_95": limits, "n": 2**40}}
    changed = replace(analysis, report=replace(analysis.report, extension={"feature_statistics": details}))
    parsed(changed)
    parts = by_text(changed)["rbc-density"].get("component", [])
    stated = [one["valueRange"] for one in parts if "valueRange" in one]
    assert stated == ([{"low": stated[0]["low"]}] if limits == [3.0, None] else stated)
    assert len(stated) == (1 if limits in ([3.0, None], [True, 1]) else 0)


def test_another_content_has_another_id(real: Analysis):
    statistics = dict(real.report.feature_statistics)
    changed = next(iter(statistics))
    statistics[changed] = replace(statistics[changed], value="1")
    other = replace(real, report=replace(real.report, feature_statistics=statistics))
    first, second = (
        {entry["resource"]["id"]: entry["resource"] for entry in json.loads(export.render(one, "fhir"))["entry"]}
        for one in (real, other)
    )
    assert all(first[one] == second[one] for one in first.keys() & second.keys())
    gone = [first[one] for one in first.keys() - second.keys()]
    assert sorted(one["resourceType"] for one in gone) == ["DiagnosticReport", "Observation"]
    assert len({json.loads(export.render(one, "fhir"))["id"] for one in (real, other)}) == 2
    assert [of_type(one, "DiagnosticReport")[0]["identifier"] for one in (real, other)] == [
        of_type(real, "DiagnosticReport")[0]["identifier"]
    ] * 2


def test_the_part_of_readers_is_stated(real: Analysis):
    rings = real.detections["name"] == "ring trophozoite"
    told = {"log_sha256": "ab", "counts": {"accepted": 8, "rejected": 2, "renamed": 1}, "readers_differ": 0}
    told["earlier"] = {"log_sha256": "cd", "counts": {"rejected": 4}, "unattached": [{}]}
    extension = {**real.report.extension, "review": {"decisions": told}}
    cells = real.detections.with_columns(reviewed=rings.astype(float))
    corrected = replace(real, detections=cells, report=replace(real.report, extension=extension))
    parsed(corrected)
    last, earlier = (one for one in of_type(corrected, "Observation") if one["code"]["text"] == "decisions of readers")
    assert (last["valueString"], part(last, "cells rejected")["valueInteger"]) == ("log sha256:ab", 2)
    assert (earlier["valueString"], part(earlier, "cells rejected")["valueInteger"]) == ("log sha256:cd", 4)
    words = by_text(corrected)["Plasmodium, candidates"]["valueString"]
    assert f"{rings.sum()} of {real.detections.of_kind('parasitised RBC').sum()} cells" in words
    assert words.endswith("; the others are to be confirmed by a qualified reader")
    cells = real.detections.with_columns(reviewed=np.ones(len(real.detections)))
    everything = by_text(replace(corrected, detections=cells))["Plasmodium, candidates"]["valueString"]
    assert "to be confirmed" not in everything
    assert "decisions of readers" not in by_text(real)


def test_hostile_text_stays_text(hostile_analysis: Analysis, empty_analysis: Analysis):
    bundle = parsed(hostile_analysis)
    div = bundle.entry[0].resource.text.div
    assert "<script" not in div
    assert "&lt;script&gt;" in div
    dirty = replace(empty_analysis, report=replace(empty_analysis.report, pathology_report="a\x00b\x1b \udcff\n<p>"))
    assert parsed(dirty).entry[0].resource.conclusion.startswith("a\ufffdb\ufffd \\udcff\n<p>")
