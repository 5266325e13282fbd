"""How much a metric changed, and between which limits: a paired bootstrap, exact limits of shares, single smears."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from hemato_lab.agreement.bootstrap import draw_in_blocks, percentile_limits
from hemato_lab.agreement.estimate import Estimate
from hemato_lab.statistics.limits import clopper_pearson_limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemato_lab.agreement.gate.model import PairedMetric
    from hemato_lab.agreement.gate.settings import GateSettings
    from hemato_lab.agreement.pairs import Floats

EXACT: Final = "exact limits of a share"
ALONE: Final = "the change in these smears"
SINGLE: Final = "smallest and largest change of a smear or patient"
NOWHERE: Final = Estimate(math.nan, method="no smear")


class Changes(NamedTuple):
    """Means and changes of one metric.

    Attributes
    ----------
    groups : int
        Independent smears: those of one patient count as one.
    baseline, current : float
        Means; NaN where there is no smear.
    change, relative : Estimate
        In the unit of the metric, and as a share of the baseline's mean.
    """

    groups: int
    baseline: float
    current: float
    change: Estimate
    relative: Estimate


def changes_of(metrics: Sequence[PairedMetric], settings: GateSettings) -> list[Changes]:
    """Return means and changes of every metric; those of a share are weighted by what it is a share of."""
    numbers = {group: number for number, group in enumerate(dict.fromkeys(g for one in metrics for g in one.groups))}
    count = len(numbers)
    if not count:
        return [Changes(0, math.nan, math.nan, NOWHERE, NOWHERE)] * len(metrics)
    sums = np.empty((len(metrics), 3, count))
    for metric, own in zip(metrics, sums, strict=True):
        index = np.array([numbers[group] for group in metric.groups], dtype=np.intp)
        parts = (np.ones(len(metric)), metric.baseline, metric.current - metric.baseline)
        own[:] = [np.bincount(index, metric.weights * part, minlength=count) for part in parts]
    columns = sums.reshape(-1, count).T
    blocks = draw_in_blocks(count, resamples=settings.resamples, seed=settings.seed)
    drawn = np.concatenate([block @ columns for block in blocks]).T.reshape(len(metrics), 3, -1)
    return [
        _changes(own, resampled, metric.whole, settings)
        for metric, own, resampled in zip(metrics, sums, drawn, strict=True)
    ]


def _changes(sums: Floats, drawn: Floats, whole: float, settings: GateSettings) -> Changes:
    """Return the figures of one metric from its sums of weights, weighted baselines and changes.

    Parameters
    ----------
    sums : array of float, shape (3, groups)
    drawn : array of float, shape (3, resamples)
        The same of all groups that were drawn.
    whole : float
        See `PairedMetric`.
    """
    present = sums[:, sums[0] > 0]
    groups = present.shape[1]
    if not groups:
        return Changes(0, math.nan, math.nan, NOWHERE, NOWHERE)
    weight, before, apart = present.sum(axis=1)
    baseline = float(before / weight)
    change, relative = (
        _of_single_smears(present, baseline)
        if groups < settings.least_smears
        else _of_bootstrap(drawn[:, drawn[0] > 0], groups, settings.confidence)
    )
    change = Estimate(float(apart / weight), change.low, change.high, change.method)
    relative = Estimate(_ratio(apart, before), relative.low, relative.high, relative.method)
    if whole:
        change = _no_narrower_than_exact(change, present, whole, settings.confidence)
        low, high = _ratio(change.low, baseline), _ratio(change.high, baseline)
        relative = Estimate(relative.value, low, high, change.method)
    return Changes(groups, baseline, float(baseline + apart / weight), change, relative)


def _of_single_smears(present: Floats, baseline: float) -> tuple[Estimate, Estimate]:
    changes = present[2] / present[0]
    shares = _ratios(changes, np.full(len(changes), baseline))
    change, relative = (Estimate(math.nan, float(of.min()), float(of.max()), SINGLE) for of in (changes, shares))
    return change, relative


def _of_bootstrap(drawn: Floats, groups: int, confidence: float) -> tuple[Estimate, Estimate]:
    resampled = {"change": drawn[2] / drawn[0], "relative": _ratios(drawn[2], drawn[1])}
    limits = percentile_limits(resampled, groups, confidence=confidence)
    method = f"paired bootstrap of {groups} smears or patients"
    change, relative = (
        Estimate(math.nan, *(limits[name] or (math.nan, math.nan)), method) for name in ("change", "relative")
    )
    return change, relative


def _no_narrower_than_exact(change: Estimate, present: Floats, whole: float, confidence: float) -> Estimate:
    """Return limits of the change of a share at least as wide as the exact ones.

    What happened in none of the smears that were seen has no part in a bootstrap, whose interval may then have no width
    at all. Exact limits (Clopper and Pearson, Biometrika 26 (1934) 404) say how many of all smears may still be such
    that all of the share is lost, or gained; they count independent smears, one with any weight as one.
    """
    weights, baselines, parts = present
    each = parts / weights
    low, high = change.low, change.high
    seen = {way: int(np.count_nonzero(way * each >= whole * (1 - 1e-9))) for way in (-1, 1)}
    most = {
        way: whole * clopper_pearson_limits(count, len(each), confidence=confidence)[1] for way, count in seen.items()
    }
    if (baselines > 0).any():
        low = float(np.fmin(low, -most[-1]))
    if (baselines / weights < whole * (1 - 1e-12)).any():
        high = float(np.fmax(high, most[1]))
    wider = low != change.low or high != change.high
    return Estimate(change.value, low, high, EXACT if wider else change.method)


def _ratio(change: float, baseline: float) -> float:
    return float(_ratios(np.array([change]), np.array([baseline]))[0])


def _ratios(changes: Floats, baselines: Floats) -> Floats:
    """Return changes as shares of the baseline: none of nothing is no change, something of nothing has no share."""
    shares = np.full(changes.shape, math.nan)
    np.divide(changes, np.abs(baselines), out=shares, where=baselines != 0)
    shares[(baselines == 0) & (changes == 0)] = 0.0
    return shares
