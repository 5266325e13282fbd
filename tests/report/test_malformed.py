"""Every mutation of a report is read and written back as it is, or refused with the path of the fault."""

from __future__ import annotations

import contextlib
import copy
import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemato_lab.errors import ReportFormatError
from hemato_lab.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator

REPLACEMENTS = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    10**400,
    "",
    "text",
    "7",
    "NaN",
    "1e999",
    [],
    [1],
    [None],
    {},
    {"a": None},
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def changed(document: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    result = copy.deepcopy(document)
    parent = result
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = new
    return result


def without(document: Any, path: tuple[Any, ...]) -> Any:
    result = copy.deepcopy(document)
    parent = result
    for key in path[:-1]:
        parent = parent[key]
    del parent[path[-1]]
    return result


def check(document: Any) -> ReportFormatError | None:
    try:
        report = Report.from_json(document)
    except ReportFormatError as refused:
        error = refused
    else:
        error = None
    if error is not None:
        assert error.subject
        assert error.problem
        return error
    assert json.loads(report.to_json()) == document
    report.to_json(strict=True)
    return None


@pytest.mark.parametrize("which", ["vendor", "own"])
def test_every_value_replaced_or_removed(which: str, vendor_object: dict, own_report: Report):
    document = vendor_object if which == "vendor" else json.loads(own_report.to_json())
    refused = 0
    for path in places(document):
        for new in REPLACEMENTS:
            refused += check(changed(document, path, new)) is not None
        if path:
            refused += check(without(document, path)) is not None
    assert refused > 100


@pytest.mark.parametrize(
    ("path", "new", "subject"),
    [
        (("results",), [], "results"),
        (("results", "pbs_study_id"), 5, "results.pbs_study_id"),
        (("results", "file_ids"), "x", "results.file_ids"),
        (("results", "file_ids", 0), None, "results.file_ids[0]"),
        (("results", "feature_statistics"), [], "results.feature_statistics"),
        (("results", "feature_statistics", "rbc-density"), "x", "results.feature_statistics.rbc-density"),
        (
            ("results", "feature_statistics", "rbc-density", "value"),
            True,
            "results.feature_statistics.rbc-density.value",
        ),
        (
            ("results", "morphological_findings", "ring trophozoite", "heat_map", 0, "center", 1),
            "left",
            'results.morphological_findings["ring trophozoite"].heat_map[0].center[1]',
        ),
        (
            ("results", "morphological_findings", "ring trophozoite", "heat_map", 0, "center"),
            [1, 2, 3],
            'results.morphological_findings["ring trophozoite"].heat_map[0].center',
        ),
        (
            ("results", "morphological_findings", "ring trophozoite", "heat_map", 0, "radius"),
            -1,
            'results.morphological_findings["ring trophozoite"].heat_map[0].radius',
        ),
        (
            ("results", "diagnostic_report", "differential_diagnosis", 0, "score"),
            "high",
            "results.diagnostic_report.differential_diagnosis[0].score",
        ),
        (("results", "pathology_report"), 1, "results.pathology_report"),
        (("results", "hemato_lab"), [], "results.hemato_lab"),
        (("results", "hemato_lab"), {"feature_statistics": {"a": 1}}, "results.hemato_lab.feature_statistics.a"),
    ],
)
def test_the_path_of_the_fault_is_named(vendor_object: dict, path: tuple[Any, ...], new: Any, subject: str):
    error = check(changed(vendor_object, path, new))
    assert error is not None
    assert error.subject == subject
    assert str(error).startswith(subject)


def test_a_missing_member_is_named(vendor_object: dict):
    error = check(without(vendor_object, ("results", "diagnostic_report", "differential_diagnosis", 0, "icd10-code")))
    assert error is not None
    assert error.subject == "results.diagnostic_report.differential_diagnosis[0].icd10-code"
    assert "missing" in str(error)


NO_REPORTS = [
    "",
    "   ",
    "{",
    "null",
    "5",
    "[]",
    "{}",
    '"x"',
    '{"a": NaN}',
    '{"a": Infinity}',
    '{"a": 1, "a": 2}',
    "[" * 100_000,
    '{"pbs_study_id": ' + "9" * 5000 + "}",
    b"\xff\xfe\x00",
    '{"status": 404, "error": "x"}',
    "{'a': 1}",
    "{} {}",
    '{"pbs_study_id": "a", "file_ids": [], "x": 1e999}',
]


@pytest.mark.parametrize("text", NO_REPORTS, ids=lambda text: repr(text)[:20])
def test_what_is_no_report(text: str | bytes):
    with pytest.raises(ReportFormatError):
        Report.from_json(text)


@pytest.mark.parametrize("document", [{1: 2}, {"results": {1, 2}}, {"pbs_study_id": "a", "file_ids": float("nan")}])
def test_objects_that_are_no_json(document: Any):
    with pytest.raises(ReportFormatError):
        Report.from_json(document)


def test_truncated_and_damaged_text(vendor_text: str):
    chance = random.Random(1)  # noqa: S311
    for _ in range(3000):
        damaged = bytearray(vendor_text.encode())
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        if chance.random() < 0.3:
            damaged = damaged[: chance.randrange(len(damaged))]
        with contextlib.suppress(ReportFormatError):
            Report.from_json(bytes(damaged)).to_json()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None)
@given(JSON, st.sampled_from(["results", "feature_statistics", "morphological_findings", "hemato_lab", "extra"]))
def test_any_json_in_any_place(value: Any, key: str):
    check({"pbs_study_id": "a", "file_ids": [], key: value})
