"""The central directory of a ZIP archive, believed only after every rule below holds.

The standard library's zipfile (Python 3.11) unpacks archives whose entries overlap, and trusts stated sizes. Here
everything that an attack needs is refused before a byte is unpacked; nothing is ever written to disk.
Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3 (records), 4.4 (fields), 4.5.3 (ZIP64).

``ArchiveError.reason`` is one of: ``damaged``, ``split``, ``count``, ``encrypted``, ``nul``, ``unsafe-name``,
``absolute``, ``traversal``, ``symlink``, ``special``, ``duplicate``, ``case-clash``, ``too-large``, ``ratio``,
``nested``, ``mismatch`` (the entry's own header contradicts the directory), ``overlap``, ``size`` (unpacks to another
length than stated).
"""

from __future__ import annotations

import stat
import struct
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from hemato_lab.errors import ArchiveError
from hemato_lab.formats.limits import (
    MAX_ARCHIVE_MEMBERS,
    MAX_COMPRESSION_RATIO,
    MAX_MEMBER_BYTES,
    MAX_MEMBER_NAME_BYTES,
    RATIO_MATTERS_FROM_BYTES,
)

if TYPE_CHECKING:
    from hemato_lab.formats.stored import RandomAccess

STORED: Final = 0
DEFLATED: Final = 8
_END: Final = struct.Struct("<4s4H2LH")
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64: Final = struct.Struct("<4sLQL")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_MAX_COMMENT: Final = 0xFFFF
_ENCRYPTED: Final = 0x0001 | 0x0040 | 0x2000
_SIZES_FOLLOW: Final = 0x0008
_UTF8: Final = 0x0800
_AES: Final = 99
_ARCHIVE_SUFFIXES: Final = (
    ".zip", ".7z", ".rar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".tar", ".jar", ".cab", ".iso", ".lzh", ".arj",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One member.

    Attributes
    ----------
    name : str
        With forward slashes; ends in one for a folder.
    method : int
        Compression: 0 stored, 8 Deflate, others are not read.
    crc : int
        CRC-32 of the unpacked bytes.
    packed, size : int
        Bytes in the archive and after unpacking.
    header_offset, data_offset : int
        Where the entry's own header and its packed bytes begin.
    """

    name: str
    method: int
    crc: int
    packed: int
    size: int
    header_offset: int
    data_offset: int

    @property
    def is_folder(self) -> bool:
        """Whether it stands for a folder."""
        return self.name.endswith("/")


@dataclass(frozen=True, slots=True)
class _Record:
    """A record of the central directory, before its header is looked at."""

    raw_name: bytes
    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    header_offset: int
    mode: int


def refuse(label: str, reason: str, problem: str) -> NoReturn:
    """Raise the error of an archive that breaks a rule."""
    hint = "pack the images again with an ordinary ZIP program, or open them as a folder"
    raise ArchiveError(problem, reason=reason, subject=label, hint=hint)


def read_entries(access: RandomAccess, label: str) -> tuple[Entry, ...]:
    """Return all members of an archive in the order of its directory.

    Raises
    ------
    ArchiveError
        If any rule of the module's docstring is broken.
    """
    start, size, count = _find_directory(access, label)
    if count > MAX_ARCHIVE_MEMBERS or size > MAX_ARCHIVE_MEMBERS * MAX_MEMBER_NAME_BYTES:
        refuse(label, "count", f"has more than {MAX_ARCHIVE_MEMBERS} members")
    records = _records(access.read_at(start, size), count, label)
    for record in records:
        _check_record(record, label)
    _check_names(records, label)
    _check_total(records, label)
    entries = tuple(_entry(access, record, start, label) for record in records)
    _check_overlap(entries, start, label)
    return entries


def _find_directory(access: RandomAccess, label: str) -> tuple[int, int, int]:
    """Return (start, size, number of records) of the central directory."""
    tail_start = max(0, access.size - _END.size - _MAX_COMMENT)
    tail = access.read_at(tail_start, access.size - tail_start)
    position = tail.rfind(b"PK\x05\x06")
    while position >= 0:
        if position + _END.size <= len(tail):
            fields = _END.unpack_from(tail, position)
            if position + _END.size + fields[7] == len(tail):
                break
        position = tail.rfind(b"PK\x05\x06", 0, position)
    if position < 0:
        refuse(label, "damaged", "is a ZIP archive without its end record: damaged or cut short")
    _, disk, first_disk, here, count, size, start, _ = fields
    end = tail_start + position
    if end >= _LOCATOR_64.size:
        locator = access.read_at(end - _LOCATOR_64.size, _LOCATOR_64.size)
        if locator.startswith(b"PK\x06\x07"):
            return _find_directory_64(access, locator, end - _LOCATOR_64.size, label)
    if disk or first_disk or here != count:
        refuse(label, "split", "is one part of a ZIP archive in several")
    if start + size != end:
        refuse(label, "damaged", "is a ZIP archive whose directory is not where it says")
    return start, size, count


def _find_directory_64(access: RandomAccess, locator: bytes, end: int, label: str) -> tuple[int, int, int]:
    _, disk, offset, disks = _LOCATOR_64.unpack(locator)
    if offset + _END_64.size != end:
        refuse(label, "damaged", "is a ZIP64 archive whose end record is not where it says")
    fields = _END_64.unpack(access.read_at(offset, _END_64.size))
    signature, length, _, _, this_disk, first_disk, here, count, size, start = fields
    if disk or disks > 1 or this_disk or first_disk or here != count:
        refuse(label, "split", "is one part of a ZIP archive in several")
    if signature != b"PK\x06\x06" or length != _END_64.size - 12 or start + size != offset:
        refuse(label, "damaged", "is a ZIP64 archive whose directory is not where it says")
    return start, size, count


def _records(directory: bytes, count: int, label: str) -> list[_Record]:
    records = []
    position = 0
    while position < len(directory):
        if position + _CENTRAL.size > len(directory) or directory[position : position + 4] != b"PK\x01\x02":
            refuse(label, "damaged", "is a ZIP archive with a damaged directory")
        fields = _CENTRAL.unpack_from(directory, position)
        name_size, extra_size, comment_size = fields[10:13]
        name_start = position + _CENTRAL.size
        extra_start = name_start + name_size
        position = extra_start + extra_size + comment_size
        if position > len(directory):
            refuse(label, "damaged", "is a ZIP archive with a damaged directory")
        extra = directory[extra_start : extra_start + extra_size]
        records.append(_record(fields, directory[name_start:extra_start], extra, label))
    if len(records) != count:
        refuse(label, "count", f"states {count} members and has {len(records)}")
    return records


def _record(fields: tuple[int, ...], raw_name: bytes, extra: bytes, label: str) -> _Record:
    _, _, _, flags, method, _, _, crc, packed, size, _, _, _, disk, _, attributes, offset = fields
    size, packed, offset = _widen(size, packed, offset, extra, label)
    if disk not in {0, 0xFFFF}:
        refuse(label, "split", "is one part of a ZIP archive in several")
    if len(raw_name) > MAX_MEMBER_NAME_BYTES:
        refuse(label, "unsafe-name", f"has a member whose name is longer than {MAX_MEMBER_NAME_BYTES} bytes")
    try:
        name = raw_name.decode("utf-8" if flags & _UTF8 else "cp437")
    except UnicodeDecodeError:
        refuse(label, "unsafe-name", "has a member whose name is not valid UTF-8")
    return _Record(raw_name, name.replace("\\", "/"), flags, method, crc, packed, size, offset, attributes >> 16)


def _widen(size: int, packed: int, offset: int, extra: bytes, label: str) -> tuple[int, int, int]:
    """Take values that need 64 bits from the ZIP64 extra field."""
    values = [size, packed, offset]
    missing = [index for index, value in enumerate(values) if value == 0xFFFFFFFF]
    if not missing:
        return size, packed, offset
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, position)
        body = extra[position + 4 : position + 4 + length]
        if kind == 1 and len(body) >= 8 * len(missing):
            for index, value in zip(missing, struct.unpack_from(f"<{len(missing)}Q", body), strict=True):
                values[index] = value
            return values[0], values[1], values[2]
        position += 4 + length
    refuse(label, "damaged", "is a ZIP64 archive without its long sizes")


def _check_record(record: _Record, label: str) -> None:
    """Refuse what one record alone gives away."""
    name, shown = record.name, ascii(record.name[:80])
    parts = name.split("/")
    file_type = stat.S_IFMT(record.mode)
    if record.flags & _ENCRYPTED or record.method == _AES:
        refuse(label, "encrypted", f"has the encrypted member {shown}")
    if "\0" in name:
        refuse(label, "nul", f"has a member with a NUL in its name: {shown}")
    if not name or any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in name):
        refuse(label, "unsafe-name", f"has a member with an impossible name: {shown}")
    if name.startswith("/") or (len(name) > 1 and name[1] == ":"):
        refuse(label, "absolute", f"has a member with an absolute path: {shown}")
    if ".." in parts:
        refuse(label, "traversal", f"has a member that climbs out of its folder: {shown}")
    if file_type == stat.S_IFLNK:
        refuse(label, "symlink", f"has the symbolic link {shown}")
    if file_type not in {0, stat.S_IFREG, stat.S_IFDIR}:
        refuse(label, "special", f"has the special file {shown}")
    if name.endswith("/") and record.size:
        refuse(label, "mismatch", f"has a folder with content: {shown}")
    if name.lower().endswith(_ARCHIVE_SUFFIXES):
        refuse(label, "nested", f"has an archive inside: {shown}")
    if record.size > MAX_MEMBER_BYTES:
        refuse(label, "too-large", f"has a member of {record.size / 1e9:.1f} GB: {shown}")
    if record.size >= RATIO_MATTERS_FROM_BYTES and record.size > MAX_COMPRESSION_RATIO * record.packed:
        refuse(
            label, "ratio", f"has a member that unpacks to more than {MAX_COMPRESSION_RATIO} times its size: {shown}"
        )


def _check_names(records: list[_Record], label: str) -> None:
    exact: set[str] = set()
    folded: set[str] = set()
    for record in records:
        name = record.name.rstrip("/")
        alike = unicodedata.normalize("NFC", name).casefold()
        if name in exact:
            refuse(label, "duplicate", f"has two members called {name[:80]!a}")
        if alike in folded:
            refuse(label, "case-clash", f"has members whose names differ only in case: {name[:80]!a}")
        exact.add(name)
        folded.add(alike)


def _check_total(records: list[_Record], label: str) -> None:
    size, packed = sum(record.size for record in records), sum(record.packed for record in records)
    if size >= 64 * RATIO_MATTERS_FROM_BYTES and size > MAX_COMPRESSION_RATIO * packed:
        refuse(label, "ratio", f"unpacks to more than {MAX_COMPRESSION_RATIO} times its size")


def _entry(access: RandomAccess, record: _Record, directory_start: int, label: str) -> Entry:
    """Compare a record with the header that stands before the member's bytes."""
    shown = ascii(record.name[:80])
    if record.header_offset + _LOCAL.size > directory_start:
        refuse(label, "damaged", f"says that member {shown} lies outside")
    fields = _LOCAL.unpack(access.read_at(record.header_offset, _LOCAL.size))
    signature, _, flags, method, _, _, crc, packed, size, name_size, extra_size = fields
    name_offset = record.header_offset + _LOCAL.size
    data_offset = name_offset + name_size + extra_size
    if signature != b"PK\x03\x04" or data_offset + record.packed > directory_start:
        refuse(label, "damaged", f"says that member {shown} lies outside")
    if (access.read_at(name_offset, name_size), method) != (record.raw_name, record.method):
        refuse(label, "mismatch", f"states two things of member {shown}")
    if (flags ^ record.flags) & (_ENCRYPTED | _SIZES_FOLLOW):
        refuse(label, "mismatch", f"states two things of member {shown}")
    stated_later = bool(flags & _SIZES_FOLLOW)
    pairs = ((crc, record.crc), (packed, record.packed), (size, record.size))
    if any(here not in {there, 0xFFFFFFFF} and not (stated_later and here == 0) for here, there in pairs):
        refuse(label, "mismatch", f"states two sizes or checksums of member {shown}")
    if record.method == STORED and record.packed != record.size:
        refuse(label, "size", f"states two sizes of the uncompressed member {shown}")
    return Entry(record.name, record.method, record.crc, record.packed, record.size, record.header_offset, data_offset)


def _check_overlap(entries: tuple[Entry, ...], directory_start: int, label: str) -> None:
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    end = 0
    for entry in ordered:
        if entry.header_offset < end:
            refuse(label, "overlap", f"has overlapping members, one of them {entry.name[:80]!a}")
        end = entry.data_offset + entry.packed
    if end > directory_start:
        refuse(label, "overlap", "has a member that overlaps the directory")
