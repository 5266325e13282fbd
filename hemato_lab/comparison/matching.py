"""Finding out, place by place, what two readings have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.agreement import DEFAULT_GATE
from hemato_lab.agreement.matching import Matching, match_cells
from hemato_lab.comparison.cells import NOT_LISTED, CellComparison, State
from hemato_lab.comparison.coverage import Coverage, comparable
from hemato_lab.comparison.diameters import red_cell_diameters, unlike_diameters
from hemato_lab.comparison.naming import common_name, left_open

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from hemato_lab.comparison.listing import Listed
    from hemato_lab.comparison.naming import Marked
    from hemato_lab.comparison.pairing import FilePairing
    from hemato_lab.comparison.sides import Side

_IN_ONE_SIDE_ALONE: Final = "in images of one side alone"


def compare_cells(
    first: Side,
    second: Side,
    pairing: FilePairing,
    *,
    gate: float = DEFAULT_GATE,
    class_aware: bool = False,
    rbc_diameter_px: float | None = None,
) -> CellComparison:
    """Match what two sides list in the images that both have.

    Raises
    ------
    ConfigError
        If the size of a red cell is nowhere stated and cannot be taken from what is listed.
    """
    findings_only = any(side.cells is None for side in (first, second))
    sides = [side.listed(findings_only=findings_only) for side in (first, second)]
    numbers = [
        {pair.first: number for number, pair in enumerate(pairing.pairs)},
        {pair.second: number for number, pair in enumerate(pairing.pairs)},
    ]
    counted = _counted_only([first, second], sides)
    placed, rows = zip(*(_placed(*one, counted) for one in zip(sides, numbers, strict=True)), strict=True)
    diameters = red_cell_diameters(first, second, pairing.pairs, placed, stated=rbc_diameter_px)
    radii = [diameter / 2 for diameter in diameters]
    matching = (
        match_cells(*placed, rbc_radius_px=radii, gate=gate, class_aware=class_aware)
        if all(map(len, placed))
        else Matching.of_singles(*map(len, placed))
    )
    marks = [[side.files[file].covered for file in own] for side, own in zip((first, second), numbers, strict=True)]
    columns = _columns(placed, rows, matching, gate, marks)
    covered = [
        Coverage.of(side, list(own), findings_only=findings_only)
        for side, own in zip((first, second), numbers, strict=True)
    ]
    keep, left_out = comparable(columns, covered[0], covered[1], radii)
    beyond = sum(len(listed) - listed.lying_in(own) for listed, own in zip(sides, numbers, strict=True))
    kept = {name: column[keep] for name, column in columns.items()}
    remarks = [*_findings_alone((first, second), sides), *left_open(kept)] if findings_only else [*left_open(kept)]
    if rbc_diameter_px is None:
        remarks += unlike_diameters(first, second, pairing.pairs)
    return CellComparison(
        kept,
        tuple(first.files[pair.first].name or second.files[pair.second].name for pair in pairing.pairs),
        tuple(diameters),
        gate,
        class_aware,
        findings_only,
        counted,
        left_out | ({_IN_ONE_SIDE_ALONE: beyond} if beyond else {}),
        tuple(remarks),
    )


def _findings_alone(sides: Sequence[Side], listed: Sequence[Listed]) -> Iterator[str]:
    """Yield how much of what a side found is not in what reports list."""
    for side, own in zip(sides, listed, strict=True):
        if side.cells is not None and side.cells is not own:
            listing = f"{len(own)} entries of the {len(side.cells)} cells of {side.label}"
            yield f"only what reports list was compared: {listing}"


def _placed(
    listed: Listed, numbers: dict[int, int], counted: Mapping[str, tuple[int, int]]
) -> tuple[Listed, NDArray[np.intp]]:
    """Return what lies in the images of both sides and is compared by place, and its rows in the listing."""
    kept, rows = listed.in_files(numbers)
    by_place = ~np.isin(kept.name, list(counted))
    return kept.select(by_place), rows[by_place]


def _counted_only(sides: Sequence[Side], listed: Sequence[Listed]) -> dict[str, tuple[int, int]]:
    """Return the numbers of each name of which at least one side does not place every entry."""
    of_reports = [own is side.findings for side, own in zip(sides, listed, strict=True)]
    names = {name for side, chosen in zip(sides, of_reports, strict=True) if chosen for name in side.unplaced}

    def number(name: str, side: int) -> int:
        listed_ones = int(np.count_nonzero(listed[side].name == name))
        return _stated_count(sides[side], name, listed_ones) if of_reports[side] else listed_ones

    return {name: (number(name, 0), number(name, 1)) for name in sorted(names)}


def _stated_count(side: Side, name: str, placed: int) -> int:
    """Return the count of a finding as its report states it; of entries where it states none."""
    finding = None if side.report is None else side.report.morphological_findings.get(name)
    stated = None if finding is None else finding.number
    return placed + side.unplaced.get(name, 0) if stated is None else round(stated)


def _columns(
    placed: Sequence[Listed],
    rows: Sequence[NDArray[np.intp]],
    matching: Matching,
    gate: float,
    marks: Sequence[Sequence[Marked]],
) -> dict[str, NDArray[Any]]:
    """Lay pairs and singles out in one table, sorted by image and place."""
    none = np.full(len(matching.second_only), -1), np.full(len(matching.first_only), -1)
    index = [
        np.concatenate([matching.first, matching.first_only, none[0]]).astype(np.intp),
        np.concatenate([matching.second, none[1], matching.second_only]).astype(np.intp),
    ]
    columns: dict[str, NDArray[Any]] = {}
    for side, listed, own_rows, picked in zip(("first", "second"), placed, rows, index, strict=True):
        columns[f"{side}_name"] = _picked(listed.name, picked, "")
        for axis in ("x", "y", "radius", "score"):
            columns[f"{side}_{axis}"] = _picked(listed[axis], picked, np.nan)
        columns[f"{side}_row"] = _picked(own_rows, picked, -1)
    here = index[0] >= 0
    columns["file"] = np.where(here, _picked(placed[0].file, index[0], -1), _picked(placed[1].file, index[1], -1))
    columns["distance"] = np.concatenate([matching.distance * gate, np.full(len(here) - len(matching), np.nan)])
    columns |= _named(columns, marks)
    place = [np.where(here, columns[f"first_{axis}"], columns[f"second_{axis}"]) for axis in ("x", "y")]
    order = np.lexsort((columns["second_name"], columns["first_name"], place[0], place[1], columns["file"]))
    leading = ("file", "state", "distance")
    return {name: columns[name][order] for name in (*leading, *(one for one in columns if one not in leading))}


def _picked(column: NDArray[Any], picked: NDArray[np.intp], absent: Any) -> NDArray[Any]:
    """Return the picked entries, and another value where the index is -1."""
    padded = np.concatenate([column, np.array([absent])])
    return np.asarray(padded[picked])


def _named(columns: Mapping[str, NDArray[Any]], marks: Sequence[Sequence[Marked]]) -> dict[str, NDArray[Any]]:
    """Return the names that both sides can be compared by, and the state that follows from them."""
    keys = zip(columns["file"].tolist(), columns["first_name"].tolist(), columns["second_name"].tolist(), strict=True)
    known: dict[tuple[int, str, str], tuple[str, str, State]] = {}
    rows = [known.get(key) or known.setdefault(key, _name_of(*key, marks)) for key in keys]
    names = ("first_common", "second_common", "state")
    return {name: np.array([row[index] for row in rows], dtype=np.str_) for index, name in enumerate(names)}


def _name_of(file: int, first: str, second: str, marks: Sequence[Sequence[Marked]]) -> tuple[str, str, State]:
    if not second:
        return first, NOT_LISTED, "first only"
    if not first:
        return NOT_LISTED, second, "second only"
    common = common_name(first, second, first_marks=marks[0][file], second_marks=marks[1][file])
    return (common, common, "matched") if common else (first, second, "reclassified")
