"""Smears whose estimates lie far from those of the rest of the batch: worth a look, nothing more."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.batch.summary import HIGH, LOW, UNIT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hemato_lab.batch.summary import Summary

LEAST_SMEARS: Final = 8
"""Of fewer smears nothing is called far from the rest."""
FAR: Final = 3.5
"""Modified z-score from which a value is far: Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993."""
_NORMAL: Final = 1.4826
"""Times the median absolute deviation, the standard deviation of normally distributed values."""
PIXEL_SIZE: Final = "um_per_px"


@dataclass(frozen=True, slots=True)
class Outlier:
    """One value far from the others.

    Attributes
    ----------
    smear_id : str
        Whose it is.
    key : str
        Which column of the summary.
    value, median : float
        Of this smear, and of all.
    unit : str
        Of both.
    distance : float
        Modified z-score, in absolute value; infinite where most smears have the same value.
    """

    smear_id: str
    key: str
    value: float
    median: float
    unit: str
    distance: float


def outliers(summary: Summary) -> tuple[Outlier, ...]:
    """Return the values that are far from the rest, the farthest first.

    A value is far when its modified z-score is above `FAR` and its own 95 % limits, where it has any, exclude the
    median of all: a smear with few cells is not far only because few cells vary much. Where more than half of the
    smears have the same value, as none of a rare cell, its limits must lie beyond those that half of the smears have:
    one cell is not far from none.
    """
    found = [one for key in (*summary.statistics, PIXEL_SIZE) for one in _of_column(summary, key)]
    return tuple(sorted(found, key=lambda one: -one.distance))


def comparable(summary: Summary, key: str) -> tuple[str, list[int]]:
    """Return the unit that most values of a column have, the first of equals, and the rows that have it."""
    unit_of = summary.column(key + UNIT) if key != PIXEL_SIZE else ("µm/px",) * len(summary.rows)
    known = [row for row, value in enumerate(summary.column(key)) if value is not None]
    units = Counter(unit_of[row] or "" for row in known)
    if not units:
        return "", []
    unit = units.most_common(1)[0][0]
    return unit, [row for row in known if (unit_of[row] or "") == unit]


def _of_column(summary: Summary, key: str) -> Iterator[Outlier]:
    unit, rows = comparable(summary, key)
    if len(rows) < LEAST_SMEARS:
        return
    values = np.array([summary.rows[row][key] for row in rows])
    median = float(np.median(values))
    spread = _NORMAL * float(np.median(np.abs(values - median)))
    known = [_limits(summary.rows[row], key) for row in rows]
    usual = _usual(known) if spread == 0 else (median, median)
    for row, value, limits in zip(rows, values.tolist(), known, strict=True):
        if value == median or (limits is not None and limits[0] <= usual[1] and usual[0] <= limits[1]):
            continue
        if spread == 0 and limits is None:
            continue
        distance = abs(value - median) / spread if spread > 0 else float("inf")
        if distance > FAR:
            yield Outlier(summary.rows[row]["smear_id"], key, value, median, unit, distance)


def _usual(known: Sequence[tuple[float, float] | None]) -> tuple[float, float]:
    """Return the median of the lower and of the upper limits; without any, limits that nothing lies beyond."""
    stated = [limits for limits in known if limits is not None]
    if not stated:
        return -np.inf, np.inf
    low, high = np.median(np.array(stated), axis=0)
    return float(low), float(high)


def _limits(row: Mapping[str, Any], key: str) -> tuple[float, float] | None:
    low, high = row.get(key + LOW), row.get(key + HIGH)
    return None if low is None or high is None else (low, high)
