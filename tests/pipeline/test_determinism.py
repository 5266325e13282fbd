"""The same input gives the same bytes, whatever the tiles, threads, hash seed and locale."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage

from hemato_lab.detectors import DETECTORS
from hemato_lab.imaging.tiling import margin_px
from hemato_lab.pipeline import analyze
from hemato_lab.smear import Smear

SMALL_CELLS = {"rbc_px": 16.0, "size": (760, 700)}
"""Tiles of 256 pixels with their margins are then far smaller than the field."""


EACH_DETECTOR = pytest.mark.parametrize("detector", sorted(DETECTORS))


@EACH_DETECTOR
@pytest.mark.parametrize(
    ("recipe", "configurations"),
    [
        ("differential", ((256, 2),)),
        pytest.param("differential", ((256, 1), (512, 2), (1024, 4)), marks=pytest.mark.slow),
        pytest.param("poikilocytosis", ((256, 2),), marks=pytest.mark.slow),
    ],
)
def test_one_report_for_every_tile_size(phantom, report_bytes, recipe: str, configurations, detector: str):
    smear = phantom(recipe, **SMALL_CELLS)
    assert 256 + 2 * margin_px(16.0) < smear.fields[0].height
    reference = report_bytes(smear, detector=detector)
    for tile_size, threads in configurations:
        tiled = report_bytes(smear, detector=detector, tile_size=tile_size, threads=threads)
        assert tiled == reference, (tile_size, threads)


@pytest.mark.parametrize("threads", [4, pytest.param(2, marks=pytest.mark.slow)])
def test_one_report_for_every_number_of_threads(phantom, report_bytes, threads: int):
    """Many small tiles of several fields, finished in any order."""
    smear = phantom("acute_leukaemia", fields=2)
    assert report_bytes(smear, tile_size=200, threads=threads) == report_bytes(smear)


@EACH_DETECTOR
@pytest.mark.parametrize("configuration", [(200, 2), pytest.param((64, 1), marks=pytest.mark.slow)])
def test_every_column_of_every_cell_is_the_same(phantom, detector: str, configuration: tuple[int, int]):
    """The report holds rounded sums only; the table must not differ in its last bit either."""
    smear = phantom("sickle", rbc_px=20.0, size=(420, 420))
    whole = analyze(smear, detector=detector).detections
    crossing = (np.floor((whole["x_min"] + 0.5) / 200) != np.floor((whole["x_max"] + 0.5) / 200)) | (
        np.floor((whole["y_min"] + 0.5) / 200) != np.floor((whole["y_max"] + 0.5) / 200)
    )
    assert np.count_nonzero(crossing) > 20
    tile_size, threads = configuration
    assert analyze(smear, detector=detector, tile_size=tile_size, threads=threads).detections == whole


def test_an_estimated_scale_does_not_depend_on_tiles(phantom, report_bytes):
    stated = phantom("normal")
    smear = Smear(stated.name, stated.fields)
    assert report_bytes(smear, tile_size=160, threads=2) == report_bytes(smear)


FOREIGN = {
    "ink": ((640, 520), 256, lambda x, y: ((x - 320) / 260) ** 2 + ((y - 260) / 200) ** 2 < 1, (2.0, 2.0, 2.0)),
    "fibre": ((400, 300), 160, lambda x, y: np.abs(y - 20 - 0.7 * x) < 4, (0.1, 0.26, 0.2)),
    "azure fibre": ((400, 300), 160, lambda x, y: np.abs(y - 20 - 0.7 * x) < 2, (0.6, 0.9, 0.3)),
}
"""Size of the field and of its tiles, where they lie, and their optical densities."""


@EACH_DETECTOR
@pytest.mark.parametrize("kind", FOREIGN)
def test_things_larger_than_any_margin_do_not_depend_on_tiles(phantom, field_of, kind: str, detector: str):
    """What an ink spot or a fibre is taken for must not depend on where tiles end."""
    size, tile_size, covers, density = FOREIGN[kind]
    smear = phantom("normal", rbc_px=16.0, size=size)
    rows, columns = np.indices(size[::-1])
    cover = ndimage.gaussian_filter(covers(columns, rows).astype(float), 1.0)[..., None]
    light = (smear.fields[0].read() / 255) ** 2.2 * 10 ** (-cover * np.array(density))
    spotted = Smear(kind, (field_of(np.rint(255 * light ** (1 / 2.2)).astype(np.uint8)),), {}, smear.scale)
    whole = analyze(spotted, detector=detector).detections
    assert analyze(spotted, detector=detector, tile_size=tile_size).detections == whole


_IN_A_PROCESS = """
import hashlib, locale, sys
locale.setlocale(locale.LC_ALL, "")
from dataclasses import replace
from hemato_lab.export import EXPORTERS, render
from hemato_lab.phantom import RECIPES, phantom_smear
from hemato_lab.pipeline import analyze
smear = phantom_smear(replace(RECIPES["differential"], um_per_px=0.3), 1, 2, 200, 160)[0]
analysis = analyze(smear, threads=2, tile_size=100)
for kind in ("json", "csv", "html"):
    print(kind, hashlib.sha256(render(analysis, kind)).hexdigest())
"""


def test_hash_seed_and_locale_change_nothing():
    def run(**environment: str) -> str:
        finished = subprocess.run(  # noqa: S603 (our own interpreter and script)
            [sys.executable, "-c", _IN_A_PROCESS],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    plain = run(PYTHONHASHSEED="0", LC_ALL="C", PYTHONUTF8="0", TZ="UTC")
    assert plain.count("\n") == 3
    assert run(PYTHONHASHSEED="4711", LC_ALL="C.UTF-8", LANGUAGE="tr", TZ="Asia/Tokyo") == plain
