"""The page of a batch: how it went, how the smears are distributed, and which deserve a look."""

from __future__ import annotations

import base64
from collections import Counter
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from hemato_lab import __version__
from hemato_lab.analysis.tables import Table, flattened, significant
from hemato_lab.analysis.wording import CHECKS
from hemato_lab.batch import pictures
from hemato_lab.batch.agreeing import names_of, table_of
from hemato_lab.batch.folders import REPORT_FILE, SMEAR_PAGE_FILE, SMEARS_FOLDER, safe_name
from hemato_lab.batch.model import DONE, FAILED, PENDING
from hemato_lab.batch.outliers import FAR, PIXEL_SIZE, Outlier, outliers
from hemato_lab.batch.summary import CELLS, is_analysed
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemato_lab.batch.agreeing import Agreement
    from hemato_lab.batch.model import Outcome
    from hemato_lab.batch.summary import Summary

MOST_ROWS: Final = 100
"""Of longer tables the page shows the beginning; the summary holds all smears."""
_NOT_LISTED: Final = ("inputs", "skipped", "scale")
"""Parts of the provenance that differ from smear to smear."""


def render_page(outcomes: Sequence[Outcome], summary: Summary, agreed: Sequence[Agreement] = ()) -> bytes:
    """Return the page in UTF-8: one file that needs nothing else, without script.

    Parameters
    ----------
    outcomes : sequence of Outcome
        How each smear ended.
    summary : Summary
        Of the same smears.
    agreed : sequence of Agreement
        How all smears agree with other readings of them.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files("hemato_lab.batch").joinpath("page.html.jinja").read_text("utf-8"))
    page = template.render(
        smears=_noun(len(outcomes), "smear"),
        version=__version__,
        notice=RESEARCH_USE_NOTICE,
        totals=totals(summary),
        failures=[failures_by_kind(outcomes), failures(outcomes)],
        distributions=_distributions(summary),
        findings=_picture(pictures.findings(summary), "findings") if pictures.seen_findings(summary) else None,
        worth_a_look=[far_values(outliers(summary)), quality_warnings(summary), candidates(summary)],
        agreed=[_agreement(one) for one in agreed],
        smears_table=_smears(outcomes, summary),
        provenance=provenance(summary),
    )
    return page.encode("utf-8", "backslashreplace")


def totals(summary: Summary) -> Table:
    """List how many smears there are, how they ended, and what was found on them."""
    states = Counter(summary.column("state"))
    patients = {patient for patient in summary.column("patient") if patient}
    rows = [
        ("smears", str(len(summary.rows))),
        ("analysed", str(states[DONE])),
        ("failed", str(states[FAILED])),
        ("not reached yet", str(states[PENDING])),
        ("patients", str(len(patients))),
        ("fields", _sum(summary, "fields")),
        ("cells found", _sum(summary, "cells")),
        *((f"{name.removeprefix(CELLS)} found", _sum(summary, name)) for name in summary.columns if _is_cells(name)),
        ("smears that call for review", str(summary.column("review_required").count(True))),
        ("smears with quality warnings", str(sum(bool(count) for count in summary.column("quality_failures")))),
    ]
    optional = {"failed", "not reached yet", "patients"}
    return Table("Batch", ("what", "count"), tuple(row for row in rows if row[1] != "0" or row[0] not in optional))


def _is_cells(column: str) -> bool:
    return column.startswith(CELLS)


def _sum(summary: Summary, column: str) -> str:
    return f"{sum(value or 0 for value in summary.column(column)):,}"


def failures_by_kind(outcomes: Sequence[Outcome]) -> Table:
    """Count the failures of each kind, the most frequent first; empty where they have one kind."""
    kinds = Counter(outcome.error_code for outcome in outcomes if outcome.state == FAILED)
    rows = tuple((code, str(count)) for code, count in kinds.most_common()) if len(kinds) > 1 else ()
    return Table("Failures by kind", ("kind", "smears"), rows)


def failures(outcomes: Sequence[Outcome]) -> Table:
    """List the smears that failed, why, and what to do."""
    failed = [outcome for outcome in outcomes if outcome.state == FAILED]
    rows = tuple((one.entry.smear_id, one.error_code, one.error) for one in failed[:MOST_ROWS])
    head = ("smear", "kind", "what went wrong, and what to do")
    again = "They are tried again with --retry-failed; the other smears are not analysed a second time."
    return Table("Failed smears", head, rows, _rest(len(failed)) + again)


def far_values(found: Sequence[Outlier]) -> Table:
    """List the estimates that are far from those of the other smears."""
    rows = tuple(
        (one.smear_id, one.key, f"{significant(one.value)} {one.unit}", f"{significant(one.median)} {one.unit}")
        for one in found[:MOST_ROWS]
    )
    note = (
        f"{_rest(len(found))}Listed is what lies more than {FAR:g} robust standard deviations from the median of the "
        "batch while its own 95 % limits exclude that median. It is no sign of disease: look at scale and quality "
        "first."
    )
    return Table("Far from the rest", ("smear", "estimate", "value", "median of the batch"), rows, note)


def quality_warnings(summary: Summary) -> Table:
    """List the smears with fields that did not pass a quality check."""
    warned = [row for row in summary.rows if row.get("quality_failures")]
    shown = sorted(warned, key=lambda row: -row["quality_failures"])[:MOST_ROWS]
    rows = tuple((row["smear_id"], _in_words(row["quality_checks"]), str(row["fields"])) for row in shown)
    head = ("smear", "checks not passed, and in how many fields", "fields")
    return Table("Quality warnings", head, rows, _rest(len(warned)))


def _in_words(checks: str) -> str:
    named = (text.rsplit(" ", 1) for text in checks.split("; "))
    return ", ".join(f"{CHECKS[key].heading.lower()} in {count}" for key, count in named)


def candidates(summary: Summary) -> Table:
    """Count the smears by their first candidate."""
    analysed = [row for row in summary.rows if row.get("report_sha256")]
    counts = Counter(row.get("first_candidate") or "none" for row in analysed)
    rows = tuple((code, str(count)) for code, count in counts.most_common())
    note = "Candidates to think of, never a conclusion. Absence of a candidate does not exclude disease."
    return Table("First candidate", ("code", "smears"), rows if set(counts) - {"none"} else (), note)


def provenance(summary: Summary) -> Table:
    """List what reproduces the analyses, as far as it is the same for all smears."""
    listed = {key: value for key, value in summary.provenance.items() if key not in _NOT_LISTED}
    return Table("Provenance", ("what", "value"), tuple(row for row in flattened(listed) if row[1]))


def _agreement(agreement: Agreement) -> dict[str, Any]:
    drawn = [_picture(pictures.differences(one.difference, one.key), one.key) for one in agreement.drawn()]
    return {"reading": agreement.reading, "tables": [names_of(agreement), table_of(agreement)], "pictures": drawn}


def _distributions(summary: Summary) -> list[dict[str, str]]:
    """Return a picture of each estimate that a smear has, and of the pixel size where it is not the same for all."""
    known = {key: {value for value in summary.column(key) if value is not None} for key in summary.statistics}
    shown = [key for key, values in known.items() if values]
    if len(set(summary.column(PIXEL_SIZE)) - {None}) > 1:
        shown.append(PIXEL_SIZE)
    return [_picture(pictures.distribution(summary, key), key) for key in shown]


def _picture(content: bytes, name: str) -> dict[str, str]:
    return {"name": name, "uri": "data:image/svg+xml;base64," + base64.b64encode(content).decode("ascii")}


def _smears(outcomes: Sequence[Outcome], summary: Summary) -> dict[str, Any]:
    """Return the head and the first rows of the table of smears, each with the address of its report."""
    keys = [key for key in summary.statistics if any(value is not None for value in summary.column(key))][:3]
    columns = ("fields", "cells", *keys, "first_candidate", "quality_failures")
    rows = [
        {
            "name": outcome.entry.smear_id,
            "address": _address(outcome),
            "cells": (outcome.state, *(_text(row.get(column)) for column in columns)),
        }
        for outcome, row in zip(outcomes[:MOST_ROWS], summary.rows, strict=False)
    ]
    head = ("smear", "state", "fields", "cells", *keys, "first candidate", "quality failures")
    return {"head": head, "rows": rows, "note": _rest(len(outcomes))}


def _address(outcome: Outcome) -> str:
    if not is_analysed(outcome):
        return ""
    name = SMEAR_PAGE_FILE if SMEAR_PAGE_FILE in outcome.files else REPORT_FILE
    return f"{SMEARS_FOLDER}/{quote(safe_name(outcome.entry.smear_id))}/{name}"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return significant(value) if isinstance(value, float) else str(value)


def _rest(count: int) -> str:
    return f"The first {MOST_ROWS} of {count} are shown, summary.csv has all. " if count > MOST_ROWS else ""


def _noun(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
