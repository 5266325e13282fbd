"""Average precision: the area under the precision-recall curve, all points.

The VOC definition since 2010 (Everingham et al., IJCV 111 (2015) 98-136): precision at a recall is the highest
precision reached at that recall or beyond, and the area under these steps is summed over every change of recall.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hemato_lab.evaluation.ratio import ratio

Floats = NDArray[np.float64]


def average_precision(is_true: NDArray[np.bool_], weight: Floats, truth: Floats) -> Floats:
    """Return the average precision for each of several weightings of the same detections.

    A weight of two is the same as a detection that occurs twice in a row, so that resampling whole images needs no
    new sorting: between two copies of a match the precision only rises, and the steps above look beyond.

    Parameters
    ----------
    is_true : array of bool, shape (n,)
        Whether each detection is a true positive, sorted by falling score.
    weight : array of shape (resamples, n)
        How often each detection occurs.
    truth : array of shape (resamples,)
        Number of truths.

    Returns
    -------
    array of shape (resamples,)
        In [0, 1]; NaN where there is no truth.
    """
    found = np.cumsum(weight * is_true, axis=1)
    reported = np.cumsum(weight, axis=1)
    precision = np.nan_to_num(ratio(found, reported), nan=0.0)
    best_beyond = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    return ratio(np.sum(best_beyond * weight * is_true, axis=1), truth)
