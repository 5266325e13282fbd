"""Callbacks: scheduled in the transaction that makes them due, kept until they are delivered or given up.

Vendor's document, "Request a Diagnostic Study" and "Workflow 2"; api/DECISIONS.md rows 22 to 24.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.errors import HematoError
from hemato_lab.twin.database import transaction
from hemato_lab.twin.fetching import shown

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping

    from hemato_lab.twin.fetching import Fetcher

FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 300.0
CLAIM_S: Final = 60.0
"""After so long a call whose outcome nobody noted is made once more."""
MOST_ATTEMPTS: Final = 10
"""A receiver that is away for eight minutes still gets its call; after that it counts as failed, and is shown so."""
_LOGGER: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Callback:
    """A call that is due.

    Attributes
    ----------
    body : mapping
        What to send, in full.
    of_downloads : bool
        Whether its study is one of workflow 2, whose documented calls are empty.
    """

    callback_id: int
    study_id: str
    event: str
    url: str = field(repr=False)
    body: Mapping[str, Any]
    attempts: int
    of_downloads: bool


def schedule(connection: sqlite3.Connection, study_id: str, event: str, body: Mapping[str, Any], now: float) -> None:
    """Have the callback address of a study called, if it has one; each event once. Run it in a transaction."""
    row = connection.execute("SELECT callback_url FROM studies WHERE study_id = ?", (study_id,)).fetchone()
    if row["callback_url"]:
        connection.execute(
            "INSERT INTO callbacks (study_id, event, url, body, next_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (study_id, event, row["callback_url"], json.dumps(dict(body)), now),
        )


def schedule_end(
    connection: sqlite3.Connection, study_id: str, state: str, now: float, *, job_id: int, version: int = 0
) -> None:
    """Have it told that a study ended, and where its report is if it has one."""
    body = documented_body(study_id, state, 1.0)
    if version:
        body |= {"version": version, "report_link": f"/pbs/{study_id}/report"}
    schedule(connection, study_id, f"{state} {job_id}", body, now)


def documented_body(study_id: str, report_status: str, progress: float) -> dict[str, Any]:
    """Return the body of the vendor's document; its misspelled key and the right one both name the study (row 22)."""
    return {
        "pbs_stody_id": study_id,
        "pbs_study_id": study_id,
        "report_status": report_status,
        "progress": progress,
    }


def claim(connection: sqlite3.Connection, now: float) -> Callback | None:
    """Take the call that has been due longest, None if there is none; others do not see it for a while.

    Run it in a transaction.
    """
    callback = due(connection, now)
    if callback is not None:
        statement = "UPDATE callbacks SET next_at = ? WHERE callback_id = ?"
        connection.execute(statement, (now + CLAIM_S, callback.callback_id))
    return callback


def due(connection: sqlite3.Connection, now: float) -> Callback | None:
    """Return the call that has been due longest, None if there is none."""
    row = connection.execute(
        "SELECT callbacks.*, source FROM callbacks JOIN studies USING (study_id)"
        " WHERE callbacks.state = 'pending' AND next_at <= ? ORDER BY next_at, callback_id LIMIT 1",
        (now,),
    ).fetchone()
    if row is None:
        return None
    return Callback(
        row["callback_id"],
        row["study_id"],
        row["event"],
        row["url"],
        json.loads(row["body"]),
        row["attempts"],
        bool(row["source"]),
    )


def note(connection: sqlite3.Connection, callback: Callback, problem: str, now: float) -> None:
    """Note how a call went: no problem means that it was delivered. Run it in a transaction."""
    attempts = callback.attempts + 1
    state = "pending" if problem and attempts < MOST_ATTEMPTS else "failed" if problem else "delivered"
    wait = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**callback.attempts)
    connection.execute(
        "UPDATE callbacks SET state = ?, attempts = ?, next_at = ?, problem = ? WHERE callback_id = ?",
        (state, attempts, now + wait, problem, callback.callback_id),
    )


def states(connection: sqlite3.Connection, study_id: str) -> list[dict[str, Any]]:
    """Return how each call of a study went, for its owner to see; without the address."""
    rows = connection.execute(
        "SELECT event, state, attempts, problem FROM callbacks WHERE study_id = ? ORDER BY callback_id", (study_id,)
    )
    return [dict(row) for row in rows]


class Courier:
    """Makes the calls that are due, one at a time.

    Parameters
    ----------
    fetcher : Fetcher
        Refuses addresses that must not be called.
    base_url : callable
        Returns the twin's own address, for the link to the report.
    documented : bool
        Whether calls of workflow 2 are empty objects, as in the vendor's document, instead of what its text promises.
    """

    def __init__(self, fetcher: Fetcher, base_url: Callable[[], str], *, documented: bool = False) -> None:
        self._fetcher = fetcher
        self._base_url = base_url
        self._documented = documented

    def step(self, connection: sqlite3.Connection, now: float) -> bool:
        """Make one call if one is due, and tell whether there was one."""
        if due(connection, now) is None:
            return False
        with transaction(connection):
            callback = claim(connection, now)
        if callback is None:
            return False
        begun = time.monotonic()
        problem = self._call(callback)
        if problem:
            _LOGGER.warning("callback of study %s to %s: %s", callback.study_id, shown(callback.url), problem)
        with transaction(connection):
            note(connection, callback, problem, now + time.monotonic() - begun)
        return True

    def _call(self, callback: Callback) -> str:
        """Make one call and return what went wrong, in words without the address."""
        try:
            status = self._fetcher.post(callback.url, json.dumps(self._body(callback)).encode())
        except HematoError as error:
            return f"{error.code}: {error.problem}"[:300]
        except Exception as error:  # noqa: BLE001 (one address must not stop the calls to the others)
            return f"failed by {type(error).__name__}"
        return "" if 200 <= status < 300 else f"answered {status}"

    def _body(self, callback: Callback) -> dict[str, Any]:
        if self._documented:
            kept = ("pbs_stody_id", "pbs_study_id", "report_status", "progress")
            return {} if callback.of_downloads else {key: callback.body[key] for key in kept if key in callback.body}
        body = dict(callback.body)
        if "report_link" in body:
            body["report_link"] = self._base_url() + body["report_link"]
        return body
