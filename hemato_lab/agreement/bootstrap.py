"""Cluster bootstrap: limits that respect that images of one slide or patient resemble each other.

Whole groups are drawn with replacement, as many as there are, and every figure is computed anew from the images of the
drawn groups (Field and Welsh, J. R. Statist. Soc. B 69 (2007) 369-390; DOMAIN.md section 7 asks for it). Limits are
percentiles, the 2.5th and 97.5th for 95 %. They say what another set of slides of this kind would give, not what
another source would.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from hemato_lab.agreement.estimate import Estimate
from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

RESAMPLES: Final = 1000
SEED: Final = 20240918
_BLOCK: Final = 4_000_000
"""Draws held at once."""

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

    Raises
    ------
    ConfigError
        If there is no group or no resample.
    """
    return np.concatenate(list(draw_in_blocks(count, resamples=resamples, seed=seed)))


def draw_in_blocks(count: int, *, resamples: int = RESAMPLES, seed: int = SEED) -> Iterator[Floats]:
    """Yield the rows of `draw_groups` in blocks, for more groups than memory has room for at once."""
    if count < 1 or resamples < 1:
        raise ConfigError(
            f"nothing can be drawn {resamples} times from {count} groups", hint="give at least one of each"
        )
    generator = np.random.default_rng(seed)
    step = max(1, _BLOCK // max(count, 1))
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        yield generator.multinomial(count, np.full(count, 1.0 / count), size=size).astype(np.float64)


def percentile_limits(
    figures: Mapping[str, Floats], groups: int, *, confidence: float = 0.95
) -> dict[str, Limits | None]:
    """Return the limits of each figure from its values in the resamples.

    Resamples in which a figure is undefined (NaN, for example because no truth was drawn) are left out. A figure has no
    limits (None) when it is always undefined, and none has when there is a single group.
    """
    tail = round(50 * (1 - confidence), 9)
    limits: dict[str, Limits | None] = {}
    for name, values in figures.items():
        defined = values[~np.isnan(values)]
        if groups < 2 or not len(defined):
            limits[name] = None
            continue
        low, high = np.percentile(defined, (tail, 100 - tail))
        limits[name] = (float(low), float(high))
    return limits


def cluster_bootstrap(
    statistic: Callable[[NDArray[np.intp]], float],
    groups: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    confidence: float = 0.95,
) -> Estimate:
    """Return any figure with limits that hold where several items come from one patient.

    Parameters
    ----------
    statistic : callable
        From the numbers of items (an item drawn twice stands there twice) to a figure, NaN where it is undefined. It is
        called once for all items and once for each resample.
    groups : sequence of str, shape (n,)
        Patient or slide of each item.
    resamples, seed : int
        The same seed gives the same limits.
    confidence : float

    Returns
    -------
    Estimate
        Without limits (NaN) where there are fewer than two groups.

    Raises
    ------
    ConfigError
        If there is no resample or the confidence is impossible.
    """
    if resamples < 1 or not 0 < confidence < 1:
        problem = f"{resamples} resamples and a confidence of {confidence} are impossible"
        raise ConfigError(problem, hint="use 1000 and 0.95, for example")
    index, count = group_index(groups)
    value = float(statistic(np.arange(len(index))))
    if count < 2:
        return Estimate(value, method="a single group has no limits")
    members = [np.flatnonzero(index == group) for group in range(count)]
    figures = [
        float(statistic(np.concatenate([members[group] for group in np.repeat(np.arange(count), drawn.astype(int))])))
        for block in draw_in_blocks(count, resamples=resamples, seed=seed)
        for drawn in block
    ]
    limits = percentile_limits({"figure": np.array(figures)}, count, confidence=confidence)["figure"]
    low, high = limits or (math.nan, math.nan)
    return Estimate(value, low, high, f"bootstrap of {count} groups")
