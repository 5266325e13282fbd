"""The list file of workflow 2: what to download as one study, and what is known of the sample.

Vendor's document, "Workflow 2"; api/DECISIONS.md rows 2, 24 and 25. The same members may be the body of the request, or
what ``list_url`` leads to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.twin.bodies import TASK_KEYS, checked_address, tags_of, tasks_of
from hemato_lab.twin.refusals import Refusal
from hemato_lab.twin.studies import MOST_FILES

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_ID: Final = 200
"""Characters of an id of the sample or patient."""
_SAMPLE: Final = "peripheral_blood_sample_id"
_PATIENT: Final = "patient_proxy_medical_record_number"
_COLLECTED: Final = "sample_collection_timestamp"
_OWN: Final = frozenset({"files", "callback_url", *TASK_KEYS})
_RFC3339: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}):([0-9]{2})(?:\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


@dataclass(frozen=True, slots=True)
class ListFile:
    """One study whose files are downloaded.

    Attributes
    ----------
    files : tuple of str
        Addresses, each once; as a rule signed.
    tasks : tuple of str
        What to do.
    callback_url : str
        Empty for none.
    sample_id, patient_proxy_number, collected_at : str
        As stated, empty if not; the time is RFC 3339.
    tags : mapping of str to str
        Tags of the study: those given, and what is stated of the sample, so that it can be found by that.
    """

    files: tuple[str, ...] = field(repr=False)
    tasks: tuple[str, ...]
    callback_url: str = field(default="", repr=False)
    sample_id: str = field(default="", repr=False)
    patient_proxy_number: str = field(default="", repr=False)
    collected_at: str = field(default="", repr=False)
    tags: Mapping[str, str] = field(default_factory=dict, repr=False)


def read_list(document: dict[str, Any]) -> ListFile:
    """Read a list file. Where its addresses lead is judged when they are fetched.

    Raises
    ------
    Refusal
        ``bad_list``, ``too_many_files``, ``bad_download_url``, ``bad_callback_url``, ``bad_timestamp``, ``bad_tags``,
        or those of `hemato_lab.twin.bodies.tasks_of`.
    """
    stated = {key: value for key, value in document.items() if value is not None}
    if "list_url" in stated:
        raise Refusal("bad_list", {"reason": "a list names no other list"})
    files = _files(stated.get("files"))
    sample_id, patient, collected_at = _id(stated, _SAMPLE), _id(stated, _PATIENT), _timestamp(stated)
    return ListFile(
        files=files,
        tasks=tasks_of(stated),
        callback_url=_callback_url(stated.get("callback_url", "")),
        sample_id=sample_id,
        patient_proxy_number=patient,
        collected_at=collected_at,
        tags=tags_of({key: value for key, value in stated.items() if key not in _OWN}),
    )


def _files(files: object) -> tuple[str, ...]:
    if not isinstance(files, list) or not files:
        raise Refusal("bad_list", {"reason": "files has to be a list of addresses"})
    if len(files) > MOST_FILES:
        raise Refusal("too_many_files", {"most": MOST_FILES})
    # Which schemes may be used depends on the server's settings, which a list does not know.
    return tuple(dict.fromkeys(checked_address(url, "bad_download_url", http_permitted=True) for url in files))


def _id(stated: Mapping[str, Any], key: str) -> str:
    value = stated.get(key, "")
    if not isinstance(value, str) or len(value) > LONGEST_ID:
        raise Refusal("bad_list", {"reason": f"{key} has to be a text of at most {LONGEST_ID} characters"})
    return value


def _timestamp(stated: Mapping[str, Any]) -> str:
    """Return the time of collection; the document's own sample, ``15:0405+07:00``, is none (row 25)."""
    value = stated.get(_COLLECTED)
    if value is None:
        return ""
    written = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if written is None:
        raise Refusal("bad_timestamp", {"expected": "RFC 3339, as 2021-01-02T15:04:05+07:00"})
    minute, second, zone = written.groups()
    try:
        # Python knows no leap seconds.
        datetime.fromisoformat(f"{minute}:{'59' if second == '60' else second}{zone}".upper())
    except ValueError:
        raise Refusal("bad_timestamp", {"expected": "RFC 3339, as 2021-01-02T15:04:05+07:00"}) from None
    return str(value)


def _callback_url(url: object) -> str:
    """Return the address to call; which schemes may be used is for the server's settings to say."""
    return checked_address(url, "bad_callback_url", http_permitted=True) if url != "" else ""
