"""Area under the receiver operating curve, by ranks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hemato_lab.evaluation.ratio import ratio

Floats = NDArray[np.float64]


def area_under_curve(score: Floats, positive: NDArray[np.bool_], weight: Floats) -> Floats:
    """Return the probability that a positive scores higher than a negative, ties counting one half.

    This is the Mann-Whitney statistic (Hanley and McNeil, Radiology 143 (1982) 29-36).

    Parameters
    ----------
    score : array of shape (n,)
        Any increasing function of the probability of being positive.
    positive : array of bool, shape (n,)
        The truth.
    weight : array of shape (resamples, n)
        How often each crop occurs.

    Returns
    -------
    array of shape (resamples,)
        In [0, 1]; NaN where either class does not occur.
    """
    levels, level_of = np.unique(score, return_inverse=True)
    positives = _sum_by(level_of, len(levels), weight * positive)
    negatives = _sum_by(level_of, len(levels), weight * ~positive)
    below = np.cumsum(negatives, axis=1) - negatives
    wins = np.sum(positives * (below + negatives / 2), axis=1)
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    return ratio(wins, pairs)


def _sum_by(level_of: NDArray[np.intp], levels: int, values: Floats) -> Floats:
    """Sum the columns of `values` (resamples, n) that share a level."""
    order = np.argsort(level_of, kind="stable")
    starts = np.searchsorted(level_of[order], np.arange(levels))
    return np.asarray(np.add.reduceat(values[:, order], starts, axis=1), dtype=np.float64)
