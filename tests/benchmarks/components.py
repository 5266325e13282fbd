"""Goal 1: labels, moments and colour of all components."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from skimage.measure import label, regionprops_table

from hemato_lab.kernels.components import label_and_measure
from tests.benchmarks.stopwatch import Verdict, median_milliseconds, verdicts

if TYPE_CHECKING:
    from tests.benchmarks.images import Subject

PROPERTIES = ("area", "bbox", "centroid", "moments_central", "intensity_mean")


def with_scikit_image(mask: np.ndarray, image: np.ndarray) -> dict[str, Any]:
    return regionprops_table(label(mask, connectivity=2), image, properties=PROPERTIES)


def with_opencv(mask: np.ndarray, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes, areas and centroids from OpenCV; second moments and colours from counting with weights."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8, ltype=cv2.CV_32S)
    flat = labels.ravel()
    rows, columns = np.indices(mask.shape)
    weights = [columns * columns, rows * rows, columns * rows, *np.moveaxis(image, 2, 0)]
    sums = np.stack([np.bincount(flat, weight.ravel()) for weight in weights])
    return stats[1:, cv2.CC_STAT_AREA], sums[:3, 1:], sums[3:, 1:]


def run(subject: Subject, repeats: int) -> list[Verdict]:
    mask, image = subject.mask, subject.pixels
    labels, found = label_and_measure(mask, image)
    expected = with_scikit_image(mask, image)
    np.testing.assert_array_equal(labels, label(mask, connectivity=2))
    np.testing.assert_array_equal(found.area, expected["area"])
    np.testing.assert_allclose(found.x, expected["centroid-1"])
    np.testing.assert_allclose(found.central_moments[:, 1] * found.area, expected["moments_central-2-0"], atol=1e-6)
    for channel in range(3):
        np.testing.assert_allclose(found.colour_mean[:, channel], expected[f"intensity_mean-{channel}"])
    areas, _, colours = with_opencv(mask, image)
    np.testing.assert_array_equal(np.sort(found.area), np.sort(areas))
    np.testing.assert_allclose(np.sort(found.colour_sum[:, 1]), np.sort(colours[1]))
    spent = median_milliseconds(
        {
            "ours": lambda: label_and_measure(mask, image),
            "scikit-image": lambda: with_scikit_image(mask, image),
            "OpenCV + bincount": lambda: with_opencv(mask, image),
        },
        repeats,
    )
    return verdicts("1 label, moments, colour", subject.name, spent, {"scikit-image": 40, "OpenCV + bincount": 12})
