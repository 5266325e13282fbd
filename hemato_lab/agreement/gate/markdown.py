"""The result as Markdown, for the comment on a change."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hemato_lab.agreement.gate.model import FAIL, UNDECIDED
from hemato_lab.agreement.gate.wording import amount, interval, level, tolerated
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from hemato_lab.agreement.gate.model import GateResult, MetricVerdict
    from hemato_lab.agreement.gate.settings import GateSettings

HEAD: Final = ("metric", "decision", "baseline", "current", "change", "limits of the change", "tolerated", "smears")
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>#|~$!&@])")


def render(result: GateResult) -> bytes:
    """Return the page in UTF-8: the decision, why it is so, a table of all metrics, remarks, settings, notice."""
    parts = [
        "# Regression gate",
        f"**{_safe(result.sentence)}**",
        f"Baseline: {_safe(result.labels[0])}. Current: {_safe(result.labels[1])}.",
        *_section("Fails", result, FAIL),
        *_section("Undecided", result, UNDECIDED),
        "## All metrics",
        _table([HEAD, *(row(verdict) for verdict in result.verdicts)]),
        *_listed("Remarks", result.remarks),
        *_listed("Not judged", result.not_judged),
        _method(result.settings),
        RESEARCH_USE_NOTICE,
    ]
    return ("\n\n".join(parts) + "\n").encode("utf-8", "backslashreplace")


def _method(settings: GateSettings) -> str:
    undecided = "keeps the gate shut" if settings.undecided == FAIL else "passes"
    return (
        f"{100 * settings.confidence:g} % limits from {settings.resamples} paired resamples of smears, whole patients"
        f" at a time (seed {settings.seed}). At least {settings.least_smears} independent smears are asked for. What is"
        f" undecided {undecided}."
    )


def row(verdict: MetricVerdict) -> tuple[str, ...]:
    """Return a verdict as the cells of a table with the columns of `HEAD`."""
    return (
        verdict.name,
        verdict.decision,
        level(verdict, verdict.baseline),
        level(verdict, verdict.current),
        amount(verdict, verdict.judged.value, signed=True),
        interval(verdict),
        "" if verdict.tolerance != verdict.tolerance else tolerated(verdict),
        str(verdict.smears),
    )


def _section(title: str, result: GateResult, decision: str) -> list[str]:
    chosen = [verdict for verdict in result.verdicts if verdict.decision == decision]
    return _listed(title, [verdict.reason for verdict in chosen])


def _listed(title: str, items: list[str] | tuple[str, ...]) -> list[str]:
    return [f"## {title}", "\n".join(f"- {_safe(item)}" for item in items)] if items else []


def _table(rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(_safe(cell) for cell in one) + " |" for one in rows]
    rule = "|" + " --- |" * len(rows[0])
    return "\n".join([lines[0], rule, *lines[1:]])


def _safe(text: str) -> str:
    """Return text that shows as it stands: names come from files."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
