"""Which cells of one run another run of the same smear found again, from the two tables of cells."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from hemato_lab.agreement import DEFAULT_GATE
from hemato_lab.agreement.matching import match_cells
from hemato_lab.detections import Detections
from hemato_lab.errors import UnreadableInputError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_TEXTS: Final = ("field_name", "field", "name")
_NUMBERS: Final = ("x", "y", "radius")


@dataclass(frozen=True, slots=True)
class KeptCells:
    """Counts of one smear.

    Attributes
    ----------
    baseline, current : int
        Cells in either run.
    kept : int
        Of them at the same place in both.
    same_name : int
        Of these with the same name.
    """

    baseline: int
    current: int
    kept: int
    same_name: int


def count_kept(baseline: Path, current: Path, rbc_diameter_px: float | None) -> KeptCells:
    """Match the cells of two tables (``cells.csv``) by place, whatever their names.

    Parameters
    ----------
    baseline, current : Path
    rbc_diameter_px : float or None
        Of a red cell; None takes the median diameter of the baseline's cells.

    Raises
    ------
    UnreadableInputError
        If a table cannot be read.
    ConfigError
        If the cells lie too close together for their size.
    """
    first, second = _on_same_fields(_read(baseline), _read(current))
    if not len(first) or not len(second):
        return KeptCells(len(first), len(second), 0, 0)
    diameter = rbc_diameter_px or 2 * float(np.median(first["radius"]))
    matching = match_cells(first, second, rbc_radius_px=diameter / 2, gate=DEFAULT_GATE)
    same = first["name"][matching.first] == second["name"][matching.second]
    return KeptCells(len(first), len(second), len(matching), int(same.sum()))


@dataclass(frozen=True, slots=True)
class _Cells:
    """The columns of a table that matter here; one text or number a cell."""

    field_name: tuple[str, ...]
    field: tuple[str, ...]
    name: tuple[str, ...]
    numbers: dict[str, NDArray[np.float64]]

    @property
    def names_are_distinct(self) -> bool:
        """Whether no two fields have the same name."""
        return len({*zip(self.field_name, self.field, strict=True)}) == len({*self.field_name})


def _read(path: Path) -> _Cells:
    hint = "analyse the smear again"
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            head = next(reader, [])
            texts, numbers = ([head.index(name) for name in columns] for columns in (_TEXTS, _NUMBERS))
            rows = [row for row in reader if row]
        field_names, fields, names = (tuple(row[place] for row in rows) for place in texts)
        values = [np.array([row[place] for row in rows], dtype=np.float64) for place in numbers]
    except OSError as error:
        raise UnreadableInputError(f"cannot be read: {error.strerror}", subject=str(path), hint=hint) from error
    except (UnicodeDecodeError, csv.Error, ValueError, IndexError) as error:
        raise UnreadableInputError(f"is no table of cells: {error}", subject=str(path), hint=hint) from error
    return _Cells(field_names, fields, names, dict(zip(_NUMBERS, values, strict=True)))


def _on_same_fields(first: _Cells, second: _Cells) -> tuple[Detections, Detections]:
    """Return both tables with the same numbers for the same fields: by their names where these are distinct."""
    named = first.names_are_distinct and second.names_are_distinct
    fields = [one.field_name if named else one.field for one in (first, second)]
    numbers = {field: number for number, field in enumerate(dict.fromkeys(fields[0] + fields[1]))}
    one, other = (
        Detections(
            {
                "field": np.array([numbers[field] for field in listed], dtype=np.int32),
                **cells.numbers,
                "name": np.array(cells.name, dtype=np.str_),
                "score": np.ones(len(listed)),
            }
        )
        for cells, listed in zip((first, second), fields, strict=True)
    )
    return one, other
