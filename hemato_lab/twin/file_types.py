"""Which type a file is said to be, and whether its first bytes agree (api/DECISIONS.md row 12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from hemato_lab.formats.sniffing import format_of
from hemato_lab.twin.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

ImageType = Literal["jpeg", "png"]
"""Types that are analysed."""
FileType = Literal["jpeg", "png", "zip"]
"""Types that are accepted."""
FORMATS: Final[dict[FileType, str]] = {"jpeg": "JPEG", "png": "PNG", "zip": "ZIP"}
"""Each type's name in `hemato_lab.formats`."""
_TYPES: Final[dict[str, FileType]] = {
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/png": "png",
    "application/zip": "zip",
    "application/x-zip-compressed": "zip",  # what Windows calls it
}
_ENDINGS: Final[dict[str, FileType]] = {"jpg": "jpeg", "jpeg": "jpeg", "png": "png", "zip": "zip"}
_SAYS_NOTHING: Final = frozenset({"", "application/octet-stream", "application/x-www-form-urlencoded"})
"""What programs send that were told no type; the last is curl's."""


def stated_type(content_type: str | None, query: Mapping[str, str]) -> FileType:
    """Return the type that a request states: by its header, else by ``content_type``, else by the ending of its name.

    Parameters
    ----------
    content_type : str or None
        The header.
    query : mapping
        Parameters ``content_type`` and ``file_name`` count.

    Raises
    ------
    Refusal
        ``multipart_not_supported``, ``unsupported_file_type`` or, where nothing states a type, ``unknown_file_type``.
    """
    header = _media_type(content_type or "")
    if header.startswith("multipart/"):
        raise Refusal("multipart_not_supported", {"hint": "send the raw bytes of one file as the body"})
    stated = next((one for one in (header, _media_type(query.get("content_type", ""))) if one not in _SAYS_NOTHING), "")
    if stated:
        kind = _TYPES.get(stated)
        if kind is None:
            raise Refusal("unsupported_file_type", {"accepted": sorted(set(FORMATS))})
        return kind
    _, dot, ending = query.get("file_name", "").lower().rpartition(".")
    kind = _ENDINGS.get(ending) if dot else None
    if kind is None:
        raise Refusal("unknown_file_type", {"hint": "send the header Content-Type, or a file_name with its ending"})
    return kind


def _media_type(text: str) -> str:
    """Return a media type without its parameters."""
    return text.partition(";")[0].strip().lower()


def check_magic(kind: FileType, head: bytes) -> None:
    """Check that a file begins as its type does.

    Raises
    ------
    Refusal
        ``file_type_mismatch`` if it does not.
    """
    found = format_of(head)
    if found != FORMATS[kind]:
        raise Refusal("file_type_mismatch", {"stated": FORMATS[kind], "found": found or "unknown"})
