"""The parasites in words: stages, percent, per microlitre, severity, what cannot be excluded (DOMAIN.md 2.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scipy.special import gammainc

from hemato_lab.narrative.estimates import red_cells_in_words
from hemato_lab.narrative.wording import counted, listed, per_ul, per_ul_with_limits, share, traces, with_limits
from hemato_lab.statistics.parasitaemia import PARASITISED
from hemato_lab.vocabulary import RBC, TERMS, WBC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.narrative.facts import NarrativeFacts
    from hemato_lab.narrative.wording import Line
    from hemato_lab.statistics.parasitaemia import Parasitaemia

STAGES: Final = tuple(name for name, term in TERMS.items() if term.parent == PARASITISED)
UNCOVERED: Final = "Trypanosomes, microfilariae, Borrelia and thick films are never covered: not assessed."
ENLARGEMENT: Final = "parasitised RBC enlargement"
"""Measurement of the diameter of parasitised red cells as a ratio to that of the others."""
CHANCE: Final = 0.05
"""Chance of as many false calls, above which a number of parasites says nothing."""
_TRACE: Final = ("parasitaemia",)


def parasites(facts: NarrativeFacts) -> Iterator[Line]:
    """Tell what parasites there are."""
    seen = facts.parasitaemia
    if seen is None:
        refused = [name for name in (PARASITISED, *STAGES) if name in facts.facts.findings.not_assessed]
        text = "Malaria parasites were not looked for: not assessed."
        yield text, traces("not_assessed", refused) or ("cells_found",)
    elif not seen.infected.reference:
        yield "There was no red cell in which parasites could be looked for.", _TRACE
    elif seen.infected.count:
        yield from _found(facts, seen)
    else:
        yield _not_found(seen), _TRACE
    yield UNCOVERED, ("provenance/models",)


def _found(facts: NarrativeFacts, seen: Parasitaemia) -> Iterator[Line]:
    infected = seen.infected
    stages, where = _stages(facts, infected.count)
    value = with_limits(100 * infected.share, infected.limits.scaled(100))
    text = f"Candidates for parasites were seen in {infected.count:,} of {counted(infected.reference, RBC)}, {value}"
    yield f"{text}{stages}.", (*_TRACE, *where)
    by_red_cells = per_ul_with_limits(seen.per_ul_by_red_cells, seen.limits_by_red_cells)
    text = (
        f"By red cells that is about {by_red_cells}, their concentration taken as {red_cells_in_words(facts.specimen)}."
    )
    yield text, (*_TRACE, "provenance/reference")
    yield from _by_white_cells(facts, seen)
    yield from _enlarged(facts)
    yield from _severity(facts, seen)
    yield _missed(seen)
    yield from _by_mistake(facts, seen)


def _enlarged(facts: NarrativeFacts) -> Iterator[Line]:
    measured = facts.facts.findings.measurements.get(ENLARGEMENT)
    if measured is not None and measured.n:
        value = with_limits(measured.value, measured.limits, "times")
        verdict = "enlarged" if measured.flagged else "not clearly enlarged"
        text = f"Parasitised red cells are {verdict}: {value} the diameter of the others, n = {measured.n:,}."
        yield text, (f"measurements/{ENLARGEMENT}",)


def _stages(facts: NarrativeFacts, infected: int) -> tuple[str, tuple[str, ...]]:
    """Return the stages in words, and their traces."""
    assessed = facts.facts.findings.assessed
    counts = {name: assessed[name].count for name in STAGES if name in assessed and assessed[name].count}
    items = [counted(count, name) for name, count in counts.items()]
    without = infected - sum(counts.values())
    if items and without > 0:
        items.append(f"{without:,} of no certain stage")
    return (f": {listed(items)}" if items else ", of no certain stage"), traces("findings", list(counts))


def _by_white_cells(facts: NarrativeFacts, seen: Parasitaemia) -> Iterator[Line]:
    per_microlitre = seen.per_ul_by_white_cells
    if per_microlitre is None:
        yield "Without a white cell there is no estimate by white cells.", _TRACE
        return
    value = per_ul_with_limits(per_microlitre, seen.limits_by_white_cells)
    white = counted(seen.to_white_cells.reference, WBC)
    text = (
        f"By white cells, {seen.to_white_cells.count:,} to {white}, it is about {value}, their concentration taken as "
        f"{seen.wbc_per_ul:,.0f}/uL, {_white_cell_origin(facts, seen)}."
    )
    yield text, (*_TRACE, "provenance/reference")


def _white_cell_origin(facts: NarrativeFacts, seen: Parasitaemia) -> str:
    if facts.facts.context.blood_count.wbc is not None:
        return "from the blood count"
    assumed = seen.wbc_per_ul == facts.facts.reference.factors.wbc_per_ul.value
    return "assumed" if assumed else "as stated"


def _severity(facts: NarrativeFacts, seen: Parasitaemia) -> Iterator[Line]:
    """Compare the asexual share with the lines from which on lists call an infection severe."""
    rule = facts.facts.reference.parasites
    percent, (low, high) = 100 * seen.asexual.share, seen.asexual.limits.scaled(100)
    lines = [(at, f"{at:g} % ({name})") for at, name in zip(rule.flag_percent, rule.flag_lists, strict=True)]
    above = [
        words for (at, words), from_it in zip(lines, rule.flag_from, strict=True) if _reached(percent, at, from_it)
    ]
    below = [words for _, words in lines if words not in above]
    crossed = [words for at, words in lines if low < at <= high]
    parts = [f"reaching the line of {listed(above)}"] if above else []
    parts += [f"not reaching {listed(below)}"] if below else []
    reach = f"; the limits cross {listed(crossed)}" if crossed else ""
    value = with_limits(percent, (low, high))
    if parts:
        text = (
            f"Without gametocytes {seen.asexual.count:,} red {'cell is' if seen.asexual.count == 1 else 'cells are'} "
            f"infected, {value}, {' and '.join(parts)} for a severe infection{reach}."
        )
        yield text, (*_TRACE, "provenance/reference")


def _reached(percent: float, line: float, from_it: bool) -> bool:  # noqa: FBT001
    return percent >= line if from_it else percent > line


def _missed(seen: Parasitaemia) -> Line:
    """Tell that limits are of counting, and that cells which nobody recognised are no part of them."""
    text = (
        f"About {100 * seen.sensitivity:.0f} % of parasitised red cells are recognised, of gametocytes fewer: the true "
        "share is likely higher, and the limits do not hold what was missed."
    )
    return text, ("parasitaemia", "provenance/reference")


def _by_mistake(facts: NarrativeFacts, seen: Parasitaemia) -> Iterator[Line]:
    """Tell how many calls may be false, and whether those seen could all be (DOMAIN.md section 2.7)."""
    rule, infected = facts.facts.reference.parasites, seen.infected
    expected = rule.false_per_1000 * infected.reference / 1000
    by_chance = float(gammainc(infected.count, expected)) > CHANCE
    verdict = "as many can arise without an infection" if by_chance else "more than that were seen"
    text = (
        f"In {counted(infected.reference, RBC)} up to about {share(expected)} may be called parasitised by mistake; "
        f"{verdict}, and each has to be looked at."
    )
    yield text, (*_TRACE, "provenance/reference")


def _not_found(seen: Parasitaemia) -> str:
    red = counted(seen.infected.reference, RBC)
    return (
        f"No parasite was seen in {red}; infection below about {per_ul(seen.detection_limit_per_ul)} "
        f"({share(100 * seen.detection_limit)} %) cannot be excluded, and a thin film alone does not rule out malaria."
    )
