from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from dataclasses import replace

import pytest

from hemato_lab.errors import ReportFormatError
from hemato_lab.report import DiagnosticReport, FeatureStatistic, HeatMapEntry, Report, local_study_id


def canonical(document: object) -> str:
    return json.dumps(document)


def test_vendor_example_round_trips_byte_for_byte(vendor_text: str):
    report = Report.from_json(vendor_text)
    assert report.to_json() == canonical(json.loads(vendor_text))
    assert report.to_json(strict=True) == report.to_json()
    assert report.to_json(indent=2) == json.dumps(json.loads(vendor_text), indent=2)


def test_bare_results_are_read_like_the_envelope(vendor_object: dict):
    bare = Report.from_json(vendor_object["results"])
    assert bare == Report.from_json(vendor_object)
    assert bare.to_json() == canonical(vendor_object["results"])
    assert bare.to_json() == replace(Report.from_json(vendor_object), envelope=None).to_json()


def test_text_bytes_and_object_read_alike(vendor_text: str):
    assert Report.from_json(vendor_text.encode()).to_json() == Report.from_json(json.loads(vendor_text)).to_json()


def test_vendor_example_is_typed(vendor_text: str):
    report = Report.from_json(vendor_text)
    assert report.pbs_study_id == "4bb7fe9e-b608-4d68-adbe-8655c991f494"
    assert list(report.feature_statistics) == ["rbc-density", "platelet-density", "blast-density"]
    assert report.feature_statistics["rbc-density"] == FeatureStatistic("x", "y")
    assert report.feature_statistics["rbc-density"].number is None
    finding = report.morphological_findings["ring trophozoite"]
    assert finding.count == "1"
    assert finding.number == 1
    assert finding.heat_map == (HeatMapEntry((435, 345), 35),)
    (diagnosis,) = report.diagnostic_report.differential_diagnosis
    assert diagnosis.score == 7
    assert isinstance(diagnosis.score, int)
    assert diagnosis.confidence == "0.95"
    assert diagnosis.clinical_significance == "D"
    assert diagnosis.icd10_code == "B50"
    assert diagnosis.english_short == "Malaria"
    assert report.pathology_report.startswith("No demographics")


def test_unknown_keys_and_their_order_survive_everywhere(vendor_object: dict):
    def decorate(value: object) -> object:
        if isinstance(value, list):
            return [decorate(item) for item in value]
        if isinstance(value, dict):
            return {"new-first": {"a": [1, None]}, **{key: decorate(item) for key, item in value.items()}, "zz": True}
        return value

    # Members of these two are statistics and findings by name, not unknown keys.
    decorated = decorate(vendor_object)
    for named in ("feature_statistics", "morphological_findings"):
        del decorated["results"][named]["new-first"], decorated["results"][named]["zz"]
    assert Report.from_json(decorated).to_json() == canonical(decorated)


def test_keys_in_another_order_stay_there(vendor_object: dict):
    results = dict(reversed(vendor_object["results"].items()))
    assert Report.from_json(results).to_json() == canonical(results)


def test_numbers_and_strings_are_read_alike_and_written_as_read(vendor_object: dict):
    results = vendor_object["results"]
    results["feature_statistics"]["rbc-density"] = {"value": 5321, "unit": "/mm2"}
    results["morphological_findings"]["ring trophozoite"] = {
        "count": 2,
        "heat_map": [{"center": ["435", 345.5], "radius": "35"}],
    }
    results["diagnostic_report"]["differential_diagnosis"][0].update(score="7", confidence=0.95)
    report = Report.from_json(results)
    assert report.feature_statistics["rbc-density"].value == "5321"
    finding = report.morphological_findings["ring trophozoite"]
    assert (finding.count, finding.heat_map) == ("2", (HeatMapEntry((435, 345.5), 35),))
    (diagnosis,) = report.diagnostic_report.differential_diagnosis
    assert (diagnosis.score, diagnosis.confidence) == (7, "0.95")
    assert report.to_json() == canonical(results)


def test_the_spelling_of_a_number_is_kept_as_text(vendor_text: str):
    report = Report.from_json(vendor_text.replace('"0.95"', "0.950"))
    assert report.diagnostic_report.differential_diagnosis[0].confidence == "0.950"


def test_a_changed_value_is_written_in_the_documented_type(vendor_object: dict):
    vendor_object["results"]["feature_statistics"]["rbc-density"]["value"] = 5
    report = Report.from_json(vendor_object)
    changed = replace(report.feature_statistics["rbc-density"], value="6")
    statistics = {**report.feature_statistics, "rbc-density": changed}
    rewritten = replace(report, feature_statistics=statistics).to_dict()
    assert rewritten["results"]["feature_statistics"]["rbc-density"] == {"value": "6", "unit": "y"}


@pytest.mark.parametrize(
    "level", ["feature_statistics", "morphological_findings", "diagnostic_report", "pathology_report"]
)
def test_a_level_left_out_by_the_server_stays_out(vendor_object: dict, level: str):
    del vendor_object["results"][level]
    report = Report.from_json(vendor_object)
    assert not getattr(report, level) or report.diagnostic_report == DiagnosticReport()
    assert report.to_json() == canonical(vendor_object)


def test_extension_is_one_key_and_file_id_and_strict_omits_both(own_report: Report):
    whole, strict = own_report.to_dict(), own_report.to_dict(strict=True)
    assert list(whole) == [*strict, "hemato_lab"]
    (entry,) = whole["morphological_findings"]["RBC"]["heat_map"]
    assert entry == {"center": [10, 21], "radius": 3, "file_id": own_report.file_ids[0]}
    del whole["hemato_lab"], entry["file_id"]
    assert whole == strict
    assert Report.from_json(own_report.to_json()).to_dict(strict=True) == strict


def test_own_report_round_trips(own_report: Report):
    text = own_report.to_json()
    again = Report.from_json(text)
    assert again == own_report
    assert again.to_json() == text
    assert Report.from_json(own_report.to_json(strict=True)).to_json() == own_report.to_json(strict=True)


def test_documented_types_of_an_own_report(own_report: Report):
    results = own_report.to_dict()
    assert list(results)[:6] == [
        "pbs_study_id",
        "file_ids",
        "feature_statistics",
        "morphological_findings",
        "diagnostic_report",
        "pathology_report",
    ]
    assert results["feature_statistics"]["rbc-density"] == {"value": "5321", "unit": "/mm2"}
    assert results["morphological_findings"]["RBC"]["count"] == "1"
    assert list(results["diagnostic_report"]["differential_diagnosis"][0]) == [
        "score",
        "confidence",
        "clinical-significance",
        "icd10-code",
        "english-long",
        "english-short",
    ]


def test_details_of_a_statistic_come_from_the_extension(own_report: Report):
    statistic = own_report.feature_statistics["rbc-density"]
    assert statistic.number == 5321
    assert statistic.limits_95 == (4329.0, 6472.0)
    assert statistic.details["n"] == 100
    assert own_report.feature_statistics["platelet-density"].limits_95 is None
    assert own_report.feature_statistics["blast-density"].number is None
    assert Report.from_json(own_report.to_json()).feature_statistics["rbc-density"].limits_95 == (4329.0, 6472.0)


def test_an_empty_extension_survives(vendor_object: dict):
    vendor_object["results"]["hemato_lab"] = {}
    report = Report.from_json(vendor_object)
    assert report.to_json() == canonical(vendor_object)
    assert "hemato_lab" not in report.to_dict(strict=True)["results"]


def test_an_empty_report_has_every_documented_key():
    assert Report("id").to_dict() == {
        "pbs_study_id": "id",
        "file_ids": [],
        "feature_statistics": {},
        "morphological_findings": {},
        "diagnostic_report": {"differential_diagnosis": []},
        "pathology_report": "",
    }


def test_written_objects_are_copies(own_report: Report):
    before = own_report.to_json()
    own_report.to_dict()["hemato_lab"]["provenance"]["version"] = "changed"
    read = Report.from_json(before)
    read.to_dict()["morphological_findings"]["RBC"]["heat_map"][0]["center"][0] = -1
    assert (own_report.to_json(), read.to_json()) == (before, before)


def test_reading_leaves_the_given_object_alone(vendor_object: dict):
    report = Report.from_json(vendor_object)
    vendor_object["results"]["file_ids"].append("changed")
    assert report.file_ids == report.from_json(report.to_json()).file_ids != tuple(vendor_object["results"]["file_ids"])


def test_pickles_and_copies(own_report: Report, vendor_text: str):
    report = Report.from_json(vendor_text.replace('"0.95"', "0.950"))
    for one in (own_report, report):
        assert pickle.loads(pickle.dumps(one)).to_json() == one.to_json()  # noqa: S301
        assert copy.deepcopy(one) == one


def test_json_is_ascii_and_never_holds_nan(own_report: Report):
    text = replace(own_report, pathology_report="scale in µm \ud800").to_json()
    assert text.isascii()
    assert Report.from_json(text).pathology_report == "scale in µm \ud800"
    with pytest.raises(ReportFormatError):
        replace(own_report, extension={"x": float("nan")}).to_json()


def test_local_study_id_depends_on_files_and_their_order():
    ids = {local_study_id(files) for files in (["a"], ["b"], ["a", "b"], ["b", "a"], [])}
    assert len(ids) == 5
    # RFC 4122 version 5 in the URL namespace, computed apart with `uuidgen --sha1`-compatible hashing
    import hashlib

    url_namespace = bytes.fromhex("6ba7b8119dad11d180b400c04fd430c8")
    digest = hashlib.sha1(url_namespace + b"hemato_lab:local-study:a", usedforsecurity=False).hexdigest()
    assert local_study_id(["a"]).replace("-", "")[:12] == digest[:12]


@pytest.mark.parametrize(
    ("x", "y", "radius", "entry"),
    [(0.5, -0.4, 0.2, HeatMapEntry((1, 0), 1)), (2.5, 3.49, 2.5, HeatMapEntry((3, 3), 3))],
)
def test_places_are_rounded_to_whole_pixels(x: float, y: float, radius: float, entry: HeatMapEntry):
    assert HeatMapEntry.at(x, y, radius) == entry


def test_import_is_cheap():
    heavy = "numpy scipy pandas matplotlib PIL jinja2 pydantic jsonschema uuid importlib.resources"
    code = f"import sys, hemato_lab.report; print([m for m in {heavy.split()!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False)  # noqa: S603
    done = (
        done
        if done.returncode == 0
        else subprocess.run(  # noqa: S603
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
    )
    assert done.stdout.strip() == "[]"
