"""Cluster bootstrap: 95 % limits that respect that images of one slide or patient resemble each other.

Whole groups are drawn with replacement, as many as there are, and every figure is computed anew from the images of the
drawn groups (Field and Welsh, J. R. Statist. Soc. B 69 (2007) 369-390; DOMAIN.md section 7 asks for it). Limits are the
2.5th and 97.5th percentiles. They say what another set of slides of this kind would give, not what another source
would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RESAMPLES: Final = 1000
SEED: Final = 20240918
_PERCENTILES: Final = (2.5, 97.5)

Floats = NDArray[np.float64]
Limits = tuple[float, float]


def group_index(groups: Sequence[str]) -> tuple[NDArray[np.intp], int]:
    """Return the number of each item's group, counted in order of first appearance, and how many groups there are."""
    order = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return np.array([order[group] for group in groups], dtype=np.intp), len(order)


def draw_groups(count: int, *, resamples: int = RESAMPLES, seed: int = SEED) -> Floats:
    """Return how often each group is drawn in each resample.

    Returns
    -------
    array of shape (resamples, count)
        Every row sums to `count`.
    """
    generator = np.random.default_rng(seed)
    return generator.multinomial(count, np.full(count, 1.0 / count), size=resamples).astype(np.float64)


def percentile_limits(figures: Mapping[str, Floats], groups: int) -> dict[str, Limits | None]:
    """Return the 95 % limits of each figure from its values in the resamples.

    Resamples in which a figure is undefined (NaN, for example because no truth was drawn) are left out. A figure has no
    limits (None) when it is always undefined, and none has when there is a single group.
    """
    limits: dict[str, Limits | None] = {}
    for name, values in figures.items():
        defined = values[~np.isnan(values)]
        if groups < 2 or not len(defined):
            limits[name] = None
            continue
        low, high = np.percentile(defined, _PERCENTILES)
        limits[name] = (float(low), float(high))
    return limits
