"""Callbacks: due once, tried again, given up visibly, and as bare as asked for (api/DECISIONS.md rows 22 to 24)."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from hemato_lab.errors import TimedOutError
from hemato_lab.twin import callbacks, studies
from hemato_lab.twin.callbacks import Courier
from hemato_lab.twin.database import transaction
from tests.twin.conftest import NOW

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    Make = Callable[..., studies.Study]

URL = "https://example.org/done/canary-signature?X-Amz-Signature=canary-query"


class Receiver:
    """Stands for the fetcher: answers as told and keeps what it was sent."""

    def __init__(self, *outcomes: int | Exception) -> None:
        self.outcomes = list(outcomes)
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def post(self, url: str, body: bytes) -> int:
        self.sent.append((url, json.loads(body)))
        outcome = self.outcomes.pop(0) if self.outcomes else 200
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def due_study(connection: sqlite3.Connection, make_study: Make) -> studies.Study:
    study = make_study(1, callback_url=URL)
    with transaction(connection):
        callbacks.schedule_end(connection, study.study_id, "ready", NOW, job_id=1, version=1)
    return study


def courier(receiver: Receiver, **options: bool) -> Courier:
    return Courier(receiver, lambda: "http://127.0.0.1:8765", **options)  # type: ignore[arg-type]


def test_the_body_names_the_study_in_both_spellings(connection: sqlite3.Connection, due_study: studies.Study) -> None:
    receiver = Receiver()
    assert courier(receiver).step(connection, NOW)
    url, body = receiver.sent[0]
    assert url == URL
    assert body == {
        "pbs_stody_id": due_study.study_id,
        "pbs_study_id": due_study.study_id,
        "report_status": "ready",
        "progress": 1.0,
        "version": 1,
        "report_link": f"http://127.0.0.1:8765/pbs/{due_study.study_id}/report",
    }


def test_a_documented_body_has_the_documents_keys(connection: sqlite3.Connection, due_study: studies.Study) -> None:
    receiver = Receiver()
    courier(receiver, documented=True).step(connection, NOW)
    assert set(receiver.sent[0][1]) == {"pbs_stody_id", "pbs_study_id", "report_status", "progress"}


def test_a_documented_body_of_downloads_is_empty(connection: sqlite3.Connection, make_study: Make) -> None:
    study = make_study(callback_url=URL)
    connection.execute(
        "UPDATE studies SET source = ? WHERE study_id = ?", ('{"list_url": "https://x.org"}', study.study_id)
    )
    with transaction(connection):
        callbacks.schedule(connection, study.study_id, "downloaded", {"files": []}, NOW)
    receiver = Receiver()
    courier(receiver, documented=True).step(connection, NOW)
    assert receiver.sent == [(URL, {})]


def test_an_event_is_told_once(connection: sqlite3.Connection, due_study: studies.Study) -> None:
    with transaction(connection):
        callbacks.schedule_end(connection, due_study.study_id, "ready", NOW, job_id=1, version=1)
    receiver = Receiver()
    deliver = courier(receiver)
    assert [deliver.step(connection, NOW + second) for second in range(3)] == [True, False, False]
    assert len(receiver.sent) == 1


def test_no_address_no_call(connection: sqlite3.Connection, make_study: Make) -> None:
    study = make_study(1)
    with transaction(connection):
        callbacks.schedule_end(connection, study.study_id, "ready", NOW, job_id=1, version=1)
    assert not courier(Receiver()).step(connection, NOW)


def test_a_receiver_that_fails_is_called_again_later(connection: sqlite3.Connection, due_study: studies.Study) -> None:
    receiver = Receiver(500, TimedOutError("too slow", subject="https://example.org"), 204)
    deliver = courier(receiver)
    called_at = [half / 2 for half in range(20) if deliver.step(connection, NOW + half / 2)]
    assert called_at == [0, 1.5, 4.0]  # a second after the call, then two, by looks every half
    state = callbacks.states(connection, due_study.study_id)
    assert state == [{"event": "ready 1", "state": "delivered", "attempts": 3, "problem": ""}]


def test_a_call_that_never_arrives_is_given_up_and_shown(
    connection: sqlite3.Connection, due_study: studies.Study
) -> None:
    receiver = Receiver(*[503] * 100)
    deliver = courier(receiver)
    now = NOW
    while deliver.step(connection, now) or now < NOW + 10_000:
        now += 1
    state = callbacks.states(connection, due_study.study_id)
    assert state == [
        {"event": "ready 1", "state": "failed", "attempts": callbacks.MOST_ATTEMPTS, "problem": "answered 503"}
    ]
    assert len(receiver.sent) == callbacks.MOST_ATTEMPTS


def test_half_of_a_thousand_calls_failing_all_arrive(connection: sqlite3.Connection, make_study: Make) -> None:
    import random

    chance = random.Random(7)  # noqa: S311
    ids = [make_study(callback_url=f"https://example.org/{n}").study_id for n in range(100)]
    with transaction(connection):
        for study_id in ids:
            callbacks.schedule_end(connection, study_id, "ready", NOW, job_id=1, version=1)
    receiver = Receiver(*[200 if chance.random() < 0.5 else 500 for _ in range(2000)])
    deliver = courier(receiver)
    now = NOW
    while connection.execute("SELECT 1 FROM callbacks WHERE state = 'pending'").fetchone():
        while deliver.step(connection, now):
            pass
        now += 10
    states = [callbacks.states(connection, study_id)[0]["state"] for study_id in ids]
    assert set(states) <= {"delivered", "failed"}
    assert states.count("delivered") >= 99


def test_addresses_stay_out_of_logs_and_states(
    connection: sqlite3.Connection, due_study: studies.Study, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    courier(Receiver(500)).step(connection, NOW)
    assert "callback of study" in caplog.text
    shown = caplog.text + json.dumps(callbacks.states(connection, due_study.study_id))
    due = callbacks.due(connection, NOW + 100)
    assert "canary" not in shown + repr(due)


def test_a_failure_has_no_report_to_lead_to(connection: sqlite3.Connection, make_study: Make) -> None:
    study = make_study(1, callback_url=URL)
    with transaction(connection):
        callbacks.schedule_end(connection, study.study_id, "failed", NOW, job_id=17)
    receiver = Receiver()
    courier(receiver).step(connection, NOW)
    assert receiver.sent[0][1] == callbacks.documented_body(study.study_id, "failed", 1.0)


def test_a_call_that_is_under_way_is_nobody_elses(connection: sqlite3.Connection, due_study: studies.Study) -> None:
    with transaction(connection):
        assert callbacks.claim(connection, NOW) is not None
        assert callbacks.claim(connection, NOW + 1) is None
        assert callbacks.claim(connection, NOW + callbacks.CLAIM_S) is not None, "whoever had it is gone"


def test_an_unexpected_failure_counts_as_an_attempt(connection: sqlite3.Connection, due_study: studies.Study) -> None:
    courier(Receiver(RuntimeError("canary"))).step(connection, NOW)
    (state,) = callbacks.states(connection, due_study.study_id)
    assert (state["attempts"], state["problem"]) == (1, "failed by RuntimeError")
