from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hemato_lab.detections import Detections
from hemato_lab.smear import Field, Scale, Smear
from tests.analysed import analysis, checked_analysis, empty_analysis, hostile_analysis

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.analysis import Analysis

__all__ = ["analysis", "checked_analysis", "empty_analysis", "hostile_analysis", "hostile_names", "measured", "real"]

HOSTILE_NAMES = (
    "../../../etc/passwd.png",
    "C:\\windows\\system32\\evil.png",
    "a/b/../c.png",
    '"><script>alert(1)</script>&amp;.png',
    "=HYPERLINK(1)\n\t\r.png",
    "emoji 🩸 ünïcode.jpg",
    "con.png",
    "\udcff\x00\x1b[31m.png",
    " . ",
    "-rf *.png",
    "]]>--<!-- .png",
    "x" * 300 + ".png",
)


@pytest.fixture(scope="session")
def real() -> Analysis:
    """An analysis that the pipeline made, of two fields with parasites."""
    from hemato_lab.formats import open_smear
    from hemato_lab.pipeline import analyze
    from hemato_lab.resources import shipped

    smear = open_smear(str(shipped("sample_data") / "malaria"))
    return analyze(replace(smear, fields=smear.fields[:2]))


class Noise:
    """Pixels that differ from each other, so that a mix-up of axes or channels is seen."""

    def __init__(self, width: int, height: int, seed: int) -> None:
        self.width, self.height = width, height
        self.pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)

    def read(self, window) -> NDArray[np.uint8]:
        return self.pixels[window.slices()]


@pytest.fixture
def measured(analysis: Analysis) -> Analysis:
    """Two fields of noise; ellipses at many angles, one not measured, one cut by the border."""
    fields = (
        Field("one/first.png", Noise(600, 400, 1), "sha224-i-" + "1" * 56),
        Field("one/second.jpg", Noise(530, 520, 2), "sha224-i-" + "2" * 56),
    )
    angles = np.array([0.0, 0.7, -1.2, np.pi / 2, np.nan, 0.3])
    major, minor = np.array([6.0, 8.0, 9.0, 10.0, np.nan, 3.0]), np.array([6.0, 5.0, 4.5, 5.0, np.nan, 2.0])
    x, y = np.array([100.0, 210.5, 300.25, 410.0, 60.0, 3.0]), np.array([100.0, 120.0, 200.0, 220.75, 300.0, 200.0])
    radius = np.array([30.0, 31.6, 31.8, 35.4, 25.0, 12.0])
    cells = Detections(
        {
            "field": np.array([0, 0, 0, 1, 1, 1]),
            "x": x,
            "y": y,
            "radius": radius,
            "name": np.array(["RBC", "sickle cell", "RBC", "WBC", "platelet", "ring trophozoite"]),
            "score": np.array([0.91, 0.4, 0.75, 1.0, 0.6, 0.512345]),
            "area_um2": np.pi / 4 * major * minor,
            "major_axis_um": major,
            "minor_axis_um": minor,
            "orientation_rad": angles,
            "on_border": np.array([0.0, 0, 0, 0, 0, 1]),
            "overlapped": np.array([0.0, 1, 0, 0, 0, 0]),
        }
    )
    return replace(analysis, smear=Smear("two fields", fields, {}, Scale.from_um_per_px(0.1)), detections=cells)


@pytest.fixture
def hostile_names(measured: Analysis) -> Analysis:
    """A field for each name that means harm, a cell in every other one."""
    fields = tuple(Field(name, Noise(40, 30, 3), "sha224-i-" + "3" * 56) for name in HOSTILE_NAMES)
    cells = Detections(
        {
            "field": np.arange(0, len(fields), 2),
            "x": np.full(6, 20.0),
            "y": np.full(6, 15.0),
            "radius": np.full(6, 5.0),
            "name": np.full(6, "RBC"),
            "score": np.ones(6),
        }
    )
    return replace(measured, smear=Smear("=2+2 <b>&\udc80", fields, {}, Scale.from_um_per_px(0.1)), detections=cells)
