"""Every example of the vendor's document for the way from a smear to its report, asked and answered.

Where the document errs, as api/DECISIONS.md reads it; the rows are named.
"""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from hemato_lab.api import CallbackHandler, CallbackSigner, FileList, ServiceWarning
from hemato_lab.errors import ConfigError, NotJSONError, ReportNotReadyError
from hemato_lab.formats.stored import file_id_of
from hemato_lab.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hemato_lab.api import Client
    from tests.api.conftest import Wire

NOW = 1682945428
STUDY = "c7d453a9-676d-4b9f-a505-8a9021b76dfd"
SAMPLE = "62dd0300-880e-4069-bea8-66c9ca73c207"
REPORTED = "4bb7fe9e-b608-4d68-adbe-8655c991f494"
REPORTED_FILE = "sha224-i-db367ccd89fc39aa6ff9fff0cd9b11e6b5b6a41cff4bbb232bee7c93"
CALLBACK = "https://example.com/pbs_report_is_ready/<PBS_STUDY_ID>/"
PRESIGNED = (
    "https://presignedurldemo.s3.eu-west-2.amazonaws.com/image.png?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Credential=AKIAJJWZ7B6WCRGMKFGQ%2F20180210%2Feu-west-2%2Fs3%2Faws4_request&X-Amz-Date=20180210T171315Z"
    "&X-Amz-Expires=1800&X-Amz-Signature=12b74b0788aa036bc7c3d03b3f20c61f1f91cc9ad8873e3314255dc479a25351"
    "&X-Amz-SignedHeaders=host"
)
CREATED = {"status": 201, "results": {"pbs_study_id": STUDY}}
RECEIVED = {
    "status": 201,
    "results": {
        "pbs_study_id": STUDY,
        "file_id": "sha224-i-4d58b0cee1e38f75f93e2e605d1e6ad44c24a975d0c3b53367de7c86",
    },
    "debug_info": {},
}
ACCEPTED = {"results": {"pbs_study_id": "48ae6352-d15d-440a-83f3-05a1f68aa11b", "tasks": ["pbs_v1"]}}
STATUS = {
    "status": 200,
    "results": {
        "pbs_study_id": SAMPLE,
        "report_status": "ready",
        "progress": 1.0,
        "progress_message": "Reports are ready",
    },
    "debug_info": {},
}
REPORT = {
    "status": 200,
    "results": {
        "pbs_study_id": REPORTED,
        "file_ids": [REPORTED_FILE],
        "feature_statistics": {
            "rbc-density": {"value": "x", "unit": "y"},
            "platelet-density": {"value": "x", "unit": "y"},
            "blast-density": {"value": "x", "unit": "y"},
        },
        "morphological_findings": {
            "ring trophozoite": {"count": "1", "heat_map": [{"center": [435, 345], "radius": 35}]}
        },
        "diagnostic_report": {
            "differential_diagnosis": [
                {
                    "score": 7,
                    "confidence": "0.95",
                    "clinical-significance": "D",
                    "icd10-code": "B50",
                    "english-long": "Malaria Infection with Plasmodium Falciparum",
                    "english-short": "Malaria",
                }
            ]
        },
        "pathology_report": "No demographics or past medical history is available about the patient. Inspection of "
        "peripheral blood slide revealed ring trophozoites ...",
    },
    "debug_info": {},
}
SUBMITTED = {"results": {"pbs_study_id": REPORTED, "file_ids": [REPORTED_FILE]}}
LIST_FILE = {
    "peripheral_blood_sample_id": SAMPLE,
    "patient_proxy_medical_record_number": "123456789",
    "sample_collection_timestamp": "2021-01-02T15:04:05+07:00",
    "clinical_tasks_requested": ["pbs_v1"],
    "files": [PRESIGNED],
    "callback_url": "https://example.com/callbacks/1",
}


def jpeg_at(path: Path) -> bytes:
    content = b"\xff\xd8\xff\xe0" + b"the bytes of a picture" * 9
    path.write_bytes(content)
    return content


# Workflow 1


def test_create(wire: Wire, client: Client) -> None:
    wire.will_answer(201, CREATED)
    created = client.create({"patient_proxy_id": ""})
    # Row 3: JSON, where the samples would send a form.
    wire.assert_asked("POST", "https://us.api.hemato.ai/pbs", {"tags": {"patient_proxy_id": ""}})
    assert created.pbs_study_id == STUDY
    assert created.raw == CREATED


def test_create_without_tags_and_with_the_prose_s_name_of_the_id(wire: Wire, client: Client) -> None:
    wire.will_answer(201, {"status": 201, "results": {"pbs_id": STUDY}})  # row 1
    assert client.create().pbs_study_id == STUDY
    wire.assert_asked("POST", "https://us.api.hemato.ai/pbs", {})


def test_upload(wire: Wire, client: Client, tmp_path: Path) -> None:
    content = jpeg_at(tmp_path / "some_file_name.jpg")
    ours, theirs = file_id_of(content), RECEIVED["results"]["file_id"]
    wire.will_answer(201, RECEIVED)
    with pytest.warns(ServiceWarning, match=f"{ours} as {theirs}"):  # row 14: these are not the sample's bytes
        known = client.upload(STUDY, tmp_path / "some_file_name.jpg")
    url = f"https://us.api.hemato.ai/pbs/{STUDY}/files?file_name=some_file_name.jpg"
    wire.assert_asked("POST", url, content)
    assert wire.last.headers["content-type"] == "image/jpeg"
    assert known == {ours: (theirs,)}


@pytest.mark.parametrize(
    ("suffix", "content_type", "start"),
    [
        (".jpeg", "image/jpeg", b"\xff\xd8\xff\xe0"),
        (".jpg", "image/jpeg", b"\xff\xd8\xff\xe0"),
        (".png", "image/png", b"\x89PNG\r\n\x1a\n"),
    ],
)
def test_upload_of_each_type(wire: Wire, client: Client, suffix: str, content_type: str, start: bytes) -> None:
    folder = client.journal.path.parent
    (folder / f"field{suffix}").write_bytes(start + b"rest")
    file_id = file_id_of(start + b"rest")
    wire.will_answer(201, {"status": 201, "results": {"pbs_study_id": STUDY, "file_id": file_id}})
    assert client.upload(STUDY, folder / f"field{suffix}") == {file_id: (file_id,)}
    wire.assert_asked("POST", f"https://us.api.hemato.ai/pbs/{STUDY}/files?file_name=field{suffix}", start + b"rest")
    assert wire.last.headers["content-type"] == content_type


def test_upload_of_an_archive(wire: Wire, client: Client, tmp_path: Path) -> None:
    images = [b"\xff\xd8\xff\xe0 one", b"\x89PNG\r\n\x1a\n two"]
    with zipfile.ZipFile(tmp_path / "fields.zip", "w") as archive:
        for number, image in enumerate(images):
            archive.writestr(f"{number}.png", image)
    content = (tmp_path / "fields.zip").read_bytes()
    ids = [file_id_of(image) for image in images]
    results = {"pbs_study_id": STUDY, "file_id": file_id_of(content), "file_ids": ids}  # row 13
    wire.will_answer(201, {"status": 201, "results": results})
    assert client.upload(STUDY, tmp_path / "fields.zip") == {one: (one,) for one in ids}
    wire.assert_asked("POST", f"https://us.api.hemato.ai/pbs/{STUDY}/files?file_name=fields.zip", content)
    assert wire.last.headers["content-type"] == "application/zip"


def test_tasks(wire: Wire, client: Client) -> None:
    study = ACCEPTED["results"]["pbs_study_id"]
    wire.will_answer(202, ACCEPTED)
    accepted = client.request_tasks(study, ["pbs_v1"], callback_url=CALLBACK)
    body = {"diagnostic_tasks": ["pbs_v1"], "callback_url": CALLBACK}
    wire.assert_asked("POST", f"https://us.api.hemato.ai/pbs/{study}/tasks", body)
    assert (accepted.pbs_study_id, accepted.tasks) == (study, ["pbs_v1"])
    wire.will_answer(202, ACCEPTED)
    client.request_tasks(study)
    assert json.loads(wire.last.content) == {"diagnostic_tasks": ["pbs_v1"]}


def test_status(wire: Wire, client: Client) -> None:
    wire.will_answer(200, STATUS)
    found = client.status(SAMPLE)
    wire.assert_asked("GET", f"https://us.api.hemato.ai/pbs/{SAMPLE}/status")
    assert found.is_ready
    assert found.model_dump() == STATUS["results"]
    assert found.raw == STATUS


def test_status_as_it_is_printed_is_no_json(wire: Wire, client: Client) -> None:
    wire.will_answer(200, json.dumps(STATUS).replace('ready"}', 'ready", }'))  # row 25
    with pytest.raises(NotJSONError):
        client.status(SAMPLE)


def test_report(wire: Wire, client: Client) -> None:
    wire.will_answer(200, REPORT)
    report = client.report(REPORTED)
    wire.assert_asked("GET", f"https://us.api.hemato.ai/pbs/{REPORTED}/report")
    assert (report.pbs_study_id, report.file_ids) == (REPORTED, (REPORTED_FILE,))
    assert set(report.feature_statistics) == {"rbc-density", "platelet-density", "blast-density"}
    assert {(one.value, one.unit) for one in report.feature_statistics.values()} == {("x", "y")}
    rings = report.morphological_findings["ring trophozoite"]
    assert (rings.count, [(tuple(one.center), one.radius) for one in rings.heat_map]) == ("1", [((435, 345), 35)])
    (malaria,) = report.diagnostic_report.differential_diagnosis
    assert (malaria.score, malaria.confidence, malaria.clinical_significance) == (7, "0.95", "D")
    assert (malaria.icd10_code, malaria.english_short) == ("B50", "Malaria")
    assert malaria.english_long == "Malaria Infection with Plasmodium Falciparum"
    assert report.pathology_report == REPORT["results"]["pathology_report"]


def test_report_goes_round(wire: Wire, client: Client) -> None:
    wire.will_answer(200, REPORT)
    assert json.loads(client.report(REPORTED).to_json()) == REPORT
    assert json.loads(Report.from_json(REPORT["results"]).to_json()) == REPORT["results"]


def test_earlier_version_of_a_report(wire: Wire, client: Client) -> None:
    wire.will_answer(200, REPORT)
    client.report(REPORTED, version=2)
    wire.assert_asked("GET", f"https://us.api.hemato.ai/pbs/{REPORTED}/report?version=2")


@pytest.mark.parametrize("answer", [(404, {"status": 404, "results": {}}), (202, {"status": 202, "results": {}})])
def test_report_that_is_not_ready(wire: Wire, client: Client, answer: tuple[int, Any]) -> None:
    wire.will_answer(*answer)  # row 17
    with pytest.raises(ReportNotReadyError):
        client.report(REPORTED)


@pytest.mark.parametrize(
    "body",
    [
        b'{"pbs_stody_id":"25f7de38-ba9c-4b45-a4d8-8c13461d7b39", "report_status": "ready", "progress": 1.0}',
        b'{"pbs_study_id":"25f7de38-ba9c-4b45-a4d8-8c13461d7b39", "report_status": "ready", "progress": 1.0}',  # row 22
        b"{\n}",  # row 23, as in workflow 2
        b"",
    ],
)
def test_callback(body: bytes) -> None:
    study = "25f7de38-ba9c-4b45-a4d8-8c13461d7b39"
    signer = CallbackSigner(secret=bytes(32), wall_clock=lambda: float(NOW))
    url = signer.url("https://example.com/pbs_report_is_ready", study)
    base, subject, signature = url.rsplit("/", 2)
    assert (base, subject) == ("https://example.com/pbs_report_is_ready", study)
    assert signature.startswith(f"{NOW + 86_400}.")
    hints: list[str] = []
    handler = CallbackHandler(signer, on_hint=hints.append)
    assert handler.handle("POST", f"/pbs_report_is_ready/{subject}/{signature}", body) == (200, {"status": "ok"})
    assert hints == [study]
    status, _ = handler.handle("POST", f"/pbs_report_is_ready/{STUDY}/{signature}", body)
    assert (status, hints) == (403, [study])


# Workflow 2


def test_submit_the_address_of_a_list(wire: Wire, client: Client) -> None:
    wire.will_answer(201, SUBMITTED)
    created = client.submit("https://example.com/samples/1/files.json", tasks=["pbs_v1"])
    body = {"list_url": "https://example.com/samples/1/files.json", "tasks": ["pbs_v1"]}
    wire.assert_asked("POST", "https://us.api.hemato.ai/pbs", body)
    assert created.model_dump() == SUBMITTED["results"]


def test_submit_a_list(wire: Wire, connect: Callable[..., Client]) -> None:
    files = FileList.of([PRESIGNED], **{key: value for key, value in LIST_FILE.items() if key != "files"})
    assert json.loads(files.to_json()) == LIST_FILE
    assert list(files.to_dict()) == list(LIST_FILE)
    assert FileList.from_json(json.dumps(LIST_FILE)) == files
    wire.will_answer(201, SUBMITTED)
    created = connect("dev").submit(files=files)
    wire.assert_asked("POST", "https://dev.api.hemato.ai/pbs", LIST_FILE)
    assert PRESIGNED.encode() in wire.last.content
    assert (created.pbs_study_id, created.file_ids) == (REPORTED, [REPORTED_FILE])


def test_submit_the_shell_sample_s_list(wire: Wire, connect: Callable[..., Client]) -> None:
    names = {"peripheral_blood_sample_id": "xyz", "patient_proxy_medical_record_number": "abc"}
    wire.will_answer(201, SUBMITTED)
    connect("dev").submit(files=FileList.of([PRESIGNED], **names))
    body = {**names, "clinical_tasks_requested": ["pbs_v1"], "files": [PRESIGNED]}
    wire.assert_asked("POST", "https://dev.api.hemato.ai/pbs", body)


def test_the_list_as_it_is_printed_is_none() -> None:
    printed = json.dumps(LIST_FILE, indent=0).replace('+07:00",', '+07:00", // RFC3339 formated date time')
    with pytest.raises(ConfigError, match="no JSON"):  # row 25
        FileList.from_json(printed)
    with pytest.raises(ConfigError, match="RFC 3339"):  # row 25
        FileList.from_json(json.dumps(LIST_FILE | {"sample_collection_timestamp": "2021-01-02T15:0405+07:00"}))
