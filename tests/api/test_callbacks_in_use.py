"""A service that calls back, the receiver that is called, and the client that waits for it."""

from __future__ import annotations

import asyncio
import json
import threading
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from hemato_lab.api import AsyncClient, CallbackReceiver, Client, FileList, Policy, ServiceWarning, TokenAuth
from tests.api.pictures import jpeg
from tests.api.recording import Recording
from tests.api.transports import mock_transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TOKEN = "token-of-the-called"  # noqa: S105 (made up)
JPEG = jpeg()
PATIENT = Policy(poll_first_s=60.0, poll_longest_s=60.0)
"""Without a hint the second question for the status comes after a minute."""


@pytest.fixture
def receiver() -> Iterator[CallbackReceiver]:
    with CallbackReceiver() as started:
        yield started


class CallingService(Recording):
    """Calls back as soon as a status was asked for; goes before a service."""

    def respond(self, method: str, target: str, headers: Any, body: bytes) -> Any:
        answer = super().respond(method, target, headers, body)
        if target.endswith("/status"):
            url = self.studies[target.split("/")[2]].callback_url
            self.statuses = [*getattr(self, "statuses", []), threading.Timer(0.1, self.call, [url])]
            self.statuses[-1].start()
        return answer

    def call(self, url: str) -> None:
        parts = urlsplit(url)
        connection = HTTPConnection(parts.hostname or "", parts.port or 0, timeout=5)
        body = json.dumps({"pbs_stody_id": "a lie", "report_status": "failed", "progress": 1.0})
        connection.request("POST", parts.path, body)
        self.answers = [*getattr(self, "answers", []), connection.getresponse().status]
        connection.close()


@pytest.fixture
def service(receiver: CallbackReceiver, make_service: Callable[..., Any]) -> Iterator[Any]:
    """The service; its calls have ended before the receiver is closed."""
    calling = make_service(CallingService, static_tokens={TOKEN}, polls_until_ready=1)
    yield calling
    for timer in getattr(calling, "statuses", []):
        timer.join()


def test_a_call_cuts_the_wait_short_and_its_body_is_not_believed(service, receiver, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"auth": TokenAuth(TOKEN), "transport": mock_transport(service), "policy": PATIENT}
    with Client("eu", journal=tmp_path / "journal", callbacks=receiver, **settings) as api:
        study = api.run([JPEG])
    assert study.report.pbs_study_id in service.studies
    (made,) = service.studies.values()
    assert made.callback_url.startswith(receiver.base_url)
    assert len(service.statuses) == 2
    for timer in service.statuses:
        timer.join()
    assert service.answers[0] == 200
    service.call(made.callback_url)
    assert service.answers[-1] == 410, "the address is used up when the study has ended"


def test_the_same_when_awaited(service, receiver, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"auth": TokenAuth(TOKEN), "transport": mock_transport(service), "policy": PATIENT}

    async def run() -> str:
        async with AsyncClient("eu", journal=tmp_path / "journal", callbacks=receiver, **settings) as api:
            return (await api.run([JPEG])).pbs_study_id

    assert asyncio.run(run()) in service.studies


def test_in_workflow_2_the_address_is_signed_for_the_sample(service, receiver, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"auth": TokenAuth(TOKEN), "transport": mock_transport(service), "policy": PATIENT}
    files = FileList.of(["https://example.com/a.png"], peripheral_blood_sample_id="sample-1")
    with Client("eu", journal=tmp_path / "journal", callbacks=receiver, **settings) as api:
        study_id = api.submit(files=files).pbs_study_id
        url = service.studies[study_id].callback_url
        assert url.startswith(f"{receiver.base_url}/sample-1/")
        assert api.wait(study_id).is_ready
        by_address = api.submit("https://example.com/list.json").pbs_study_id
    body = json.loads(service.received[-1].body)
    assert body["callback_url"].startswith(receiver.base_url)
    assert by_address in service.studies


def test_a_count_that_is_not_that_of_its_places_is_warned_of(make_service: Callable[..., Any], tmp_path: Path) -> None:
    service = make_service(static_tokens={TOKEN})
    finding = {"ring trophozoite": {"count": "3", "heat_map": [{"center": [1, 2], "radius": 3}]}}
    results = {"pbs_study_id": "study-1", "file_ids": [], "morphological_findings": finding}
    service.next_answers.append(service.success(200, results))
    settings: dict[str, Any] = {"auth": TokenAuth(TOKEN), "transport": mock_transport(service)}
    words = "ring trophozoite has a count of 3 and 1 places"
    with Client("eu", journal=tmp_path / "journal", **settings) as api, pytest.warns(ServiceWarning, match=words):
        report = api.report("study-1")
    assert report.morphological_findings["ring trophozoite"].count == "3"
