"""The list of files of workflow 2."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from hemato_lab.api import FileList, PrivacyWarning
from hemato_lab.api.listing import checked_download_address
from hemato_lab.errors import ConfigError, InsecureAddressError

ADDRESS = "https://bucket.s3.eu-west-2.amazonaws.com/image.png?X-Amz-Signature=12b74b0788aa036b"
SECRET = "12b74b0788aa036b"  # noqa: S105 (made up)


def test_the_members_are_those_of_the_document_in_its_order() -> None:
    files = FileList.of(
        [ADDRESS],
        peripheral_blood_sample_id="xyz",
        patient_proxy_medical_record_number="abc",
        sample_collection_timestamp="2021-01-02T15:04:05+07:00",
        callback_url="https://example.com/callbacks/1",
    )
    assert list(files.to_dict().items()) == [
        ("peripheral_blood_sample_id", "xyz"),
        ("patient_proxy_medical_record_number", "abc"),
        ("sample_collection_timestamp", "2021-01-02T15:04:05+07:00"),
        ("clinical_tasks_requested", ["pbs_v1"]),
        ("files", [ADDRESS]),
        ("callback_url", "https://example.com/callbacks/1"),
    ]
    assert FileList.from_json(files.to_json()) == files


def test_what_is_not_known_is_left_out_and_a_sample_has_an_id() -> None:
    files = FileList.of([ADDRESS])
    assert set(files.to_dict()) == {"peripheral_blood_sample_id", "clinical_tasks_requested", "files"}
    assert files.peripheral_blood_sample_id != FileList.of([ADDRESS]).peripheral_blood_sample_id


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime(2021, 1, 2, 15, 4, 5, tzinfo=timezone(timedelta(hours=7))), "2021-01-02T15:04:05+07:00"),
        (datetime(2021, 1, 2, 15, 4, 5, tzinfo=UTC), "2021-01-02T15:04:05+00:00"),
        ("2021-01-02T15:04:05Z", "2021-01-02T15:04:05Z"),
        ("2021-01-02t15:04:05.25z", "2021-01-02t15:04:05.25z"),
    ],
)
def test_times_are_rfc_3339(moment: object, written: str) -> None:
    assert FileList.of([ADDRESS], sample_collection_timestamp=moment).sample_collection_timestamp == written


@pytest.mark.parametrize(
    "moment",
    [
        "2021-01-02T15:0405+07:00",  # the document's own sample, api/DECISIONS.md row 25
        "2021-01-02",
        "2021-01-02 15:04:05Z",
        "2021-01-02T15:04:05",
        "2021-13-02T15:04:05Z",
        "2021-02-30T15:04:05Z",
        "2021-01-02T25:04:05Z",
        "２021-01-02T15:04:05Z",
        datetime(2021, 1, 2),  # noqa: DTZ001 (without a zone, to be refused)
        1609600000,
    ],
)
def test_other_times_are_refused(moment: object) -> None:
    with pytest.raises(ConfigError, match="sample_collection_timestamp"):
        FileList.of([ADDRESS], sample_collection_timestamp=moment)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "image.png",
        "/path/image.png",
        "ftp://example.com/image.png",
        "file:///etc/passwd",
        "http://example.com/image.png?X-Amz-Signature=12b74b0788aa036b",
        "https://user:12b74b0788aa036b@example.com/image.png",
        "https:///image.png",
        "https://example.com/a b.png",
        "https://example.com/\nimage.png",
        "https://example.com:port/image.png",
        "https://[::1/image.png",
        "https:\\example.com\\image.png",
        17,
        None,
    ],
)
def test_addresses_that_the_service_must_not_be_given(address: object) -> None:
    with pytest.raises(InsecureAddressError) as direct:
        checked_download_address(address)  # type: ignore[arg-type]
    with pytest.raises(ConfigError) as listed:
        FileList.of([ADDRESS, address])
    assert "files.1" in listed.value.subject
    assert SECRET not in f"{direct.value!r} {listed.value!r} {listed.value.__dict__}"


@pytest.mark.parametrize("address", ["http://127.0.0.1:80/a.png", "http://localhost/a.png", "http://[::1]:8000/a"])
def test_plain_http_is_for_this_machine(address: str) -> None:
    assert FileList.of([address]).files == (address,)


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ({"files": []}, "files"),
        ({"files": [ADDRESS, ADDRESS]}, "files"),
        ({"files": [ADDRESS], "clinical_tasks_requested": []}, "clinical_tasks_requested"),
        ({"files": [ADDRESS], "clinical_tasks_requested": ["two words"]}, "clinical_tasks_requested"),
        ({"files": [ADDRESS], "peripheral_blood_sample_id": ""}, "peripheral_blood_sample_id"),
        ({"files": [ADDRESS], "callback_url": "http://example.com/"}, "callback_url"),
        ({"files": [ADDRESS], "surprise": 1}, "surprise"),
        ({}, "files"),
        ({"files": ADDRESS}, "files"),
    ],
)
def test_lists_that_are_refused_name_the_place_and_no_address(parts: dict[str, object], place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        FileList.from_json(json.dumps(parts))
    assert place in caught.value.subject
    assert SECRET not in repr(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{// comment\n}", '{"files": NaN}', b"\xff\xfe"])
def test_what_is_no_json_object_is_refused(text: str | bytes) -> None:
    with pytest.raises(ConfigError, match="is no JSON"):
        FileList.from_json(text)


def test_a_list_shows_no_address() -> None:
    files = FileList.of([ADDRESS], callback_url="https://example.com/12b74b0788aa036b")
    assert SECRET not in f"{files!r} {files} {[files]}"
    assert "1 files" in repr(files)


def test_a_number_that_looks_like_a_patients_is_warned_of() -> None:
    with pytest.warns(PrivacyWarning, match="patient_proxy_medical_record_number") as caught:
        FileList.of([ADDRESS], patient_proxy_medical_record_number="943 476 5919")
    assert "943" not in str(caught[0].message)
