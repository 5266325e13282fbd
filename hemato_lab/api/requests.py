"""What to ask: pure functions from arguments to a `Request`, one a call of the documented surface.

Always POST with JSON, whatever the samples of the document say (api/DECISIONS.md row 3).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import quote

from hemato_lab.api.listing import checked_download_address
from hemato_lab.api.messages import Request
from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hemato_lab.api.models import StudyCreated
    from hemato_lab.api.running import RemoteStudy

_ID: Final = "give what create returned, or its pbs_study_id"
Study: TypeAlias = "str | StudyCreated | RemoteStudy"
"""A study, or its id."""
Dialect = Literal["documented", "2024"]
"""The vendor's document, or its later material (api/DECISIONS.md section 5)."""


def login(user: str, pass_hash: str) -> Request:
    """Ask for a session's token with the SHA-256 of the password in hex.

    Raises
    ------
    ConfigError
        If the user's name cannot be sent.
    """
    if not _is_text(user):
        raise ConfigError("the user's name cannot be written as UTF-8", subject="login")
    return _post("/auth/login", {"user": user, "pass_hash": pass_hash}, authenticated=False)


def hello() -> Request:
    """Ask whether our token is accepted."""
    return Request("POST", "/auth/hello", "/auth/hello")


def heartbeat() -> Request:
    """Ask whether the service is alive."""
    return Request("GET", "/heartbeat", "/heartbeat", authenticated=False)


def create_study(tags: Mapping[str, str] | None, dialect: Dialect = "documented") -> Request:
    """Ask for a new study.

    Raises
    ------
    ConfigError
        If the tags are not pairs of text.
    """
    pairs = checked_tags(tags)
    if dialect == "2024":
        return _post("/pbs", pairs)
    return _post("/pbs", {"tags": pairs} if pairs else {})


def submit_list(list_url: str, tasks: Sequence[str], callback_url: str | None = None) -> Request:
    """Ask for a study of files that the service downloads from the list at an address."""
    body = {"list_url": checked_download_address(list_url), "tasks": list(tasks)}
    return _post("/pbs", body | _callback(callback_url))


def submit_list_file(document: Mapping[str, Any], callback_url: str | None = None) -> Request:
    """Ask for a study of the files of a list that is sent along; a callback that the list names counts."""
    return _post("/pbs", _callback(callback_url) | dict(document))


def upload(
    study_id: str,
    content: bytes,
    content_type: str,
    *,
    file_name: str = "",
    rbc_diameter: float | None = None,
) -> Request:
    """Send one file; raw bytes, never multipart."""
    query = [("file_name", file_name)] if file_name else []
    if rbc_diameter is not None:
        query.append(("rbc_diameter", repr(float(rbc_diameter))))
    route, path = _study("/files", study_id)
    return Request("POST", route, path, tuple(query), content, content_type, study_id=study_id)


def request_tasks(study_id: str, tasks: Sequence[str], callback_url: str | None = None) -> Request:
    """Ask for the tasks of a study, which closes it for uploads."""
    return _post("/tasks", {"diagnostic_tasks": list(tasks)} | _callback(callback_url), study_id=study_id)


def status(study_id: str, task: str = "") -> Request:
    """Ask how far a study is; with a task in the later dialect's form."""
    return _get("/status", study_id, task)


def report(study_id: str, version: int | None = None) -> Request:
    """Ask for the latest report, or an earlier one.

    Raises
    ------
    ConfigError
        If the version is not a whole number from 1 on.
    """
    if version is not None and (isinstance(version, bool) or version < 1):
        raise ConfigError("versions are whole numbers from 1 on", subject="version")
    route, path = _study("/report", study_id)
    query = () if version is None else (("version", str(version)),)
    return Request("GET", route, path, query, study_id=study_id)


def task_report(study_id: str, task: str) -> Request:
    """Ask for the report of one task, in the later dialect."""
    return _get("/reports", study_id, task)


def id_of(study: Study) -> str:
    """Return the id of a study, which may be given itself.

    Raises
    ------
    ConfigError
        If it is neither.
    """
    study_id = getattr(study, "pbs_study_id", study)
    if not isinstance(study_id, str):
        raise ConfigError("is neither a study nor its id", subject=type(study).__name__, hint=_ID)
    if not study_id.isprintable() or study_id.split() != [study_id] or "/" in study_id or set(study_id) <= {"."}:
        raise ConfigError("is no id of a study", subject=repr(study_id)[:60], hint=_ID)
    return study_id


def checked_tags(tags: Mapping[str, str] | None) -> dict[str, str]:
    """Return tags as a dict of text to text.

    Raises
    ------
    ConfigError
        If one is not text; its value is not repeated.
    """
    pairs: dict[Any, Any] = dict(tags or {})
    if not all(_is_text(key) and _is_text(value) for key, value in pairs.items()):
        raise ConfigError("tags are pairs of text", subject="tags", hint='for example {"batch_id": "7"}')
    return pairs


def _is_text(value: Any) -> bool:
    """Tell whether a value is text that can be sent; the parts of a name that is no UTF-8 cannot."""
    return isinstance(value, str) and not any("\ud800" <= sign <= "\udfff" for sign in value)


def checked_tasks(tasks: Sequence[str]) -> tuple[str, ...]:
    """Return the names of tasks.

    Raises
    ------
    ConfigError
        If there is none, or one is no name.
    """
    names = (tasks,) if isinstance(tasks, str) else tuple(tasks)
    if not names or not all(name and name.split() == [name] for name in names):
        raise ConfigError("at least one task is needed, each a name", subject="tasks", hint='for example ("pbs_v1",)')
    return tuple(dict.fromkeys(names))


def _callback(url: str | None) -> dict[str, Any]:
    return {} if url is None else {"callback_url": checked_download_address(url)}


def _study(rest: str, study_id: str) -> tuple[str, str]:
    """Return the route and the path below a study; whatever the id holds stays one segment."""
    if not study_id or study_id in {".", ".."}:
        raise ConfigError(
            "is no id of a study", subject=repr(study_id), hint="give the pbs_study_id that create returns"
        )
    return f"/pbs/{{id}}{rest}", f"/pbs/{quote(study_id, safe='')}{rest}"


def _get(rest: str, study_id: str, task: str) -> Request:
    route, path = _study(rest, study_id)
    if not task:
        return Request("GET", route, path, study_id=study_id)
    return Request("GET", f"{route}/{{task}}", f"{path}/{quote(task, safe='')}", study_id=study_id)


def _post(rest: str, body: Mapping[str, Any], *, study_id: str = "", authenticated: bool = True) -> Request:
    route, path = _study(rest, study_id) if study_id else (rest, rest)
    text = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    return Request("POST", route, path, (), text, "application/json", authenticated=authenticated, study_id=study_id)
