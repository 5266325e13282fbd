"""Findings in sentences, the same way for red cells, white cells and platelets (DOMAIN.md section 3.1)."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from hemato_lab.narrative.wording import (
    counted,
    listed,
    plural,
    sentence_case,
    share,
    singular,
    traces,
    verb,
    with_limits,
)
from hemato_lab.vocabulary import TERMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hemato_lab.findings import Finding, Findings, Grade
    from hemato_lab.narrative.wording import Line

GRADE_WORDS: Final = {"1+": "few", "2+": "moderate", "3+": "many"}
"""ICSH's words for its grades (DOMAIN.md section 3.1)."""
BELOW: Final = "none"


def describe(findings: Findings, names: Iterable[str]) -> Iterator[Line]:
    """Tell what was found of some names.

    Each graded one has its own sentence; those seen without a grade, those below the first grade and those not seen
    share one for each denominator. Names that were not assessed are passed over.

    Parameters
    ----------
    findings : Findings
    names : iterable of str
    """
    asked = [findings.assessed[name] for name in names if name in findings.assessed]
    judged = [finding for finding in asked if finding.reference]
    seen = [finding for finding in judged if finding.count]
    yield from (_graded(finding) for finding in seen if finding.grade in GRADE_WORDS)
    ungraded = [finding for finding in seen if finding.grade is None]
    yield from _grouped([one for one in ungraded if one.insufficient_count], _too_few)
    yield from _grouped([one for one in ungraded if not one.insufficient_count], _without_grades)
    yield from _grouped([finding for finding in seen if finding.grade == BELOW], _below)
    yield from _grouped([finding for finding in judged if not finding.count], _unseen)
    yield from _grouped([finding for finding in asked if not finding.reference], _unjudged)


def amount(finding: Finding) -> str:
    """Return share and limits of a finding, in its unit."""
    limits = finding.limits_percent
    if finding.unit == "%":
        return with_limits(finding.percent, limits)
    return with_limits(finding.percent, limits, f"for 100 {plural(finding.denominator)}")


def grade_words(finding: Finding) -> str:
    """Return a grade in words and signs; with both ends where the limits cross a boundary."""
    low, high = finding.grade_range or (finding.grade or BELOW, finding.grade or BELOW)
    if low == high:
        return f"{_word(high)} ({high})"
    if low == BELOW:
        return f"up to {_word(high)} (from below the first grade to {high})"
    return f"{_word(low)} to {_word(high)} ({low} to {high})"


def _word(grade: Grade) -> str:
    return GRADE_WORDS.get(grade, "below the first grade")


def _graded(finding: Finding) -> Line:
    name = finding.name
    among = f"{finding.count:,} of {counted(finding.reference, finding.denominator)}"
    arranged = TERMS[name].kind == "arrangement"
    lie = f" {'lies' if finding.count == 1 else 'lie'} in {'it' if verb(name) == 'is' else 'them'}" if arranged else ""
    text = f"{sentence_case(plural(name))} {verb(name)} {grade_words(finding)}: {among}{lie}, {amount(finding)}."
    return text, (f"findings/{name}",)


def _item(finding: Finding) -> str:
    return f"{counted(finding.count, finding.name, finding.denominator)}, {amount(finding)}"


def _too_few(group: list[Finding]) -> Line:
    first = group[0]
    text = (
        f"Seen, but not graded, because a grade needs {counted(first.minimum, first.denominator)} and only "
        f"{first.reference:,} could be judged: {'; '.join(map(_item, group))}."
    )
    return text, _traces(group)


def _without_grades(group: list[Finding]) -> Line:
    first = group[0]
    among = counted(first.reference, first.denominator)
    return f"Among {among} there {_be(first)} {'; '.join(map(_item, group))}.", _traces(group)


def _below(group: list[Finding]) -> Line:
    first = group[0]
    among = counted(first.reference, first.denominator)
    items = "; ".join(_item(finding) + _reaching(finding) for finding in group)
    return f"Below the first grade that is reported, {among} showed {items}.", _traces(group)


def _reaching(finding: Finding) -> str:
    high = finding.grade_range[1] if finding.grade_range else BELOW
    return "" if high == BELOW else f", whose limits reach {_word(high)} ({high})"


def _unseen(group: list[Finding]) -> Line:
    first = group[0]
    names = listed([singular(finding.name) for finding in group], "or")
    most = share(max(finding.limits_percent.high for finding in group))
    each = " of each" if len(group) > 1 else ""
    bound = f"up to {most} %{each}" if first.unit == "%" else f"up to {most} for 100 {plural(first.denominator)}"
    text = f"No {names} was seen among {counted(first.reference, first.denominator)}; {bound} cannot be excluded."
    return text, _traces(group)


def _unjudged(group: list[Finding]) -> Line:
    names = listed([plural(finding.name) for finding in group])
    text = (
        f"{sentence_case(names)} could not be judged, because no {singular(group[0].denominator)} could be looked at."
    )
    return text, _traces(group)


def _be(finding: Finding) -> str:
    return "was" if finding.count == 1 else "were"


def _grouped(findings: list[Finding], say: Callable[[list[Finding]], Line]) -> Iterator[Line]:
    def kind(finding: Finding) -> tuple[str, int, int, str]:
        return finding.denominator, finding.reference, finding.minimum, finding.unit

    for _, group in groupby(sorted(findings, key=kind), key=kind):
        yield say(list(group))


def _traces(group: list[Finding]) -> tuple[str, ...]:
    return traces("findings", [finding.name for finding in group])
