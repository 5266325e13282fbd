"""What a run says of each smear, from whichever form it has: results folder, table, or folder of reports."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.analysis.wording import CHECKS
from hemato_lab.batch.folders import CELLS_FILE, REPORT_FILE, SUMMARY_CSV, smear_folder
from hemato_lab.batch.model import DONE
from hemato_lab.batch.parquet import read_rows
from hemato_lab.batch.summary import CELLS, COUNT, HIGH, LOW, TAG, UNIT
from hemato_lab.errors import ConfigError, UnreadableInputError
from hemato_lab.export.csv import original
from hemato_lab.formats.listing import natural_order
from hemato_lab.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

SMEAR_ID: Final = "smear_id"
CANDIDATE: Final = "first_candidate"
ROOT: Final = "report"
"""Id of a smear whose report lies in no folder of its own: two such reports are of the same smear."""
_NO_METRICS: Final = (
    SMEAR_ID,
    "skipped",
    "skipped_files",
    CANDIDATE,
    "patient",
    "state",
    "error_code",
    "error",
    "um_per_px",
    "rbc_diameter_px",
    "scale_origin",
    "quality_checks",
    "report_sha256",
)
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""What people and programs write; Python alone reads more, such as 1_000."""
_NOTHING: Final = frozenset({"", "nan", "none", "null", "na", "n/a", "not assessed"})
_TRUTHS: Final = {"yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0}
_MOST_CHARACTERS: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class SmearFigures:
    """What a run says of one smear.

    Attributes
    ----------
    patient : str
        Empty when unknown.
    problem : str
        Why it was not analysed; empty when it was.
    values, units : mapping
        By metric; a value that is not stated is absent, and so is a unit that is not known.
    cells : Path or None
        Table of its cells, where there is one.
    rbc_diameter_px : float or None
    candidate : str or None
        Code of the first candidate of the differential diagnosis, empty where there is none; None where that is not
        stated.
    unread : tuple of str
        Columns with text where a metric would have a number.
    """

    patient: str = ""
    problem: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    cells: Path | None = None
    rbc_diameter_px: float | None = None
    candidate: str | None = None
    unread: tuple[str, ...] = ()


def read_figures(source: Path) -> dict[str, SmearFigures]:
    """Return what a run says of each smear, by its id.

    Parameters
    ----------
    source : Path
        A results folder of a batch; a table (CSV or Parquet) with a column ``smear_id``; a folder with reports as
        ``NAME.json``, or as ``NAME/report.json`` with ``cells.csv`` beside it; or one report, or the folder of one,
        whose smear is then `ROOT`.

    Raises
    ------
    UnreadableInputError
        If it cannot be read, or holds nothing of this kind.
    ConfigError
        If a table has no column ``smear_id``, or a column or smear twice; or if two reports have one name.
    ReportFormatError
        If a JSON file is no report.
    MissingDependencyError
        If it is a Parquet table and pyarrow is not installed.
    """
    if source.is_dir():
        if (source / SUMMARY_CSV).is_file():
            return _of_table(source / SUMMARY_CSV, lambda smear_id: smear_folder(source, smear_id) / CELLS_FILE)
        return _of_reports(source)
    if source.suffix.lower() in {".csv", ".parquet", ".pq"}:
        return _of_table(source, lambda _: None)
    if source.suffix.lower() == ".json" and source.is_file():
        return {ROOT: _of_report(source)}
    problem = "is neither a folder, nor a table or report" if source.exists() else "does not exist"
    hint = "give a results folder of hemato-lab batch, a CSV or Parquet table, or reports"
    raise UnreadableInputError(problem, subject=str(source), hint=hint)


def _of_table(path: Path, cells_of: Callable[[str], Path | None]) -> dict[str, SmearFigures]:
    head, rows = _read_csv(path) if path.suffix.lower() == ".csv" else read_rows(path)
    if SMEAR_ID not in head:
        hint = "name the smears in it; hemato-lab batch writes summary.csv so"
        raise ConfigError(f"has no column {SMEAR_ID}", subject=str(path), hint=hint)
    if twice := [name for name, count in Counter(head).items() if count > 1]:
        hint = "give each column a name of its own"
        raise ConfigError(f"has the column {twice[0]!r} twice", subject=str(path), hint=hint)
    found: dict[str, SmearFigures] = {}
    for row in rows:
        cells = dict(zip(head, row, strict=True))
        smear_id = _text(cells[SMEAR_ID])
        if not smear_id or smear_id in found:
            problem = f"has the smear {smear_id!r} twice" if smear_id else "has a row without a smear"
            raise ConfigError(problem, subject=str(path), hint="give each smear one row")
        table = cells_of(smear_id)
        found[smear_id] = _of_row(cells, table if table is not None and table.is_file() else None)
    return found


def _of_row(cells: Mapping[str, Any], table: Path | None) -> SmearFigures:
    state = _text(cells.get("state"))
    problem = ""
    if state not in {"", DONE}:
        problem = " ".join(filter(None, (state, _text(cells.get("error_code"))))).strip()
    values = {name: _number(cell) for name, cell in cells.items() if _is_metric(name, cells)}
    units = {name: _text(cells[name + UNIT]) for name in values if _text(cells.get(name + UNIT))}
    return SmearFigures(
        _text(cells.get("patient")),
        problem,
        {name: value for name, value in values.items() if value is not None},
        units,
        table,
        _number(cells.get("rbc_diameter_px")),
        _text(cells[CANDIDATE]) if CANDIDATE in cells else None,
        tuple(name for name, value in values.items() if value is None and _text(cells[name]).lower() not in _NOTHING),
    )


def _is_metric(name: str, cells: Mapping[str, Any]) -> bool:
    if name in _NO_METRICS or name.startswith(TAG):
        return False
    return not any(name.endswith(end) and name.removesuffix(end) in cells for end in (LOW, HIGH, UNIT))


def _number(cell: Any) -> float | None:
    """Return a finite number, 1 and 0 for a truth value, and None for anything else."""
    text = _text(cell)
    if text.lower() in _TRUTHS:
        return _TRUTHS[text.lower()]
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    return value if math.isfinite(value) else None


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


def _read_csv(path: Path) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    previous = csv.field_size_limit(_MOST_CHARACTERS)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = [tuple(map(original, row)) for row in csv.reader(stream, strict=True) if any(row)]
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise UnreadableInputError(problem, subject=str(path), hint="check the path") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise UnreadableInputError(f"is no CSV: {error}", subject=str(path), hint="write the table again") from error
    finally:
        csv.field_size_limit(previous)
    uneven = next((row for row in rows if len(row) != len(rows[0])), None)
    if uneven is not None:
        problem = f"a row has {len(uneven)} cells and the head {len(rows[0])}"
        raise UnreadableInputError(problem, subject=str(path), hint="write the table again")
    return (rows[0], rows[1:]) if rows else ((), [])


def _of_reports(folder: Path) -> dict[str, SmearFigures]:
    named = {path.relative_to(folder).parent.as_posix(): path for path in _sorted(folder.rglob(REPORT_FILE))}
    if "." in named:
        if ROOT in named:
            problem = f"holds two reports that are called {ROOT}: its own, and that of the folder {ROOT}"
            raise ConfigError(problem, subject=str(folder), hint="call the folder something else")
        named = {ROOT if name == "." else name: path for name, path in named.items()}
    if not named:
        named = {path.stem: path for path in _sorted(folder.glob("*.json"))}
    if not named:
        problem = f"holds no {SUMMARY_CSV} and no report"
        raise UnreadableInputError(problem, subject=str(folder), hint="give the results folder of hemato-lab batch")
    return {name: _of_report(path) for name, path in named.items()}


def _sorted(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: natural_order(str(path)))


def _of_report(path: Path) -> SmearFigures:
    try:
        content = path.read_bytes()
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise UnreadableInputError(problem, subject=str(path), hint="check the path") from error
    report = Report.from_json(content)
    extension, provenance = report.extension, _mapping(report.extension, "provenance")
    cells = {CELLS + name: count for name, count in _mapping(extension, "cells_found").items()}
    counts = {name: one.get("count") for name, one in _mapping(extension, "findings").items() if isinstance(one, dict)}
    candidates = report.diagnostic_report.differential_diagnosis
    seen = {name: one.number for name, one in report.morphological_findings.items()}
    figures = {
        "fields": len(report.file_ids),
        "cells": sum(cells.values()) if cells else None,
        **cells,
        **{key: statistic.number for key, statistic in report.feature_statistics.items()},
        **{COUNT + name: count for name, count in {**seen, **counts}.items()},
        "review_required": _mapping(extension, "review").get("required"),
        "quality_failures": _failed_checks(_mapping(extension, "quality")) if "quality" in extension else None,
    }
    table = path.with_name(CELLS_FILE)
    return SmearFigures(
        values={name: value for name, cell in figures.items() if (value := _number(cell)) is not None},
        units={key: statistic.unit for key, statistic in report.feature_statistics.items()},
        cells=table if path.name == REPORT_FILE and table.is_file() else None,
        rbc_diameter_px=_number(_mapping(provenance, "scale").get("rbc_diameter_px")),
        candidate=candidates[0].icd10_code if candidates else "",
    )


def _failed_checks(quality: Mapping[str, Any]) -> int:
    fields = [verdicts for verdicts in quality.values() if isinstance(verdicts, dict)]
    return sum(verdicts.get(check, "ok") != "ok" for verdicts in fields for check in CHECKS)


def _mapping(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}
