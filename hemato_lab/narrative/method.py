"""How the report came about, what was not assessed, and the disclaimers (DOMAIN.md section 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hemato_lab.narrative.wording import because, listed, singular, traces
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.narrative.facts import NarrativeFacts
    from hemato_lab.narrative.wording import Line

_PROVENANCE = ("provenance/models", "provenance/rules", "provenance/reference")


def method(facts: NarrativeFacts) -> Iterator[Line]:
    """Tell the method and its limits."""
    specimen, reference = facts.specimen, facts.facts.reference.version
    found = f"Cells were found{' and named' if specimen.named else ''} by hemato_lab {specimen.version}"
    yield (
        f"{found}, {_models(facts)}, with rules {facts.rules_version} and reference data {reference}.",
        _PROVENANCE,
    )
    if specimen.named:
        text = "Each name is a candidate to be looked at, and nothing can be concluded from it alone."
    else:
        text = "Cells were not named: nothing can be concluded about morphology or parasites."
    yield text, ("provenance/models",)
    yield from _decisions(facts)
    yield "Limits are exact 95 % limits, widened by the spread of the fields.", ("quality",)
    yield from _not_assessed(facts)
    yield _disclaimer(facts), (*_PROVENANCE, "notice")
    yield RESEARCH_USE_NOTICE, ("notice",)


def _models(facts: NarrativeFacts) -> str:
    models = facts.specimen.models
    if not models:
        return "without a trained model"
    return f"with the {'model' if len(models) == 1 else 'models'} {listed(models)}"


def _decisions(facts: NarrativeFacts) -> Iterator[Line]:
    specimen = facts.specimen
    decided = {action: count for action, count in specimen.decided.items() if count}
    if decided:
        cells = sum(decided.values())
        said = listed(f"{count:,} {action}" for action, count in decided.items())
        several = specimen.readers > 1
        who = f"{specimen.readers} readers" if several else "A reader"
        candidates = f"{cells:,} {'candidate' if cells == 1 else 'candidates'}"
        text = (
            f"{who} decided on {candidates} ({said}); findings and estimates are made from the cells as corrected. "
            f"Who the {'readers were' if several else 'reader was'} is not examined."
        )
        yield text, ("review/decisions",)
    if specimen.damaged_lines:
        lines = "1 line" if specimen.damaged_lines == 1 else f"{specimen.damaged_lines:,} lines"
        yield f"{lines} of the log of decisions could not be read.", ("review/decisions",)
    if specimen.blind_left_out:
        blind = "1 decision" if specimen.blind_left_out == 1 else f"{specimen.blind_left_out:,} decisions"
        yield (
            f"{blind} of blind readings {'is' if specimen.blind_left_out == 1 else 'are'} left out.",
            ("review/decisions",),
        )


def _not_assessed(facts: NarrativeFacts) -> Iterator[Line]:
    reasons: dict[str, list[str]] = {}
    for name, reason in facts.facts.findings.not_assessed.items():
        reasons.setdefault(because(reason), []).append(name)
    for reason, names in reasons.items():
        text = f"Not assessed ({reason}): {listed(singular(name) for name in names)}."
        yield text, traces("not_assessed", names)


def _disclaimer(facts: NarrativeFacts) -> str:
    models = listed(facts.specimen.models) if facts.specimen.models else "not used"
    as_a_whole = "as a whole " if any(facts.specimen.decided.values()) else ""
    return (
        "Research use only. Not for use in diagnostic procedures. Generated automatically by hemato_lab "
        f"{facts.specimen.version}, models {models}, rules {facts.rules_version}; not reviewed {as_a_whole}by a "
        "qualified "
        "haematologist/pathologist. Not a medical device, not cleared by any regulator. Estimates are not cell counts. "
        "Absence of a finding does not exclude disease. No relation to Hemato.AI; schema-compatible only."
    )
