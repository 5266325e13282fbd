"""Which cells of one run another run of the same smear found again, from the two tables of cells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hemato_lab.agreement import DEFAULT_GATE
from hemato_lab.agreement.matching import match_cells
from hemato_lab.comparison.results_folder import CellTable, read_cells

if TYPE_CHECKING:
    from pathlib import Path

    from hemato_lab.comparison.listing import Listed


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
    ReportFormatError
        If it is no table of cells.
    ConfigError
        If the cells lie too close together for their size.
    """
    first, second = _on_same_fields(read_cells(baseline), read_cells(current))
    if not len(first) or not len(second):
        return KeptCells(len(first), len(second), 0, 0)
    radii = first.radius[np.isfinite(first.radius)]
    diameter = rbc_diameter_px or (2 * float(np.median(radii)) if len(radii) else np.nan)
    matching = match_cells(first, second, rbc_radius_px=diameter / 2, gate=DEFAULT_GATE)
    same = first["name"][matching.first] == second["name"][matching.second]
    return KeptCells(len(first), len(second), len(matching), int(same.sum()))


def _on_same_fields(first: CellTable, second: CellTable) -> tuple[Listed, Listed]:
    """Return both tables with the same numbers for the same fields: by their names where these are distinct."""
    named = _names_are_distinct(first) and _names_are_distinct(second)
    fields: list[list[str]] = [
        list(one.field_names) if named else list(map(str, one.cells.file.tolist())) for one in (first, second)
    ]
    numbers = {field: number for number, field in enumerate(dict.fromkeys(fields[0] + fields[1]))}
    one, other = (
        replace(table.cells, file=np.array([numbers[field] for field in listed], dtype=np.int64))
        for table, listed in zip((first, second), fields, strict=True)
    )
    return one, other


def _names_are_distinct(table: CellTable) -> bool:
    """Tell whether every field has a name and no two have the same."""
    if not all(table.field_names):
        return False
    return len({*zip(table.field_names, table.cells.file.tolist(), strict=True)}) == len({*table.field_names})
