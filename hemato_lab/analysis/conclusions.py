"""What a report concludes as tables: findings, conditions to consider, why a person must look, what was not assessed.

A report from elsewhere has the documented part alone; what only our extension says is then left empty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from hemato_lab import __version__
from hemato_lab.analysis.corrections import corrections_of
from hemato_lab.analysis.tables import Table, limits_text, value_text

if TYPE_CHECKING:
    from hemato_lab.report import Report

GRADED: Final = {"1+": "few (1+)", "2+": "moderate (2+)", "3+": "many (3+)", "none": "below the first grade"}
"""Grades in words (DOMAIN.md section 3.1)."""
_TO_EACH_HUNDRED: Final = {"%": " %", "/100{WBC}": " per 100 white cells"}


def findings(report: Report) -> Table:
    """List every finding with its candidates, percentage, limits and grade."""
    details = _mapping(report.extension.get("findings"))
    rows = tuple(
        (name, finding.count, *_share(_mapping(details.get(name))))
        for name, finding in report.morphological_findings.items()
    )
    note = "Candidates to be looked at; limits are exact 95 % limits of counting, widened by the spread of the fields."
    return Table("Morphological findings", ("finding", "candidates", "share", "95 % limits", "grade"), rows, note)


def _share(details: Mapping[str, Any]) -> tuple[str, str, str]:
    if not details:
        return "", "", ""
    limits, of = details.get("limits_95"), f"of {value_text(details.get('n_reference'))} {details.get('denominator')}"
    shown = limits_text(limits, 3) if isinstance(limits, Sequence) else ""
    unit = _TO_EACH_HUNDRED.get(str(details.get("unit")), "")
    return f"{value_text(details.get('value'))}{unit} {of}", shown, _grade(details)


def _grade(details: Mapping[str, Any]) -> str:
    if details.get("insufficient_count"):
        return f"not graded: {value_text(details.get('minimum'))} cells are needed"
    grade, between = details.get("grade"), details.get("grade_range")
    if not isinstance(grade, str):
        return ""
    if isinstance(between, Sequence) and len(between) == 2 and between[0] != between[1]:
        low, high = map(_in_words, between)
        return f"{_in_words(grade)}; limits reach from {low} to {high}"
    return _in_words(grade)


def _in_words(grade: object) -> str:
    return GRADED.get(str(grade), str(grade))


def considerations(report: Report) -> Table:
    """List the differential: conditions to think of, with the rule that named each."""
    items = _sequence(_mapping(report.extension.get("diagnosis")).get("items"))
    rules = [str(_mapping(item).get("rule", "")) for item in items]
    listed = report.diagnostic_report.differential_diagnosis
    if len(rules) != len(listed):
        rules = [""] * len(listed)
    rows = tuple(
        (
            one.english_long or one.english_short,
            one.icd10_code,
            value_text(one.score),
            one.confidence,
            one.clinical_significance,
            rule,
        )
        for one, rule in zip(listed, rules, strict=True)
    )
    head = ("candidate", "ICD-10", "score", "confidence", "significance", "rule")
    return Table("Conditions to consider", head, rows, "Candidates for a qualified reader, not conclusions.")


def review(report: Report) -> Table:
    """List why a person must look at the smear."""
    reasons = _sequence(_mapping(report.extension.get("review")).get("reasons"))
    rows = tuple((str(_mapping(one).get("id", "")), str(_mapping(one).get("reason", ""))) for one in reasons)
    return Table("To be reviewed by a qualified person", ("trigger", "reason"), rows)


def decisions(report: Report) -> Table:
    """List what readers decided, where the analysis is made from cells that they corrected."""
    said = _mapping(_mapping(report.extension.get("review")).get("decisions"))
    if not said:
        return Table("Decisions of readers", ("what", "value"), ())
    told = corrections_of(said)
    rows = [
        *((f"cells {words}", value_text(count)) for words, count in told.counts.items()),
        ("readers", ", ".join(name or "without a name" for name in told.readers)),
        ("cells on which readers differ, the last word holds", value_text(told.readers_differ)),
        ("decisions about cells that are not listed any more", value_text(told.unattached)),
        ("decisions of blind readings, left out", value_text(told.blind_left_out)),
        ("lines of the log that could not be read", value_text(told.damaged_lines)),
        *(("log of decisions, SHA-256", sha256) for sha256 in told.logs[:1]),
        *(("log of an earlier correction, SHA-256", sha256) for sha256 in told.logs[1:]),
    ]
    if told.taken_back:
        rows.append(
            ("decisions carried out earlier and taken back since, still in effect", value_text(told.taken_back))
        )
    note = "Findings and estimates are made from the cells as corrected. Who the readers were is not examined."
    return Table("Decisions of readers", ("what", "value"), tuple(rows), note)


def disclaimer(report: Report) -> str:
    """Return what ends every page: how the report came about, and what it is not."""
    told = corrections_of(_mapping(report.extension.get("review")).get("decisions"))
    as_a_whole = " as a whole" if told.cells else ""
    return (
        f"Generated automatically by hemato_lab {__version__}; not reviewed{as_a_whole} by a qualified haematologist. "
        "Estimates are not cell counts. Absence of a finding does not exclude disease."
    )


def not_assessed(report: Report) -> Table:
    """List what was not looked for, by the reason why."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in _mapping(report.extension.get("not_assessed")).items():
        by_reason.setdefault(str(reason), []).append(name)
    rows = tuple((", ".join(names), reason) for reason, names in by_reason.items())
    return Table("Not assessed", ("findings", "reason"), rows, "Their absence from this report says nothing.")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()
