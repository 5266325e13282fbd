"""What bodies and queries ask for, in each of the spellings that the vendor's documents have."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from hemato_lab.api.regions import is_loopback
from hemato_lab.twin.refusals import Refusal
from hemato_lab.twin.studies import TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping

TASK_KEYS: Final = ("diagnostic_tasks", "tasks", "clinical_tasks_requested")
"""Names of the same thing (api/DECISIONS.md row 2)."""
MOST_TAGS: Final = 100
LONGEST_TAG: Final = 2000
"""Characters of a key or value."""
_LARGEST_DIAMETER_PX: Final = 10_000.0
_PRINTED: Final = re.compile("[!-~]{1,8000}")
_DECIMAL: Final = re.compile(r"[+]?[0-9]{0,12}(?:\.[0-9]{0,30})?(?:[eE][+-]?[0-9]{1,3})?")


def tags_of(body: Mapping[str, Any]) -> dict[str, str]:
    """Return tags, nested as documented, beside each other as in the later dialect, or both.

    Raises
    ------
    Refusal
        ``bad_tags`` if one is not text, or there are too many, or too long ones.
    """
    nested = body.get("tags") or {}
    if not isinstance(nested, dict):
        raise Refusal("bad_tags")
    tags = {key: value for key, value in body.items() if key != "tags"} | nested
    if not all(isinstance(value, str) for value in tags.values()):
        raise Refusal("bad_tags")
    if len(tags) > MOST_TAGS or any(len(text) > LONGEST_TAG for pair in tags.items() for text in pair):
        raise Refusal("bad_tags", {"most": MOST_TAGS, "longest": LONGEST_TAG})
    return tags


def tasks_of(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the tasks under any of their three names.

    Raises
    ------
    Refusal
        ``bad_tasks`` for none, ``conflicting_tasks`` where names contradict each other, ``unknown_task``.
    """
    stated = [body[key] for key in TASK_KEYS if key in body]
    if not stated or any(not isinstance(tasks, list) or not tasks for tasks in stated):
        raise Refusal("bad_tasks")
    if any(tasks != stated[0] for tasks in stated):
        raise Refusal("conflicting_tasks")
    if any(not isinstance(task, str) for task in stated[0]):
        raise Refusal("bad_tasks")
    if not set(stated[0]) <= set(TASKS):
        raise Refusal("unknown_task", {"known": list(TASKS)})
    return tuple(dict.fromkeys(stated[0]))


def callback_url_of(body: Mapping[str, Any], *, http_permitted: bool) -> str:
    """Return the address to call, empty for none.

    Raises
    ------
    Refusal
        ``bad_callback_url`` unless it is https; http to this machine is left to the guard of the call.
    """
    url = body.get("callback_url")
    if url is None or url == "":
        return ""
    return checked_address(url, "bad_callback_url", http_permitted=http_permitted)


def checked_address(url: object, code: str, *, http_permitted: bool) -> str:
    """Return an address that may be tried; where it leads is judged when it is called.

    Raises
    ------
    Refusal
        With `code`.
    """
    if not isinstance(url, str) or not _PRINTED.fullmatch(url):
        raise Refusal(code)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Refusal(code) from None
    if not host or parts.username is not None or parts.password is not None:
        raise Refusal(code)
    if parts.scheme != "https" and not (parts.scheme == "http" and (http_permitted or is_loopback(host))):
        raise Refusal(code, {"reason": "https is needed"})
    return url


def diameter_of(text: str | None) -> float | None:
    """Return ``rbc_diameter`` in pixels, None if it is not stated (api/DECISIONS.md row 32).

    Raises
    ------
    Refusal
        ``bad_rbc_diameter``.
    """
    if text is None:
        return None
    value = float(text) if _DECIMAL.fullmatch(text) and any(sign.isdigit() for sign in text) else math.nan
    if not 0 < value <= _LARGEST_DIAMETER_PX:
        raise Refusal("bad_rbc_diameter")
    return value


def version_of(text: str | None) -> int | None:
    """Return the version of a report that is asked for, None for the latest.

    Raises
    ------
    Refusal
        ``bad_version``.
    """
    if text is None:
        return None
    if not re.fullmatch("[1-9][0-9]{0,8}", text):
        raise Refusal("bad_version")
    return int(text)


def idempotency_key_of(headers: Mapping[str, str]) -> str:
    """Return the key that makes a repeated request the same one, empty for none (api/DECISIONS.md row 30).

    Raises
    ------
    Refusal
        ``bad_idempotency_key``.
    """
    key = headers.get("idempotency-key", "")
    if key and not re.fullmatch("[!-~]{1,255}", key):
        raise Refusal("bad_idempotency_key")
    return key
