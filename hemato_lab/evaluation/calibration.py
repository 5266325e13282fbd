"""Whether a classifier's confidence is the share of times it is right."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from hemato_lab.evaluation.ratio import ratio

BINS: Final = 15
"""Equal-width bins of the confidence in [0, 1] (Guo et al., ICML 2017, section 3)."""

Floats = NDArray[np.float64]


def expected_calibration_error(confidence: Floats, correct: NDArray[np.bool_], weight: Floats) -> Floats:
    """Return the mean distance between confidence and accuracy over bins, weighted by the bins' shares of the crops.

    Parameters
    ----------
    confidence : array of shape (n,)
        Probability of the named class, in [0, 1]. Bin i covers (i / 15, (i + 1) / 15]; 0 belongs to the first.
    correct : array of bool, shape (n,)
        Whether the named class is the true one.
    weight : array of shape (resamples, n)
        How often each crop occurs.

    Returns
    -------
    array of shape (resamples,)
        In [0, 1]; NaN where no crop occurs.
    """
    bin_of = np.clip(np.ceil(confidence * BINS).astype(np.intp) - 1, 0, BINS - 1)
    member = (bin_of[:, None] == np.arange(BINS)).astype(np.float64)
    excess = weight @ (member * (confidence - correct)[:, None])
    return ratio(np.abs(excess).sum(axis=1), weight.sum(axis=1))
