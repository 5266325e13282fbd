"""Whether a change is tolerable: a paired bootstrap over the smears, whole patients at a time.

Both runs read the same smears, so that what differs between smears cancels and small changes show: of each metric the
change of its mean is drawn anew from smears with replacement (Efron and Tibshirani, An Introduction to the Bootstrap
(1993), chapter 8; patients as clusters: Field and Welsh, J. R. Statist. Soc. B 69 (2007) 369-390). All metrics see the
same draws.

How it decides. To show that nothing got worse is not to fail to show that something did (Altman and Bland, BMJ 311
(1995) 485): the interval of the change has to lie within the tolerance, as in a test of equivalence or non-inferiority.

pass
    All of the interval is within the tolerance.
fail
    The change itself is beyond the tolerance in the bad direction: the best guess is that it is too much, whatever the
    limits. An interval that lies beyond as a whole is a special case. Or the current run states the figure nowhere.
undecided
    The change is within the tolerance and its interval is not; or too many smears state the figure in one run only, or
    cannot be compared. More smears, or complete runs, decide it. The gate stays shut unless the settings say otherwise,
    and then it opens for nothing whose best guess is too much.

Where nothing differs between two runs, no value and no cell, everything passes for that reason alone, however few
smears there are: that is no claim about other smears.

Shares. What happens in none of 20 smears may happen in 17 % of all. The interval of a metric that is a share (of
smears, or of the cells of a smear) is therefore never narrower than the exact one for the smears that lost, or gained,
all of it. A rule may say that a metric is about these smears only (``these_smears_only``), for example whether all of
them were analysed; then its change alone decides. So it does where no change is tolerated and no smear changed, because
no number of smears can show that none of all others would.

Percentiles of a few smears mean little. With fewer than the settings ask for, the interval is that from the smallest
to the largest change of a smear or patient: every single one has to keep the tolerance.

Many metrics. Each has limits of 95 % of its own, and the gate opens only if all of them pass. If one change is as large
as its tolerance or larger, the gate then opens with a chance of 2.5 % at most, however many metrics there are (an
intersection-union test: Berger, Technometrics 24 (1982) 295-300). What does multiply is the chance that a tolerable
change is held up: of 30 independent metrics that would each pass in 99 % of the cases, all pass in 74 %.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from hemato_lab.agreement.estimate import Estimate
from hemato_lab.agreement.gate.changes import ALONE, NOWHERE, Changes, changes_of
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
from hemato_lab.agreement.gate.wording import VERBS, few_smears, reason_of, too_many_missing, unused_rules
from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from hemato_lab.agreement.gate.settings import GateSettings, Rule

_LISTED: Final = 3
_ROUNDING: Final = 1e-12
_ORDER: Final = (FAIL, UNDECIDED, PASS)


def judge(metrics: PairedMetrics, settings: GateSettings) -> GateResult:
    """Decide about every metric, and so about the change.

    Raises
    ------
    ConfigError
        If no metric is judged.
    """
    names = [*(metric.name for metric in metrics.metrics), *metrics.lost, *metrics.unpaired]
    rules = {name: rule for name in names if (rule := settings.rule_for(name)) is not None}
    if not rules:
        raise ConfigError("no metric is judged", hint="check the tables [[metric]] of the settings")
    # Runs in which nothing differs need no limits, so that no share of them is uncertain.
    chosen = [metric for metric in metrics.metrics if metric.name in rules]
    paired = [replace(metric, whole=0.0, problem="") for metric in chosen] if metrics.identical else chosen
    found = changes_of(paired, settings)
    verdicts = [
        _judged(metric, changes, rules[metric.name], settings, identical=metrics.identical)
        for metric, changes in zip(paired, found, strict=True)
    ]
    verdicts += [_without_pairs(name, why, rules[name], FAIL) for name, why in metrics.lost.items() if name in rules]
    unpaired: Decision = PASS if metrics.identical else UNDECIDED
    verdicts += [
        _without_pairs(name, why, rules[name], unpaired) for name, why in metrics.unpaired.items() if name in rules
    ]
    return GateResult(
        metrics.labels,
        tuple(one for decision in _ORDER for one in verdicts if one.decision == decision),
        tuple(name for name in names if name not in rules),
        settings,
        (
            *metrics.remarks,
            *few_smears(max((one.groups for one in found), default=0), settings),
            *unused_rules(names, settings),
        ),
    )


def _judged(
    metric: PairedMetric, changes: Changes, rule: Rule, settings: GateSettings, *, identical: bool
) -> MetricVerdict:
    relative = _is_relative(rule, changes.baseline)
    tolerance = (rule.relative if relative else rule.absolute) or 0.0
    if rule.these_smears_only or (tolerance == 0 and np.array_equal(metric.baseline, metric.current)):
        change, relative_change = (_alone(one) for one in (changes.change, changes.relative))
        changes = changes._replace(change=change, relative=relative_change)
    decision = _decided(changes.relative if relative else changes.change, tolerance, rule)
    doubt = metric.problem or too_many_missing(metric, settings)
    if decision == PASS and doubt:
        decision = UNDECIDED
    verdict = MetricVerdict(
        metric.name,
        metric.unit,
        decision,
        "",
        len(metric),
        changes.groups,
        changes.baseline,
        changes.current,
        changes.change,
        changes.relative,
        relative,
        tolerance,
        rule,
        _largest(metric, rule),
        len(metric.missing),
        doubt,
    )
    return replace(verdict, reason=reason_of(verdict, settings, identical=identical))


def _alone(change: Estimate) -> Estimate:
    return Estimate(change.value, change.value, change.value, ALONE)


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


def _without_pairs(name: str, problem: str, rule: Rule, decision: Decision) -> MetricVerdict:
    undefined = (math.nan, math.nan, NOWHERE, NOWHERE)
    same = ", and nothing differs between the two runs" if decision == PASS else ""
    reason = f"{name} {VERBS[decision]}, it cannot be compared: {problem}{same}."
    return MetricVerdict(name, "", decision, reason, 0, 0, *undefined, relative=False, tolerance=math.nan, rule=rule)
