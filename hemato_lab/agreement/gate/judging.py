"""Whether a change is tolerable: a paired bootstrap over the smears, whole patients at a time.

Both runs read the same smears, so that what differs between smears cancels and small changes show: of each metric the
change of its mean is drawn anew from smears with replacement (Efron and Tibshirani, An Introduction to the Bootstrap
(1993), chapter 8; patients as clusters: Field and Welsh, J. R. Statist. Soc. B 69 (2007) 369-390). All metrics see the
same draws.

How it decides. To show that nothing got worse is not to fail to show that something did (Altman and Bland, BMJ 311
(1995) 485): the interval of the change has to lie within the tolerance, as in a test of equivalence or non-inferiority.

pass
    All of the interval is within the tolerance. Equal data have an interval of no width, which passes.
fail
    The change itself is beyond the tolerance in the bad direction: the best guess is that it is too much, whatever the
    limits. An interval that lies beyond as a whole is a special case.
undecided
    The change is within the tolerance and its interval is not. More smears decide it. The gate stays shut unless the
    settings say otherwise, and then it opens for nothing whose best guess is too much.

Percentiles of a few smears mean little. With fewer than the settings ask for, the interval is that from the smallest
to the largest change of a smear or patient: every single one has to keep the tolerance.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from hemato_lab.agreement.bootstrap import draw_in_blocks, percentile_limits
from hemato_lab.agreement.estimate import Estimate
from hemato_lab.agreement.gate.model import (
    FAIL,
    PASS,
    UNDECIDED,
    Decision,
    GateResult,
    MetricVerdict,
    PairedMetric,
    PairedMetrics,
)
from hemato_lab.agreement.gate.wording import few_smears, reason_of
from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemato_lab.agreement.gate.settings import GateSettings, Rule
    from hemato_lab.agreement.pairs import Floats

_LISTED: Final = 3
_ROUNDING: Final = 1e-12
_ORDER: Final = (FAIL, UNDECIDED, PASS)
NOWHERE: Final = Estimate(math.nan, method="no smear")


def judge(metrics: PairedMetrics, settings: GateSettings) -> GateResult:
    """Decide about every metric, and so about the change.

    Raises
    ------
    ConfigError
        If no metric is judged.
    """
    names = [*(metric.name for metric in metrics.metrics), *metrics.unpaired]
    rules = {name: rule for name in names if (rule := settings.rule_for(name)) is not None}
    if not rules:
        raise ConfigError("no metric is judged", hint="check the tables [[metric]] of the settings")
    paired = [metric for metric in metrics.metrics if metric.name in rules]
    found = _figures(paired, settings)
    verdicts = [
        _judged(metric, figures, rules[metric.name], settings) for metric, figures in zip(paired, found, strict=True)
    ]
    verdicts += [_unpaired(name, why, rules[name]) for name, why in metrics.unpaired.items() if name in rules]
    return GateResult(
        metrics.labels,
        tuple(one for decision in _ORDER for one in verdicts if one.decision == decision),
        tuple(name for name in names if name not in rules),
        settings,
        (*metrics.remarks, *few_smears(max((one.groups for one in found), default=0), settings)),
    )


def _judged(metric: PairedMetric, figures: _Figures, rule: Rule, settings: GateSettings) -> MetricVerdict:
    relative = _is_relative(rule, figures.baseline)
    tolerance = (rule.relative if relative else rule.absolute) or 0.0
    verdict = MetricVerdict(
        metric.name,
        metric.unit,
        _decided(figures.relative if relative else figures.change, tolerance, rule),
        "",
        len(metric),
        figures.groups,
        figures.baseline,
        figures.current,
        figures.change,
        figures.relative,
        relative,
        tolerance,
        rule,
        _largest(metric, rule),
    )
    return replace(verdict, reason=reason_of(verdict, settings))


class _Figures(NamedTuple):
    groups: int
    baseline: float
    current: float
    change: Estimate
    relative: Estimate


def _figures(metrics: Sequence[PairedMetric], settings: GateSettings) -> list[_Figures]:
    """Return means and changes of every metric; those of a share are weighted by what it is a share of."""
    numbers = {group: number for number, group in enumerate(dict.fromkeys(g for one in metrics for g in one.groups))}
    count = len(numbers)
    if not count:
        return [_Figures(0, math.nan, math.nan, NOWHERE, NOWHERE)] * len(metrics)
    sums = np.empty((len(metrics), 3, count))
    for metric, own in zip(metrics, sums, strict=True):
        index = np.array([numbers[group] for group in metric.groups], dtype=np.intp)
        parts = (np.ones(len(metric)), metric.baseline, metric.current - metric.baseline)
        own[:] = [np.bincount(index, metric.weights * part, minlength=count) for part in parts]
    columns = sums.reshape(-1, count).T
    blocks = draw_in_blocks(count, resamples=settings.resamples, seed=settings.seed)
    drawn = np.concatenate([block @ columns for block in blocks]).T.reshape(len(metrics), 3, -1)
    return [_figures_of(own, resampled, settings) for own, resampled in zip(sums, drawn, strict=True)]


def _figures_of(sums: Floats, drawn: Floats, settings: GateSettings) -> _Figures:
    """Return the figures of one metric from its sums of weights, weighted baselines and changes.

    Parameters
    ----------
    sums : array of float, shape (3, groups)
    drawn : array of float, shape (3, resamples)
        The same of all groups that were drawn.
    """
    present = sums[:, sums[0] > 0]
    groups = present.shape[1]
    if not groups:
        return _Figures(0, math.nan, math.nan, NOWHERE, NOWHERE)
    weight, before, apart = present.sum(axis=1)
    baseline = before / weight
    limits: dict[str, tuple[float, float] | None]
    if groups < settings.least_smears:
        changes = present[2] / present[0]
        shares = _ratio(changes, np.full(groups, baseline))
        limits = {"change": (changes.min(), changes.max()), "relative": (shares.min(), shares.max())}
        method = "smallest and largest change of a smear or patient"
    else:
        drawn = drawn[:, drawn[0] > 0]
        resampled = {"change": drawn[2] / drawn[0], "relative": _ratio(drawn[2], drawn[1])}
        limits = percentile_limits(resampled, groups, confidence=settings.confidence)
        method = f"paired bootstrap of {groups} smears or patients"
    values = {"change": apart / weight, "relative": _ratio(np.array([apart]), np.array([before]))[0]}
    change, relative = (_estimate(values[name], limits[name], method) for name in ("change", "relative"))
    return _Figures(groups, float(baseline), float(baseline + apart / weight), change, relative)


def _estimate(value: float, limits: tuple[float, float] | None, method: str) -> Estimate:
    low, high = limits or (math.nan, math.nan)
    return Estimate(float(value), float(low), float(high), method)


def _ratio(changes: Floats, baselines: Floats) -> Floats:
    """Return changes as shares of the baseline: none of nothing is no change, something of nothing has no share."""
    shares = np.full(changes.shape, math.nan)
    np.divide(changes, np.abs(baselines), out=shares, where=baselines != 0)
    shares[(baselines == 0) & (changes == 0)] = 0.0
    return shares


def _is_relative(rule: Rule, baseline: float) -> bool:
    """Tell which of two tolerances allows more; of a baseline of 0 any share is 0."""
    if baseline == 0:
        return False
    if rule.absolute is None or rule.relative is None:
        return rule.absolute is None
    return rule.relative * abs(baseline) > rule.absolute


def _decided(judged: Estimate, tolerance: float, rule: Rule) -> Decision:
    bad = _badness(judged, rule)
    allowed = tolerance * (1 + _ROUNDING) + _ROUNDING
    if bad.value > allowed:
        return FAIL
    return PASS if bad.high <= allowed else UNDECIDED


def _badness(judged: Estimate, rule: Rule) -> Estimate:
    """Return how far a change goes in the bad direction, and at most goes by its limits."""
    if rule.worse == "any":
        return Estimate(abs(judged.value), math.nan, max(abs(judged.low), abs(judged.high)))
    if rule.worse == "higher":
        return judged
    return Estimate(-judged.value, -judged.high, -judged.low)


def _largest(metric: PairedMetric, rule: Rule) -> tuple[tuple[str, float, float], ...]:
    """Return the smears with the largest part in a change in the bad direction, and their values."""
    parts = metric.weights * (metric.current - metric.baseline)
    bad = {"any": np.abs(parts), "higher": parts, "lower": -parts}[rule.worse]
    order = np.argsort(-bad, kind="stable")[:_LISTED]
    return tuple(
        (metric.smears[place], float(metric.baseline[place]), float(metric.current[place]))
        for place in order
        if bad[place] > 0
    )


def _unpaired(name: str, problem: str, rule: Rule) -> MetricVerdict:
    undefined = (math.nan, math.nan, NOWHERE, NOWHERE)
    reason = f"{name} cannot be compared: {problem}."
    return MetricVerdict(name, "", UNDECIDED, reason, 0, 0, *undefined, relative=False, tolerance=math.nan, rule=rule)
