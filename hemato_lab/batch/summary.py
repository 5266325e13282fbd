"""One row a smear: what the reports of a batch say, as a table for people, spreadsheets and programs."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Self, get_args

from hemato_lab.analysis.wording import CHECKS
from hemato_lab.batch.agreeing import is_compared, read_comparison
from hemato_lab.batch.folders import COMPARISON_FILE, REFERENCE_FILE, REPORT_FILE, smear_folder
from hemato_lab.batch.model import DONE, FAILED, LOCAL_STAGE
from hemato_lab.batch.notes import SmearNotes
from hemato_lab.errors import JournalError, ReportFormatError
from hemato_lab.export.csv import harmless
from hemato_lab.report import RESEARCH_USE_NOTICE, Report
from hemato_lab.statistics.features import STATISTICS
from hemato_lab.statistics.parasitaemia import PARASITISED

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hemato_lab.batch.model import Outcome

Kind = Literal["text", "whole", "number", "truth"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""What a column holds; a cell without a value is None."""

_FIRST: Final[dict[str, Kind]] = {
    "smear_id": "text",
    "patient": "text",
    "state": "text",
    "error_code": "text",
    "error": "text",
    "fields": "whole",
    "skipped": "whole",
    "skipped_files": "text",
    "cells": "whole",
    "um_per_px": "number",
    "rbc_diameter_px": "number",
    "scale_origin": "text",
}
_LAST: Final[dict[str, Kind]] = {
    "first_candidate": "text",
    "review_required": "truth",
    "quality_failures": "whole",
    "quality_checks": "text",
    "report_sha256": "text",
}
_COMPARED: Final[dict[str, Kind]] = {
    "matched": "whole",
    "first_only": "whole",
    "second_only": "whole",
    "reclassified": "whole",
    "kappa": "number",
    "precision": "number",
    "recall": "number",
    "f1": "number",
}
REMOTE: Final = "remote:"
COMPARED: Final[dict[str, dict[str, Kind]]] = {
    REFERENCE_FILE: _COMPARED,
    COMPARISON_FILE: {REMOTE + name: kind for name, kind in _COMPARED.items()},
}
"""Columns that the file of a comparison adds: those with a truth by their plain names, as it is what counts."""
TAG: Final = "tag:"
CELLS: Final = "cells:"
COUNT: Final = "count:"
LOW: Final = "_low"
HIGH: Final = "_high"
UNIT: Final = "_unit"
PARASITAEMIA: Final = "parasitaemia"
"""A statistic that reports leave out when red cells were not searched; the table states it as not assessed."""


@dataclass(frozen=True)
class Summary:
    """A table with one row a smear.

    Attributes
    ----------
    columns : mapping of str to str
        Name of every column in order, and its kind: one of `KINDS`.
    rows : tuple of mapping
        By name of the column; a name that is absent, or None, is an empty cell.
    statistics : tuple of str
        Keys of the statistics, each with columns of its value, its 95 % limits and its unit.
    provenance : mapping
        Of the first report; what it holds besides the inputs is the same for all smears of a batch.
    notes : tuple of SmearNotes
        What fits in no column, of each row's smear.
    """

    columns: Mapping[str, Kind]
    rows: tuple[Mapping[str, Any], ...]
    statistics: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[SmearNotes, ...] = ()

    def column(self, name: str) -> tuple[Any, ...]:
        """Return one column; of a name that there is not, all cells are empty."""
        return tuple(row.get(name) for row in self.rows)

    def to_csv(self) -> bytes:
        """Return the table as CSV in UTF-8; what a spreadsheet would run as a formula begins with an apostrophe."""
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([harmless(name) for name in self.columns])
        writer.writerows([_cell(row.get(name)) for name in self.columns] for row in self.rows)
        return stream.getvalue().encode("utf-8", "backslashreplace")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return harmless(value) if isinstance(value, str) else repr(value)


def summarise(outcomes: Iterable[Outcome], out: Path) -> Summary:
    """Return the table of a batch, in the order of its smears.

    It follows from the smears, how each ended, and the files of those that are done; not from when, where or in how
    many tries they were analysed.

    Parameters
    ----------
    outcomes : iterable of Outcome
        How each smear ended.
    out : Path
        Folder of the results.

    Raises
    ------
    JournalError
        If a report that is noted as done is missing or damaged.
    """
    read = [_Row.of(outcome, out) for outcome in outcomes]
    statistics = tuple(dict.fromkeys(key for row in read for key in row.statistics))
    columns: dict[str, Kind] = dict(_FIRST)
    columns |= dict.fromkeys(sorted({key for row in read for key in row.tags}), "text")
    columns |= dict.fromkeys(dict.fromkeys(key for row in read for key in row.cells), "whole")
    for key in statistics:
        columns |= {key: "number", key + LOW: "number", key + HIGH: "number", key + UNIT: "text"}
    columns |= dict.fromkeys(dict.fromkeys(key for row in read for key in row.counts), "whole")
    columns |= _LAST
    for added in COMPARED.values():
        if any(added.keys() & row.compared.keys() for row in read):
            columns |= added
    provenance = next((row.provenance for row in read if row.provenance), {})
    notes = tuple(row.notes for row in read)
    return Summary(columns, tuple(row.merged() for row in read), statistics, provenance, notes)


@dataclass(slots=True)
class _Row:
    """One row in the parts that its columns come in."""

    first: dict[str, Any]
    tags: dict[str, str]
    notes: SmearNotes
    cells: dict[str, int] = field(default_factory=dict)
    statistics: dict[str, dict[str, Any]] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)
    compared: dict[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, outcome: Outcome, out: Path) -> Self:
        entry = outcome.entry
        row = cls(
            {
                "smear_id": entry.smear_id,
                "patient": entry.patient or None,
                "state": outcome.state,
                "error_code": outcome.error_code or None,
                "error": error_of(outcome) or None,
            },
            {TAG + key: text for key, text in entry.tags.items()},
            SmearNotes(entry.smear_id),
        )
        folder = smear_folder(out, entry.smear_id)
        # A failure leaves the files of an earlier run in place, which say nothing about this one.
        if is_analysed(outcome):
            row._add_report(_content(folder / REPORT_FILE), entry.smear_id)
        for file in COMPARED:
            if is_compared(outcome, file):
                row._add_comparison(file, read_comparison(folder / file))
        return row

    def _add_report(self, content: bytes, smear_id: str) -> None:
        report = _report(content, smear_id)
        extension = report.extension
        provenance = _mapping(extension, "provenance")
        scale = _mapping(provenance, "scale")
        self.provenance = provenance
        self.notes = SmearNotes.of(smear_id, report)
        left_out = self.notes.left_out if "skipped" in provenance else None
        self.cells = {CELLS + name: count for name, count in _mapping(extension, "cells_found").items()}
        self.statistics = {key: _figures(key, report) for key in report.feature_statistics} | _not_searched(report)
        self.counts = {COUNT + name: count for name, count in _counts(report).items()}
        failed = _failed_checks(_mapping(extension, "quality"))
        candidates = report.diagnostic_report.differential_diagnosis
        self.first |= {
            "fields": len(provenance.get("inputs", ())) or None,
            "skipped": None if left_out is None else len(left_out),
            "skipped_files": "; ".join(f"{one.name} ({one.code})" for one in left_out or ()) or None,
            "cells": sum(self.cells.values()) if self.cells else None,
            "um_per_px": _number(scale.get("um_per_px")),
            "rbc_diameter_px": _number(scale.get("rbc_diameter_px")),
            "scale_origin": scale.get("origin"),
            "first_candidate": candidates[0].icd10_code if candidates else None,
            "review_required": _mapping(extension, "review").get("required"),
            "quality_failures": sum(failed.values()),
            "quality_checks": "; ".join(f"{check} {count}" for check, count in failed.items()) or None,
            "report_sha256": hashlib.sha256(content).hexdigest(),
        }

    def _add_comparison(self, file: str, document: Mapping[str, Any]) -> None:
        figures = _mapping(document, "summary")
        self.compared |= {column: figures.get(column.removeprefix(REMOTE)) for column in COMPARED[file]}

    def merged(self) -> dict[str, Any]:
        figures = {name: value for statistic in self.statistics.values() for name, value in statistic.items()}
        return self.first | self.tags | self.cells | figures | self.counts | self.compared


def is_analysed(outcome: Outcome) -> bool:
    """Tell whether the files of a smear's own analysis are those of this run; a later stage may have failed."""
    return outcome.stages.get(LOCAL_STAGE, outcome.state) == DONE


def failed_stage(outcome: Outcome) -> str:
    """Return the name of the first stage that failed; that of the analysis where none is known."""
    return next((name for name, state in outcome.stages.items() if state == FAILED), LOCAL_STAGE)


def error_of(outcome: Outcome) -> str:
    """Return what went wrong, after the name of the stage where it was not the analysis."""
    stage = failed_stage(outcome)
    return outcome.error if stage == LOCAL_STAGE else f"{stage}: {outcome.error}"


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        hint = "start the batch again, it makes what is missing"
        raise JournalError("is noted as done and cannot be read", subject=str(path), hint=hint) from error


def _report(content: bytes, smear_id: str) -> Report:
    try:
        return Report.from_json(content)
    except ReportFormatError as error:
        hint = "start the batch again, it makes what was changed"
        raise JournalError(f"its report was changed: {error}", subject=smear_id, hint=hint) from error


def _figures(key: str, report: Report) -> dict[str, Any]:
    statistic = report.feature_statistics[key]
    number = statistic.number
    low, high = statistic.limits_95 or (None, None)
    return {key: _number(number), key + LOW: _number(low), key + HIGH: _number(high), key + UNIT: statistic.unit}


def _not_searched(report: Report) -> dict[str, dict[str, Any]]:
    """Return a statistic without a value for parasites that the report says were not looked for."""
    if PARASITAEMIA in report.feature_statistics or PARASITISED not in _mapping(report.extension, "not_assessed"):
        return {}
    unknown = dict.fromkeys((PARASITAEMIA, PARASITAEMIA + LOW, PARASITAEMIA + HIGH))
    return {PARASITAEMIA: {**unknown, PARASITAEMIA + UNIT: STATISTICS[PARASITAEMIA].unit}}


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _counts(report: Report) -> dict[str, int | None]:
    """Return how many cells have each finding: 0 where it was looked for, None where it could not be."""
    assessed = _mapping(report.extension, "findings")
    counts = {name: finding.get("count") for name, finding in assessed.items() if isinstance(finding, Mapping)}
    for name, seen in report.morphological_findings.items():
        counts.setdefault(name, None if seen.number is None else int(seen.number))
    return counts


def _failed_checks(quality: Mapping[str, Any]) -> dict[str, int]:
    """Return in how many fields each quality check was not passed."""
    fields = [verdicts for verdicts in quality.values() if isinstance(verdicts, Mapping)]
    failed = {check: sum(verdicts.get(check, "ok") != "ok" for verdicts in fields) for check in CHECKS}
    return {check: count for check, count in failed.items() if count}


def _mapping(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    return value if isinstance(value, Mapping) else {}


def to_arrow(summary: Summary) -> Any:
    """Return the table as a `pyarrow.Table` whose columns have the type of their kind.

    Raises
    ------
    MissingDependencyError
        If pyarrow is not installed.
    """
    from hemato_lab.export.parquet import arrow

    pa = arrow()
    types = {"text": pa.string(), "whole": pa.int64(), "number": pa.float64(), "truth": pa.bool_()}
    fields = [(name, types[kind]) for name, kind in summary.columns.items()]
    schema = pa.schema(fields, metadata={"notice": RESEARCH_USE_NOTICE})
    return pa.Table.from_pylist([dict(row) for row in summary.rows], schema=schema)
