"""Images in a ZIP archive, unpacked into the store one after the other, a piece at a time.

The directory is believed only after every rule of `hemato_lab.formats.zip_directory` holds, and nothing is written
before every member is known to begin as an image does. Names in the archive never become names of files.
"""

from __future__ import annotations

import zlib
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hemato_lab.errors import ArchiveError, InputError, UnsupportedFormatError
from hemato_lab.formats.failures import damaged, decoder_errors
from hemato_lab.formats.sniffing import format_of, format_of_name
from hemato_lab.formats.stored import StoredFile
from hemato_lab.formats.zip_directory import STORED, refuse
from hemato_lab.formats.zip_members import StoredMember, members_of
from hemato_lab.twin.file_types import FORMATS
from hemato_lab.twin.images import check_image
from hemato_lab.twin.refusals import Refusal
from hemato_lab.twin.store import HEAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hemato_lab.formats.stored import RandomAccess
    from hemato_lab.formats.zip_directory import Entry
    from hemato_lab.twin.file_types import ImageType
    from hemato_lab.twin.store import Incoming, Store

_LABEL: Final = "archive"
_PIECE: Final = 256 << 10
_IMAGES: Final[dict[str, ImageType]] = {FORMATS["jpeg"]: "jpeg", FORMATS["png"]: "png"}
_OF_FILE_MANAGERS: Final = frozenset({".ds_store", "thumbs.db", "desktop.ini"})


@dataclass(frozen=True, slots=True)
class Limits:
    """How much an archive may hold.

    Attributes
    ----------
    most_images : int
        Images.
    most_bytes : int
        Bytes of all of them, unpacked.
    """

    most_images: int = 10_000
    most_bytes: int = 8 << 30


@dataclass(frozen=True, slots=True)
class Member:
    """An image that an archive holds.

    Attributes
    ----------
    incoming : Incoming
        Its bytes, not yet kept.
    name : str
        In the archive, with its folders.
    kind : str
        ``jpeg`` or ``png``.
    """

    incoming: Incoming
    name: str
    kind: ImageType


def unpack(archive: Path, store: Store, limits: Limits | None = None) -> list[Member]:
    """Unpack the images of an archive, in the order of its directory.

    Folders, and what file managers hide beside images, are left out.

    Returns
    -------
    list of Member
        The caller keeps each one's file, or ends its `with` block; nothing is left behind where this raises.

    Raises
    ------
    Refusal
        ``bad_archive`` with a reason: one of `zip_directory`, or ``method`` (a compression that is not read),
        ``not-an-image``, ``file-type-mismatch`` (a member's name says another type than its content), ``no-images``.
        ``count`` and ``too-large`` are also those of `limits`. ``bad_image`` or ``image_too_large`` if a member is
        that. ``member`` tells which one it was, from 1 on and without folders: names may tell of patients.
    """
    with _refusing(), ExitStack() as arrived:
        members = _images(members_of(StoredFile(archive, _LABEL)), limits or Limits())
        found = []
        for number, (member, kind) in members.items():
            incoming = arrived.enter_context(store.incoming())
            with _refusing(number):
                _copy(member, incoming)
                incoming.finish()
                check_image(incoming.path, kind)
            found.append(Member(incoming, member.label, kind))
        arrived.pop_all()
    return found


@contextmanager
def _refusing(number: int | None = None) -> Iterator[None]:
    """Turn what is wrong with an archive, or with the member of this number, into a refusal."""
    where = {} if number is None else {"member": number}
    try:
        yield
    except ArchiveError as error:
        raise Refusal("bad_archive", {"reason": error.reason, **where}) from error
    except UnsupportedFormatError as error:
        raise Refusal("bad_archive", {"reason": "method", **where}) from error
    except InputError as error:
        raise Refusal("bad_archive", {"reason": "damaged", **where}) from error
    except Refusal as refusal:
        refusal.debug_info.update(where)
        raise


def _images(members: tuple[StoredMember, ...], limits: Limits) -> dict[int, tuple[StoredMember, ImageType]]:
    """Return the images by their numbers."""
    found = {}
    for number, member in enumerate(members, start=1):
        with _refusing(number):
            kind = _image_type(member)
        if kind is not None:
            found[number] = (member, kind)
    if not found:
        refuse(_LABEL, "no-images", "has no image")
    if len(found) > limits.most_images:
        refuse(_LABEL, "count", f"has more than {limits.most_images} images")
    if sum(member.size for member, _ in found.values()) > limits.most_bytes:
        refuse(_LABEL, "too-large", f"unpacks to more than {limits.most_bytes} bytes")
    return found


def _image_type(member: StoredMember) -> ImageType | None:
    """Return the type of a member, None for what file managers hide."""
    content = format_of(member.head(HEAD_BYTES))
    kind = _IMAGES.get(content or "")
    if kind is None:
        if _is_of_file_manager(member.label):
            return None
        refuse(_LABEL, "nested" if content == FORMATS["zip"] else "not-an-image", "has a member that is no image")
    if format_of_name(member.label) not in {None, content}:
        refuse(_LABEL, "file-type-mismatch", "has a member whose name says another type than its content")
    return kind


def _is_of_file_manager(name: str) -> bool:
    *folders, own = name.split("/")
    return "__MACOSX" in folders or own.startswith("._") or own.lower() in _OF_FILE_MANAGERS


def _copy(member: StoredMember, incoming: Incoming) -> None:
    entry, checksum = member.entry, 0
    with member.archive.opened() as access:
        for piece in _packed(access, entry) if entry.method == STORED else _inflated(access, entry):
            if incoming.size + len(piece) > entry.size:
                refuse(_LABEL, "size", "has a member that unpacks to more than it states")
            checksum = zlib.crc32(piece, checksum)
            incoming.write(piece)
    if incoming.size < entry.size:
        refuse(_LABEL, "size", "has a member that unpacks to less than it states")
    if checksum != entry.crc:
        raise damaged(_LABEL, stage="unpack", reason="the checksum of a member is another")


def _packed(access: RandomAccess, entry: Entry) -> Iterator[bytes]:
    end = entry.data_offset + entry.packed
    for position in range(entry.data_offset, end, _PIECE):
        yield access.read_at(position, min(_PIECE, end - position))


def _inflated(access: RandomAccess, entry: Entry) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    for packed in _packed(access, entry):
        waiting = packed
        while waiting:
            if unpacker.eof:
                raise damaged(_LABEL, stage="unpack", reason="a member's packed bytes go on behind their end")
            with decoder_errors(_LABEL, stage="unpack"):
                piece = unpacker.decompress(waiting, _PIECE)
            waiting = unpacker.unconsumed_tail or unpacker.unused_data
            yield piece
    with decoder_errors(_LABEL, stage="unpack"):
        rest = unpacker.flush()
    yield rest
    if not unpacker.eof:
        raise damaged(_LABEL, stage="unpack", reason="a member's packed bytes end early")
