"""Files that are no pictures of cells, a folder with one good picture, and the command line in this process."""

from __future__ import annotations

import io
import os
import shutil
import struct
import sys
import tempfile
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from PIL import Image

from hemato_lab.cli import main
from hemato_lab.formats.caching import MEMBERS, TILES, WHOLE_IMAGES
from hemato_lab.phantom import RECIPES
from hemato_lab.phantom.dataset import photographs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Outcome(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(monkeypatch, capfd) -> Callable[..., Outcome]:
    """Run the command line in this process, as the installed script does."""

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["hemato-lab", *map(str, arguments)])
        capfd.readouterr()
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        else:
            code = 0
        return Outcome(code, *capfd.readouterr())

    return run


@pytest.fixture(autouse=True)
def empty_caches() -> Iterator[None]:
    yield
    for cache in (WHOLE_IMAGES, TILES, MEMBERS):
        cache.clear()


@pytest.fixture(scope="session")
def photograph() -> bytes:
    """JPEG of a small phantom field whose red cells measure 30 pixels."""
    recipe = replace(RECIPES["normal"], um_per_px=0.25)
    return next(photographs(recipe, 3, 1, 420, 320)).jpeg


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def png_bomb(side: int = 30_000) -> bytes:
    """A true PNG of side x side black pixels, whose 2.7 GB compress to a few megabytes at most."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    packer = zlib.compressobj(9)
    # One in a hundred rows is enough: the size is refused before any row is looked at.
    rows = b"".join(packer.compress(bytes(1 + 3 * side)) for _ in range(side // 100)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def zip_bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("slide.jpg", bytes(60_000_000))
    return stream.getvalue()


@pytest.fixture(scope="session")
def bad_files(photograph) -> dict[str, bytes]:
    """Content of every file that is refused when it is opened, by name."""
    return {
        "empty.jpg": b"",
        "text.jpg": b"This is no picture, it only says so.\n" * 20,
        "cut.jpg": photograph[: len(photograph) // 2],
        "cut.png": png(np.zeros((200, 200, 3), np.uint8) + np.arange(200, dtype=np.uint8)[:, None])[:300],
        "bomb.png": png_bomb(),
    }


@pytest.fixture(scope="session")
def blank_files() -> dict[str, bytes]:
    """Pictures that can be read and show no cell, by name."""
    return {
        "one_pixel.png": png(np.full((1, 1, 3), 200, np.uint8)),
        "black.png": png(np.zeros((240, 320, 3), np.uint8)),
        "white.png": png(np.full((240, 320, 3), 255, np.uint8)),
        "no_cells.png": png(np.random.default_rng(0).normal(215, 3, (240, 320, 3)).astype(np.uint8)),
    }


@pytest.fixture(scope="session")
def archive_bomb() -> bytes:
    return zip_bomb()


@pytest.fixture
def good(tmp_path, photograph) -> Path:
    path = tmp_path / "good.jpg"
    path.write_bytes(photograph)
    return path


@pytest.fixture
def good_among_bad(tmp_path, photograph, bad_files) -> Path:
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "good.jpg").write_bytes(photograph)
    for name, content in bad_files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def forbidden(photograph) -> Iterator[Path]:
    """Folder with a good picture and one that may not be opened; root gives up its rights for the test."""
    folder = Path(tempfile.mkdtemp(prefix="hemato_lab_test_"))
    folder.chmod(0o755)
    for name, mode in (("good.jpg", 0o644), ("secret.jpg", 0o000)):
        (folder / name).write_bytes(photograph)
        (folder / name).chmod(mode)
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)
    try:
        if os.access(folder / "secret.jpg", os.R_OK, effective_ids=True):
            pytest.skip("this file system lets everybody read everything")
        yield folder
    finally:
        if was_root:
            os.seteuid(0)
        shutil.rmtree(folder)
