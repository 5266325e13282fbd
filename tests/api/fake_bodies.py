"""What the fake service makes of bodies, queries and headers, and the refusals of those it cannot use."""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from hemato_lab.formats.stored import file_id_of

if TYPE_CHECKING:
    from collections.abc import Mapping

MAGIC = {"jpeg": b"\xff\xd8\xff", "png": b"\x89PNG\r\n\x1a\n", "zip": b"PK"}
TYPES = {"image/jpeg": "jpeg", "image/jpg": "jpeg", "image/png": "png", "application/zip": "zip"}
ENDINGS = {"jpg": "jpeg", "jpeg": "jpeg", "png": "png", "zip": "zip"}
GENERIC = {"", "application/octet-stream", "application/x-www-form-urlencoded"}
TASKS = {"pbs_v1", "MALARIA_ANY_ANY"}
TASK_KEYS = ("diagnostic_tasks", "tasks", "clinical_tasks_requested")


class Refusal(Exception):  # noqa: N818 (it is an answer)
    """An error answer: its code, status, and what goes along."""

    def __init__(
        self,
        code: str,
        status: int = 400,
        debug_info: dict[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.debug_info = debug_info
        self.headers = headers


def parsed(body: bytes) -> dict[str, Any]:
    """Return a JSON object, whatever the Content-Type says; an empty body is an empty object."""
    if not body.strip():
        return {}
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise Refusal("bad_json") from None
    if not isinstance(document, dict):
        raise Refusal("bad_json")
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def tags_of(body: dict[str, Any]) -> dict[str, str]:
    """Return tags, nested as documented or not as in the dialect of 2024, or both."""
    nested = body.get("tags") or {}
    if not isinstance(nested, dict):
        raise Refusal("bad_tags")
    tags = {key: value for key, value in body.items() if key != "tags"} | nested
    if not all(isinstance(value, str) for value in tags.values()):
        raise Refusal("bad_tags")
    return tags


def tasks_of(body: dict[str, Any]) -> list[str]:
    """Return the tasks under any of their three names, which must not contradict each other."""
    stated = [body[key] for key in TASK_KEYS if key in body]
    if not stated or any(not isinstance(tasks, list) or not tasks for tasks in stated):
        raise Refusal("bad_tasks")
    if any(tasks != stated[0] for tasks in stated):
        raise Refusal("conflicting_tasks")
    if any(not isinstance(task, str) or task not in TASKS for task in stated[0]):
        raise Refusal("unknown_task")
    return list(dict.fromkeys(stated[0]))


def list_file_urls(body: dict[str, Any]) -> list[str]:
    """Return the addresses of workflow 2: those in a list file's body, or that of the list; none in workflow 1."""
    urls: Any
    if "list_url" in body:
        urls = [body["list_url"]]
    elif "files" in body:
        urls = body["files"]
        _check_timestamp(body.get("sample_collection_timestamp"))
    else:
        return []
    if not isinstance(urls, list) or not urls or not all(isinstance(url, str) and url for url in urls):
        raise Refusal("bad_list")
    return urls


def _check_timestamp(text: object) -> None:
    if text is None:
        return
    try:
        stamp = datetime.fromisoformat(str(text))
    except ValueError:
        raise Refusal("bad_timestamp") from None
    if stamp.tzinfo is None or "T" not in str(text).upper():
        raise Refusal("bad_timestamp")


def file_type_of(content_type: str, query: Mapping[str, str], body: bytes) -> str:
    """Return jpeg, png or zip: by header, then ``content_type``, then file name; the first bytes have to agree."""
    header = content_type.partition(";")[0].strip().lower()
    if header.startswith("multipart/"):
        raise Refusal("multipart_not_supported", debug_info={"hint": "send the raw bytes of one file as the body"})
    stated = query.get("content_type", "").lower() if header in GENERIC else header
    ending = query.get("file_name", "").lower().rpartition(".")[2]
    kind = TYPES.get(stated) if stated else ENDINGS.get(ending)
    if kind is None:
        raise Refusal("unsupported_file_type" if stated else "unknown_file_type")
    if not body.startswith(MAGIC[kind]):
        raise Refusal("file_type_mismatch")
    return kind


def members_of(body: bytes) -> list[str]:
    """Return the file ids of an archive's images."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            contents = [archive.read(one) for one in archive.infolist() if not one.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError):
        raise Refusal("bad_archive") from None
    if not contents or not all(content.startswith((MAGIC["jpeg"], MAGIC["png"])) for content in contents):
        raise Refusal("bad_archive")
    return [file_id_of(content) for content in contents]


def accepts_json(accept: str) -> bool:
    """Whether an Accept header lets JSON through."""
    for each in accept.lower().split(","):
        kind, *parameters = [part.strip() for part in each.split(";")]
        refused = any(re.fullmatch(r"q=0(\.0*)?", parameter.replace(" ", "")) for parameter in parameters)
        if kind in {"application/json", "application/*", "*/*", ""} and not refused:
            return True
    return False


def diameter_of(text: str | None) -> float | None:
    """Return ``rbc_diameter`` in pixels, which has to be a positive number."""
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise Refusal("bad_rbc_diameter")
    return value
