"""Scores that mean what they say: lines on logits, temperatures, and operating points, from validation data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import optimize, special

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_THRESHOLDS: Final = np.round(np.arange(0.05, 0.951, 0.01), 2)


def fitted_line(logit: Floats, is_true: NDArray[np.bool_], weight: Floats) -> tuple[float, float]:
    """Return slope and intercept by which a logit becomes that of being right.

    Platt, in: Advances in Large Margin Classifiers (1999), with his targets short of 0 and 1, which keep the slope
    finite where the two are told apart without error.

    Parameters
    ----------
    logit, is_true, weight : arrays of shape (n,)
        Of every candidate.
    """
    positives, negatives = np.count_nonzero(is_true), np.count_nonzero(~is_true)
    target = np.where(is_true, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(line: Floats) -> float:
        value = np.exp(line[0]) * logit + line[1]
        return float(np.sum(weight * (np.logaddexp(0, value) - target * value)) / weight.sum())

    best = optimize.minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-8})
    return round(float(np.exp(best.x[0])), 4), round(float(best.x[1]), 4)


def fitted_plane(features: Floats, is_true: NDArray[np.bool_], weight: Floats) -> list[float]:
    """Return the weights of several logits and the intercept of their logistic regression.

    Parameters
    ----------
    features : array of shape (n, k)
    is_true, weight : arrays of shape (n,)

    Returns
    -------
    list of k + 1 floats
    """
    design = np.concatenate([features, np.ones((len(features), 1))], axis=1)

    def loss(plane: Floats) -> float:
        value = design @ plane
        rough = np.sum(weight * (np.logaddexp(0, value) - is_true * value)) / weight.sum()
        return float(rough + 1e-4 * np.sum(plane[:-1] ** 2))

    best = optimize.minimize(loss, np.zeros(design.shape[1]), method="BFGS")
    return [round(float(value), 4) for value in best.x]


def fitted_temperature(logits: Floats, allowed: NDArray[np.bool_], weight: Floats) -> float:
    """Return the temperature at which the allowed classes are likeliest (Guo et al., ICML 2017).

    Parameters
    ----------
    logits : array of shape (n, classes)
    allowed : array of bool, shape (n, classes)
        Classes that a label leaves open.
    weight : array of shape (n,)
    """

    def loss(log_temperature: float) -> float:
        value = special.log_softmax(logits / np.exp(log_temperature), axis=1)
        kept = special.logsumexp(np.where(allowed, value, -np.inf), axis=1)
        return float(-np.sum(weight * kept) / weight.sum())

    best = optimize.minimize_scalar(loss, bounds=(-2.5, 2.5), method="bounded")
    return round(float(np.exp(best.x)), 4)


def best_threshold(scores: list[Floats], is_true: list[NDArray[np.bool_]], truths: list[float]) -> float:
    """Return the score with the highest F1, averaged over the sets; each has its own arrays and number of truths."""

    def mean_f1(threshold: float) -> float:
        values = []
        for score, right, truth in zip(scores, is_true, truths, strict=True):
            kept = score >= threshold
            values.append(2 * np.sum(right & kept) / max(np.sum(kept) + truth, 1))
        return float(np.mean(values))

    figures = np.array([mean_f1(threshold) for threshold in _THRESHOLDS])
    # The middle of the plateau, not its first value.
    return float(np.round(np.mean(_THRESHOLDS[figures >= figures.max() - 0.001]), 2))
