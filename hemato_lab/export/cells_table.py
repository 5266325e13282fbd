"""Reading back the table of cells that `csv.render` writes: every column, names as they were."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.detections import BASE_COLUMNS, NAME_DTYPE, Detections
from hemato_lab.errors import ReportFormatError, UnreadableInputError
from hemato_lab.export.csv import original

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

FIELD_NAME: Final = "field_name"
_LONGEST_NAME: Final = NAME_DTYPE.itemsize // 4
_PLACE: Final = ("x", "y", "radius")
HINT: Final = "analyse the smear again"


def read_cells_table(path: Path, field_names: Sequence[str]) -> Detections:
    """Read a table of cells.

    Parameters
    ----------
    path : Path
        File that `hemato_lab.export` wrote as ``csv``.
    field_names : sequence of str
        Of the smear's fields, in order.

    Returns
    -------
    Detections
        With the columns of the file in its order; an empty cell of the table is NaN.

    Raises
    ------
    UnreadableInputError
        If the file cannot be read.
    ReportFormatError
        If it is no such table, or is about other fields.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UnreadableInputError(f"cannot be read: {error.strerror}", subject=str(path), hint=HINT) from error
    except UnicodeDecodeError as error:
        raise ReportFormatError("is no table of cells: not in UTF-8", subject=str(path), hint=HINT) from error
    try:
        columns = _columns(text)
        _check_fields(columns, field_names)
        return _detections(columns)
    except (ValueError, csv.Error) as error:
        raise ReportFormatError(f"is no table of cells: {error}", subject=str(path), hint=HINT) from error


def _columns(text: str) -> dict[str, tuple[str, ...]]:
    """Return the texts of every column; raises ValueError."""
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    head = next(lines, [])
    missing = [name for name in (FIELD_NAME, *BASE_COLUMNS) if name not in head]
    if missing:
        raise ValueError(f"lacks the column {', '.join(missing)}")
    if len(set(head)) != len(head):
        raise ValueError("has two columns of one name")
    rows: list[list[str]] = []
    for line in lines:
        if len(line) not in {0, len(head)}:
            raise ValueError(f"line {lines.line_num} has {len(line)} of {len(head)} columns")
        if line:
            rows.append(line)
    return dict(zip(head, zip(*rows, strict=True) if rows else [()] * len(head), strict=True))


def _check_fields(columns: dict[str, tuple[str, ...]], field_names: Sequence[str]) -> None:
    """Refuse cells in fields that the report beside the table does not have; raises ValueError."""
    # The table holds names as UTF-8 can, and some file names hold what it cannot.
    known = {str(number): _in_utf8(name) for number, name in enumerate(field_names)}
    for number, name in {*zip(columns["field"], map(original, columns[FIELD_NAME]), strict=True)}:
        if known.get(number) != name:
            raise ValueError(
                f"has cells in field {number[:20]} {name[:80]!r}, which the report beside it does not list"
            )


def _in_utf8(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _detections(columns: dict[str, tuple[str, ...]]) -> Detections:
    """Return the table; raises ValueError."""
    read: dict[str, NDArray[Any]] = {
        column: _numbers(column, texts) for column, texts in columns.items() if column not in {FIELD_NAME, "name"}
    }
    for column in _PLACE:
        if not np.isfinite(read[column]).all():
            raise ValueError(f"has a cell without {column}")
    names = [original(text) for text in columns["name"]]
    longest = max(names, key=len, default="")
    if len(longest) > _LONGEST_NAME:
        raise ValueError(f"a name has {len(longest)} characters")
    return Detections({**read, "name": np.array(names, dtype=NAME_DTYPE)})


def _numbers(column: str, texts: tuple[str, ...]) -> NDArray[np.float64]:
    try:
        return np.array([float(text) if text else math.nan for text in texts], dtype=np.float64)
    except ValueError:
        raise ValueError(f"the column {column[:40]!r} holds what is no number") from None
