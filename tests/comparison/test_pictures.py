from __future__ import annotations

import io
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from PIL import Image

from hemato_lab.comparison import compare, pictures
from hemato_lab.report import Report

if TYPE_CHECKING:
    from hemato_lab.comparison import Comparison


def test_pictures_are_the_same_bytes_whatever_the_user_has_set(different: Comparison) -> None:
    once = pictures.difference_png(different)
    with mpl.rc_context({"font.size": 30, "image.cmap": "jet", "savefig.dpi": 20}):
        assert pictures.difference_png(different) == once
    assert plt.get_fignums() == []


def test_each_picture_shows_something(different: Comparison) -> None:
    drawn = [pictures.difference_png(different, 0), pictures.names_png(different), pictures.radii_png(different)]
    for png in drawn:
        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
        assert pixels.shape[:2] == (616, 836)
        assert (pixels < 250).any(axis=2).mean() > 0.01
    assert len(set(drawn)) == 3


def test_without_an_image_in_common_there_is_a_picture_that_says_so() -> None:
    png = pictures.difference_png(compare(Report("a", ("one",)), Report("b", ("two",))))
    assert png.startswith(b"\x89PNG")
