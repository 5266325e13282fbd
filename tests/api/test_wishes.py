"""What a study costs when its answers are lost, and what is left when this machine fails instead of the service."""

from __future__ import annotations

import asyncio
import hashlib
import io
import signal
import threading
import time
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hemato_lab.api import AsyncClient, Client, Clock, Journal, PasswordAuth, Policy, TokenAuth
from hemato_lab.errors import ConfigError, JournalError, OutcomeUnknownError, RegionError, StudyClosedError
from hemato_lab.formats.stored import file_id_of
from tests.api.fake_service import FakeService
from tests.api.loopback import Behaviour, LoopbackServer
from tests.api.pictures import jpeg
from tests.api.recording import Recording
from tests.api.transports import mock_transport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.api.recording import Answer, Received

TOKEN = "token-of-the-wishful"  # noqa: S105 (made up)
JPEG = jpeg()


class Deaf(Recording):
    """Makes studies, and its answers to that never arrive whole; goes before a service."""

    deaf = True

    def respond(self, method: str, target: str, headers: Any, body: bytes) -> Answer:
        answer = super().respond(method, target, headers, body)
        if self.deaf and (method, target) == ("POST", "/pbs"):
            return replace(answer, body=answer.body[:7])
        return answer


@pytest.fixture
def service(make_service: Callable[..., Any]) -> Any:
    return make_service(Deaf, static_tokens={TOKEN})


def hurried() -> Clock:
    skipped = [0.0]

    def sleep(seconds: float) -> None:
        skipped[0] += seconds

    return Clock(monotonic=lambda: time.monotonic() + skipped[0], sleep=sleep)


def client(service: Any, path: Path, **options: Any) -> Client:
    settings = {"auth": TokenAuth(TOKEN), "transport": mock_transport(service), "journal": path, "clock": hurried()}
    return Client("eu", **{**settings, **options})


def test_a_run_whose_answers_are_lost_ends_after_few_studies(service: Any, tmp_path: Path) -> None:
    with client(service, tmp_path / "journal") as api:
        with pytest.raises(OutcomeUnknownError, match="possible_orphans"):
            api.run(JPEG)
        orphans = {one.request_id for one in api.possible_orphans()}
    assert len(service.studies) == 8
    assert {study.request_id for study in service.studies.values()} == orphans


def test_all_tries_of_a_run_carry_one_key_in_every_process(service: Any, tmp_path: Path) -> None:
    for _ in range(2):
        with client(service, tmp_path / "journal") as api, pytest.raises(OutcomeUnknownError):
            api.run(JPEG)
    assert len({study.idempotency_key for study in service.studies.values()}) == 1


def test_with_a_service_that_honours_the_key_nothing_is_lost(service: Any, tmp_path: Path) -> None:
    service.honour_idempotency_key = True
    with client(service, tmp_path / "journal") as api:
        with pytest.raises(OutcomeUnknownError):
            api.run(JPEG)
        service.deaf = False
        assert api.run(JPEG).pbs_study_id in service.studies
    assert len(service.studies) == 1


def test_a_key_that_made_a_study_makes_no_second_one(service: Any, tmp_path: Path) -> None:
    service.honour_idempotency_key = True
    with client(service, tmp_path / "journal") as api:
        with pytest.raises(OutcomeUnknownError):
            api.run(JPEG)
        service.deaf = False
        studies = {api.run(JPEG).pbs_study_id, api.run(JPEG, fresh=True).pbs_study_id}
    assert studies == set(service.studies)
    assert len(studies) == 2


def test_an_id_that_cannot_be_noted_is_told(
    make_service: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make_service(static_tokens={TOKEN})

    def full(*_: object) -> bool:
        raise JournalError("disk full", subject="journal")

    with client(service, tmp_path / "journal") as api:
        monkeypatch.setattr(Journal, "add_study", full)
        with pytest.raises(JournalError) as caught:
            api.create()
    (study_id,) = service.studies
    assert study_id in str(caught.value)
    assert caught.value.outcome == "done"


@pytest.mark.parametrize("member_ids", [True, False])
def test_an_archive_may_be_acknowledged_by_one_id_or_many(
    make_service: Callable[..., Any], tmp_path: Path, *, member_ids: bool
) -> None:
    service = make_service(static_tokens={TOKEN})
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in range(2):
            archive.writestr(f"{number}.jpg", jpeg(number))

    def by_one_id(received: Received) -> Answer:
        answer = service.process(received)
        study_id = received.path.split("/")[2]
        results = {"pbs_study_id": study_id, "file_id": file_id_of(stream.getvalue())}
        return answer if member_ids else service.success(201, results)

    with client(service, tmp_path / "journal") as api:
        study = api.create()
        service.next_answers.append(by_one_id)
        api.upload(study, stream.getvalue())
        api.request_tasks(study)
        api.wait(study)
        assert set(api.report(study).file_ids) == {file_id_of(jpeg(number)) for number in range(2)}


def test_start_goes_as_far_as_the_tasks_and_run_goes_on(make_service: Callable[..., Any], tmp_path: Path) -> None:
    service = make_service(static_tokens={TOKEN})
    with client(service, tmp_path / "journal") as api:
        begun = [api.start(JPEG).pbs_study_id for _ in range(2)]
        assert service.studies[begun[0]].tasks_requested == 1
        study = api.run(JPEG, zip_above=0)
    assert {*begun, study.pbs_study_id} == set(service.studies)
    assert study.resumed


def test_tasks_that_were_asked_for_are_not_taken_for_others(make_service: Callable[..., Any], tmp_path: Path) -> None:
    service = make_service(static_tokens={TOKEN})
    with client(service, tmp_path / "journal", policy=Policy(attempts=1)) as api:
        study = api.create()
        service.next_answers.append(service.error(500, "internal"))
        with pytest.raises(Exception, match="internal"):
            api.request_tasks(study)
        with pytest.raises(StudyClosedError, match="pbs_v1"):
            api.request_tasks(study, ["MALARIA_ANY_ANY"])


def test_what_is_refused_for_certain_leaves_the_study_open(make_service: Callable[..., Any], tmp_path: Path) -> None:
    service = make_service(static_tokens={TOKEN})
    with client(service, tmp_path / "journal") as api:
        study = api.create()
        with pytest.raises(Exception, match="task"):
            api.request_tasks(study, ["no_such_task"])
        assert api.upload(study, JPEG)


def test_ctrl_c_ends_uploads_that_hang(tmp_path: Path) -> None:
    service = FakeService(static_tokens={TOKEN})
    settings: dict[str, Any] = {"auth": TokenAuth(TOKEN), "journal": tmp_path / "journal"}
    with LoopbackServer(service) as server, Client(base_url=server.url, **settings) as api:
        study = api.create()
        server.behaviours.extend([Behaviour.SILENT] * 4)
        main = threading.main_thread().ident
        interrupt = threading.Timer(0.3, signal.pthread_kill, [main, signal.SIGINT])
        interrupt.start()
        with pytest.raises(KeyboardInterrupt):
            api.upload(study, [jpeg(number) for number in range(8)], parallel=4)
        interrupt.join()
        alive = [one for one in threading.enumerate() if one.name.startswith("ThreadPoolExecutor")]
    assert alive == []
    assert len([one for one in service.received if one.path.endswith("/files")]) == 4


def test_an_asynchronous_client_belongs_to_one_loop(make_service: Callable[..., Any], tmp_path: Path) -> None:
    service = make_service(static_tokens={TOKEN})
    transport = mock_transport(service)
    api = AsyncClient("eu", auth=TokenAuth(TOKEN), transport=transport, journal=tmp_path / "journal")
    asyncio.run(api.heartbeat())
    with pytest.raises(ConfigError, match="another event loop"):
        asyncio.run(api.heartbeat())
    api.journal.close()


def test_clients_that_share_a_password_log_in_once(make_service: Callable[..., Any], tmp_path: Path) -> None:
    service = make_service(users={"ali@example.com": hashlib.sha256(b"secret").hexdigest()})
    auth = PasswordAuth("ali@example.com", "secret")
    clients = [client(service, tmp_path / f"journal {number}", auth=auth) for number in range(5)]
    threads = [threading.Thread(target=one.hello) for one in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in clients:
        one.close()
    assert len([one for one in service.received if one.path == "/auth/login"]) == 1


@pytest.mark.parametrize("region", ["us", "dev"])
def test_a_region_and_another_regions_address_contradict_each_other(region: str, tmp_path: Path) -> None:
    with pytest.raises(RegionError, match=r"eu\.api\.hemato\.ai"):
        Client(region, base_url="https://eu.api.hemato.ai", journal=tmp_path / "journal")


def test_the_notice_follows_the_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Client(base_url="https://dev.api.hemato.ai", journal=tmp_path / "journal").close()
    assert "not HIPAA compliant" in capsys.readouterr().err


def test_a_closed_client_is_not_used_again(make_service: Callable[..., Any], tmp_path: Path) -> None:
    api = client(make_service(), tmp_path / "journal")
    api.close()
    with pytest.raises(ConfigError, match="was closed"):
        api.heartbeat()


def test_a_study_may_be_given_for_its_id_and_nothing_else(make_service: Callable[..., Any], tmp_path: Path) -> None:
    service = make_service(static_tokens={TOKEN})
    with client(service, tmp_path / "journal") as api:
        study = api.create()
        assert api.status(study).pbs_study_id == study.pbs_study_id
        for wrong in (7, None, "../../x", "", "two words"):
            with pytest.raises(ConfigError):
                api.status(wrong)  # type: ignore[arg-type]
