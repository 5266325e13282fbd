"""ZIP archives as the usual programs write them: their headers, extra fields, folders and hidden files.

Sources: PKWARE APPNOTE.TXT 6.3.10; Info-ZIP's proginfo/extrafld.txt; archives made by the programs named.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random

Files = Mapping[str, bytes]
FAT, UNIX, MACOS = 0, 3, 19
DESCRIPTOR, UTF8 = 0x0008, 0x0800
_WIDE = 2**32 - 1


@dataclass
class Habit:
    """How one program writes."""

    host: int = UNIX
    version: int = 20
    flags: int = 0
    deflates: Callable[[str, bytes], bool] = lambda *_: True
    signed: bool = True
    zip64: bool = False
    local_extra: bytes = b""
    central_extra: bytes = b""
    mode: int = 0o100644
    folder_mode: int = 0o040755
    comment: bytes = b""
    member_comment: bytes = b""
    encode: Callable[[str], bytes] = lambda name: name.encode()
    folders: bool = False
    hidden: dict[str, bytes] = field(default_factory=dict)

    def write(self, files: Files) -> bytes:
        content, records = bytearray(), bytearray()
        listed = {**self._folders(files), **files, **self.hidden}
        for name, body in listed.items():
            records += self._record(name, body, len(content))
            content += self._local(name, body)
        return bytes(content + records) + self._end(len(listed), len(records), len(content))

    def _folders(self, files: Files) -> dict[str, bytes]:
        if not self.folders:
            return {}
        parts = [name.split("/")[:-1] for name in files]
        return {"/".join(each[:depth]) + "/": b"" for each in parts for depth in range(1, len(each) + 1)}

    def _packed(self, name: str, body: bytes) -> tuple[int, bytes]:
        if name.endswith("/") or not self.deflates(name, body):
            return 0, body
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        return 8, packer.compress(body) + packer.flush()

    def _flags(self, name: str) -> int:
        return self.flags & ~DESCRIPTOR if name.endswith("/") else self.flags

    def _local(self, name: str, body: bytes) -> bytes:
        method, packed = self._packed(name, body)
        raw, flags, extra = self.encode(name), self._flags(name), self.local_extra
        numbers = (zlib.crc32(body), len(packed), len(body))
        after = b""
        if flags & DESCRIPTOR:
            form = "<LQQ" if self.zip64 else "<LLL"
            after = b"PK\7\x08" * self.signed + struct.pack(form, *numbers)
            numbers = (0, 0, 0)
        if self.zip64:
            extra += struct.pack("<HHQQ", 1, 16, numbers[2], numbers[1])
            numbers = (numbers[0], _WIDE, _WIDE)
        fixed = (self.version, flags, method, 0x6A2B, 0x58C7, *numbers, len(raw), len(extra))
        return struct.pack("<4s5H3L2H", b"PK\3\4", *fixed) + raw + extra + packed + after

    def _record(self, name: str, body: bytes, offset: int) -> bytes:
        method, packed = self._packed(name, body)
        raw, extra = self.encode(name), self.central_extra
        crc, sizes = zlib.crc32(body), (len(packed), len(body), offset)
        if self.zip64:
            extra += struct.pack("<HHQQQ", 1, 24, sizes[1], sizes[0], sizes[2])
            sizes = (_WIDE, _WIDE, _WIDE)
        mode = self.folder_mode if name.endswith("/") else self.mode
        attributes = 0x10 * name.endswith("/") if self.host == FAT else mode << 16
        fixed = (
            self.host << 8 | self.version, self.version, self._flags(name), method, 0x6A2B, 0x58C7, crc, *sizes[:2],
            len(raw), len(extra), len(self.member_comment), 0, 0, attributes, sizes[2],
        )  # fmt: skip
        return struct.pack("<4s6H3L5H2L", b"PK\1\2", *fixed) + raw + extra + self.member_comment

    def _end(self, count: int, size: int, start: int) -> bytes:
        here = start + size
        long = b""
        if self.zip64:
            long = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, start)
            long += struct.pack("<4sLQL", b"PK\6\7", 0, here, 1)
            count, size, start = 0xFFFF, _WIDE, _WIDE
        return (
            long + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, start, len(self.comment)) + self.comment
        )


TIMES = struct.pack("<HHBL", 0x5455, 5, 1, 1_700_000_000)
BOTH_TIMES = struct.pack("<HHBLL", 0x5455, 9, 3, 1_700_000_000, 1_700_000_000)
OWNER = struct.pack("<HHBBLBL", 0x7875, 11, 1, 4, 501, 4, 20)
NTFS = struct.pack("<HHLHHQQQ", 0x000A, 32, 0, 1, 24, 133_000_000_000_000_000, 1, 1)
JAR = struct.pack("<HH", 0xCAFE, 0)
APPLE_DOUBLE = b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(60)


def _is_packable(name: str, body: bytes) -> bool:
    return len(zlib.compress(body)) < len(body)


def info_zip(files: Files, chance: random.Random) -> bytes:
    stored = chance.random() < 0.3
    return Habit(
        version=10 if stored else 20, flags=UTF8, folders=True, deflates=lambda *one: not stored and _is_packable(*one),
        local_extra=BOTH_TIMES + OWNER, central_extra=TIMES + OWNER,
    ).write(files)  # fmt: skip


def info_zip_piped(files: Files, chance: random.Random) -> bytes:
    return Habit(flags=UTF8 | DESCRIPTOR, local_extra=BOTH_TIMES, central_extra=TIMES).write(files)


def archive_utility(files: Files, chance: random.Random) -> bytes:
    """Of macOS: sizes behind the data, a companion for each file."""
    split = [name.rpartition("/") for name in files]
    companions = {f"__MACOSX/{folder}{slash}._{own}": APPLE_DOUBLE for folder, slash, own in split}
    hidden = {".DS_Store": b"\0\0\0\1Bud1" + bytes(100), "__MACOSX/": b"", **companions}
    return Habit(
        version=20, flags=DESCRIPTOR | UTF8, local_extra=OWNER, central_extra=OWNER, folders=True, hidden=hidden
    ).write(files)


def explorer(files: Files, chance: random.Random) -> bytes:
    """Of Windows: no types of files, and what it hides in folders of pictures."""
    hidden = {"Thumbs.db": b"\xd0\xcf\x11\xe0" + bytes(500), "desktop.ini": b"[.ShellClassInfo]\r\n"}
    return Habit(host=FAT, flags=UTF8, hidden=hidden if chance.random() < 0.5 else {}).write(files)


def dotnet(files: Files, chance: random.Random) -> bytes:
    """Before 4.6.1: folders behind backslashes."""
    return Habit(host=FAT, flags=UTF8, encode=lambda name: name.replace("/", "\\").encode()).write(files)


def seven_zip(files: Files, chance: random.Random) -> bytes:
    method = chance.random() < 0.5
    return Habit(
        host=FAT, flags=UTF8, central_extra=NTFS, folders=True, deflates=lambda *_: method,
        comment=b"packed" * chance.randrange(3),
    ).write(files)  # fmt: skip


def java(files: Files, chance: random.Random) -> bytes:
    return Habit(host=FAT, flags=UTF8 | DESCRIPTOR, local_extra=JAR, central_extra=JAR).write(files)


def go_stored(files: Files, chance: random.Random) -> bytes:
    return Habit(flags=UTF8 | DESCRIPTOR, deflates=lambda *_: False, mode=0).write(files)


def unsigned_descriptors(files: Files, chance: random.Random) -> bytes:
    return Habit(flags=UTF8 | DESCRIPTOR, signed=False, mode=0).write(files)


def long_form(files: Files, chance: random.Random) -> bytes:
    return Habit(version=45, flags=UTF8, zip64=True, deflates=_is_packable).write(files)


def long_form_streamed(files: Files, chance: random.Random) -> bytes:
    return Habit(version=45, flags=UTF8 | DESCRIPTOR, zip64=True).write(files)


def commented(files: Files, chance: random.Random) -> bytes:
    comment = bytes(chance.randrange(256) for _ in range(chance.randrange(300)))
    return Habit(flags=UTF8, comment=comment, member_comment=b"seen", folders=True).write(files)


def classic_mac(files: Files, chance: random.Random) -> bytes:
    return Habit(host=MACOS, flags=UTF8, deflates=_is_packable, hidden={"._Icon": APPLE_DOUBLE}).write(files)


def python(files: Files, chance: random.Random) -> bytes:
    stream = io.BytesIO()
    method = chance.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, body in files.items():
            archive.writestr(name, body, compresslevel=chance.choice([1, 6, 9]))
    return stream.getvalue()


class Pipe(io.RawIOBase):
    """Cannot seek."""

    def __init__(self) -> None:
        self.content = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.content += data
        return len(data)


def python_piped(files: Files, chance: random.Random) -> bytes:
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", chance.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return bytes(pipe.content)


def python_long(files: Files, chance: random.Random) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(body)
    return stream.getvalue()


WRITERS: dict[str, Callable[[Files, random.Random], bytes]] = {
    one.__name__: one
    for one in (
        info_zip, info_zip_piped, archive_utility, explorer, dotnet, seven_zip, java, go_stored, unsigned_descriptors,
        long_form, long_form_streamed, commented, classic_mac, python, python_piped, python_long,
    )
}  # fmt: skip
