"""Bytes that change after they were opened, and files that cannot be read."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from hemato_lab.errors import HematoError, IntegrityError, UnreadableInputError
from hemato_lab.formats import open_smear
from hemato_lab.formats.caching import TILES, WHOLE_IMAGES
from hemato_lab.formats.stored import ChangeWatch, InMemory, StoredFile, file_id_of
from hemato_lab.smear import Field, Window


def let_settle() -> None:
    """Wait until the time of the last change is no longer that of now."""
    time.sleep(0.06)


@pytest.fixture(params=["jpg", "png", "tif"])
def image(request: pytest.FixtureRequest, tmp_path: Path, photo: Any, encode: Any) -> Path:
    path = tmp_path / f"a.{request.param}"
    if request.param == "tif":
        tifffile.imwrite(path, photo(), photometric="rgb", tile=(16, 16))
    else:
        path.write_bytes(encode(photo(), {"jpg": "JPEG", "png": "PNG"}[request.param]))
    return path


def test_file_id_is_the_hash_of_the_bytes(image: Path) -> None:
    (field,) = open_smear(image).fields
    assert field.file_id == file_id_of(image.read_bytes())
    # FIPS 180-4, the standard's own example
    assert file_id_of(b"abc") == "sha224-i-23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"


@pytest.mark.parametrize("age", ["settled", "fresh"])
def test_changed_bytes_are_refused(age: str, image: Path) -> None:
    if age == "settled":
        let_settle()
    (field,) = open_smear(image).fields
    field.read()
    content = bytearray(image.read_bytes())
    content[len(content) // 2] ^= 1
    image.write_bytes(content)
    with pytest.raises(IntegrityError, match=f"{image.name}: .*{field.file_id}"):
        field.read()


def test_change_with_the_old_time_put_back_is_refused(image: Path) -> None:
    let_settle()
    status = image.stat()
    (field,) = open_smear(image).fields
    content = bytearray(image.read_bytes())
    content[-3] ^= 1
    image.write_bytes(content)
    os.utime(image, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(IntegrityError):
        field.read()


def test_replaced_and_shortened_files_are_refused(image: Path) -> None:
    (field,) = open_smear(image).fields
    content = image.read_bytes()
    image.write_bytes(content[:50])
    with pytest.raises(IntegrityError):
        field.read()
    image.with_name("new").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    image.with_name("new").replace(image)
    with pytest.raises(IntegrityError):
        field.read()


def test_the_same_bytes_written_again_are_fine(image: Path) -> None:
    (field,) = open_smear(image).fields
    before = field.read()
    image.write_bytes(image.read_bytes())
    np.testing.assert_array_equal(field.read(), before)


def test_removed_file(image: Path) -> None:
    (field,) = open_smear(image).fields
    image.unlink()
    with pytest.raises(UnreadableInputError, match="does not exist"):
        field.read()


def test_every_changed_byte_is_refused(tmp_path: Path, photo: Any, encode: Any) -> None:
    """Two thirds of such changes decode to other pixels without an error (RELIABILITY.md)."""
    path = tmp_path / "a.jpg"
    path.write_bytes(encode(photo(16, 16), "JPEG", quality=40))
    content = bytearray(path.read_bytes())
    (field,) = open_smear(path).fields
    for position in range(len(content)):
        content[position] ^= 0x11
        path.write_bytes(content)
        content[position] ^= 0x11
        with pytest.raises(IntegrityError):
            field.read()


def test_bytes_are_hashed_again_only_when_they_may_have_changed() -> None:
    """A change within one step of the file system's clock would show the same time."""
    hashed: list[str] = []

    def hash_again() -> str:
        hashed.append("again")
        return "id"

    now = time.time_ns()
    old, fresh = (1, 2, 3, now - 10**9, now - 10**9), (1, 2, 3, now, now)
    watch = ChangeWatch(old)
    watch.check(old, "a", "id", hash_again)
    assert hashed == []
    watch.check((9, 2, 3, now, now - 10**9), "a", "id", hash_again)
    watch.check((9, 2, 3, now, now - 10**9), "a", "id", hash_again)
    assert hashed == ["again"]
    watch = ChangeWatch(fresh)
    for _ in range(2):
        watch.check(fresh, "a", "id", hash_again)
    assert hashed == ["again"] * 3
    with pytest.raises(IntegrityError):
        watch.check(fresh, "a", "another", hash_again)


@pytest.mark.parametrize("options", [{}, {"tile": (16, 16)}], ids=["strip", "tiles"])
def test_a_write_just_before_the_bytes_are_read(
    options: Any, tmp_path: Path, photo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, photo(64, 64), photometric="rgb", **options)
    let_settle()
    (field,) = open_smear(path).fields
    TILES.clear()
    opened = StoredFile.opened

    def written_to_first(self: StoredFile) -> Any:
        path.write_bytes(bytes(self.size))
        return opened(self)

    monkeypatch.setattr(StoredFile, "opened", written_to_first)
    with pytest.raises(IntegrityError):
        field.read()
    assert TILES.held_bytes == 0


def test_nothing_of_a_changed_file_is_kept(tmp_path: Path, photo: Any) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, photo(64, 64), photometric="rgb", tile=(16, 16))
    (field,) = open_smear(path).fields
    original = path.read_bytes()
    TILES.clear()
    path.write_bytes(bytes(len(original)))
    with pytest.raises(IntegrityError):
        field.read()
    assert TILES.held_bytes == 0
    path.write_bytes(original)
    np.testing.assert_array_equal(field.read(), photo(64, 64))


def test_a_smear_survives_pickling(image: Path) -> None:
    smear = open_smear(image, um_per_px=0.1, tags={"slide": "7"})
    copy = pickle.loads(pickle.dumps(smear))  # noqa: S301
    assert (copy.name, copy.tags, copy.scale) == (smear.name, smear.tags, smear.scale)
    np.testing.assert_array_equal(copy.fields[0].read(), smear.fields[0].read())


def test_pixels_are_a_copy(image: Path) -> None:
    (field,) = open_smear(image).fields
    before = field.read().copy()
    field.read()[:] = 0
    field.read(Window(0, 0, 5, 5))[:] = 0
    np.testing.assert_array_equal(field.read(), before)


def test_threads_read_the_same_pixels(image: Path) -> None:
    (field,) = open_smear(image).fields
    whole = field.read()
    TILES.clear()
    WHOLE_IMAGES.clear()
    windows = [Window(x, y, x + 20, y + 15) for x in range(0, 36, 5) for y in range(0, 25, 4)]
    wrong: list[Window] = []

    def work(offset: int) -> None:
        order = windows[offset:] + windows[:offset]
        wrong.extend(one for one in order if not np.array_equal(field.read(one), whole[one.slices()]))

    threads = [threading.Thread(target=work, args=(7 * number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_no_file_stays_open(image: Path) -> None:
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("needs /proc")
    before = len(list(folder.iterdir()))
    fields: list[Field] = [open_smear(image).fields[0] for _ in range(20)]
    for field in fields:
        field.read()
    assert len(list(folder.iterdir())) == before


def test_file_without_permission(tmp_path: Path, photo: Any, encode: Any) -> None:
    path = tmp_path / "locked.png"
    path.write_bytes(encode(photo(), "PNG"))
    path.chmod(0)
    assert "locked.png: may not be read: permission denied" in message_without_rights(path)


def message_without_rights(path: Path) -> str:
    """Return the error of opening a file; root may read everything, so a child process gives its rights up first."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        message = "no error"
        try:
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            open_smear(path)
        except HematoError as error:
            message = str(error)
        finally:
            os.write(writing, message.encode())
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        return pipe.read().decode()


def test_pipe_does_not_block(tmp_path: Path) -> None:
    path = tmp_path / "pipe.png"
    os.mkfifo(path)
    with pytest.raises(UnreadableInputError, match="not a regular file"):
        open_smear(path)


def test_reads_beyond_the_end_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    with StoredFile(path, "a").opened() as on_disk:
        for access in (on_disk, InMemory(b"12345", "a")):
            assert access.read_at(1, 3) == b"234"
            assert access.read_at(5, 0) == b""
            for offset, size in [(0, 6), (-1, 2), (3, -1), (5, 1), (2**62, 2**62)]:
                with pytest.raises(UnreadableInputError, match="outside its 5"):
                    access.read_at(offset, size)


def test_importing_loads_no_decoder() -> None:
    code = (
        "import sys, hemato_lab.formats\n"
        "heavy = {'PIL', 'simplejpeg', 'tifffile', 'imagecodecs', 'numba', 'pandas', 'scipy', 'skimage'}\n"
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)  # noqa: S603
