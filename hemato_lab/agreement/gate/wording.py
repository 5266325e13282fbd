"""Sentences of the gate: which metric, by how much, and why that decides so."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from hemato_lab.agreement.gate.changes import ALONE, EXACT, SINGLE
from hemato_lab.agreement.gate.model import FAIL, PASS, Decision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemato_lab.agreement.gate.model import MetricVerdict, PairedMetric
    from hemato_lab.agreement.gate.settings import GateSettings

VERBS: Final[dict[Decision, str]] = {"pass": "passes", "fail": "fails", "undecided": "is undecided"}


def reason_of(verdict: MetricVerdict, settings: GateSettings, *, identical: bool = False) -> str:
    """Return what changed, by how much, and why this decides so, in one to four sentences.

    Parameters
    ----------
    verdict : MetricVerdict
    settings : GateSettings
    identical : bool
        Whether nothing at all differs between the two runs.
    """
    if identical and verdict.decision == PASS:
        level_now = level(verdict, verdict.current)
        return f"{verdict.name} passes: nothing differs between the two runs, no value and no cell ({level_now})."
    parts = (_what(verdict, settings), _why(verdict, settings), _missing(verdict), _where(verdict))
    return " ".join(filter(None, parts))


def too_many_missing(metric: PairedMetric, settings: GateSettings) -> str:
    """Return why a figure that too many smears state in one run only cannot pass; empty if it can."""
    missing = len(metric.missing)
    every = len(metric) + missing
    if missing <= settings.most_missing * every:
        return ""
    return f"{missing} of {every} smears state it in one run only, {100 * settings.most_missing:g} % at most may"


def unused_rules(names: Sequence[str], settings: GateSettings) -> tuple[str, ...]:
    """Return a caution for each of the user's own rules that is about no metric."""
    unused = [rule.match for rule in settings.metric if not any(map(rule.fits, names))]
    return tuple(f"The settings have a table for {match!r}, which fits no metric." for match in unused)


def few_smears(groups: int, settings: GateSettings) -> tuple[str, ...]:
    """Return a caution where both runs have fewer independent smears than asked for."""
    if groups >= settings.least_smears:
        return ()
    have = f"{groups} independent smear{'' if groups == 1 else 's'}"
    return (f"Only {have}, {settings.least_smears} are asked for: every single one has to keep the tolerances.",)


def amount(verdict: MetricVerdict, value: float, *, signed: bool = False) -> str:
    """Return a change of what was judged: per cent of the baseline, or in the metric's own unit."""
    if math.isnan(value):
        return "undefined"
    unit = _unit(verdict)
    one_point = unit == "points" and abs(value) == 1
    return f"{_bare(verdict, value, signed=signed)} {'point' if one_point else unit}".strip()


def interval(verdict: MetricVerdict) -> str:
    """Return the limits of the change that was judged."""
    low, high = verdict.judged.low, verdict.judged.high
    if math.isnan(low):
        return "none"
    return f"{_bare(verdict, low, signed=True)} to {amount(verdict, high, signed=True)}"


def level(verdict: MetricVerdict, value: float) -> str:
    """Return a mean in the metric's unit."""
    return "none" if math.isnan(value) else f"{number(value)} {verdict.unit}".strip()


def tolerated(verdict: MetricVerdict) -> str:
    """Return the tolerance, and in which direction it counts."""
    if math.isnan(verdict.tolerance):
        return ""
    if verdict.tolerance == 0:
        return {"any": "no change", "lower": "no fall", "higher": "no rise"}[verdict.rule.worse]
    much = amount(verdict, verdict.tolerance)
    return {"any": f"{much} either way", "lower": f"a fall of {much}", "higher": f"a rise of {much}"}[
        verdict.rule.worse
    ]


def number(value: float) -> str:
    """Return a number with as many digits as people want."""
    size = abs(value)
    return f"{value:.0f}" if 1000 <= size < 1e6 else f"{value:.4g}" if size >= 1e6 else f"{value:.3g}"


def _bare(verdict: MetricVerdict, value: float, *, signed: bool) -> str:
    scaled = 100 * value if verdict.relative else value
    sign = ("+" if scaled > 0 else "−" if scaled < 0 else "") if signed else ""
    return f"{sign}{number(abs(scaled))}"


def _unit(verdict: MetricVerdict) -> str:
    if verdict.relative:
        return "%"
    return "points" if verdict.unit == "%" else verdict.unit


def _what(verdict: MetricVerdict, settings: GateSettings) -> str:
    verb = VERBS[verdict.decision]
    change, smears = verdict.judged.value, f"{verdict.smears} smear{'s' if verdict.smears != 1 else ''}"
    if not verdict.smears:
        return f"{verdict.name} {verb}: no smear has it in both runs."
    if change == 0 and verdict.judged.low == verdict.judged.high == 0:
        return f"{verdict.name} {verb}: it is the same in all {smears}, {level(verdict, verdict.current)} on average."
    moved = "is the same on average"
    if change != 0:
        moved = f"{'fell' if change < 0 else 'rose'} by {amount(verdict, abs(change))}"
    means = f"from {level(verdict, verdict.baseline)} to {level(verdict, verdict.current)} on average of {smears}"
    return (
        f"{verdict.name} {verb}: it {moved}, {means} ({_limits(verdict, settings)}); {tolerated(verdict)} is tolerated."
    )


def _limits(verdict: MetricVerdict, settings: GateSettings) -> str:
    if verdict.judged.method == ALONE:
        return "judged in these smears only"
    if verdict.judged.method == SINGLE:
        return f"single smears changed by {interval(verdict)}"
    return f"{100 * settings.confidence:g} % limits of the change {interval(verdict)}"


def _why(verdict: MetricVerdict, settings: GateSettings) -> str:
    if verdict.decision in {PASS, FAIL}:
        return ""
    if verdict.doubt:
        return f"It cannot pass: {verdict.doubt}."
    if verdict.judged.method == SINGLE:
        return f"With fewer than {settings.least_smears} independent smears every single one has to keep that."
    few = ""
    if verdict.judged.method == EXACT:
        few = f": what {verdict.groups} independent smears do not show may still be in others"
    return f"The limits do not exclude more than that{few}{_enough(verdict)}."


def _missing(verdict: MetricVerdict) -> str:
    """Return how many smears dropped out, where that is not the reason anyhow."""
    if not verdict.missing or (verdict.doubt and verdict.decision not in {PASS, FAIL}):
        return ""
    state = "1 smear states" if verdict.missing == 1 else f"{verdict.missing} smears state"
    return f"{state} it in one run only and {'is' if verdict.missing == 1 else 'are'} left out."


def _enough(verdict: MetricVerdict) -> str:
    """Return about how many smears would decide it, if the change stays what it is."""
    judged, worse = verdict.judged, verdict.rule.worse
    ways = {"lower": (-1,), "higher": (1,), "any": (-1, 1)}[worse]
    power = 1 if judged.method == EXACT else 2
    halves = {-1: judged.value - judged.low, 1: judged.high - judged.value}
    needed = [
        verdict.groups * (halves[way] / (verdict.tolerance - way * judged.value)) ** power
        for way in ways
        if verdict.tolerance > way * judged.value
    ]
    if not needed or not math.isfinite(max(needed)):
        return ""
    most = max(needed)
    step = 10 ** max(0, math.floor(math.log10(most)) - 1)
    return f"; about {math.ceil(most / step) * step} smears would, if the change stays what it is"


def _where(verdict: MetricVerdict) -> str:
    if verdict.decision == PASS or not verdict.largest:
        return ""
    listed = (f"{smear} from {number(before)} to {level(verdict, after)}" for smear, before, after in verdict.largest)
    return f"Largest changes: {', '.join(listed)}."
