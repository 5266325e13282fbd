"""Impression and recommendations: after the findings, and never as a diagnosis (DOMAIN.md sections 5 and 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hemato_lab.narrative.advice import ADVICE
from hemato_lab.narrative.wording import because, listed, sentence_case, traces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.narrative.advice import Advice
    from hemato_lab.narrative.facts import NarrativeFacts
    from hemato_lab.narrative.wording import Line
    from hemato_lab.report import Diagnosis

URGENT: Final = "D"
"""Significance of what may threaten life: same-day review (DOMAIN.md section 5)."""
SPOKEN_OF: Final = 5
"""Names beside the first that the impression holds; the list has all."""


def impression(facts: NarrativeFacts) -> Iterator[Line]:
    """Tell what the findings may point to, and why a person must look."""
    diagnosis = facts.diagnosis
    if diagnosis is None:
        yield "No differential diagnosis was drawn up.", ("provenance/rules",)
    elif not facts.facts.findings.assessed:
        yield "No cell could be judged, so that nothing can be said about the blood.", ("cells_found", "quality")
    elif diagnosis.entries:
        yield _raised(diagnosis.entries)
    else:
        yield _nothing_listed(facts)
    if diagnosis is not None and (number := len(diagnosis.not_evaluated)):
        rules = "rule" if number == 1 else "rules"
        yield f"{number:,} {rules} could not be evaluated on what is known.", ("diagnosis/not_evaluated",)
    if facts.triggers:
        yield "A person must review this smear; the reasons follow.", _reasons(facts)
        for index, trigger in enumerate(facts.triggers):
            yield f"{sentence_case(because(trigger.reason))}.", (f"review/reasons/{index}",)
    else:
        yield "No rule that asks for review by a person was met.", ("provenance/rules",)


def _nothing_listed(facts: NarrativeFacts) -> Line:
    """Tell that nothing is listed, and whether too few cells are the reason."""
    short = [name for name, one in facts.facts.findings.seen().items() if one.insufficient_count]
    if short:
        text = "Too few cells were judged for any finding to point to a particular disease; that does not exclude one."
        return text, ("diagnosis/items", "diagnosis/not_evaluated", *traces("findings", short))
    return "No finding here points to a particular disease; that does not exclude one.", ("diagnosis/items",)


def _raised(entries: tuple[Diagnosis, ...]) -> Line:
    """Name every disease once, under its first code."""
    first = {f"{entry.english_long} ({entry.icd10_code})": index for index, entry in reversed(list(enumerate(entries)))}
    words = sorted(first, key=first.__getitem__)
    text = f"The findings raise the possibility of {words[0]}"
    others = words[1 : 1 + SPOKEN_OF]
    if more := len(words) - 1 - len(others):
        others.append(f"{more:,} more")
    if others:
        text += f"; the differential includes {listed(others)}"
    return f"{text}.", traces("diagnosis/items", [str(index) for index in range(len(entries))])


def recommendations(facts: NarrativeFacts) -> Iterator[Line]:
    """Tell what is advisable."""
    entries = facts.diagnosis.entries if facts.diagnosis is not None else ()
    urgent = [str(index) for index, entry in enumerate(entries) if entry.clinical_significance == URGENT]
    if urgent:
        names = listed(dict.fromkeys(entries[int(index)].english_short for index in urgent))
        text = f"Alert, as by telephone: same-day human review is needed, for possible {names}."
        yield text, traces("diagnosis/items", urgent)
    for advice in ADVICE:
        if where := _called_for(facts, advice):
            yield advice.text, where
    yield from _more_cells(facts)
    if facts.triggers:
        yield "Review of the smear by a qualified person is required.", _reasons(facts)
    else:
        yield "Candidates should be looked at by a qualified person before anything rests on them.", ("notice",)


def _called_for(facts: NarrativeFacts, advice: Advice) -> tuple[str, ...]:
    """Return the traces of what calls for an advice."""
    entries = facts.diagnosis.entries if facts.diagnosis is not None else ()
    listed_at = [str(index) for index, entry in enumerate(entries) if entry.icd10_code.startswith(advice.codes)]
    seen = facts.facts.findings.seen()
    named = [name for name in advice.findings if name in seen]
    reasons = [str(index) for index, one in enumerate(facts.triggers) if one.id in advice.triggers]
    return (
        *traces("diagnosis/items", listed_at),
        *traces("findings", named),
        *traces("review/reasons", reasons),
    )


def _more_cells(facts: NarrativeFacts) -> Iterator[Line]:
    short = [name for name, finding in facts.facts.findings.assessed.items() if finding.insufficient_count]
    if short:
        yield "More fields should be imaged, so that enough cells can be judged.", traces("findings", short)


def _reasons(facts: NarrativeFacts) -> tuple[str, ...]:
    return traces("review/reasons", [str(index) for index in range(len(facts.triggers))])
