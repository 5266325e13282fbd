"""The red cells in words: size, haemoglobin, variation, shapes, arrangements, inclusions (DOMAIN.md section 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hemato_lab.narrative.described import GRADE_WORDS, describe
from hemato_lab.narrative.wording import because, counted, listed, plural, traces, with_limits
from hemato_lab.vocabulary import RBC, TERMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hemato_lab.findings import Findings
    from hemato_lab.narrative.facts import NarrativeFacts
    from hemato_lab.narrative.wording import Line

SIZE: Final = ("macrocyte", "microcyte", "oval macrocyte")
HAEMOGLOBIN: Final = ("hypochromic cell", "polychromatic cell")
VARIATION: Final = "anisocytosis"
NO_SHAPE: Final = ("uninfected RBC", "nucleated RBC")
"""Red cells of the vocabulary that this section does not speak of."""
OTHERS: Final = tuple(
    name
    for name, term in TERMS.items()
    if term.lineage == "red cell"
    and term.kind != "inclusion"
    and name not in (RBC, VARIATION, *SIZE, *HAEMOGLOBIN, *NO_SHAPE)
)
"""Shapes and arrangements."""
INCLUSIONS: Final = tuple(
    name for name, term in TERMS.items() if term.lineage == "red cell" and term.kind == "inclusion"
)


def red_cells(facts: NarrativeFacts) -> Iterator[Line]:
    """Tell what the red cells look like."""
    findings = facts.facts.findings
    if not any(name in findings.assessed for name in (*SIZE, *HAEMOGLOBIN, *OTHERS, *INCLUSIONS)):
        yield "The morphology of the red cells was not assessed.", ("cells_found",)
        yield from _variation(findings)
        return
    if findings.red_cells:
        were = "was" if findings.red_cells == 1 else "were"
        judged = counted(findings.red_cells, RBC)
        text = (
            f"{judged} that {'lies' if findings.red_cells == 1 else 'lie'} whole and apart from others {were} judged."
        )
    else:
        text = "No red cell lay whole and apart from others, so that no shape could be judged."
    yield text, _assessed(findings, (*OTHERS, *HAEMOGLOBIN, *SIZE, *INCLUSIONS))[:1]
    yield from _size(facts)
    yield from _overall(findings, HAEMOGLOBIN, "By haemoglobin content")
    yield from _variation(findings)
    yield from describe(findings, (*SIZE, *HAEMOGLOBIN, VARIATION, *OTHERS, *INCLUSIONS))
    yield from _inclusions(findings)


def _size(facts: NarrativeFacts) -> Iterator[Line]:
    findings = facts.facts.findings
    if facts.facts.independent_scale and any(name in findings.assessed for name in SIZE):
        yield from _overall(findings, SIZE, "By size, measured with the stated pixel size")
        return
    refused = [name for name in SIZE if name in findings.not_assessed]
    if refused:
        reason = because(findings.not_assessed[refused[0]])
        yield f"The size of the red cells was not judged: {reason}.", traces("not_assessed", refused)
    elif not facts.facts.independent_scale:
        text = "The size of the red cells was not judged, because no pixel size independent of them was stated."
        yield text, ("provenance/scale",)


def _overall(findings: Findings, names: Sequence[str], introduction: str) -> Iterator[Line]:
    """Tell how a group of findings came out as a whole, where none of them has a grade of its own."""
    judged = [findings.assessed[name] for name in names if name in findings.assessed]
    judged = [finding for finding in judged if finding.reference]
    if not judged or any(finding.grade in GRADE_WORDS for finding in judged):
        return
    where = traces("findings", [finding.name for finding in judged])
    if any(finding.insufficient_count for finding in judged):
        yield f"{introduction}, too few red cells were judged for a grade.", where
    elif any(finding.count for finding in judged):
        yield f"{introduction}, no abnormality of the red cells reaches a grade.", where


def _variation(findings: Findings) -> Iterator[Line]:
    if VARIATION in findings.not_assessed:
        reason = because(findings.not_assessed[VARIATION])
        yield f"Anisocytosis was not assessed: {reason}.", (f"not_assessed/{VARIATION}",)
    measured = findings.measurements.get(VARIATION)
    if measured is not None and measured.n:
        if measured.insufficient_count:
            verdict = "cannot be judged on so few cells"
        else:
            verdict = "is present" if measured.flagged else "is not remarkable"
        value = with_limits(measured.value, measured.limits)
        flag = "" if measured.flag_from is None else f", remarkable from {measured.flag_from:g} % on"
        text = f"Anisocytosis {verdict}: the diameter varies by {value}, n = {measured.n:,}{flag}."
        yield text, (f"measurements/{VARIATION}",)


def _inclusions(findings: Findings) -> Iterator[Line]:
    refused = [name for name in INCLUSIONS if name in findings.not_assessed]
    if refused:
        names = listed(plural(name) for name in refused)
        yield f"Inclusions of red cells were not assessed: {names}.", traces("not_assessed", refused)
    elif not _assessed(findings, INCLUSIONS):
        yield "Inclusions of red cells were not assessed.", ("cells_found",)


def _assessed(findings: Findings, names: Sequence[str]) -> tuple[str, ...]:
    return traces("findings", [name for name in names if name in findings.assessed])
