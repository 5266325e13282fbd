"""Archives that attack what unpacks them, beyond those that `tests/formats` refuses already."""

from __future__ import annotations

import stat
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace

from tests.formats.test_zip_directory import HOSTILE as KNOWN
from tests.formats.test_zip_directory import Member, archive, changed, mode, named, sound, written
from tests.twin.conftest import image_bytes
from tests.twin.test_images import chunk, frame, header, jpeg
from tests.twin.test_images import png as png_of
from tests.twin.zip_writers import APPLE_DOUBLE

MOST_IMAGES, MOST_BYTES = 40, 6_000_000
Build = Callable[[bytes], bytes]


def beside(name: str, body: bytes) -> Build:
    """A member of any content behind a sound one."""
    return lambda png: archive(sound(png), Member(name.encode(), body))


def alone(**files: bytes) -> Build:
    return lambda _: written({name.replace("__", "."): body for name, body in files.items()})


def squeezed(body: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(body) + packer.flush()


class _Packed(Member):
    packed: bytes

    def data(self) -> bytes:
        return self.packed


def packed_member(name: bytes, body: bytes, packed: bytes) -> Member:
    """Return a deflated member with packed bytes of one's own."""
    member = _Packed(name, body, method=8, packed_size=len(packed))
    member.packed = packed
    return member


def packed_as(change: Callable[[bytes], bytes]) -> Build:
    return lambda png: archive(sound(png), packed_member(b"bad.png", png, change(squeezed(png))))


def wrong_checksum(png: bytes) -> bytes:
    content = archive(sound(png), Member(b"bad.png", png))
    checksum = struct.pack("<L", zlib.crc32(png))
    return content.replace(checksum, b"\1\2\3\4")


def one_bit(png: bytes) -> bytes:
    """The content of a stored member is another than its checksum says."""
    content = bytearray(archive(sound(png), Member(b"bad.png", png)))
    content[content.rindex(b"IDAT") + 9] ^= 4
    return bytes(content)


def long_end(*, locator: int = 0, count: int = 1, size: int = 0) -> Build:
    def build(png: bytes) -> bytes:
        content = archive(sound(png))
        end = len(content) - 22
        length, start = struct.unpack("<2L", content[end + 12 : end + 20])
        record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length + size, start)
        found = struct.pack("<4sLQL", b"PK\6\7", 0, end + locator, 1)
        return content[:end] + record + found + content[end:]

    return build


def kangaroo(png: bytes) -> bytes:
    """Headers in each other: every member's data begins with the header of the next (D. Fifield, 2019)."""
    members = [Member(f"{number}.png".encode(), png) for number in range(5)]
    content, records, inner = b"", b"", png
    headers = [replace(member, size=0).local_header() for member in members]
    for number in reversed(range(5)):
        inner = headers[number] + inner
    offsets = [sum(len(one) for one in headers[:number]) for number in range(5)]
    for number, offset in enumerate(offsets):
        body = inner[offset + len(headers[number]) :]
        fixed = Member(members[number].name, body)
        content = inner if number == 0 else content
        content = content[:offset] + fixed.local_header() + content[offset + len(headers[number]) :]
        records += fixed.record(offset)
    return content + records + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 5, 5, len(records), len(content), 0)


JPEG = image_bytes(kind="JPEG")
EMPTY_BLOCKS = b"\0\0\0\xff\xff" * 60_000
"""Deflate blocks without content: whoever looks for the first bytes of a member waits for them."""

MORE: dict[str, tuple[str, Build]] = {
    "headers in each other": ("overlap", kangaroo),
    "name of dots alone": ("traversal", named(b"..")),
    "climbs out of a folder": ("traversal", named(b"a/../../evil.png")),
    "climbs about": ("traversal", named(b"./../evil.png")),
    "climbs out into settings": ("traversal", named(b"../../../../etc/cron.d/evil")),
    "climbs both ways": ("traversal", named(b"a\\..\\../evil.png")),
    "climbs to the database": ("traversal", named(b"../twin.sqlite")),
    "server": ("absolute", named(b"//server/share/evil.png")),
    "long path of Windows": ("absolute", named(b"\\\\?\\C:\\evil.png")),
    "drive and slash": ("absolute", named(b"D:/evil.png")),
    "stream of a file": ("absolute", named(b"a:evil.png")),
    "root": ("absolute", named(b"/")),
    "NUL first": ("nul", named(b"\0.png")),
    "NUL and path": ("nul", named(b"good.png\0/../../evil")),
    "colours of a terminal": ("unsafe-name", named(b"\x1b[31mevil.png")),
    "delete sign": ("unsafe-name", named(b"a\x7f.png")),
    "line of another alphabet": ("unsafe-name", named("a\u0085b.png".encode(), flags=0x800)),
    "half a letter": ("unsafe-name", named(b"\xed\xa0\x80.png", flags=0x800)),
    "overlong slash": ("unsafe-name", named(b"..\xc0\xafevil.png", flags=0x800)),
    "header line": ("unsafe-name", named(b"a\r\nset-cookie: x.png")),
    "block device": ("special", mode(stat.S_IFBLK)),
    "link to the folder above": (
        "symlink", lambda png: archive(Member(b"up", b"..", mode=stat.S_IFLNK | 0o777), sound(png, "up/a.png")),
    ),
    "link packed": ("symlink", changed(body=b"/etc/passwd" * 9, method=8, mode=stat.S_IFLNK | 0o777)),
    "case clash of umlauts": ("case-clash", named("\u00c4.png".encode(), "\u00e4.png".encode(), flags=0x800)),
    "clash of sharp s": ("case-clash", named("stra\u00dfe.png".encode(), b"STRASSE.png", flags=0x800)),
    "twice by backslash": ("duplicate", named(b"a/b.png", b"a\\b.png")),
    "nested rar": ("nested", named(b"a.rar")),
    "nested jar": ("nested", named(b"a.JAR")),
    "nested disk": ("nested", named(b"a.iso")),
    "contains itself": ("nested", lambda png: archive(sound(png), Member(b"r/r.zip", archive(sound(png))))),
    "disguised and empty ZIP": ("nested", beside("a.png", archive())),
    "hides a ZIP without an ending": ("nested", changed(name=b"a", body=archive(), method=8)),
    "shrunk": ("method", changed(method=1)),
    "Deflate64": ("method", changed(method=9)),
    "bzip2": ("method", changed(method=12)),
    "LZMA": ("method", changed(method=14)),
    "Zstandard": ("method", changed(method=93)),
    "a method that is none": ("method", changed(method=65535)),
    "another checksum": ("damaged", wrong_checksum),
    "another bit": ("damaged", one_bit),
    "packed garbage": ("damaged", packed_as(lambda packed: b"\7" * len(packed))),
    "packed bytes that end early": ("damaged", packed_as(lambda packed: packed[:-2])),
    "packed bytes that go on": ("damaged", packed_as(lambda packed: packed + bytes(100))),
    "packed bytes that go on for long": ("damaged", packed_as(lambda packed: packed + bytes(600_000))),
    "blocks of nothing before": ("not-an-image", packed_as(lambda packed: EMPTY_BLOCKS + packed)),
    "packs nothing": ("not-an-image", packed_as(lambda _: b"")),
    "long end elsewhere": ("damaged", long_end(locator=9)),
    "long end of another size": ("damaged", long_end(size=9)),
    "long end of more members": ("count", long_end(count=2)),
    "long end of a world of members": ("count", long_end(count=2**62)),
    "one image too many": ("count", lambda png: archive(*(sound(png, f"{n}.png") for n in range(MOST_IMAGES + 1)))),
    "too much in all": (
        "too-large", lambda png: archive(*(sound(png + bytes(700_000), f"{n}.png") for n in range(10))),
    ),
    "too much in all, packed": (
        "too-large",
        lambda png: archive(*(Member(b"%d.png" % n, png + bytes(range(256)) * 3000, method=8) for n in range(10))),
    ),
    "text": ("not-an-image", beside("notes.txt", b"hello")),
    "text named as an image": ("not-an-image", beside("a.png", b"hello")),
    "page": ("not-an-image", beside("index.html", b"<script>alert(1)</script>")),
    "drawing with a script": ("not-an-image", beside("a.svg", b"<svg onload='alert(1)'/>")),
    "program": ("not-an-image", beside("run.exe", b"MZ" + bytes(100))),
    "program named as an image": ("not-an-image", beside("a.jpg", b"\x7fELF" + bytes(100))),
    "pickle": ("not-an-image", beside("a.pkl", b"\x80\4cos\nsystem\n(S'id'\ntR.")),
    "start of a shell": ("not-an-image", beside(".bashrc", b"id")),
    "list of keys": ("not-an-image", beside(".ssh/authorized_keys", b"ssh-rsa x")),
    "TIFF": ("not-an-image", beside("a.tif", b"II*\0" + bytes(60))),
    "GIF": ("not-an-image", beside("a.gif", b"GIF89a" + bytes(60))),
    "WebP as PNG": ("not-an-image", beside("a.png", b"RIFF\0\0\0\0WEBP")),
    "empty file": ("not-an-image", beside("a.png", b"")),
    "hidden by its name only": ("not-an-image", beside("MACOSX/x", APPLE_DOUBLE)),
    "PNG named as JPEG": ("file-type-mismatch", lambda png: archive(sound(png), Member(b"a.jpg", png))),
    "JPEG named as PNG": ("file-type-mismatch", beside("a.png", JPEG)),
    "JPEG named as TIFF": ("file-type-mismatch", beside("a.TIFF", JPEG)),
    "empty": ("no-images", alone()),
    "folders alone": ("no-images", lambda _: archive(Member(b"a/", b""), Member(b"a/b/", b""))),
    "hidden files alone": ("no-images", alone(__DS_Store=b"x")),
    "companions alone": ("no-images", lambda _: written({"__MACOSX/._a.png": APPLE_DOUBLE, "Thumbs.db": b"x"})),
    "PNG bomb": ("image_too_large", beside("a.png", png_of(header(2**31 - 1, 2**31 - 1)))),
    "PNG bomb, packed": (
        "image_too_large", lambda png: archive(sound(png), Member(b"a", png_of(header(50_000, 50_000)), method=8)),
    ),
    "JPEG bomb": ("image_too_large", beside("a.jpg", jpeg(frame(65_000, 65_000)))),
    "PNG of more than its bytes hold": ("bad_image", beside("a.png", png_of(header(14_000, 14_000)))),
    "PNG without pixels": ("bad_image", beside("a.png", b"\x89PNG\r\n\x1a\n" + header(8, 8) + chunk(b"IEND"))),
    "JPEG without a frame": ("bad_image", beside("a.jpg", jpeg())),
}  # fmt: skip
HOSTILE: dict[str, tuple[str, Build]] = KNOWN | MORE
"""For each attack the reason of the refusal, or the code of an image that is refused by its header."""
