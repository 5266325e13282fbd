"""What requests ask for, in every spelling of the vendor's documents (api/DECISIONS.md rows 2, 24, 30, 32)."""

from __future__ import annotations

from typing import Any

import pytest

from hemato_lab.twin import bodies
from hemato_lab.twin.refusals import Refusal


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {}),
        ({"tags": {"patient_proxy_id": ""}}, {"patient_proxy_id": ""}),  # the document's own sample
        ({"purpose": "demo", "batch_id": "7"}, {"purpose": "demo", "batch_id": "7"}),
        ({"tags": {"a": "1"}, "b": "2"}, {"a": "1", "b": "2"}),
        ({"tags": None}, {}),
    ],
)
def test_tags_nested_or_not(body: dict[str, Any], expected: dict[str, str]) -> None:
    assert bodies.tags_of(body) == expected


@pytest.mark.parametrize(
    "body", [{"tags": ["a"]}, {"tags": {"a": 1}}, {"a": {"b": "c"}}, {"tags": {"a": "x" * 2001}}, {"tags": "a"}]
)
def test_what_is_no_tag(body: dict[str, Any]) -> None:
    with pytest.raises(Refusal, match="bad_tags"):
        bodies.tags_of(body)


def test_too_many_tags() -> None:
    with pytest.raises(Refusal, match="bad_tags"):
        bodies.tags_of({str(n): "" for n in range(101)})


@pytest.mark.parametrize("key", bodies.TASK_KEYS)
def test_tasks_under_each_name(key: str) -> None:
    assert bodies.tasks_of({key: ["pbs_v1", "pbs_v1", "MALARIA_ANY_ANY"]}) == ("pbs_v1", "MALARIA_ANY_ANY")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "bad_tasks"),
        ({"tasks": []}, "bad_tasks"),
        ({"tasks": "pbs_v1"}, "bad_tasks"),
        ({"tasks": [1]}, "bad_tasks"),
        ({"tasks": ["pbs_v2"]}, "unknown_task"),
        ({"tasks": ["pbs_v1"], "diagnostic_tasks": ["MALARIA_ANY_ANY"]}, "conflicting_tasks"),
    ],
)
def test_tasks_that_cannot_be_done(body: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal, match=code):
        bodies.tasks_of(body)


def test_tasks_under_two_names_that_agree() -> None:
    assert bodies.tasks_of({"tasks": ["pbs_v1"], "diagnostic_tasks": ["pbs_v1"]}) == ("pbs_v1",)


@pytest.mark.parametrize(
    ("url", "http", "accepted"),
    [
        ("https://example.com/pbs_report_is_ready/1/signature", False, True),
        ("http://127.0.0.1:9000/done", False, True),
        ("http://example.com/done", False, False),
        ("http://example.com/done", True, True),
        ("ftp://example.com/done", True, False),
        ("https://user:word@example.com/", True, False),
        ("https:///nowhere", True, False),
        ("https://example.com/\n", True, False),
        ("https://example.com:port/", True, False),
        ("https://exämple.com/", True, False),
        (17, True, False),
        ("https://example.com/" + "a" * 8000, True, False),
    ],
)
def test_callback_addresses(url: object, *, http: bool, accepted: bool) -> None:
    if accepted:
        assert bodies.callback_url_of({"callback_url": url}, http_permitted=http) == url
    else:
        with pytest.raises(Refusal, match="bad_callback_url"):
            bodies.callback_url_of({"callback_url": url}, http_permitted=http)


def test_no_callback() -> None:
    assert bodies.callback_url_of({}, http_permitted=False) == ""
    assert bodies.callback_url_of({"callback_url": ""}, http_permitted=False) == ""


@pytest.mark.parametrize(("text", "expected"), [(None, None), ("70", 70.0), ("70.5", 70.5), ("7e1", 70.0), (".5", 0.5)])
def test_diameters(text: str | None, expected: float | None) -> None:
    assert bodies.diameter_of(text) == expected


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "nan", "inf", "1e999", "1_0", "0x10", " 7", "7 ", "70px", "٧", "1e5", "."]
)
def test_what_is_no_diameter(text: str) -> None:
    with pytest.raises(Refusal, match="bad_rbc_diameter"):
        bodies.diameter_of(text)


@pytest.mark.parametrize(("text", "expected"), [(None, None), ("1", 1), ("999999999", 999_999_999)])
def test_versions(text: str | None, expected: int | None) -> None:
    assert bodies.version_of(text) == expected


@pytest.mark.parametrize("text", ["", "0", "-1", "1.0", "latest", "01", "1000000000", "١"])
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(Refusal, match="bad_version"):
        bodies.version_of(text)


@pytest.mark.parametrize("key", ["a b", "ü", "x" * 256])
def test_keys_that_cannot_be_used(key: str) -> None:
    with pytest.raises(Refusal, match="bad_idempotency_key"):
        bodies.idempotency_key_of({"idempotency-key": key})


def test_keys() -> None:
    assert bodies.idempotency_key_of({"idempotency-key": "3f0c"}) == "3f0c"
    assert bodies.idempotency_key_of({}) == ""
