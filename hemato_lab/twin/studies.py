"""Studies: what was asked for, which files they have, and who may see them.

Every function takes the connection it works with. Those that change something are run by the server's one writer, in a
transaction. A study of another organisation is absent in every respect (RELIABILITY.md).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.formats.listing import natural_order
from hemato_lab.twin.refusals import Refusal

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

    from hemato_lab.twin.tokens import Bearer

MOST_FILES: Final = 20_000
"""Files of one study."""
TASKS: Final = ("pbs_v1", "MALARIA_ANY_ANY")
"""Tasks that the twin knows: the document's, and that of the later dialect."""
OPEN: Final = "open"
"""State of a study that takes files; the API has no word for it and shows ``queued`` without progress."""
_MESSAGES: Final = {
    OPEN: "Waiting for files and tasks",
    "queued": "Waiting for its turn",
    "processing": "The images are being read",
    "ready": "Reports are ready",
    "failed": "The study failed",
}


@dataclass(frozen=True, slots=True)
class Study:
    """One study as it is now.

    Attributes
    ----------
    state : str
        ``open``, ``queued``, ``processing``, ``ready`` or ``failed``.
    progress : float
        0 to 1: share of the work that is done.
    rbc_diameter : float or None
        Pixels across a normal red cell, where the user stated it.
    source : mapping
        For workflow 2, what is downloaded; empty for workflow 1.
    """

    study_id: str
    organisation_id: str
    created: float
    tags: Mapping[str, str] = field(repr=False)
    rbc_diameter: float | None
    state: str
    progress: float
    message: str
    tasks: tuple[str, ...]
    callback_url: str = field(repr=False)
    source: Mapping[str, Any] = field(repr=False)

    @property
    def report_status(self) -> str:
        """The state in the API's words."""
        return "queued" if self.state == OPEN else self.state

    @property
    def progress_message(self) -> str:
        """How far it is, in words for people."""
        return self.message or _MESSAGES[self.state]


@dataclass(frozen=True, slots=True)
class StudyFile:
    """One file of a study; its bytes are in the store under its id."""

    file_id: str
    name: str = field(repr=False)
    kind: str
    size: int
    archive_id: str | None = None


def create(
    connection: sqlite3.Connection,
    bearer: Bearer,
    study_id: str,
    *,
    now: float,
    tags: Mapping[str, str],
    tasks: Sequence[str] = (),
    callback_url: str = "",
    source: Mapping[str, Any] | None = None,
    idempotency_key: str = "",
    request_sha256: str = "",
) -> str:
    """Make a study, or return the one that the same request with the same key made, and return its id.

    Parameters
    ----------
    source : mapping or None
        What workflow 2 downloads; it has its tasks from the beginning and takes no uploads.

    Raises
    ------
    Refusal
        ``idempotency_key_reused`` if the key came with another request.
    """
    earlier = _made_with(connection, bearer.organisation_id, idempotency_key, request_sha256)
    if earlier:
        return earlier
    connection.execute(
        "INSERT INTO studies (study_id, organisation_id, created_by, created, tags, state, tasks, callback_url, source)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            study_id,
            bearer.organisation_id,
            bearer.user_id,
            now,
            json.dumps(dict(tags)),
            OPEN if source is None else "queued",
            json.dumps(list(tasks)),
            callback_url,
            "" if source is None else json.dumps(dict(source)),
        ),
    )
    _index_tags(connection, study_id, tags)
    if idempotency_key:
        values = (bearer.organisation_id, idempotency_key, request_sha256, study_id)
        connection.execute("INSERT INTO idempotency VALUES (?, ?, ?, ?)", values)
    if source is not None:
        _add_job(connection, study_id, "download", now)
    return study_id


def add_tags(connection: sqlite3.Connection, study_id: str, tags: Mapping[str, str]) -> None:
    """Add what a list file says of its sample; a tag that the study has already stays as it is."""
    row = connection.execute("SELECT tags FROM studies WHERE study_id = ?", (study_id,)).fetchone()
    joined = {**tags, **json.loads(row["tags"])}
    connection.execute("UPDATE studies SET tags = ? WHERE study_id = ?", (json.dumps(joined), study_id))
    _index_tags(connection, study_id, joined)


def _index_tags(connection: sqlite3.Connection, study_id: str, tags: Mapping[str, str]) -> None:
    rows = [(study_id, key, tags[key]) for key in tags]
    connection.executemany("INSERT INTO tags VALUES (?, ?, ?) ON CONFLICT DO NOTHING", rows)


def _made_with(connection: sqlite3.Connection, organisation_id: str, key: str, request_sha256: str) -> str:
    row = connection.execute(
        "SELECT study_id, request_sha256 FROM idempotency WHERE organisation_id = ? AND key = ?", (organisation_id, key)
    ).fetchone()
    if row is None or not key:
        return ""
    if row["request_sha256"] != request_sha256:
        raise Refusal("idempotency_key_reused")
    return str(row["study_id"])


def study_of(connection: sqlite3.Connection, organisation_id: str, study_id: str) -> Study:
    """Return a study of an organisation.

    Raises
    ------
    Refusal
        ``not_found`` if there is none, or it is another organisation's.
    """
    row = connection.execute(
        "SELECT * FROM studies WHERE study_id = ? AND organisation_id = ?", (study_id, organisation_id)
    ).fetchone()
    if row is None:
        raise Refusal("not_found")
    return _study(row)


def study_by_id(connection: sqlite3.Connection, study_id: str) -> Study | None:
    """Return a study whoever it belongs to; for the twin's own work, never for an answer."""
    row = connection.execute("SELECT * FROM studies WHERE study_id = ?", (study_id,)).fetchone()
    return None if row is None else _study(row)


def _study(row: sqlite3.Row) -> Study:
    return Study(
        row["study_id"],
        row["organisation_id"],
        row["created"],
        json.loads(row["tags"]),
        row["rbc_diameter"],
        row["state"],
        row["progress"],
        row["message"],
        tuple(json.loads(row["tasks"])),
        row["callback_url"],
        json.loads(row["source"] or "{}"),
    )


def add_files(
    connection: sqlite3.Connection, study: Study, files: Iterable[StudyFile], rbc_diameter: float | None = None
) -> None:
    """Note files that are in the store as a study's; one that it has already stays as it is.

    Raises
    ------
    Refusal
        ``study_closed`` if tasks were requested, ``too_many_files`` beyond the limit, ``bad_rbc_diameter`` if an
        earlier file came with another one: a study has one scale.
    """
    _refuse_closed(connection, study.study_id)
    before = connection.total_changes
    connection.executemany(
        "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(study.study_id, one.file_id, one.name, one.kind, one.size, one.archive_id) for one in files],
    )
    count = connection.execute("SELECT count(*) FROM files WHERE study_id = ?", (study.study_id,)).fetchone()[0]
    if count > MOST_FILES:
        raise Refusal("too_many_files", {"most": MOST_FILES})
    if rbc_diameter is not None and connection.total_changes > before:
        _state_diameter(connection, study.study_id, rbc_diameter)


def _state_diameter(connection: sqlite3.Connection, study_id: str, rbc_diameter: float) -> None:
    row = connection.execute("SELECT rbc_diameter FROM studies WHERE study_id = ?", (study_id,)).fetchone()
    if row["rbc_diameter"] not in {None, rbc_diameter}:
        raise Refusal("bad_rbc_diameter", {"reason": "another file of the study came with another one"})
    connection.execute("UPDATE studies SET rbc_diameter = ? WHERE study_id = ?", (rbc_diameter, study_id))


def request_tasks(
    connection: sqlite3.Connection, study: Study, tasks: Sequence[str], callback_url: str, now: float
) -> None:
    """Close a study for uploads and queue its analysis.

    Raises
    ------
    Refusal
        ``study_closed`` if tasks were requested before, ``no_files`` if there is nothing to look at.
    """
    _refuse_closed(connection, study.study_id)
    if not images_of(connection, study.study_id):
        raise Refusal("no_files")
    connection.execute(
        "UPDATE studies SET state = 'queued', tasks = ?, callback_url = ? WHERE study_id = ?",
        (json.dumps(list(tasks)), callback_url, study.study_id),
    )
    _add_job(connection, study.study_id, "analyse", now)


def _refuse_closed(connection: sqlite3.Connection, study_id: str) -> None:
    """Look again, inside the transaction: another request may have been faster."""
    row = connection.execute("SELECT state FROM studies WHERE study_id = ?", (study_id,)).fetchone()
    if row["state"] != OPEN:
        raise Refusal("study_closed")


def analyse_downloads(connection: sqlite3.Connection, study_id: str, files: Iterable[StudyFile], now: float) -> None:
    """Note what workflow 2 downloaded and queue the analysis."""
    connection.executemany(
        "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(study_id, one.file_id, one.name, one.kind, one.size, one.archive_id) for one in files],
    )
    _add_job(connection, study_id, "analyse", now)


def say(connection: sqlite3.Connection, study_id: str, message: str) -> None:
    """Note what is being done, in words for people."""
    connection.execute("UPDATE studies SET message = ? WHERE study_id = ?", (message, study_id))


def set_callback(connection: sqlite3.Connection, study_id: str, url: str) -> None:
    """Note which address to call."""
    connection.execute("UPDATE studies SET callback_url = ? WHERE study_id = ?", (url, study_id))


def analyse_again(connection: sqlite3.Connection, study_id: str, parameters: Mapping[str, Any], now: float) -> None:
    """Queue another analysis of a study, whose report becomes the next version.

    Raises
    ------
    Refusal
        ``not_found`` without such a study, ``report_not_ready`` before its first report or failure.
    """
    study = study_by_id(connection, study_id)
    if study is None:
        raise Refusal("not_found")
    if study.state not in {"ready", "failed"}:
        raise Refusal("report_not_ready")
    connection.execute(
        "UPDATE studies SET state = 'queued', progress = 0, message = '' WHERE study_id = ?", (study_id,)
    )
    _add_job(connection, study_id, "analyse", now, parameters)


def _add_job(
    connection: sqlite3.Connection, study_id: str, kind: str, now: float, parameters: Mapping[str, Any] | None = None
) -> None:
    connection.execute(
        "INSERT INTO jobs (study_id, kind, parameters, created) VALUES (?, ?, ?, ?)",
        (study_id, kind, json.dumps(dict(parameters or {})), now),
    )


def images_of(connection: sqlite3.Connection, study_id: str) -> list[StudyFile]:
    """Return the images of a study, archives replaced by what they hold, in the natural order of their names.

    Uploads come in any order, so that of the names is the one that a report can rest on.
    """
    rows = connection.execute("SELECT * FROM files WHERE study_id = ? AND kind != 'zip'", (study_id,)).fetchall()
    files = [StudyFile(row["file_id"], row["name"], row["kind"], row["size"], row["archive_id"]) for row in rows]
    return sorted(files, key=lambda one: (natural_order(one.name), one.file_id))


def search(
    connection: sqlite3.Connection, organisation_id: str, tags: Mapping[str, str], *, most: int = 200
) -> list[Study]:
    """Return the newest studies of an organisation that have all these tags."""
    conditions = "".join(" AND study_id IN (SELECT study_id FROM tags WHERE key = ? AND value = ?)" for _ in tags)
    values = [text for pair in tags.items() for text in pair]
    statement = (
        f"SELECT * FROM studies WHERE organisation_id = ?{conditions}"  # noqa: S608 (only question marks)
        " ORDER BY created DESC, study_id LIMIT ?"
    )
    return [_study(row) for row in connection.execute(statement, (organisation_id, *values, most))]


def newest_report(connection: sqlite3.Connection, study_id: str) -> int:
    """Return the latest version of a study's report, 0 for none."""
    row = connection.execute("SELECT max(version) FROM reports WHERE study_id = ?", (study_id,)).fetchone()
    return int(row[0] or 0)
