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
from hemato_lab.batch.agreeing import READINGS, names_of, table_of
from hemato_lab.batch.folders import REPORT_FILE, SMEAR_PAGE_FILE, SMEARS_FOLDER, safe_name
from hemato_lab.batch.model import FAILED, PENDING
from hemato_lab.batch.notes import shared_images
from hemato_lab.batch.outliers import FAR, PIXEL_SIZE, Outlier, outliers
from hemato_lab.batch.summary import CELLS, COMPARED, PARASITAEMIA, TAG, UNIT, error_of, is_analysed
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hemato_lab.batch.agreeing import Agreement
    from hemato_lab.batch.model import Outcome
    from hemato_lab.batch.notes import SmearNotes
    from hemato_lab.batch.summary import Summary

MOST_ROWS: Final = 100
"""Of longer tables the page shows the beginning; the summary holds all smears."""
_MOST_PLACES: Final = 20
"""Smears that are named for one image."""
_OPTIONAL: Final = frozenset(
    {
        *(f"compared with the {reading}" for reading in READINGS.values()),
        "failed",
        "failed after their analysis",
        "not reached yet",
        "patients",
        "images left out",
        "images in several smears",
        f"smears with {PARASITAEMIA} not assessed",
    }
)
"""Totals that are left out where they are 0."""
_NONE: Final = "none"
_JUDGED: Final = ("first_candidate", "review_required", "quality_failures")
_HEADINGS: Final = {
    "skipped": "left out",
    "first_candidate": "first candidate",
    "review_required": "review",
    "quality_failures": "quality failures",
}
_NOT_LISTED: Final = ("inputs", "skipped", "scale")
"""Parts of the provenance that differ from smear to smear."""


def render_page(
    outcomes: Sequence[Outcome], summary: Summary, agreed: Sequence[Agreement] = (), earlier: int = 0
) -> bytes:
    """Return the page in UTF-8: one file that needs nothing else, without script.

    Parameters
    ----------
    outcomes : sequence of Outcome
        How each smear ended.
    summary : Summary
        Of the same smears.
    agreed : sequence of Agreement
        How all smears agree with other readings of them.
    earlier : int
        Smears of earlier runs in the same folder that are none of these.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files("hemato_lab.batch").joinpath("page.html.jinja").read_text("utf-8"))
    page = template.render(
        smears=_noun(len(outcomes), "smear"),
        version=__version__,
        notice=RESEARCH_USE_NOTICE,
        totals=totals(summary),
        earlier=of_earlier_runs(earlier),
        failures=[failures_by_kind(outcomes), failures(outcomes)],
        images=[left_out(summary), in_several_smears(summary)],
        distributions=_distributions(summary),
        findings=_picture(pictures.findings(summary), "findings") if pictures.seen_findings(summary) else None,
        worth_a_look=[
            to_review(summary),
            far_values(outliers(summary)),
            quality_warnings(summary),
            candidates(summary),
        ],
        agreed=[_agreement(one) for one in agreed],
        smears_table=_smears(outcomes, summary),
        provenance=provenance(summary),
    )
    return page.encode("utf-8", "backslashreplace")


def totals(summary: Summary) -> Table:
    """List how many smears there are, how they ended, and what was found on them."""
    states = Counter(summary.column("state"))
    analysed = [row for row in summary.rows if _is_analysed(row)]
    patients = {patient for patient in summary.column("patient") if patient}
    rows = [
        ("smears", str(len(summary.rows))),
        ("analysed", str(len(analysed))),
        *((f"compared with the {READINGS[file]}", str(_compared(summary, file))) for file in COMPARED),
        ("failed", str(states[FAILED])),
        ("failed after their analysis", str(sum(row["state"] == FAILED for row in analysed))),
        ("not reached yet", str(states[PENDING])),
        ("patients", str(len(patients))),
        ("fields", _sum(summary, "fields")),
        ("images left out", _sum(summary, "skipped")),
        ("images in several smears", str(len(shared_images(summary.notes)))),
        ("cells found", _sum(summary, "cells")),
        *((f"{name.removeprefix(CELLS)} found", _sum(summary, name)) for name in summary.columns if _is_cells(name)),
        ("smears that call for review", str(summary.column("review_required").count(True))),
        ("smears with quality warnings", str(sum(bool(count) for count in summary.column("quality_failures")))),
        (f"smears with {PARASITAEMIA} not assessed", str(sum(_not_assessed(row, PARASITAEMIA) for row in analysed))),
    ]
    return Table("Batch", ("what", "count"), tuple(row for row in rows if row[1] != "0" or row[0] not in _OPTIONAL))


def _is_analysed(row: Mapping[str, Any]) -> bool:
    return row.get("report_sha256") is not None


def _compared(summary: Summary, file: str) -> int:
    return sum(not COMPARED[file].keys().isdisjoint(row) for row in summary.rows)


def _not_assessed(row: Mapping[str, Any], key: str) -> bool:
    """Tell whether a report states a statistic without a value: no red cell was searched, or there was no scale."""
    return row.get(key + UNIT) is not None and row.get(key) is None


def of_earlier_runs(count: int) -> str:
    """Return a sentence on smears of earlier runs in the same folder; empty where there is none."""
    if not count:
        return ""
    lie, are = ("lies", "is") if count == 1 else ("lie", "are")
    return (
        f"{_noun(count, 'smear')} of earlier runs {lie} in {SMEARS_FOLDER}/ too and {are} not part of this batch; "
        "--fresh removes all results and begins again"
    )


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
    rows = tuple((one.entry.smear_id, one.error_code, error_of(one)) for one in failed[:MOST_ROWS])
    head = ("smear", "kind", "what went wrong, and what to do")
    again = "They are tried again with --retry-failed; the other smears are not analysed a second time."
    return Table("Failed smears", head, rows, _rest(len(failed)) + again)


def left_out(summary: Summary) -> Table:
    """List the images that were not read, and why."""
    found = [(notes.smear_id, *image) for notes in summary.notes for image in notes.left_out]
    note = "Cells of these images are in no figure; of copies within a smear the first one is counted."
    head = ("smear", "image", "kind", "reason")
    return Table("Images left out", head, tuple(found[:MOST_ROWS]), _rest(len(found)) + note)


def in_several_smears(summary: Summary) -> Table:
    """List the images that several smears have."""
    found = shared_images(summary.notes)
    rows = tuple(
        (places[0][1], str(len(places)), ", ".join(_place(*one, first=places[0][1]) for one in places[:_MOST_PLACES]))
        for places in found[:MOST_ROWS]
    )
    more = f"The first {MOST_ROWS} of {len(found)} images are shown. " if len(found) > MOST_ROWS else ""
    many = any(len(places) > _MOST_PLACES for places in found)
    few = f"Of each the first {_MOST_PLACES} smears are named. " if many else ""
    note = f"{more}{few}Their content is the same; their cells are counted in each of the smears, and in all sums."
    return Table("Same image in several smears", ("image", "smears", "which"), rows, note)


def _place(smear_id: str, name: str, *, first: str) -> str:
    return smear_id if name == first else f"{smear_id} (as {name})"


def to_review(summary: Summary) -> Table:
    """List the smears whose report asks for a person to look at them, and why."""
    notes = {one.smear_id: one for one in summary.notes}
    asked = [row for row in summary.rows if row.get("review_required")]
    rows = tuple(
        (row["smear_id"], row.get("first_candidate") or "", _reasons(notes.get(row["smear_id"])))
        for row in asked[:MOST_ROWS]
    )
    note = f"{_rest(len(asked))}In summary.csv they have yes under review_required."
    return Table("Smears that call for review", ("smear", "first candidate", "why"), rows, note)


def _reasons(notes: SmearNotes | None) -> str:
    return "; ".join(notes.review) if notes else ""


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
    unjudged = _unjudged(summary)
    counts = Counter(_candidate(row, unjudged) for row in summary.rows if _is_analysed(row))
    rows = tuple((code, str(count)) for code, count in counts.most_common())
    note = "Candidates to think of, never a conclusion. Absence of a candidate does not exclude disease."
    return Table("First candidate", ("code", "smears"), rows if set(counts) - {_NONE} else (), note)


def _unjudged(summary: Summary) -> frozenset[str]:
    """Return the smears for which no candidate was looked for."""
    return frozenset(one.smear_id for one in summary.notes if not one.judged)


def _candidate(row: Mapping[str, Any], unjudged: frozenset[str]) -> str:
    return row.get("first_candidate") or ("not judged" if row["smear_id"] in unjudged else _NONE)


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
    columns, unjudged = _shown(summary), _unjudged(summary)
    rows = [
        {
            "name": outcome.entry.smear_id,
            "address": _address(outcome),
            "cells": [_shown_cell(row, column, unjudged) for column in columns],
        }
        for outcome, row in zip(outcomes[:MOST_ROWS], summary.rows, strict=False)
    ]
    head = ("smear", *(_HEADINGS.get(column, column) for column in columns))
    return {"head": head, "rows": rows, "note": _rest(len(outcomes))}


def _shown(summary: Summary) -> list[str]:
    """Return the columns of the summary that the table of smears has; those that few batches have where they do."""
    keys = [key for key in summary.statistics if any(value is not None for value in summary.column(key))][:3]
    if PARASITAEMIA in summary.statistics and PARASITAEMIA not in keys:
        keys.append(PARASITAEMIA)
    patient = [name for name in ("patient",) if any(summary.column(name))]
    skipped = [name for name in ("skipped",) if any(summary.column(name))]
    tags = [name for name in summary.columns if name.startswith(TAG)]
    return [*patient, "state", "fields", *skipped, "cells", *keys, *_JUDGED, *tags]


def _shown_cell(row: Mapping[str, Any], column: str, unjudged: frozenset[str]) -> str:
    if column == "first_candidate" and _is_analysed(row):
        return _candidate(row, unjudged)
    return "not assessed" if _not_assessed(row, column) else _text(row.get(column))


def _address(outcome: Outcome) -> str:
    if not is_analysed(outcome):
        return ""
    name = SMEAR_PAGE_FILE if SMEAR_PAGE_FILE in outcome.files else REPORT_FILE
    return f"{SMEARS_FOLDER}/{quote(safe_name(outcome.entry.smear_id))}/{name}"


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return significant(value) if isinstance(value, float) else str(value)


def _rest(count: int) -> str:
    return f"The first {MOST_ROWS} of {count} are shown, summary.csv has all. " if count > MOST_ROWS else ""


def _noun(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
