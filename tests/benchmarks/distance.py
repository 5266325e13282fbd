"""Goal 3: exact distance transform."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from scipy import ndimage

from hemato_lab.kernels.distance import squared_distance
from tests.benchmarks.stopwatch import Verdict, median_milliseconds, verdicts

if TYPE_CHECKING:
    from tests.benchmarks.images import Subject


def ours(mask: np.ndarray) -> np.ndarray:
    return np.sqrt(squared_distance(mask), dtype=np.float32)


def with_opencv(mask: np.ndarray) -> np.ndarray:
    return cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def run(subject: Subject, repeats: int) -> list[Verdict]:
    mask = subject.mask
    expected = ndimage.distance_transform_edt(mask)
    np.testing.assert_array_equal(squared_distance(mask), np.rint(expected**2).astype(np.int64))
    np.testing.assert_allclose(ours(mask), expected, rtol=1e-6)
    np.testing.assert_allclose(with_opencv(mask), expected, rtol=1e-5)
    spent = median_milliseconds(
        {
            "ours": lambda: ours(mask),
            "scipy": lambda: ndimage.distance_transform_edt(mask),
            "OpenCV precise": lambda: with_opencv(mask),
        },
        repeats,
    )
    return verdicts("3 exact distance", subject.name, spent, {"scipy": 12, "OpenCV precise": 4})
