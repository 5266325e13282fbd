"""Finding out, place by place, what two readings have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.agreement import DEFAULT_GATE
from hemato_lab.agreement.matching import Matching, match_cells
from hemato_lab.comparison.cells import NOT_LISTED, CellComparison
from hemato_lab.comparison.coverage import Coverage, comparable
from hemato_lab.comparison.naming import common_names
from hemato_lab.comparison.sides import listed_diameter
from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from hemato_lab.comparison.listing import Listed
    from hemato_lab.comparison.pairing import FilePairing
    from hemato_lab.comparison.sides import Side

_IN_ONE_SIDE_ALONE: Final = "in images of one side alone"
_NO_PAIRS: Final = Matching.empty()


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
    diameters = _diameters(first, second, pairing, placed, stated=rbc_diameter_px)
    radii = [diameter / 2 for diameter in diameters]
    matching = match_cells(*placed, rbc_radius_px=radii, gate=gate, class_aware=class_aware) if radii else _NO_PAIRS
    columns = _columns(placed, rows, matching, gate)
    covered = [
        Coverage.of(side, list(own), findings_only=findings_only)
        for side, own in zip((first, second), numbers, strict=True)
    ]
    keep, left_out = comparable(columns, covered[0], covered[1], radii)
    beyond = sum(len(listed) - listed.lying_in(own) for listed, own in zip(sides, numbers, strict=True))
    return CellComparison(
        {name: column[keep] for name, column in columns.items()},
        tuple(first.files[pair.first].name or second.files[pair.second].name for pair in pairing.pairs),
        tuple(diameters),
        gate,
        class_aware,
        findings_only,
        counted,
        left_out | ({_IN_ONE_SIDE_ALONE: beyond} if beyond else {}),
    )


def _placed(
    listed: Listed, numbers: dict[int, int], counted: Mapping[str, tuple[int, int]]
) -> tuple[Listed, NDArray[np.intp]]:
    """Return what lies in the images of both sides and is compared by place, and its rows in the listing."""
    kept, rows = listed.in_files(numbers)
    by_place = ~np.isin(kept.name, list(counted))
    return kept.select(by_place), rows[by_place]


def _counted_only(sides: Sequence[Side], listed: Sequence[Listed]) -> dict[str, tuple[int, int]]:
    """Return the numbers of each name of which at least one side does not place every entry."""
    unplaced = [
        side.unplaced if own is side.findings else dict[str, int]() for side, own in zip(sides, listed, strict=True)
    ]

    def number(name: str, side: int) -> int:
        return int(np.count_nonzero(listed[side].name == name)) + unplaced[side].get(name, 0)

    return {name: (number(name, 0), number(name, 1)) for name in sorted({*unplaced[0], *unplaced[1]})}


def _diameters(
    first: Side, second: Side, pairing: FilePairing, placed: Sequence[Listed], *, stated: float | None
) -> list[float]:
    """Return the red-cell diameter of each image: stated here, by either side, or that of the red cells listed."""
    if not pairing.pairs:
        return []
    found: list[float] = []
    measured = next((one for one in map(listed_diameter, placed) if one is not None), None)
    for pair in pairing.pairs:
        known = (stated, first.files[pair.first].rbc_diameter_px, second.files[pair.second].rbc_diameter_px, measured)
        diameter = next((one for one in known if one is not None), None)
        if diameter is None:
            if all(len(one) for one in placed):
                raise ConfigError(
                    "neither side says how wide a red cell is, so places cannot be compared",
                    subject=f"{first.label} and {second.label}",
                    hint="state rbc_diameter_px (--rbc-diameter-px)",
                )
            diameter = 1.0  # nothing can be paired, whatever the gate
        found.append(diameter)
    return found


def _columns(
    placed: Sequence[Listed], rows: Sequence[NDArray[np.intp]], matching: Matching, gate: float
) -> dict[str, NDArray[Any]]:
    """Lay pairs and singles out in one table, sorted by image and place."""
    none = np.full(len(matching.second_only), -1), np.full(len(matching.first_only), -1)
    index = [
        np.concatenate([matching.first, matching.first_only, none[0]]).astype(np.intp),
        np.concatenate([matching.second, none[1], matching.second_only]).astype(np.intp),
    ]
    names = common_names(placed[0].name, placed[1].name)
    columns: dict[str, NDArray[Any]] = {}
    for side, listed, own_rows, common, picked in zip(("first", "second"), placed, rows, names, index, strict=True):
        columns[f"{side}_name"] = _picked(listed.name, picked, "")
        columns[f"{side}_common"] = _picked(common, picked, NOT_LISTED)
        for axis in ("x", "y", "radius", "score"):
            columns[f"{side}_{axis}"] = _picked(listed[axis], picked, np.nan)
        columns[f"{side}_row"] = _picked(own_rows, picked, -1)
    here = index[0] >= 0
    columns["file"] = np.where(here, _picked(placed[0].file, index[0], -1), _picked(placed[1].file, index[1], -1))
    columns["distance"] = np.concatenate([matching.distance * gate, np.full(len(here) - len(matching), np.nan)])
    columns["state"] = _states(columns, here, index[1] >= 0)
    place = [np.where(here, columns[f"first_{axis}"], columns[f"second_{axis}"]) for axis in ("x", "y")]
    order = np.lexsort((columns["second_name"], columns["first_name"], place[0], place[1], columns["file"]))
    leading = ("file", "state", "distance")
    return {name: columns[name][order] for name in (*leading, *(one for one in columns if one not in leading))}


def _picked(column: NDArray[Any], picked: NDArray[np.intp], absent: Any) -> NDArray[Any]:
    """Return the picked entries, and another value where the index is -1."""
    padded = np.concatenate([column, np.array([absent])])
    return np.asarray(padded[picked])


def _states(columns: Mapping[str, NDArray[Any]], here: NDArray[np.bool_], there: NDArray[np.bool_]) -> NDArray[Any]:
    alike = columns["first_common"] == columns["second_common"]
    return np.select(
        [here & there & alike, here & there, here], ["matched", "reclassified", "first only"], "second only"
    )
