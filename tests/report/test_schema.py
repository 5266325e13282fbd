from __future__ import annotations

import copy
import json

import jsonschema
import pytest

from hemato_lab.report import FeatureStatistic, Report, report_schema


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = report_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_vendor_example_is_valid_in_and_out_of_its_envelope(validator, vendor_object: dict):
    validator.validate(vendor_object)
    validator.validate(vendor_object["results"])


def test_own_reports_are_valid(validator, own_report: Report):
    for report in (own_report, Report("id"), Report("id", feature_statistics={"a-b": FeatureStatistic("1", "%")})):
        for strict in (False, True):
            validator.validate(json.loads(report.to_json(strict=strict)))


@pytest.mark.parametrize(
    ("path", "new"),
    [
        (("file_ids",), "x"),
        (("feature_statistics", "rbc-density", "value"), None),
        (("feature_statistics", "rbc-density", "value"), 5),
        (("morphological_findings", "ring trophozoite", "count"), 1),
        (("morphological_findings", "ring trophozoite", "heat_map", 0, "center"), [1]),
        (("morphological_findings", "ring trophozoite", "heat_map", 0, "center"), [1.5, 2]),
        (("morphological_findings", "ring trophozoite", "heat_map", 0, "radius"), -3),
        (("diagnostic_report", "differential_diagnosis", 0, "score"), "7"),
        (("diagnostic_report", "differential_diagnosis", 0, "confidence"), 0.95),
        (("hemato_lab",), []),
        (("hemato_lab",), {"feature_statistics": {"rbc-density": {"method": "x"}}}),
        (("pathology_report",), None),
    ],
)
def test_other_types_than_the_documented_are_not(validator, vendor_object: dict, path: tuple, new: object):
    for document in (vendor_object, vendor_object["results"]):
        changed = copy.deepcopy(document)
        parent = changed.get("results", changed)
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = new
        assert not validator.is_valid(changed)


def test_missing_keys_are_not(validator, vendor_object: dict):
    del vendor_object["results"]["morphological_findings"]["ring trophozoite"]["heat_map"]
    assert not validator.is_valid(vendor_object)
    assert not validator.is_valid({"pbs_study_id": "a"})
    assert not validator.is_valid({})
