"""Hostile archives built byte by byte, and benign ones of the standard library."""

from __future__ import annotations

import io
import stat
import struct
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from hemato_lab.errors import ArchiveError, NoImagesError
from hemato_lab.formats import open_smear
from hemato_lab.formats.opening import COPY_CODE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass
class Member:
    """One entry; whatever is not given is right. `local` changes only the header before the data."""

    name: bytes
    body: bytes
    method: int = 0
    flags: int = 0
    size: int | None = None
    packed_size: int | None = None
    mode: int = 0
    disk: int = 0
    extra: bytes = b""
    offset: int | None = None
    local: dict[str, Any] = field(default_factory=dict)

    def data(self) -> bytes:
        if self.method != 8:
            return self.body
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        return packer.compress(self.body) + packer.flush()

    def local_header(self) -> bytes:
        own = replace(self, local={}, **self.local)
        size, packed = own._sizes()
        numbers = (20, own.flags, own.method, 0, 0, zlib.crc32(self.body), packed, size, len(own.name), 0)
        return struct.pack("<4s5H3L2H", b"PK\3\4", *numbers) + own.name

    def record(self, offset: int) -> bytes:
        size, packed = self._sizes()
        start = offset if self.offset is None else self.offset
        numbers = (
            0x0314, 20, self.flags, self.method, 0, 0, zlib.crc32(self.body), packed, size, len(self.name),
            len(self.extra), 0, self.disk, 0, self.mode << 16, start,
        )  # fmt: skip
        return struct.pack("<4s6H3L5H2L", b"PK\1\2", *numbers) + self.name + self.extra

    def _sizes(self) -> tuple[int, int]:
        size = len(self.body) if self.size is None else self.size
        packed = len(self.data()) if self.packed_size is None else self.packed_size
        return size, packed


def archive(*members: Member, **end: Any) -> bytes:
    content, records = bytearray(), bytearray()
    for member in members:
        records += member.record(len(content))
        content += member.local_header() + member.data()
    start = end.get("start", len(content))
    count = end.get("count", len(members))
    here = end.get("here", count)
    size = end.get("size", len(records))
    tail = struct.pack("<4s4H2LH", b"PK\5\6", end.get("disk", 0), 0, here, count, size, start, 0)
    return bytes(content + records) + tail


@pytest.fixture(scope="session")
def png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(5).integers(0, 256, (9, 11, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def sound(png: bytes, name: str = "good.png") -> Member:
    return Member(name.encode(), png)


def overlapping(png: bytes) -> bytes:
    """The second entry lies inside the data of the first, as in bombs that unpack the same bytes many times."""
    inner = sound(png, "inner.png")
    quoted = inner.local_header() + inner.data()
    outer = Member(b"outer.png", quoted)
    content = outer.local_header() + quoted
    records = outer.record(0) + inner.record(len(outer.local_header()))
    return content + records + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 2, 2, len(records), len(content), 0)


def last_header_destroyed(png: bytes) -> bytes:
    return b"PK\3\5".join(archive(sound(png), sound(png, "b.png")).rsplit(b"PK\3\4", 1))


def many(count: int) -> Callable[[bytes], bytes]:
    return lambda _: archive(*(Member(f"{number}.png".encode(), b"") for number in range(count)))


def mode(kind: int) -> Callable[[bytes], bytes]:
    return lambda png: archive(sound(png), Member(b"link.png", b"/etc/passwd", mode=kind | 0o777))


def named(*names: bytes, flags: int = 0) -> Callable[[bytes], bytes]:
    return lambda png: archive(sound(png), *(Member(name, png, flags=flags) for name in names))


def changed(**changes: Any) -> Callable[[bytes], bytes]:
    return lambda png: archive(sound(png), replace(Member(b"bad.png", png), **changes))


def deflated(**changes: Any) -> Callable[[bytes], bytes]:
    return lambda png: archive(sound(png), replace(Member(b"bad.png", png, method=8), **changes))


def ended(**end: Any) -> Callable[[bytes], bytes]:
    return lambda png: archive(sound(png), **end)


ZEROS = bytes(3_000_000)
ZIP64 = struct.pack("<HHQQQ", 1, 24, 10**12, 10**12, 0)
HOSTILE: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "overlap": ("overlap", overlapping),
    "same bytes twice": ("duplicate", lambda png: archive(sound(png), replace(sound(png), offset=0))),
    "same bytes under another name": ("mismatch", changed(offset=0)),
    "data reaches into the directory": ("damaged", changed(packed_size=10_000, size=10_000)),
    "ratio": ("ratio", lambda png: archive(sound(png), Member(b"zeros.tif", ZEROS, method=8))),
    "ratio of all together": (
        "ratio", lambda _: archive(*(Member(f"{n}.tif".encode(), bytes(1_000_000), method=8) for n in range(70))),
    ),
    "count": ("count", many(20_001)),
    "states more members": ("count", ended(count=2)),
    "states fewer members": ("count", lambda png: archive(sound(png), sound(png, "b.png"), count=1)),
    "nested zip": ("nested", named(b"inner.zip")),
    "nested 7z": ("nested", named(b"a/inner.7Z")),
    "nested tar": ("nested", named(b"inner.tar.gz")),
    "disguised zip": ("nested", lambda png: archive(sound(png), Member(b"inner.png", archive(sound(png))))),
    "disguised packed zip": (
        "nested", lambda png: archive(sound(png), Member(b"inner.tif", archive(sound(png)), method=8)),
    ),
    "unpacks to more": ("size", deflated(size=100, local={"size": 100})),
    "unpacks to less": ("size", deflated(size=100_000, local={"size": 100_000})),
    "stored with two sizes": ("size", changed(size=10_000, local={"size": 10_000})),
    "two sizes": ("mismatch", changed(local={"size": 5})),
    "two packed sizes": ("mismatch", changed(local={"packed_size": 5})),
    "two names": ("mismatch", changed(local={"name": b"../evil"})),
    "two methods": ("mismatch", changed(local={"method": 8, "packed_size": 1})),
    "encrypted only in its header": ("mismatch", changed(local={"flags": 1})),
    "a gigabyte and more": ("too-large", changed(size=2**30 + 1, packed_size=2**30 + 1)),
    "a terabyte": ("too-large", changed(size=2**32 - 1, packed_size=2**32 - 1, offset=2**32 - 1, extra=ZIP64)),
    "climbs out": ("traversal", named(b"../evil.png")),
    "climbs out later": ("traversal", named(b"a/b/../../../evil.png")),
    "climbs out backwards": ("traversal", named(b"..\\evil.png")),
    "ends in dots": ("traversal", named(b"a/..")),
    "absolute": ("absolute", named(b"/etc/evil.png")),
    "absolute backwards": ("absolute", named(b"\\\\server\\evil.png")),
    "drive": ("absolute", named(b"C:\\evil.png")),
    "relative to a drive": ("absolute", named(b"c:evil.png")),
    "NUL": ("nul", named(b"good.png\0.exe")),
    "line break": ("unsafe-name", named(b"a\nb.png")),
    "no name": ("unsafe-name", named(b"")),
    "no UTF-8": ("unsafe-name", named(b"\xff\xfe.png", flags=0x800)),
    "long name": ("unsafe-name", named(b"a" * 1021 + b".png")),
    "symbolic link": ("symlink", mode(stat.S_IFLNK)),
    "pipe": ("special", mode(stat.S_IFIFO)),
    "device": ("special", mode(stat.S_IFCHR)),
    "socket": ("special", mode(stat.S_IFSOCK)),
    "case clash": ("case-clash", named(b"Cell.png", b"cell.PNG")),
    "clash of accents": ("case-clash", named("\u00e9.png".encode(), "e\u0301.png".encode(), flags=0x800)),
    "clash of folders": ("case-clash", named(b"A/1.png", b"a/1.png")),
    "twice": ("duplicate", named(b"cell.png", b"cell.png")),
    "file and folder": ("duplicate", lambda png: archive(sound(png), Member(b"a", png), Member(b"a/", b""))),
    "folder with content": ("mismatch", named(b"folder/")),
    "encrypted": ("encrypted", named(b"bad.png", flags=1)),
    "strongly encrypted": ("encrypted", named(b"bad.png", flags=0x41)),
    "AES": ("encrypted", changed(method=99)),
    "masked headers": ("encrypted", named(b"bad.png", flags=0x2000)),
    "split": ("split", ended(disk=1)),
    "split count": ("split", ended(here=0)),
    "split member": ("split", changed(disk=3)),
    "cut short": ("damaged", lambda png: archive(sound(png))[:-30]),
    "directory elsewhere": ("damaged", ended(start=3)),
    "directory of another size": ("damaged", ended(size=3)),
    "something before": ("damaged", lambda png: b"PK\3\4" + bytes(96) + archive(sound(png))),
    "something behind": ("damaged", lambda png: archive(sound(png)) + b"x"),
    "directory destroyed": ("damaged", lambda png: archive(sound(png)).replace(b"PK\1\2", b"PK\1\3")),
    "header destroyed": ("damaged", last_header_destroyed),
    "header outside": ("damaged", changed(offset=10**6)),
    "long sizes missing": ("damaged", changed(size=2**32 - 1)),
}  # fmt: skip


@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_archives_are_refused(attack: str, tmp_path: Path, png: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    reason, build = HOSTILE[attack]
    content = build(png)
    folder = tmp_path / "in"
    folder.mkdir()
    monkeypatch.chdir(folder)
    path = folder / "attack.zip"
    path.write_bytes(content)
    with pytest.raises(ArchiveError) as caught:
        open_smear(path)
    assert caught.value.reason == reason
    assert list(tmp_path.rglob("*")) == [folder, path]


def test_hostile_archive_does_not_cost_the_other_files(tmp_path: Path, png: bytes) -> None:
    (tmp_path / "bad.zip").write_bytes(overlapping(png))
    (tmp_path / "good.png").write_bytes(png)
    smear = open_smear([tmp_path / "bad.zip", tmp_path / "good.png"])
    assert [field.name for field in smear.fields] == ["good.png"]
    assert [(one.name, one.code) for one in smear.skipped] == [("bad.zip", "archive")]


def reference(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def written(files: dict[str, bytes], **options: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return buffer.getvalue()


class Pipe(io.RawIOBase):
    """Cannot seek: zipfile then puts sizes behind the data."""

    def __init__(self) -> None:
        self.content = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.content += data
        return len(data)


def streamed(png: bytes) -> bytes:
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.png", png)
        file.writestr("b.png", png)
    return bytes(pipe.content)


def long_form(png: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file, file.open("a.png", "w", force_zip64=True) as member:
        member.write(png)
    return buffer.getvalue()


def zip64_end(png: bytes) -> bytes:
    content = archive(sound(png))
    end = len(content) - 22
    count, size, start = struct.unpack("<H2L", content[end + 10 : end + 20])
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    short = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 2**32 - 1, 2**32 - 1, 0)
    return content[:end] + record + locator + short


def commented(png: bytes) -> bytes:
    buffer = io.BytesIO(written({"a.png": png}))
    with zipfile.ZipFile(buffer, "a") as file:
        file.comment = b"PK\5\6 looks like an end record" * 3
    return buffer.getvalue()


BENIGN: dict[str, Callable[[bytes], bytes]] = {
    "stored": lambda png: written({"a.png": png}),
    "packed": lambda png: written({"a.png": png}, compression=zipfile.ZIP_DEFLATED),
    "folders": lambda png: written({"smear/": b"", "smear/one/a.png": png}),
    "other files": lambda png: written({"notes.txt": b"x", "labels.csv": b"", "a.png": png, "b.json": b"{}"}),
    "companions of macOS": lambda png: written({"a.png": png, "__MACOSX/._a.png": b"x", ".DS_Store": b"y"}),
    "unicode": lambda png: written({"Ausstrich_\u00e4\u00f6\u2460.png": png}),
    "streamed": streamed,
    "ZIP64 member": long_form,
    "ZIP64 end": zip64_end,
    "comment": commented,
    "backslashes": lambda png: archive(Member(b"smear\\a.png", png)),
    "blank text": lambda png: written({"a.png": png, "log.txt": bytes(900_000)}, compression=zipfile.ZIP_DEFLATED),
    "dots": lambda png: written({"a..b/...c.png": png, "d.png": png}),
}


@pytest.mark.parametrize("kind", BENIGN)
def test_benign_archives_are_read(kind: str, tmp_path: Path, png: bytes) -> None:
    path = tmp_path / "benign.zip"
    path.write_bytes(BENIGN[kind](png))
    smear = open_smear(path)
    assert smear.name == "benign.zip"
    assert {one.code for one in smear.skipped} <= {COPY_CODE}
    for one in smear.fields:
        np.testing.assert_array_equal(one.read(), reference(png))


def test_members_come_in_natural_order(tmp_path: Path, png: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(written({"img10.png": png, "img2.png": png, "IMG1.png": png}))
    smear = open_smear(path)
    assert [one.name for one in smear.fields] == ["IMG1.png"]
    assert [one.reason for one in smear.skipped] == [
        "img2.png: same image as IMG1.png",
        "img10.png: same image as IMG1.png",
    ]


def test_archive_without_images(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    for content in (written({}), written({"readme.txt": b"x"}), written({"a/": b""})):
        path.write_bytes(content)
        with pytest.raises(NoImagesError, match=r"a\.zip: the archive holds no image"):
            open_smear(path)


def check_random_archive(path: Path, png: bytes, names: list[str], data: st.DataObject) -> None:
    method = data.draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    path.write_bytes(written({f"{name}.png": png for name in names}, compression=method))
    smear = open_smear(path)
    assert {one.name for one in (*smear.fields, *smear.skipped)} == {f"{name}.png" for name in names}
    assert (len(smear.fields), {one.code for one in smear.skipped} - {COPY_CODE}) == (1, set())
    np.testing.assert_array_equal(smear.fields[-1].read(), reference(png))


NAMES = st.lists(
    st.from_regex(r"[a-zA-Z0-9_\-]{1,12}(/[\w\-]{1,12})?", fullmatch=True).filter(lambda name: "\\" not in name),
    min_size=1,
    max_size=8,
    unique_by=lambda name: unicodedata.normalize("NFC", name).casefold(),
)
KEEP = {"suppress_health_check": [HealthCheck.function_scoped_fixture], "deadline": None}


@settings(max_examples=60, **KEEP)
@given(names=NAMES, data=st.data())
def test_random_benign_archives(names: list[str], data: st.DataObject, tmp_path: Path, png: bytes) -> None:
    check_random_archive(tmp_path / "a.zip", png, names, data)


@pytest.mark.slow
@settings(max_examples=1000, **KEEP)
@given(names=NAMES, data=st.data())
def test_a_thousand_benign_archives(names: list[str], data: st.DataObject, tmp_path: Path, png: bytes) -> None:
    check_random_archive(tmp_path / "a.zip", png, names, data)
