"""Both clients, without sockets and with them: tasks, waiting, reports, and whole runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import PIL.Image
import pytest

from hemato_lab.api import CallbackReceiver, FileList, ServiceWarning
from hemato_lab.errors import (
    ConfigError,
    ConnectionFailedError,
    DeadlineError,
    ForbiddenError,
    InsecureAddressError,
    LockedError,
    NotFoundError,
    OtherFilesError,
    ReportNotReadyError,
    SchemaMismatchError,
    StudyClosedError,
    StudyError,
    StudyFailedError,
    TransportError,
    UnavailableError,
)
from hemato_lab.formats import open_smear
from hemato_lab.formats.stored import file_id_of
from tests.api.conftest import POLICY
from tests.api.pictures import jpeg

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.conftest import Api
    from tests.api.recording import Answer, Received

FILES = [jpeg(number) for number in range(3)]
IDS = tuple(file_id_of(content) for content in FILES)
NEVER = 10**9


def asked_for(api: Api, files: list[bytes] = FILES) -> str:
    """Make a study, send its files and ask for its tasks."""
    study_id = api.study()
    api.call("upload", study_id, files)
    api.call("request_tasks", study_id)
    return study_id


# Tasks


def test_tasks(api: Api) -> None:
    study_id = api.filled()
    accepted = api.call("request_tasks", study_id, ("pbs_v1",), callback_url="https://lab.example/hook")
    assert (accepted.pbs_study_id, accepted.tasks) == (study_id, ["pbs_v1"])
    study = api.service.studies[study_id]
    assert (study.tasks, study.callback_url) == (["pbs_v1"], "https://lab.example/hook")
    (noted,) = api.call("studies")
    assert (noted.state, noted.tasks) == ("tasks accepted", ("pbs_v1",))


def test_tasks_are_asked_for_once(api: Api) -> None:
    study_id = asked_for(api)
    with pytest.raises(StudyClosedError):
        api.call("request_tasks", study_id)
    assert len(api.asked("/tasks")) == 1, "the journal knows"
    with api.another(journal=api.folder / "other.sqlite3") as stranger, pytest.raises(StudyClosedError):
        stranger.call("request_tasks", study_id)
    assert len(api.asked("/tasks")) == 2, "the service knows, and is asked once"


@pytest.mark.parametrize("tasks", [(), ("",), ("two words",)])
def test_tasks_have_names(api: Api, tasks: Any) -> None:
    with pytest.raises(ConfigError):
        api.call("request_tasks", "any", tasks)
    assert api.asked() == []


def test_a_callback_comes_over_https(api: Api) -> None:
    study_id = api.study()
    with pytest.raises(InsecureAddressError):
        api.call("request_tasks", study_id, callback_url="http://lab.example/hook")
    assert api.asked("/tasks") == []


def test_a_lost_answer_has_the_status_read_before_tasks_are_asked_for_again(api: Api) -> None:
    api.service.polls_until_ready = 0
    study_id = api.filled()
    api.lose_answer()
    assert api.call("request_tasks", study_id).tasks == ["pbs_v1"]
    assert [one.path.rpartition("/")[2] for one in api.asked()[2:]] == ["tasks", "status"]
    assert api.service.studies[study_id].tasks_requested == 1


def test_a_status_that_proves_nothing_has_them_asked_for_again(api: Api) -> None:
    """``queued`` may be said of a study without tasks, too; one that has them refuses to be asked again."""
    study_id = api.filled()
    api.lose_answer()
    queued = {"pbs_study_id": study_id, "report_status": "queued", "progress": 0.0}
    api.answer(*[api.service.success(200, queued)] * 4)
    assert api.call("request_tasks", study_id).tasks == ["pbs_v1"]
    assert [one.path.rpartition("/")[2] for one in api.asked()[2:]] == ["tasks", *["status"] * 4, "tasks"]
    assert api.service.studies[study_id].tasks == ["pbs_v1"]
    assert api.call("studies")[0].state == "tasks accepted"


def test_a_request_that_was_lost_is_made_again_once_the_status_tells(api: Api) -> None:
    study_id = api.filled()
    api.answer(api.service.error(500, "internal"))
    api.call("request_tasks", study_id)
    looks = 4 if api.service.word_for_open == "queued" else 1  # that word may also be said of a study with tasks
    assert [one.path.rpartition("/")[2] for one in api.asked()[2:]] == ["tasks", *["status"] * looks, "tasks"]
    assert api.service.studies[study_id].tasks_requested == 1


def test_a_request_that_certainly_was_not_heard_is_made_again_at_once(api: Api) -> None:
    study_id = api.filled()
    api.answer(api.service.error(503, "unavailable"))
    api.call("request_tasks", study_id)
    assert [one.path.rpartition("/")[2] for one in api.asked()[2:]] == ["tasks", "tasks"]


def test_after_a_crash_in_the_middle_the_status_tells(open_api: Callable[..., Api]) -> None:
    api = open_api(policy=replace(POLICY, attempts=1))
    api.service.polls_until_ready = 0
    study_id = api.filled()
    api.lose_answer()
    with pytest.raises(ConnectionFailedError):
        api.call("request_tasks", study_id)
    with api.another() as later:
        assert later.call("request_tasks", study_id).pbs_study_id == study_id
    assert api.service.studies[study_id].tasks_requested == 1


# Waiting


def test_wait_until_ready(api: Api) -> None:
    api.service.polls_until_ready = 3
    study_id = asked_for(api)
    found = api.call("wait", study_id)
    assert (found.report_status, found.progress, found.progress_message) == ("ready", 1.0, "Reports are ready")
    assert len(api.asked("/status")) == 4
    assert api.call("studies")[0].state == "ready"
    if api.moved is not None:
        assert api.moved.waits == pytest.approx([0.01, 0.015, 0.02])


def test_wait_for_one_that_fails(api: Api) -> None:
    api.service.fail_studies = True
    study_id = asked_for(api)
    with pytest.raises(StudyFailedError, match="The study failed") as caught:
        api.call("wait", study_id)
    assert caught.value.subject == study_id
    assert api.call("studies")[0].state == "failed"


def test_wait_no_longer_than_the_deadline(api: Api) -> None:
    api.service.polls_until_ready = NEVER
    study_id = asked_for(api)
    with pytest.raises(DeadlineError, match=r"not ready after 0\.2 s: "):
        api.call("wait", study_id, deadline_s=0.2)
    if api.moved is not None:
        assert sum(api.moved.waits) == pytest.approx(0.2)
        assert len(api.asked("/status")) > 8
    api.service.polls_until_ready = 0
    assert api.call("wait", study_id).is_ready, "waiting goes on"


@pytest.mark.parametrize("word", ["reticulating", "READY", ""])
def test_a_word_that_nobody_knows_is_no_end(api: Api, word: str) -> None:
    study_id = asked_for(api)
    results = {"pbs_study_id": study_id, "report_status": word, "progress": "0.5"}
    api.answer(*[api.service.success(200, results)] * 3)
    api.service.polls_until_ready = 0
    assert api.call("wait", study_id).is_ready
    assert len(api.asked("/status")) == 4


def test_errors_that_may_pass_are_waited_out(open_api: Callable[..., Api]) -> None:
    api = open_api(policy=replace(POLICY, attempts=2))
    study_id = asked_for(api)
    api.answer(*[api.service.error(503, "unavailable")] * 5)
    assert api.call("wait", study_id).is_ready
    study_id = api.study()
    api.answer(api.service.error(404, "not_found"))
    with pytest.raises(NotFoundError):
        api.call("wait", study_id)


@pytest.mark.parametrize("workflow", [1, 2])
def test_a_callback_cuts_the_pause_short(open_api: Callable[..., Api], workflow: int) -> None:
    """A pause would be 10 s, and after it there was no time for another."""
    policy = replace(POLICY, poll_first_s=10.0, poll_longest_s=10.0)
    with CallbackReceiver() as receiver:
        api = open_api(policy=policy, callbacks=receiver)
        listed = FileList.of(["https://lab.example/1.png"], peripheral_blood_sample_id="sample-7")
        study_id = asked_for(api) if workflow == 1 else api.call("submit", files=listed).pbs_study_id
        url = api.service.studies[study_id].callback_url
        assert url.startswith(f"{receiver.base_url}/{study_id if workflow == 1 else 'sample-7'}/")

        def call_back(received: Received) -> Answer:
            answer = api.service.process(received)
            assert httpx.post(url, json={"pbs_stody_id": "of no matter"}, trust_env=False).status_code == 200
            return answer

        api.answer(call_back, call_back)
        assert api.call("wait", study_id, deadline_s=15.0).is_ready
        assert api.moved is None or sum(api.moved.waits) == 0.0
        assert httpx.post(url, trust_env=False).status_code == 410, "the study has ended"


# Reports


def test_report(api: Api) -> None:
    study_id = asked_for(api)
    api.call("wait", study_id)
    api.service.studies[study_id].versions = 3
    latest = api.call("report", study_id)
    assert (latest.pbs_study_id, set(latest.file_ids)) == (study_id, set(IDS))
    assert latest.feature_statistics["rbc-density"].value == "5321"
    assert latest.pathology_report.endswith("revision 3.")
    assert api.call("report", study_id, 2).pathology_report.endswith("revision 2.")
    assert api.call("report", study_id, version=1).pathology_report.endswith("revision 1.")
    assert [one.query for one in api.asked("/report")] == [{}, {"version": "2"}, {"version": "1"}]
    for version in (0, -1, True):
        with pytest.raises(ConfigError):
            api.call("report", study_id, version)


def test_report_before_it_is_ready(api: Api) -> None:
    api.service.polls_until_ready = NEVER
    study_id = asked_for(api)
    with pytest.raises(ReportNotReadyError) as caught:
        api.call("report", study_id)
    assert caught.value.retryable
    assert len(api.asked("/report")) == 1, "a 404 is never tried again by itself (section 4)"


@pytest.mark.parametrize("change", ["more", "fewer", "other"])
def test_a_report_of_other_files_is_none(api: Api, change: str) -> None:
    study_id = asked_for(api)
    api.call("wait", study_id)
    files = api.service.studies[study_id].files
    if change != "more":
        del files[IDS[0]]
    if change != "fewer":
        files[file_id_of(b"another")] = next(iter(files.values()))
    with pytest.raises(OtherFilesError, match="not about the files that were uploaded"):
        api.call("report", study_id)


def test_a_report_of_another_study_is_none(api: Api) -> None:
    mine, other = asked_for(api), asked_for(api)
    api.call("wait", mine)
    api.call("wait", other)
    report = api.service.process(replace(api.asked("/status")[0], target=f"/pbs/{other}/report"))
    api.answer(*[report] * 3)
    with pytest.raises(SchemaMismatchError, match="another study"):
        api.call("report", mine)
    assert api.call("report", mine).pbs_study_id == mine


def test_a_count_that_is_not_that_of_the_places_is_warned_of(api: Api) -> None:
    study_id = asked_for(api)
    api.call("wait", study_id)

    def miscounted(received: Received) -> Answer:
        answer = api.service.process(received)
        return replace(answer, body=answer.body.replace(b'"count": "1"', b'"count": "2"'))

    api.answer(miscounted)
    with pytest.warns(ServiceWarning, match="ring trophozoite has a count of 2 and 1 places"):
        assert api.call("report", study_id).morphological_findings["ring trophozoite"].count == "2"


# Runs


def test_run_from_a_smear_to_its_report(api: Api) -> None:
    (api.folder / "smear").mkdir()
    for number in range(3):
        PIL.Image.new("RGB", (8, 8), (number, 0, 0)).save(api.folder / "smear" / f"{number}.png")
    smear = open_smear(api.folder / "smear", tags={"batch": "7"})
    done = api.call("run", smear)
    (study,) = api.service.studies.values()
    assert (study.study_id, study.tags, study.tasks) == (done.pbs_study_id, {"batch": "7"}, ["pbs_v1"])
    assert [(one.name, one.file_id, one.remote_ids) for one in done.files] == [
        (field.name, field.file_id, (field.file_id,)) for field in smear.fields
    ]
    assert set(done.report.file_ids) == set(study.files) == {field.file_id for field in smear.fields}
    assert (done.report.pbs_study_id, done.tasks, done.resumed) == (done.pbs_study_id, ("pbs_v1",), False)
    assert done.service == api.client._endpoint.base_url
    assert api.call("possible_orphans") == []


def test_run_again_fetches_the_report_again(api: Api) -> None:
    first = api.call("run", FILES, tags={"batch": "7"})
    before = len(api.asked())
    with api.another() as later:
        second = later.call("run", FILES, tags={"batch": "7"})
    assert (second.pbs_study_id, second.resumed) == (first.pbs_study_id, True)
    assert second.report == first.report
    assert [one.path.rpartition("/")[2] for one in api.asked()[before:]] == ["report"]
    others = [api.call("run", FILES, tags={"batch": "8"}), api.call("run", FILES[:2], tags={"batch": "7"})]
    assert len({first.pbs_study_id, *(one.pbs_study_id for one in others)}) == 3


def test_start_now_and_fetch_later(api: Api) -> None:
    started = api.call("start", FILES)
    assert [one.path.rpartition("/")[2] for one in api.asked()] == ["pbs", "files", "files", "files", "tasks"]
    assert api.call("start", FILES) == started
    assert len(api.asked()) == 5, "what was started is not started again"
    assert api.call("wait", started).is_ready
    assert api.call("status", started).is_ready
    assert api.call("report", started).pbs_study_id == started.pbs_study_id
    done = api.call("run", FILES)
    assert (done.pbs_study_id, done.resumed) == (started.pbs_study_id, True)


@pytest.mark.parametrize("steps", [1, 3, 4, 5])
def test_run_goes_on_where_it_stopped(api: Api, steps: int) -> None:
    api.answer(*[api.service.process] * steps, api.service.error(403, "forbidden"))
    with pytest.raises(ForbiddenError):
        api.call("run", FILES, parallel=1)
    assert len(api.asked()) == steps + 1
    done = api.call("run", FILES)
    assert done.resumed
    (study,) = api.service.studies.values()
    assert {stored.received for stored in study.files.values()} == {1}
    assert study.tasks_requested == 1


def test_run_afresh(api: Api) -> None:
    first = api.call("run", FILES)
    second = api.call("run", FILES, fresh=True)
    assert (second.pbs_study_id != first.pbs_study_id, second.resumed) == (True, False)
    assert api.call("run", FILES).pbs_study_id == second.pbs_study_id, "the latest counts"


def test_run_of_a_study_that_failed_begins_anew(api: Api) -> None:
    api.service.fail_studies = True
    with pytest.raises(StudyFailedError):
        api.call("run", FILES)
    api.service.fail_studies = False
    done = api.call("run", FILES)
    assert not done.resumed
    assert list(api.service.studies)[1:] == [done.pbs_study_id]


def test_run_of_a_study_that_the_service_forgot_says_so(api: Api) -> None:
    api.call("start", FILES)
    api.service.studies.clear()
    with pytest.raises(StudyError, match="no longer knows this study") as caught:
        api.call("run", FILES)
    assert "fresh" in caught.value.hint
    assert api.service.studies == {}


def test_the_same_run_twice_at_a_time_is_refused(api: Api) -> None:
    outcomes = []

    def meanwhile(received: Received) -> Answer:
        outcomes.append(api.elsewhere("run", FILES))
        return api.service.process(received)

    api.answer(meanwhile)
    done = api.call("run", FILES)
    assert [type(one) for one in outcomes] == [LockedError]
    assert list(api.service.studies) == [done.pbs_study_id]
    assert api.call("run", FILES).pbs_study_id == done.pbs_study_id, "the lock was given back"


def test_run_tells_of_progress_and_packs(api: Api) -> None:
    told: list[tuple[int, int]] = []
    done = api.call("run", FILES, zip_above=1, progress=lambda *bytes_: told.append(bytes_))
    (asked,) = api.asked("/files")
    assert asked.headers["content-type"] == "application/zip"
    total = sum(map(len, FILES))
    assert told == [(0, total), (total, total)]
    assert sorted(done.report.file_ids) == sorted(IDS)
    assert tuple(one.file_id for one in done.files) == IDS


def test_run_is_patient_until_its_deadline(open_api: Callable[..., Api]) -> None:
    api = open_api(policy=replace(POLICY, attempts=1))
    api.answer(*[api.service.error(503, "unavailable")] * 4)
    assert not api.call("run", FILES).resumed
    api.answer(*[api.service.error(503, "unavailable")] * 400)
    # Where time passes, it may be over in the middle of a try, which then is one of unknown outcome.
    with pytest.raises(UnavailableError if api.moved else (UnavailableError, TransportError)):
        api.call("run", FILES[:1], deadline_s=0.1)
