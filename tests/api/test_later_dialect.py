"""The later dialect, asked and answered as api/DECISIONS.md section 5 has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hemato_lab.api import TokenAuth
from hemato_lab.errors import RegionError, ReportNotReadyError, SchemaMismatchError
from hemato_lab.formats.stored import file_id_of
from tests.api.pictures import png

if TYPE_CHECKING:
    from collections.abc import Callable

    from hemato_lab.api import Client
    from tests.api.conftest import Api, Wire

TASK = "MALARIA_ANY_ANY"
STUDY = "c7d453a9-676d-4b9f-a505-8a9021b76dfd"
PBS = "https://in.api.hemato.ai/pbs"
BEARER = "Bearer HEMATO_AI_AUTH_TOKEN"
PNG = b"\x89PNG\r\n\x1a\n and the bytes of a picture"
REPORT = {
    "positive_count": 3,
    "negative_count": "41",
    "raw_reports": {"finding_stats": [{"name": "ring", "count": 3}], "findings": ["ring"]},
    "conclusion": "present",
    "summary_reports": {
        "fields_of_view_processed": 44,
        "model_findings": [{"malaria_any": [0.93, 0.02, 0.05]}, {"falciparum": [0.71, 0.2, 0.09]}],
    },
    "tile_data": [{"image_id": "sha224-i-00", "tile_location": {"x": 512, "y": 256}, "likelihood": 0.97}],
}


@pytest.fixture
def later(connect: Callable[..., Client]) -> Client:
    return connect("in", dialect="2024")


def test_create_sends_tags_bare(wire: Wire, later: Client) -> None:
    wire.will_answer(201, {"status": 201, "results": {"pbs_study_id": STUDY}})
    assert later.create({"purpose": "validation", "batch_id": "7"}).pbs_study_id == STUDY
    wire.assert_asked("POST", PBS, {"purpose": "validation", "batch_id": "7"}, token=BEARER)


def test_upload_sends_raw_bytes_and_the_diameter(wire: Wire, later: Client) -> None:
    file_id = file_id_of(PNG)
    wire.will_answer(202, {"status": 202, "results": {"pbs_study_id": STUDY, "file_id": file_id}})
    assert later.upload(STUDY, PNG, rbc_diameter=70.5) == {file_id: (file_id,)}
    name = wire.last.url.params["file_name"]
    wire.assert_asked("POST", f"{PBS}/{STUDY}/files?file_name={name}&rbc_diameter=70.5", PNG, token=BEARER)
    assert not wire.last.headers["content-type"].startswith("multipart/")


def test_tasks(wire: Wire, later: Client) -> None:
    wire.will_answer(202, {"status": 202, "results": {"pbs_study_id": STUDY, "tasks": [TASK]}})
    assert later.request_tasks(STUDY, [TASK]).tasks == [TASK]
    wire.assert_asked("POST", f"{PBS}/{STUDY}/tasks", {"diagnostic_tasks": [TASK]}, token=BEARER)


def test_status_of_a_task(wire: Wire, later: Client) -> None:
    results = {"pbs_study_id": STUDY, "report_status": "processing", "progress": 0.5, "progress_message": "reading"}
    wire.will_answer(200, {"status": 200, "results": results})
    assert later.status(STUDY, TASK).model_dump() == results
    wire.assert_asked("GET", f"{PBS}/{STUDY}/status/{TASK}", token=BEARER)


def test_report_of_a_task(wire: Wire, later: Client) -> None:
    document = {"status": 200, "results": {"report": {TASK: REPORT}}}
    wire.will_answer(200, document)
    report = later.task_report(STUDY, TASK)
    wire.assert_asked("GET", f"{PBS}/{STUDY}/reports/{TASK}", token=BEARER)
    assert (report.positive_count, report.negative_count, report.conclusion) == (3, 41, "present")
    assert report.raw_reports.model_dump() == REPORT["raw_reports"]
    assert report.summary_reports.fields_of_view_processed == 44
    found = [(one.model, one.likelihood, one.numbers) for one in report.summary_reports.findings]
    assert found == [("malaria_any", 0.93, [0.93, 0.02, 0.05]), ("falciparum", 0.71, [0.71, 0.2, 0.09])]
    (tile,) = report.tile_data
    assert tile.model_dump() == REPORT["tile_data"][0]
    assert report.raw == document


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((404, {"status": 404, "results": {}}), ReportNotReadyError),
        ((202, {"status": 202}), ReportNotReadyError),
        ((200, {"status": 200, "results": {"report": {"ANOTHER": REPORT}}}), SchemaMismatchError),
        ((200, {"status": 200, "results": {"pbs_study_id": "other", "report": {TASK: REPORT}}}), SchemaMismatchError),
    ],
)
def test_report_that_is_none(wire: Wire, later: Client, answer: tuple[int, Any], kind: type[Exception]) -> None:
    wire.will_answer(*answer)
    with pytest.raises(kind):
        later.task_report(STUDY, TASK)


def test_heartbeat_in_an_envelope(wire: Wire, later: Client) -> None:
    beat = {"delta": "59.078µs", "heartbeat": "a7ef8fba741237f693c3", "request_timestamp": 1680716829.0, "version": "x"}
    wire.will_answer(200, {"status": 200, "results": beat})
    assert later.heartbeat().model_dump() == beat
    wire.assert_asked("GET", "https://in.api.hemato.ai/heartbeat", token=None)


def test_the_demonstration_s_region_is_the_later_dialect_s_alone(
    connect: Callable[..., Client], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RegionError):
        connect("in")
    assert capsys.readouterr().err == ""
    connect("in", dialect="2024")
    assert "in.api.hemato.ai is not HIPAA compliant" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "header"),
    [({"auth_scheme": "bearer"}, BEARER), ({"dialect": "2024", "auth_scheme": "raw"}, "HEMATO_AI_AUTH_TOKEN")],
)
def test_the_scheme_can_be_chosen_in_either_dialect(
    wire: Wire, connect: Callable[..., Client], options: dict[str, Any], header: str
) -> None:
    wire.will_answer(201, {"status": 201, "results": {"pbs_study_id": STUDY}})
    connect("us", **options).create()
    wire.assert_asked("POST", "https://us.api.hemato.ai/pbs", {}, token=header)


def test_run_to_the_task_s_report(open_api: Callable[..., Api]) -> None:
    api = open_api(dialect="2024", auth=TokenAuth("a-token"))
    files = [png(1), png(2)]
    done = api.call("run", files, tasks=[TASK], tags={"purpose": "validation"}, rbc_diameter=70.0)
    (study,) = api.service.studies.values()
    assert (study.tags, study.tasks, study.rbc_diameter) == ({"purpose": "validation"}, [TASK], 70.0)
    assert done.report.file_ids == tuple(file_id_of(content) for content in files), "in order"
    assert done.task_reports[TASK].conclusion == "present"
    assert {one.headers["authorization"] for one in api.asked()} == {"Bearer a-token"}


def test_tasks_whose_answer_was_lost_are_asked_for_once(open_api: Callable[..., Api]) -> None:
    api = open_api(dialect="2024")
    api.service.polls_until_ready = 0
    study_id = api.filled()
    api.lose_answer()
    assert api.call("request_tasks", study_id, [TASK]).tasks == [TASK]
    assert api.service.studies[study_id].tasks_requested == 1
