"""Goal 4: seeded watershed, and the whole way from pixels to measured cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.measure import regionprops_table
from skimage.segmentation import watershed

from hemato_lab.kernels.components import ComponentTable, measure
from hemato_lab.kernels.distance import squared_distance
from hemato_lab.kernels.optical_density import channel_histogram
from hemato_lab.kernels.peaks import find_peaks
from hemato_lab.kernels.watershed import flood
from tests.benchmarks.components import PROPERTIES
from tests.benchmarks.stopwatch import Verdict, median_milliseconds, verdicts

if TYPE_CHECKING:
    from tests.benchmarks.images import Subject

APART, DEEPEST = 18, 8


def otsu(histogram: np.ndarray) -> int:
    """Otsu's threshold of a histogram of 256 levels."""
    below, weighted = np.cumsum(histogram), np.cumsum(histogram * np.arange(256))
    above = below[-1] - below
    between = np.zeros(256)
    inside = (below > 0) & (above > 0)
    means = weighted[inside] / below[inside] - (weighted[-1] - weighted[inside]) / above[inside]
    between[inside] = below[inside] * above[inside] * means**2
    return int(between.argmax())


def levels_of(squared: np.ndarray) -> np.ndarray:
    """Levels that fall as the distance grows, one for each squared distance."""
    return (65535 - np.minimum(squared, 65535)).astype(np.uint16)


def ours(image: np.ndarray) -> ComponentTable:
    mask = image[..., 1] <= otsu(channel_histogram(image)[1])
    squared = squared_distance(mask)
    peaks = find_peaks(squared, APART, DEEPEST**2, "square")
    seeds = np.zeros(mask.shape, np.int32)
    seeds[peaks.y, peaks.x] = np.arange(1, len(peaks.x) + 1)
    return measure(flood(levels_of(squared), seeds, mask), len(peaks.x), image)


def with_scikit_image(image: np.ndarray) -> dict[str, Any]:
    green = image[..., 1]
    mask = green <= threshold_otsu(green)
    distance = ndimage.distance_transform_edt(mask)
    peaks = peak_local_max(distance, min_distance=APART, threshold_abs=DEEPEST - 1e-9, exclude_border=False)
    seeds = np.zeros(mask.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return regionprops_table(watershed(-distance, seeds, mask=mask, connectivity=2), image, properties=PROPERTIES)


def assert_same_watershed(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Levels and seeds without two on one level, on which both must agree to the last pixel."""
    squared = squared_distance(subject.mask)
    peaks = find_peaks(squared, APART, DEEPEST**2)
    _, one_a_level = np.unique(peaks.value, return_index=True)
    seeds, few = np.zeros((2, *squared.shape), np.int32)
    seeds[peaks.y, peaks.x] = np.arange(1, len(peaks.x) + 1)
    few[peaks.y[one_a_level], peaks.x[one_a_level]] = one_a_level + 1
    levels = levels_of(squared)
    expected = watershed(levels, few, mask=subject.mask, connectivity=2)
    np.testing.assert_array_equal(flood(levels, few, subject.mask), expected)
    return levels, seeds


def run(subject: Subject, repeats: int) -> list[Verdict]:
    levels, seeds = assert_same_watershed(subject)
    image, mask = subject.pixels, subject.mask
    assert otsu(channel_histogram(image)[1]) == threshold_otsu(image[..., 1])
    cells, expected = ours(image), with_scikit_image(image)
    apart = np.hypot(cells.x[:, None] - expected["centroid-1"], cells.y[:, None] - expected["centroid-0"])
    assert (apart.min(axis=1) < 3).mean() > 0.9
    assert (apart.min(axis=0) < 3).mean() > 0.9
    spent = median_milliseconds(
        {
            "ours": lambda: flood(levels, seeds, mask),
            "scikit-image": lambda: watershed(levels, seeds, mask=mask, connectivity=2),
        },
        repeats,
    )
    whole = median_milliseconds(
        {"ours": lambda: ours(image), "scikit-image": lambda: with_scikit_image(image)}, repeats
    )
    return [
        *verdicts("4 watershed", subject.name, spent, {"scikit-image": 4}),
        *verdicts("4 pixels to measured cells", subject.name, whole, {"scikit-image": 10}),
    ]
