"""Goal 2: stain unmixing with histograms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import simplejpeg
from skimage.color import hed_from_rgb, rgb2hed

from hemato_lab.kernels.optical_density import LEVEL_TOLERANCE, Stains, stain_table, unmix
from tests.benchmarks.stopwatch import Verdict, median_milliseconds, verdicts

if TYPE_CHECKING:
    from tests.benchmarks.images import Subject

HIGHEST = 0.3
LOOKUP = np.tile(np.log(np.maximum(np.arange(256) / 255, 1e-6)) / np.log(1e-6), (3, 1))


def ours(image: np.ndarray) -> Stains:
    return unmix(image, stain_table(LOOKUP, hed_from_rgb, high=HIGHEST))


def with_scikit_image(image: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    stains = rgb2hed(image)
    return stains, [np.histogram(stains[..., stain], 256, (0, HIGHEST))[0] for stain in range(3)]


def run(subject: Subject, repeats: int) -> list[Verdict]:
    image = subject.pixels
    stains = ours(image)
    exact = np.clip(np.moveaxis(rgb2hed(image), 2, 0) / HIGHEST * 255, 0, 255)
    assert np.abs(stains.levels - exact).max() <= 0.5 + LEVEL_TOLERANCE
    for levels, histogram in zip(stains.levels, stains.histogram, strict=True):
        np.testing.assert_array_equal(histogram, np.bincount(levels.ravel(), minlength=256))
    spent = median_milliseconds(
        {
            "ours": lambda: ours(image),
            "rgb2hed + histograms": lambda: with_scikit_image(image),
            "rgb2hed alone": lambda: rgb2hed(image),
            "one JPEG decode": lambda: simplejpeg.decode_jpeg(subject.jpeg),
        },
        repeats,
    )
    required = {"rgb2hed + histograms": 15.0, "one JPEG decode": 1.0}
    return verdicts("2 stains and histograms", subject.name, spent, required)
