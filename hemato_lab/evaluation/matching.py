"""Which detection stands for which marked cell.

Detections of one class in one image are taken by falling score. Each takes the free truth it agrees with best, if the
agreement is at least one half (the greedy rule of the COCO protocol; VOC's differs only where one detection covers two
marked cells by half or more each: there it counts as false once the better of them is taken). Matches above a score
threshold therefore do not depend on what lies below it. Agreement is either

- the intersection of the boxes over their union ("iou"), or
- 1 minus the distance of the centres in truth diameters ("center"), so that one half means that the detection's centre
  lies within the truth's radius (DOMAIN.md section 7).

Truths marked as ignored are offered only to detections that no other truth takes, and take any number of them.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

MatchRule = Literal["iou", "center"]
MINIMUM_AGREEMENT: Final = 0.5
UNMATCHED: Final = -1

Floats = NDArray[np.float64]


def intersection_over_union(first: Floats, second: Floats) -> Floats:
    """Return the overlap of every box with every other.

    Parameters
    ----------
    first, second : array of shape (n, 4) and (m, 4)
        Boxes as x_min, y_min, x_max, y_max in pixels.

    Returns
    -------
    array of shape (n, m)
        In [0, 1]; 0 where either box has no area.
    """
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.clip(high - low, 0.0, None).prod(axis=2)
    union = _area(first)[:, None] + _area(second)[None, :] - common
    overlap = np.zeros_like(common)
    np.divide(common, union, out=overlap, where=common > 0)
    return np.asarray(overlap, dtype=np.float64)


def _area(boxes: Floats) -> Floats:
    return np.asarray(np.clip(boxes[:, 2:] - boxes[:, :2], 0.0, None).prod(axis=1), dtype=np.float64)


def center_agreement(detected: Floats, truth: Floats, truth_diameter: Floats) -> Floats:
    """Return 1 minus the distance of every pair of centres in truth diameters.

    Parameters
    ----------
    detected, truth : array of shape (n, 2) and (m, 2)
        Centres as x, y in pixels.
    truth_diameter : array of shape (m,)
        In pixels, positive.

    Returns
    -------
    array of shape (n, m)
        At most 1, negative for distant pairs.
    """
    distance = np.hypot(
        detected[:, None, 0] - truth[None, :, 0],
        detected[:, None, 1] - truth[None, :, 1],
    )
    return np.asarray(1.0 - distance / truth_diameter[None, :], dtype=np.float64)


def match_greedily(agreement: Floats, ignored: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Give each detection its truth.

    Parameters
    ----------
    agreement : array of shape (n, m)
        Of every detection, sorted by falling score, with every truth.
    ignored : array of bool, shape (m,)
        Truths that count neither as found nor as missed.

    Returns
    -------
    array of int, shape (n,)
        Index of the truth, `UNMATCHED` where there is none. A truth that is not ignored appears at most once.
    """
    matched = np.full(agreement.shape[0], UNMATCHED, dtype=np.intp)
    acceptable = agreement >= MINIMUM_AGREEMENT
    free = ~ignored
    for index in np.flatnonzero(acceptable.any(axis=1)):
        for candidates in (acceptable[index] & free, acceptable[index] & ignored):
            if candidates.any():
                best = int(np.argmax(np.where(candidates, agreement[index], -np.inf)))
                matched[index] = best
                free[best] = False
                break
    return matched
