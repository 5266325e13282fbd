from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.api import FileList
from hemato_lab.twin.list_files import LONGEST_ID, read_list
from hemato_lab.twin.refusals import Refusal
from hemato_lab.twin.studies import MOST_FILES

FILE = "https://presignedurldemo.s3.eu-west-2.amazonaws.com/image.png?X-Amz-Expires=1800&X-Amz-Signature=12b74b0788aa"
GOOD: dict[str, Any] = {
    "peripheral_blood_sample_id": "62dd0300-880e-4069-bea8-66c9ca73c207",
    "patient_proxy_medical_record_number": "123456789",
    "sample_collection_timestamp": "2021-01-02T15:04:05+07:00",
    "clinical_tasks_requested": ["pbs_v1"],
    "files": [FILE, "https://example.com/2.jpg"],
    "callback_url": "https://example.com/callbacks/1",
}
"""The vendor's document's, with a time that is one."""


def refusal(**changes: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read_list(GOOD | changes)
    return caught.value


def test_the_documents_list_is_read() -> None:
    listed = read_list(GOOD)
    assert listed.files == (FILE, "https://example.com/2.jpg")
    assert listed.tasks == ("pbs_v1",)
    assert listed.callback_url == "https://example.com/callbacks/1"
    assert listed.sample_id == "62dd0300-880e-4069-bea8-66c9ca73c207"
    assert (listed.patient_proxy_number, listed.collected_at) == ("123456789", "2021-01-02T15:04:05+07:00")
    assert listed.tags == {key: GOOD[key] for key in list(GOOD)[:3]}


def test_what_our_client_writes_is_read() -> None:
    written = FileList.of([FILE], sample_collection_timestamp="2021-01-02T15:04:05Z", callback_url="https://a.b/c")
    listed = read_list(json.loads(written.to_json()))
    assert (listed.files, listed.tasks, listed.callback_url) == ((FILE,), ("pbs_v1",), "https://a.b/c")
    assert listed.sample_id == written.peripheral_blood_sample_id


def test_files_and_tasks_are_enough_and_null_is_nothing() -> None:
    absent = dict.fromkeys(
        ("peripheral_blood_sample_id", "patient_proxy_medical_record_number", "sample_collection_timestamp", "tags")
    )
    for more in ({}, absent, {"callback_url": None}, {"callback_url": ""}):
        listed = read_list({"files": [FILE], "tasks": ["pbs_v1"], **more})
        assert (listed.callback_url, listed.sample_id, listed.collected_at, listed.tags) == ("", "", "", {})


def test_tags_are_taken_nested_or_not_and_an_address_counts_once() -> None:
    listed = read_list(GOOD | {"tags": {"slide": "7"}, "batch_id": "b", "files": [FILE, FILE]})
    assert listed.files == (FILE,)
    assert {"slide": "7", "batch_id": "b"}.items() <= listed.tags.items()


def test_nothing_of_it_is_shown() -> None:
    text = repr(read_list(GOOD))
    assert not any(part in text for part in ("Signature", "123456789", "62dd0300", "callbacks", "2021"))


@pytest.mark.parametrize(
    "moment",
    [
        "2021-01-02T15:04:05Z",
        "2021-01-02t15:04:05z",
        "2021-01-02T15:04:05.123456789+07:00",
        "2021-01-02T15:04:05-00:00",
        "2024-02-29T00:00:00+00:00",
        "2016-12-31T23:59:60Z",
        "2021-01-02T15:04:05+23:59",
    ],
)
def test_times_of_rfc_3339_are_taken(moment: str) -> None:
    assert read_list(GOOD | {"sample_collection_timestamp": moment}).collected_at == moment


@pytest.mark.parametrize(
    "moment",
    [
        "2021-01-02T15:0405+07:00",  # the vendor's document's own
        "2021-01-02T15:04:05",
        "2021-01-02 15:04:05Z",
        "2021-01-02T15:04Z",
        "2021-01-02",
        "20210102T150405Z",
        "2021-W01-6T15:04:05Z",
        "2021-01-02T15:04:05+0700",
        "2021-01-02T15:04:05+07",
        "2021-01-02T15:04:05,5Z",
        "2021-01-02T15:04:05.Z",
        "2021-01-02T24:00:00Z",
        "2021-01-02T15:60:05Z",
        "2021-01-02T15:04:61Z",
        "2021-02-29T15:04:05Z",
        "2021-13-02T15:04:05Z",
        "2021-01-02T15:04:05+24:00",
        "2021-01-02T15:04:05Z\n",
        "２021-01-02T15:04:05Z",
        "",
        1609574645,
        True,
        ["2021-01-02T15:04:05Z"],
    ],
)
def test_other_times_are_refused(moment: object) -> None:
    assert refusal(sample_collection_timestamp=moment).code == "bad_timestamp"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"files": []}, "bad_list"),
        ({"files": None}, "bad_list"),
        ({"files": FILE}, "bad_list"),
        ({"files": {"1": FILE}}, "bad_list"),
        ({"files": [FILE] * (MOST_FILES + 1)}, "too_many_files"),
        ({"files": [FILE, ""]}, "bad_download_url"),
        ({"files": [FILE, 7]}, "bad_download_url"),
        ({"files": [[FILE]]}, "bad_download_url"),
        ({"files": [None]}, "bad_download_url"),
        ({"files": ["ftp://example.com/1.png"]}, "bad_download_url"),
        ({"files": ["file:///etc/passwd"]}, "bad_download_url"),
        ({"files": ["https://user:word@example.com/1.png"]}, "bad_download_url"),
        ({"files": ["https://example.com/a b.png"]}, "bad_download_url"),
        ({"files": ["https://[::1/1.png"]}, "bad_download_url"),
        ({"callback_url": "ftp://example.com/"}, "bad_callback_url"),
        ({"callback_url": 7}, "bad_callback_url"),
        ({"callback_url": []}, "bad_callback_url"),
        ({"clinical_tasks_requested": []}, "bad_tasks"),
        ({"clinical_tasks_requested": None}, "bad_tasks"),
        ({"clinical_tasks_requested": "pbs_v1"}, "bad_tasks"),
        ({"clinical_tasks_requested": [{}]}, "bad_tasks"),
        ({"clinical_tasks_requested": ["pbs_v9"]}, "unknown_task"),
        ({"tasks": ["MALARIA_ANY_ANY"]}, "conflicting_tasks"),
        ({"peripheral_blood_sample_id": 7}, "bad_list"),
        ({"peripheral_blood_sample_id": "x" * (LONGEST_ID + 1)}, "bad_list"),
        ({"patient_proxy_medical_record_number": {}}, "bad_list"),
        ({"list_url": "https://example.com/list.json"}, "bad_list"),
        ({"tags": {"a": 1}}, "bad_tags"),
        ({"tags": ["a"]}, "bad_tags"),
        ({"more": ["a"]}, "bad_tags"),
    ],
)
def test_what_is_no_list_is_refused(changes: dict[str, Any], code: str) -> None:
    assert refusal(**changes).code == code


def test_a_refusal_repeats_nothing() -> None:
    refused = refusal(patient_proxy_medical_record_number="secret" * 100)
    assert "secret" not in repr(refused.debug_info)


@given(
    st.dictionaries(
        st.sampled_from([*GOOD, "tasks", "tags", "list_url"]),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=30),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
            max_leaves=6,
        ),
    )
)
def test_whatever_comes_is_read_or_refused(changes: dict[str, Any]) -> None:
    with contextlib.suppress(Refusal):
        listed = read_list(GOOD | changes)
        assert listed.files
        assert listed.tasks
