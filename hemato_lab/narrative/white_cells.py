"""The white cells in words: differential, immature cells, cells beside it, concentration (DOMAIN.md 2.5, 3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hemato_lab.narrative.described import amount, describe
from hemato_lab.narrative.estimates import estimated
from hemato_lab.narrative.wording import (
    because,
    counted,
    listed,
    per_ul,
    plural,
    sentence_case,
    share,
    singular,
    traces,
    with_limits,
)
from hemato_lab.statistics.differential import (
    HALF_WIDTH,
    NUCLEATED_RED_CELL,
    OUTSIDE,
    SMUDGE_CELL,
    corrected_white_cells,
)
from hemato_lab.statistics.limits import clopper_pearson_limits
from hemato_lab.vocabulary import TERMS, WBC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.narrative.facts import NarrativeFacts
    from hemato_lab.narrative.wording import Line
    from hemato_lab.statistics.differential import Differential
    from hemato_lab.statistics.shares import ShareEstimate

IMMATURE: Final = ("blast", "immature granulocyte")
"""Always spoken of where they were looked for."""
ENOUGH: Final = 100
"""White cells of a differential (DOMAIN.md section 2.7)."""
_NAMES: Final = tuple(
    name for name, term in TERMS.items() if term.lineage == "white cell" and name not in (WBC, *OUTSIDE, *IMMATURE)
)


def white_cells(facts: NarrativeFacts) -> Iterator[Line]:
    """Tell what white cells there are."""
    counts = facts.differential
    if counts is None:
        refused = [
            name for name in ("neutrophil", "lymphocyte", "monocyte") if name in facts.facts.findings.not_assessed
        ]
        text = "White cells were not told apart, so that there is no differential."
        yield text, traces("not_assessed", refused) or ("cells_found",)
    elif not counts.total:
        yield "No white cell was found, so that there is no differential.", ("differential",)
    else:
        yield from _differential(counts)
        yield from _out_of_range(facts, counts)
    for name in IMMATURE:
        yield from _immature(facts, name)
    told = () if counts is None else tuple(counts.types)
    yield from describe(facts.facts.findings, [name for name in _NAMES if name not in told])
    if counts is not None:
        for name, ratio in ((NUCLEATED_RED_CELL, counts.nucleated_red_cells), (SMUDGE_CELL, counts.smudge_cells)):
            if name in facts.facts.findings.assessed:
                yield _beside(name, ratio)
    yield from estimated(facts, WBC, "wbc-concentration", "wbc")
    yield from _corrected(facts)


def _differential(counts: Differential) -> Iterator[Line]:
    items = listed(
        f"{plural(name)} {_share(kind.estimate)}" for name, kind in counts.types.items() if kind.estimate.count
    )
    yield f"{counts.total:,}-cell differential: {items}.", ("differential",)
    if counts.total < ENOUGH:
        most = max(kind.cells_needed for kind in counts.types.values())
        text = (
            f"That is fewer than the {ENOUGH} white cells that a differential needs; to tell each type to within "
            f"{100 * HALF_WIDTH:g} percentage points {most:,} would have to be counted."
        )
        yield text, ("differential",)


def _share(estimate: ShareEstimate) -> str:
    return with_limits(100 * estimate.share, estimate.limits.scaled(100))


def _out_of_range(facts: NarrativeFacts, counts: Differential) -> Iterator[Line]:
    """Name the types whose limits lie wholly beyond the adult range; the others are not told from normal."""
    outside: dict[str, str] = {}
    for name, kind in counts.types.items():
        usual = facts.facts.reference.range_of(name, facts.facts.context) if _has_range(facts, name) else None
        if usual is not None:
            limits = kind.estimate.limits.scaled(100)
            if limits.low > usual[1] or limits.high < usual[0]:
                word = "high" if limits.low > usual[1] else "low"
                outside[name] = f"{plural(name)} {word} (usual {usual[0]:g} to {usual[1]:g} %)"
    if outside:
        where = (*traces("differential/types", list(outside)), "provenance/reference")
        yield f"With all of their limits outside the adult range are {listed(outside.values())}.", where


def _has_range(facts: NarrativeFacts, name: str) -> bool:
    return name in facts.facts.reference.ranges and name not in IMMATURE


def _immature(facts: NarrativeFacts, name: str) -> Iterator[Line]:
    findings, counts = facts.facts.findings, facts.differential
    if name in findings.not_assessed:
        reason = because(findings.not_assessed[name])
        yield f"{sentence_case(plural(name))} were not assessed: {reason}.", (f"not_assessed/{name}",)
        return
    finding = findings.assessed.get(name)
    if finding is not None and finding.reference:
        trace = f"findings/{name}"
        yield (
            _immature_text(name, finding.count, finding.reference, finding.limits_percent.high, amount(finding)),
            (trace,),
        )
        if finding.insufficient_count and finding.count:
            needed = counted(finding.minimum, finding.denominator)
            yield f"A judgement on {plural(name)} needs {needed}; there are fewer.", (trace,)
    elif finding is None and counts is not None and counts.total:
        kind = counts.types.get(name)
        count = kind.estimate.count if kind else 0
        limits = kind.estimate.limits if kind else clopper_pearson_limits(0, counts.total)
        percent = limits.scaled(100)
        shown = with_limits(100 * count / counts.total, percent)
        yield _immature_text(name, count, counts.total, percent.high, shown), ("differential",)


def _immature_text(name: str, count: int, reference: int, highest: float, shown: str) -> str:
    among = counted(reference, WBC)
    if count:
        return f"{counted(count, name)} {_was(count)} seen among {among}, {shown}."
    return f"No {singular(name)} was seen among {among}; up to {share(highest)} % cannot be excluded."


def _beside(name: str, ratio: ShareEstimate) -> Line:
    """Tell of cells that are counted to white cells without being part of them."""
    beside = counted(ratio.reference, WBC)
    if not ratio.count:
        text = f"No {singular(name)} was seen beside {beside}"
        if ratio.reference:
            text += f"; up to {share(100 * ratio.limits.high)} for 100 white cells cannot be excluded"
        return f"{text}.", ("differential",)
    text = f"{counted(ratio.count, name)} {_was(ratio.count)} seen beside {beside}"
    if ratio.reference:
        text += f", {with_limits(100 * ratio.share, ratio.limits.scaled(100), 'for 100 white cells')}"
    return f"{text}.", ("differential",)


def _corrected(facts: NarrativeFacts) -> Iterator[Line]:
    given, counts = facts.facts.context.blood_count.wbc, facts.differential
    if given is None or counts is None or not counts.nucleated_red_cells.reference:
        return
    above = facts.facts.reference.factors.correct_wbc_above_nucleated_rbc.value
    nucleated = 100 * counts.nucleated_red_cells.share
    if nucleated > above:
        corrected = corrected_white_cells(given, nucleated, above=above)
        text = (
            f"Corrected for {share(nucleated)} nucleated red cells for 100 white cells, the analyser's "
            f"{per_ul(given * 1000)} white cells become {per_ul(corrected * 1000)}."
        )
        yield text, ("differential", "provenance/context", "provenance/reference")


def _was(count: int) -> str:
    return "was" if count == 1 else "were"
