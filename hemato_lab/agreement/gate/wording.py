"""Sentences of the gate: which metric, by how much, and why that decides so."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from hemato_lab.agreement.gate.model import FAIL, PASS, Decision

if TYPE_CHECKING:
    from hemato_lab.agreement.gate.model import MetricVerdict
    from hemato_lab.agreement.gate.settings import GateSettings

_VERBS: Final[dict[Decision, str]] = {"pass": "passes", "fail": "fails", "undecided": "is undecided"}


def reason_of(verdict: MetricVerdict, settings: GateSettings) -> str:
    """Return what changed, by how much, and why this decides so, in one or two sentences."""
    return " ".join(filter(None, (_what(verdict, settings), _why(verdict, settings), _where(verdict))))


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
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _bare(verdict: MetricVerdict, value: float, *, signed: bool) -> str:
    scaled = 100 * value if verdict.relative else value
    sign = ("+" if scaled > 0 else "−" if scaled < 0 else "") if signed else ""
    return f"{sign}{number(abs(scaled))}"


def _unit(verdict: MetricVerdict) -> str:
    if verdict.relative:
        return "%"
    return "points" if verdict.unit == "%" else verdict.unit


def _what(verdict: MetricVerdict, settings: GateSettings) -> str:
    verb = _VERBS[verdict.decision]
    change, smears = verdict.judged.value, f"{verdict.smears} smear{'s' if verdict.smears != 1 else ''}"
    if not verdict.smears:
        return f"{verdict.name} {verb}: no smear has it in both runs."
    if change == 0 and verdict.judged.low == verdict.judged.high == 0:
        return f"{verdict.name} {verb}: it is the same in all {smears}, {level(verdict, verdict.current)} on average."
    moved = "is the same on average"
    if change != 0:
        moved = f"{'fell' if change < 0 else 'rose'} by {amount(verdict, abs(change))}"
    means = f"from {level(verdict, verdict.baseline)} to {level(verdict, verdict.current)} on average of {smears}"
    limits = f"{100 * settings.confidence:g} % limits of the change {interval(verdict)}"
    if verdict.groups < settings.least_smears:
        limits = f"single smears changed by {interval(verdict)}"
    return f"{verdict.name} {verb}: it {moved}, {means} ({limits}); {tolerated(verdict)} is tolerated."


def _why(verdict: MetricVerdict, settings: GateSettings) -> str:
    if verdict.decision in {PASS, FAIL}:
        return ""
    if verdict.groups < settings.least_smears:
        return f"With fewer than {settings.least_smears} independent smears every single one has to keep that."
    return f"The limits do not exclude more than that{_enough(verdict)}."


def _enough(verdict: MetricVerdict) -> str:
    """Return about how many smears would decide it, if the change stays what it is."""
    judged, worse = verdict.judged, verdict.rule.worse
    ways = {"lower": (-1,), "higher": (1,), "any": (-1, 1)}[worse]
    halves = {-1: judged.value - judged.low, 1: judged.high - judged.value}
    needed = [
        verdict.groups * (halves[way] / (verdict.tolerance - way * judged.value)) ** 2
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
