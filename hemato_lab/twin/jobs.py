"""Jobs: leased to one worker at a time, and finished once.

A worker that dies loses its lease; the next one starts anew. Only who holds the lease can finish a job, in the one
transaction that also writes its report, so that there is never a second report for the same job.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.twin.callbacks import schedule_end

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

LEASE_S: Final = 30.0
"""Without a sign of life for so long, a worker counts as gone."""
MOST_ATTEMPTS: Final = 3
"""A job whose worker died so often is not tried again: its images kill whoever reads them."""
DIED: Final = "The analysis stopped unexpectedly several times"


@dataclass(frozen=True, slots=True)
class Job:
    """A job that is leased.

    Attributes
    ----------
    lease : str
        Proof of holding it.
    attempts : int
        This one included.
    parameters : mapping
        What differs from the usual, as another model.
    """

    job_id: int
    study_id: str
    kind: str
    lease: str
    attempts: int
    parameters: Mapping[str, Any]


def lease(connection: sqlite3.Connection, kind: str, worker: str, now: float) -> Job | None:
    """Take the oldest job that waits, or whose worker is gone; None if there is none.

    Run it in a transaction.
    """
    row = connection.execute(
        "SELECT * FROM jobs WHERE kind = ? AND (state = 'queued' OR (state = 'leased' AND lease_until < ?))"
        " ORDER BY job_id LIMIT 1",
        (kind, now),
    ).fetchone()
    if row is None:
        return None
    job = Job(
        row["job_id"],
        row["study_id"],
        kind,
        secrets.token_hex(8),
        row["attempts"] + 1,
        json.loads(row["parameters"]),
    )
    if job.attempts > MOST_ATTEMPTS:
        _end(connection, job, "failed", now, message=DIED)
        return lease(connection, kind, worker, now)
    connection.execute(
        "UPDATE jobs SET state = 'leased', attempts = ?, worker = ?, lease = ?, lease_until = ? WHERE job_id = ?",
        (job.attempts, worker, job.lease, now + LEASE_S, job.job_id),
    )
    connection.execute("UPDATE studies SET state = 'processing', message = '' WHERE study_id = ?", (job.study_id,))
    return job


def renew(connection: sqlite3.Connection, job: Job, now: float, progress: float | None = None) -> bool:
    """Prolong a lease and note the progress; False if it was lost. Run it in a transaction."""
    held = connection.execute(
        "UPDATE jobs SET lease_until = ? WHERE job_id = ? AND lease = ? AND state = 'leased'",
        (now + LEASE_S, job.job_id, job.lease),
    ).rowcount
    if held and progress is not None:
        connection.execute("UPDATE studies SET progress = ? WHERE study_id = ?", (progress, job.study_id))
    return bool(held)


def holds(connection: sqlite3.Connection, job: Job) -> bool:
    """Tell whether a job is still leased to its holder."""
    return bool(
        connection.execute(
            "SELECT 1 FROM jobs WHERE job_id = ? AND lease = ? AND state = 'leased'", (job.job_id, job.lease)
        ).fetchone()
    )


def finish(connection: sqlite3.Connection, job: Job, results: str, task_results: Mapping[str, Any], now: float) -> int:
    """Write the report of a job as the next version and return it; 0 if the lease was lost. Run it in a transaction."""
    if not holds(connection, job):
        return 0
    row = connection.execute("SELECT max(version) FROM reports WHERE study_id = ?", (job.study_id,)).fetchone()
    version = int(row[0] or 0) + 1
    connection.execute(
        "INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?)",
        (job.study_id, version, job.job_id, results, json.dumps(dict(task_results)), now),
    )
    _end(connection, job, "ready", now, version=version)
    return version


def close(connection: sqlite3.Connection, job: Job) -> bool:
    """End a job that has no report of its own; False if the lease was lost. Run it in a transaction."""
    if not holds(connection, job):
        return False
    connection.execute("UPDATE jobs SET state = 'done', lease = '' WHERE job_id = ?", (job.job_id,))
    return True


def fail(connection: sqlite3.Connection, job: Job, message: str, now: float) -> bool:
    """End a job without a result, saying why in words for people; False if the lease was lost.

    Run it in a transaction.
    """
    if not holds(connection, job):
        return False
    _end(connection, job, "failed", now, message=message)
    return True


def _end(
    connection: sqlite3.Connection, job: Job, state: str, now: float, *, message: str = "", version: int = 0
) -> None:
    job_state = "done" if state == "ready" else "failed"
    connection.execute("UPDATE jobs SET state = ?, lease = '' WHERE job_id = ?", (job_state, job.job_id))
    connection.execute(
        "UPDATE studies SET state = ?, progress = 1, message = ? WHERE study_id = ?", (state, message, job.study_id)
    )
    schedule_end(connection, job.study_id, state, now, job_id=job.job_id, version=version)


def give_back(connection: sqlite3.Connection, job: Job) -> None:
    """Have a job wait once more, as if it had not been tried. Run it in a transaction."""
    connection.execute(
        "UPDATE jobs SET state = 'queued', lease = '', attempts = attempts - 1 WHERE job_id = ? AND lease = ?",
        (job.job_id, job.lease),
    )
    studies_wait = "UPDATE studies SET state = 'queued', message = '' WHERE study_id = ?"
    connection.execute(studies_wait, (job.study_id,))


def release(connection: sqlite3.Connection, worker: str) -> int:
    """Give back what a worker that ended had leased, and return how many jobs. Run it in a transaction."""
    return connection.execute(
        "UPDATE jobs SET state = 'queued', lease = '' WHERE state = 'leased' AND worker = ?", (worker,)
    ).rowcount


def release_all(connection: sqlite3.Connection) -> int:
    """Give back all leases; for the start of a server, when no worker of an earlier one can be alive.

    Such an end is the server's, so it does not count as an attempt of the job.
    """
    return connection.execute(
        "UPDATE jobs SET state = 'queued', lease = '', attempts = attempts - 1 WHERE state = 'leased'"
    ).rowcount


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the number of jobs by state."""
    rows = connection.execute("SELECT state, count(*) FROM jobs GROUP BY state")
    return dict.fromkeys(("queued", "leased", "done", "failed"), 0) | {row[0]: row[1] for row in rows}
