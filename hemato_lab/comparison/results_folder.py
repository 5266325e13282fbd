"""The folder that ``hemato-lab analyze`` and ``hemato-lab batch`` write of a smear: its report and all its cells."""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hemato_lab.comparison.listing import FARTHEST_PX, LONGEST_NAME, Listed, Row, sane_radius
from hemato_lab.errors import ReportFormatError, UnreadableInputError
from hemato_lab.export.csv import original
from hemato_lab.report import Report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPORT_FILE: Final = "report.json"
CELLS_FILE: Final = "cells.csv"
_WHOLE: Final = re.compile(r"[0-9]{1,6}")
_COLUMNS: Final = ("field", "x", "y", "radius", "name", "score")
_FIELD_NAME: Final = "field_name"


@dataclass(frozen=True, slots=True)
class CellTable:
    """A table of cells.

    Attributes
    ----------
    cells : Listed
        ``file`` is the number of the field.
    field_names : tuple of str
        Of the field of each cell; empty texts where the table does not name them.
    """

    cells: Listed
    field_names: tuple[str, ...]


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


def read_cells(path: Path) -> CellTable:
    """Read the table of cells that `hemato_lab.export` writes as CSV, names as they were before they were harmless.

    Raises
    ------
    UnreadableInputError
        If it cannot be read.
    ReportFormatError
        If it is no such table: another encoding than UTF-8, a column missing, a field that is no number of one, a place
        in no image, a row that is too short or too long.
    """
    content = read_bytes(path)
    try:
        rows = list(_rows(content.decode("utf-8-sig")))
    except (ValueError, csv.Error) as error:
        problem = f"is no table of cells: {error}"
        raise ReportFormatError(problem, subject=str(path), hint="analyse the smear again") from error
    return CellTable(Listed.of_rows([row for row, _ in rows]), tuple(name for _, name in rows))


def _rows(text: str) -> Iterator[tuple[Row, str]]:
    """Yield each cell and the name of its field; raises ValueError."""
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    head = next(lines, [])
    places = [head.index(column) for column in _COLUMNS]
    named = head.index(_FIELD_NAME) if _FIELD_NAME in head else None
    for line in lines:
        if not line:
            continue
        if len(line) != len(head):
            raise ValueError(f"line {lines.line_num} has {len(line)} of {len(head)} columns")
        try:
            row = _row([line[place] for place in places])
        except ValueError as error:
            raise ValueError(f"line {lines.line_num}: {error}") from None
        yield row, "" if named is None else original(line[named])


def _row(texts: list[str]) -> Row:
    field, x, y, radius, name, score = texts
    if not _WHOLE.fullmatch(field):
        raise ValueError(f"{field[:20]!r} is no number of a field")
    place = float(x), float(y)
    if not all(abs(axis) <= FARTHEST_PX for axis in place):
        raise ValueError(f"a cell lies at {x[:20]}, {y[:20]}, which is in no image")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"a name has {len(name)} characters")
    return int(field), *place, sane_radius(float(radius)), original(name), float(score or math.nan)
