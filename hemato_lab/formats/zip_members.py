"""Members of a ZIP archive as bytes with a name, unpacked in memory when they are read."""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from hemato_lab.errors import UnsupportedFormatError
from hemato_lab.formats.caching import MEMBERS
from hemato_lab.formats.failures import damaged, decoder_errors
from hemato_lab.formats.stored import ChangeWatch, InMemory, RandomAccess, StoredFile, file_id_of
from hemato_lab.formats.zip_directory import DEFLATED, STORED, Entry, read_entries, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


class StoredMember:
    """One member of an archive.

    Parameters
    ----------
    archive : StoredFile
        The archive.
    entry : Entry
        From its validated directory.
    """

    def __init__(self, archive: StoredFile, entry: Entry) -> None:
        self.archive = archive
        self.entry = entry
        self.label = entry.name
        self.size = entry.size
        self._watch = ChangeWatch(archive.current_signature())

    def head(self, size: int) -> bytes:
        """Return the first `size` unpacked bytes, or fewer when there are fewer."""
        with self.archive.opened() as access:
            if self.entry.method == STORED:
                return access.read_at(self.entry.data_offset, min(size, self.entry.packed))
            if self.entry.method != DEFLATED:
                raise self._unknown_method()
            packed = access.read_at(self.entry.data_offset, min(self.entry.packed, size + 1024))
        with decoder_errors(self.label, stage="unpack"):
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size)

    def read_all(self) -> bytes:
        """Unpack the member.

        Raises
        ------
        ArchiveError
            With reason ``size`` if it unpacks to another length than the directory states.
        UnreadableInputError
            If its bytes are damaged.
        """
        entry = self.entry
        with self.archive.opened() as access:
            packed = access.read_at(entry.data_offset, entry.packed)
        if entry.method == DEFLATED:
            content = self._inflate(packed)
        elif entry.method == STORED:
            content = packed
        else:
            raise self._unknown_method()
        if zlib.crc32(content) != entry.crc:
            raise damaged(self.label, stage="unpack", reason="the checksum in the archive is another")
        return content

    def _inflate(self, packed: bytes) -> bytes:
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        with decoder_errors(self.label, stage="unpack"):
            # One byte more than stated is enough to know that the stated size is a lie.
            content = unpacker.decompress(packed, self.entry.size + 1)
        if len(content) > self.entry.size or (unpacker.eof and len(content) < self.entry.size):
            refuse(self.label, "size", f"unpacks to another length than the {self.entry.size} bytes it states")
        if not unpacker.eof or unpacker.unused_data:
            raise damaged(self.label, stage="unpack", reason="its packed bytes do not end where it says")
        return content

    def _unknown_method(self) -> UnsupportedFormatError:
        return UnsupportedFormatError(
            f"is packed by ZIP method {self.entry.method}; stored and Deflate are read",
            subject=self.label,
            hint="pack the images again with an ordinary ZIP program",
        )

    @contextmanager
    def opened(self) -> Iterator[RandomAccess]:
        """Unpack into memory, once for many reads."""
        key = (self.archive.path, self.archive.current_signature(), self.entry.header_offset)
        yield InMemory(MEMBERS.get(key, self._as_array).data, self.label)

    def _as_array(self) -> NDArray[np.uint8]:
        return np.frombuffer(self.read_all(), np.uint8)

    def file_id(self) -> str:
        """Hash the unpacked bytes."""
        return file_id_of(self.read_all())

    def ensure_unchanged(self, file_id: str) -> None:
        """Raise IntegrityError if the unpacked bytes are no longer those of `file_id`."""
        self._watch.check(self.archive.current_signature(), self.label, file_id, self.file_id)


def members_of(archive: StoredFile) -> tuple[StoredMember, ...]:
    """Return the members that are files, in the order of the directory.

    Raises
    ------
    ArchiveError
        If the archive is hostile or damaged (see `zip_directory`).
    """
    with archive.opened() as access:
        entries = read_entries(access, archive.label)
    return tuple(StoredMember(archive, entry) for entry in entries if not entry.is_folder)
