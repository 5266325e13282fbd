"""A comparison as tables of plain text, for every face that shows one; escaping is left to the face."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from hemato_lab.analysis.tables import Table, digits_of, limits_text, significant
from hemato_lab.comparison.accuracy import accuracy_of
from hemato_lab.comparison.cells import STATES
from hemato_lab.comparison.document import agreement_of_names, name_pairs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.agreement.estimate import Estimate
    from hemato_lab.comparison.diagnoses import Candidate, DiagnosesComparison
    from hemato_lab.comparison.findings import FindingComparison, FindingCount
    from hemato_lab.comparison.model import Comparison
    from hemato_lab.comparison.narrative import NarrativeComparison
    from hemato_lab.comparison.sides import Side
    from hemato_lab.comparison.statistics import Reading, StatisticComparison

MOST_PLACES: Final = 200
"""Of more places that differ so many are shown; ``cells.csv`` has all."""
_ONE_SIDE: Final = "one side only"
_PLACES_HEAD: Final = ("image", "x", "y", "state")


def levels(comparison: Comparison) -> tuple[Table, ...]:
    """Return the tables of all levels: cells, names, estimates, findings and candidates, those without rows too."""
    labels = comparison.labels
    return (
        cells(comparison),
        names(comparison),
        statistics(comparison.statistics, labels),
        findings(comparison.findings, labels),
        diagnoses(comparison.diagnoses, labels),
    )


def overview(comparison: Comparison) -> Table:
    """List both sides, the images, how cells were paired, and whether anything differs."""
    cells, pairing = comparison.cells, comparison.pairing
    rows = [
        *(
            (name, f"{side.label} ({side.kind}, {_plural(len(side.files), 'image')})")
            for name, side in _sides(comparison)
        ),
        ("images in common", str(len(pairing.pairs))),
        ("compared", "what the reports list" if cells.findings_only else "every cell"),
        (
            "paired",
            f"centres within {cells.gate:g} times the radius of a red cell"
            + (", like names only" if cells.class_aware else ""),
        ),
        ("differs", ", ".join(comparison.differing) or "nothing"),
    ]
    note = "Nothing here says which side is right."
    return Table("Comparison", ("what", "value"), tuple(rows), note)


def _sides(comparison: Comparison) -> tuple[tuple[str, Side], ...]:
    return ("first", comparison.first), ("second", comparison.second)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def cells(comparison: Comparison) -> Table:
    """List how many places agree and the figures of agreement."""
    first, second = comparison.labels
    said = dict(
        zip(STATES, ("same name in both", "called differently", f"in {first} only", f"in {second} only"), strict=True)
    )
    places = comparison.cells
    rows = [(words, str(places.count(state)), "") for state, words in said.items()]
    rows += [(name, *_estimate(one)) for name, one in _figures(comparison)]
    rows += [
        (f"{name}, by number alone", f"{ours} and {theirs}", "the report does not say in which image they lie")
        for name, (ours, theirs) in places.counts_only.items()
    ]
    note = "The share, kappa and AC1 are of the names of the cells that both list. Limits are for independent cells."
    return Table(
        "Cells", ("what", "value", "95 % limits"), tuple(rows) if len(places) or places.counts_only else (), note
    )


def _figures(comparison: Comparison) -> Iterator[tuple[str, Estimate]]:
    named = agreement_of_names(comparison)
    yield "share with the same name", named.same
    yield "Cohen's kappa", named.kappa
    yield "Gwet's AC1", named.ac1
    accuracy = accuracy_of(comparison)
    if accuracy is not None:
        yield "precision against the annotation, place and name", accuracy.precision
        yield "recall against the annotation, place and name", accuracy.recall
        yield "precision of the places, whatever their name", accuracy.place_precision
        yield "recall of the places, whatever their name", accuracy.place_recall
    radii = comparison.radii()
    if len(radii.pairs):
        yield "difference of the radii, in red-cell radii", radii.bias


def _estimate(one: Estimate) -> tuple[str, str]:
    if not one.defined:
        return "not defined", ""
    value = f"{one.value:.3f}".replace("-0.000", "0.000")
    return value, "" if math.isnan(one.low) else f"{one.low:.3f} to {one.high:.3f}"


def names(comparison: Comparison) -> Table:
    """List which name of one side stands where which of the other does, most places first."""
    rows = tuple((one, other, str(count)) for one, other, count in name_pairs(comparison.cells))
    note = (
        "A lymphocyte agrees with WBC, of which it is a finer kind, and counts as that, unless the other side marks "
        "finer kinds."
    )
    return Table("Names", (*comparison.labels, "places"), rows, note)


def places(comparison: Comparison) -> Table:
    """List the places that differ, image by image."""
    found = comparison.cells
    differing = [index for index, state in enumerate(found["state"]) if state != "matched"]
    rows = tuple(_place(comparison, index) for index in differing[:MOST_PLACES])
    more = len(differing) - len(rows)
    note = f"{more} more are in cells.csv." if more else ""
    return Table("Places that differ", (*_PLACES_HEAD, *comparison.labels), rows, note)


def _place(comparison: Comparison, index: int) -> tuple[str, ...]:
    found = comparison.cells
    side = "second" if found["state"][index] == "second only" else "first"
    x, y = (f"{found[f'{side}_{axis}'][index]:.0f}" for axis in ("x", "y"))
    called = (str(found[f"{side}_name"][index]) for side in ("first", "second"))
    return found.files[found["file"][index]], x, y, str(found["state"][index]), *called


def statistics(compared: tuple[StatisticComparison, ...], labels: tuple[str, str]) -> Table:
    """List every statistic of both reports with its limits, difference and ratio, or why there is none."""
    rows = tuple(
        (
            one.key,
            _reading(one.first),
            _reading(one.second),
            one.first.unit if one.comparable or one.first.unit == one.second.unit else _both_units(one),
            _signed(one.difference),
            "" if one.ratio is None else significant(one.ratio, 4),
            _overlap(one.limits_overlap),
            one.problem,
        )
        for one in compared
    )
    head = ("estimate", *labels, "unit", "difference", "ratio", "limits overlap", "not compared because")
    note = (
        "Difference and ratio are of the second to the first. In brackets exact 95 % limits of counting; limits that "
        "overlap do not show that nothing differs."
    )
    return Table("Estimates", head, rows, note)


def _both_units(one: StatisticComparison) -> str:
    return " / ".join(unit for unit in (one.first.unit, one.second.unit) if unit)


def _reading(reading: Reading) -> str:
    if reading.value is None:
        return reading.text
    digits = digits_of(reading.value, reading.limits)
    shown = significant(reading.value, max(digits, 4))
    return shown if reading.limits is None else f"{shown} ({limits_text(reading.limits, digits)})"


def _signed(value: float | None, digits: int = 3) -> str:
    if value is None:
        return ""
    shown = significant(value, digits)
    return f"+{shown}" if value > 0 else shown


def _overlap(overlap: bool | None) -> str:  # noqa: FBT001 (it is what is shown)
    return "" if overlap is None else "yes" if overlap else "no"


def findings(compared: tuple[FindingComparison, ...], labels: tuple[str, str]) -> Table:
    """List every finding that a report counted, with limits of both counts and the test where there is one."""
    rows = tuple(
        (
            one.name,
            _counted(one.first),
            _counted(one.second),
            "" if one.difference is None else f"{one.difference:+d}" if one.difference else "0",
            "" if one.p_value is None else p_text(one.p_value),
        )
        for one in compared
        if one.first.count or one.second.count or not one.equal
    )
    note = (
        "Candidates; in brackets exact 95 % limits of counting. p is of the exact test that two independent counts "
        "have one mean: two readings of one picture see the same cells, and for them the matched cells say more."
    )
    return Table("Findings", ("finding", *labels, "difference", "p"), rows, note)


def _counted(one: FindingCount) -> str:
    if one.count is None or one.limits is None:
        return one.reason
    return f"{one.count} ({limits_text(one.limits, 3)})"


def p_text(p_value: float) -> str:
    """Return a p value for people."""
    return "< 0.0001" if p_value < 0.0001 else f"{p_value:.2g}"


def diagnoses(compared: DiagnosesComparison, labels: tuple[str, str]) -> Table:
    """List the candidates of both reports side by side."""
    rows = tuple(
        (
            _candidate(pair.first),
            _candidate(pair.second),
            pair.relation or _ONE_SIDE,
            "" if pair.displacement is None else f"{pair.displacement:+d}" if pair.displacement else "0",
        )
        for pair in compared.pairs
    )
    overlap = compared.rank_biased_overlap
    note = (
        "Candidates for a qualified reader, not conclusions. Codes are paired by their first characters. First "
        f"candidates: {compared.top or 'not related'}."
        + ("" if math.isnan(overlap) else f" Rank-biased overlap of the categories: {overlap:.2f}.")
    )
    return Table("Conditions to consider", (*labels, "relation", "ranks lower in the second"), rows, note)


def _candidate(one: Candidate | None) -> str:
    return "" if one is None else f"{one.rank}. {one.code} {one.name} ({one.confidence})"


def narratives(compared: NarrativeComparison, labels: tuple[str, str]) -> Table:
    """List every sentence that differs."""
    rows = tuple((one.change, one.first, one.second) for one in compared.sentences if one.change != "equal")
    note = "" if math.isnan(compared.ratio) else f"{compared.ratio:.0%} of the sentences are equal."
    return Table("Pathology reports", ("change", *labels), rows, note)
