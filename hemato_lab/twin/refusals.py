"""What the twin refuses, why, and in which words: one code for programs and one sentence for people each.

Statuses are those of the vendor's table of errors and no others; what HTTP has 409, 413, 415 and 422 for is a 400 with
a code (api/DECISIONS.md section 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_CODES: Final[dict[int, dict[str, str]]] = {
    400: {
        "bad_request": "The request could not be understood.",
        "bad_json": "The request is not the JSON that is expected here.",
        "bad_tags": "Tags have to be pairs of text.",
        "bad_tasks": "At least one task has to be named, as a list of names.",
        "bad_list": "The list of files could not be used.",
        "bad_timestamp": "The time of sample collection is not written as a date and time with its time zone.",
        "bad_version": "Versions of a report are whole numbers from 1 on.",
        "bad_callback_url": "The callback address cannot be used.",
        "bad_download_url": "An address to download from cannot be used.",
        "bad_rbc_diameter": "The diameter of a red cell has to be a positive number of pixels.",
        "bad_archive": "The ZIP archive is damaged or not safe to unpack.",
        "bad_image": "The image is damaged or of a kind that is not read.",
        "bad_idempotency_key": "The idempotency key cannot be used.",
        "body_too_large": "The request is larger than this server takes.",
        "conflicting_tasks": "The tasks are named twice, and differently.",
        "empty_file": "The file is empty.",
        "file_type_mismatch": "The file is not of the type that was stated.",
        "idempotency_key_reused": "This idempotency key was used for a different request.",
        "image_too_large": "The image has more pixels than this server takes.",
        "incomplete_body": "The request ended before all of it had arrived.",
        "multipart_not_supported": "Send the bytes of one file as they are, not as a form.",
        "no_files": "This study has no files yet.",
        "study_closed": "Tasks were requested for this study, so nothing can be added to it.",
        "too_many_files": "This study has more files than this server takes.",
        "unknown_file_type": "The type of the file could not be told.",
        "unknown_host": "This server does not answer to that host name.",
        "unknown_task": "This server does not know the task.",
        "unsupported_file_type": "This type of file is not accepted; JPEG, PNG and ZIP are.",
    },
    401: {
        "unauthorized": "You are not logged in, or your access has expired.",
        "bad_credentials": "User name or password is not right.",
    },
    403: {
        "forbidden_region": "You have no permission to use this region.",
        "forbidden_role": "Your role does not permit this.",
    },
    404: {
        "not_found": "This could not be found.",
        "report_not_ready": "The report is not ready yet.",
    },
    405: {"method_not_allowed": "This cannot be done here."},
    406: {"not_acceptable": "Answers are given as JSON only."},
    418: {"teapot": "This is a teapot."},
    429: {"throttled": "Too many requests; please wait a moment."},
    500: {"internal_error": "Something went wrong on the server. Please try again later."},
    503: {"unavailable": "The server cannot do this at the moment. Please try again later."},
}
STATUS_OF: Final = {code: status for status, codes in _CODES.items() for code in codes}
"""Status of each code."""
MESSAGE_OF: Final = {code: message for codes in _CODES.values() for code, message in codes.items()}
"""Words of each code for end users: plain, and without internals (api/DECISIONS.md row 34)."""


class Refusal(Exception):  # noqa: N818 (it is an answer, not a failure)
    """An error answer.

    Parameters
    ----------
    code : str
        A key of `STATUS_OF`.
    debug_info : mapping or None
        What a developer needs to know besides; JSON-ready, nothing secret and nothing of patients.
    headers : mapping or None
        Headers that go along, as Retry-After.
    """

    def __init__(
        self, code: str, debug_info: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(code)
        self.code = code
        self.status = STATUS_OF[code]
        self.debug_info = dict(debug_info or {})
        self.headers = dict(headers or {})
