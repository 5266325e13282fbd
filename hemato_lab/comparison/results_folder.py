"""The folder that ``hemato-lab analyze`` and ``hemato-lab batch`` write of a smear: its report and all its cells."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final

from hemato_lab.comparison.listing import Listed, Row
from hemato_lab.errors import ReportFormatError, UnreadableInputError
from hemato_lab.report import Report

if TYPE_CHECKING:
    from pathlib import Path

REPORT_FILE: Final = "report.json"
CELLS_FILE: Final = "cells.csv"


def read_report(path: Path) -> Report:
    """Read a report's file.

    Raises
    ------
    UnreadableInputError
        If it cannot be read.
    ReportFormatError
        If it is no report.
    """
    return Report.from_json(read_bytes(path))


def read_bytes(path: Path) -> bytes:
    """Return a file's content; raises UnreadableInputError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableInputError(
            f"cannot be read: {error.strerror}", subject=str(path), hint="check the path"
        ) from error


def read_cells(path: Path) -> Listed:
    """Read the table of cells that `hemato_lab.export` writes as CSV.

    Raises
    ------
    UnreadableInputError
        If it cannot be read.
    ReportFormatError
        If it is no such table.
    """
    text = read_bytes(path).decode("utf-8", "replace")
    try:
        return Listed.of_rows([_row(line) for line in csv.DictReader(text.splitlines())])
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        problem = f"is no table of cells: {error}"
        raise ReportFormatError(problem, subject=str(path), hint="analyse the smear again") from error


def _row(line: dict[str, str]) -> Row:
    x, y, radius, score = (float(line[column]) for column in ("x", "y", "radius", "score"))
    return int(line["field"]), x, y, radius, line["name"], score
