"""Slides: what tifffile reads back, truth, and memory."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import simplejpeg
import tifffile

from hemato_lab.errors import ConfigError, UnreadableInputError
from hemato_lab.phantom import render_field, write_slide
from hemato_lab.phantom.dataset import encode_jpeg
from hemato_lab.phantom.slide import read_truth

WIDTH, HEIGHT = 1301, 1090


@pytest.fixture(scope="module")
def even(rich):
    return replace(rich, illumination=replace(rich.illumination, falloff=0.0))


@pytest.fixture(scope="module")
def slide(tmp_path_factory, rich):
    return write_slide(tmp_path_factory.mktemp("slide") / "deep" / "one.tif", rich, 4, WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def field(even):
    return render_field(even, 4, WIDTH, HEIGHT)


def test_levels_tiles_and_resolution(slide, rich):
    with tifffile.TiffFile(slide[0]) as tiff:
        assert tiff.is_bigtiff
        assert [page.shape[:2] for page in tiff.pages] == [(1090, 1301), (545, 651), (273, 326)]
        for number, page in enumerate(tiff.pages):
            assert page.tile == (512, 512)
            numerator, denominator = page.tags["XResolution"].value
            assert 1e4 / (numerator / denominator) == pytest.approx(rich.um_per_px * 2**number, rel=1e-5)
            assert page.tags["ResolutionUnit"].value == 3
        assert "For Research Use Only" in tiff.pages[0].description


def tiles(slide, level):
    """Raw JPEG streams of a level, row by row."""
    with tifffile.TiffFile(slide[0]) as tiff:
        page = tiff.pages[level]
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
            tiff.filehandle.seek(offset)
            yield tiff.filehandle.read(count)


def test_tiles_are_the_field_after_jpeg(slide, field, even):
    pixels, _ = field
    expected = encode_jpeg(pixels[512:1024, 512:1024], even.camera)
    assert list(tiles(slide, 0))[4] == expected


def test_the_next_level_is_the_mean_of_four(slide, field, even):
    pixels, _ = field
    four = pixels[:1024, :1024].reshape(512, 2, 512, 2, 3).astype(float).mean(axis=(1, 3))
    expected = encode_jpeg(np.floor(four + 0.5).astype(np.uint8), even.camera)
    assert next(tiles(slide, 1)) == expected


def test_another_reader_sees_the_field(slide, field):
    pixels, _ = field
    read = tifffile.imread(slide[0])
    assert read.shape == pixels.shape
    assert np.abs(read.astype(int) - pixels).mean() < 2


def test_truth_is_that_of_the_field(slide, field):
    truth, (_, expected) = read_truth(slide[1]), field
    np.testing.assert_array_equal(truth["name"], expected["name"])
    for column in ("x", "y"):
        np.testing.assert_array_equal(truth[column], expected[column])
    np.testing.assert_allclose(truth["area_um2"], expected["area_um2"], rtol=1e-6)
    np.testing.assert_array_equal(truth["overlapped"], expected["overlapped"])


def test_progress_and_flat_light(tmp_path, rich):
    calls = []
    write_slide(tmp_path / "a.tif", rich, 1, 1200, 900, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (1200 * 900, 1200 * 900)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert not list(tmp_path.glob("*.part"))


def test_a_place_that_cannot_be_written_is_refused(tmp_path, rich):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="slide"):
        write_slide(tmp_path / "file" / "slide.tif", rich, 1, 50, 50)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError])
def test_nothing_unfinished_stays_behind(tmp_path, rich, stop):
    def interrupt(done, total):
        assert list(tmp_path.glob("*.part"))
        raise stop

    with pytest.raises(stop):
        write_slide(tmp_path / "a.tif", rich, 1, 60, 50, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_nothing_unfinished_stays_behind_when_the_truth_cannot_be_written(tmp_path, rich, monkeypatch):
    def fail(stream, **columns):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(ConfigError, match="No space left"):
        write_slide(tmp_path / "a.tif", rich, 1, 60, 50)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no table", b"PK\x03\x04 broken", None])
def test_a_file_that_is_no_truth_is_refused(tmp_path, content):
    path = tmp_path / "x.truth.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnreadableInputError):
        read_truth(path)


def test_tiles_decode_without_codec_library(slide):
    assert [simplejpeg.decode_jpeg(raw).shape for raw in tiles(slide, 2)] == [(512, 512, 3)]


_CHILD = """
import resource, sys
from hemato_lab.phantom import RECIPES, write_slide
write_slide(sys.argv[1], RECIPES["normal"], 1, {size}, {size})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_memory_of_a_large_slide(tmp_path):
    code = _CHILD.format(size=8000)
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code, str(tmp_path / "large.tif")], check=True, capture_output=True, text=True
    )
    # Rows of 1024 x 40,000 px are 123 MB: 500 MB here leaves room for five times the width within 1 GB.
    assert int(done.stdout) < 500
