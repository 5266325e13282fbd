"""The result as Markdown, for the comment on a change."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hemato_lab.agreement.gate.model import FAIL, UNDECIDED
from hemato_lab.agreement.gate.plain import one_line
from hemato_lab.agreement.gate.wording import amount, interval, level, tolerated
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from hemato_lab.agreement.gate.model import GateResult, MetricVerdict
    from hemato_lab.agreement.gate.settings import GateSettings

HEAD: Final = ("metric", "decision", "baseline", "current", "change", "limits of the change", "tolerated", "smears")
_PLAIN: Final = ("decision", "smears")
"""Columns with nothing from outside."""
_FENCE: Final = re.compile("`+")


def render(result: GateResult) -> bytes:
    """Return the page in UTF-8: the decision, why it is so, a table of all metrics, remarks, settings, notice."""
    parts = [
        "# Regression gate",
        f"**{result.sentence}**",
        f"Baseline: {_code(result.labels[0])}. Current: {_code(result.labels[1])}.",
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
        f" undecided {undecided}. The ids of smears are on this page as the two runs have them."
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
    return [f"## {title}", "\n".join(f"- {_code(item)}" for item in items)] if items else []


def _table(rows: list[tuple[str, ...]]) -> str:
    head, *body = rows
    cells = [
        [text if name in _PLAIN else _code(text).replace("|", "\\|") for name, text in zip(head, one, strict=True)]
        for one in body
    ]
    rule = ["---"] * len(head)
    return "\n".join("| " + " | ".join(one) + " |" for one in (head, rule, *cells))


def _code(text: str) -> str:
    """Return text as code, in which no mark, address, name or number means anything: names come from files."""
    shown = one_line(text)
    if not shown:
        return ""
    fence = "`" * (1 + max(map(len, _FENCE.findall(shown)), default=0))
    space = " " if "`" in (shown[0], shown[-1]) else ""
    return f"{fence}{space}{shown}{space}{fence}"
