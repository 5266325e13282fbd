"""How wide a red cell is in each image of both sides, by which the gate of their comparison is measured."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from hemato_lab.comparison.sides import listed_diameter
from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hemato_lab.comparison.listing import Listed
    from hemato_lab.comparison.pairing import FilePair
    from hemato_lab.comparison.sides import Side

UNLIKE: Final = 1.15
"""Ratio of two diameters from which on they are told: stated and measured scales may differ by 15 % (DOMAIN.md 2.3)."""


def red_cell_diameters(
    first: Side, second: Side, pairs: Sequence[FilePair], listed: Sequence[Listed], *, stated: float | None
) -> list[float]:
    """Return the diameter in pixels of each pair of images.

    It is the one stated here; else that of either side, of two the geometric mean, so that the order of the sides does
    not matter; else that of the red cells listed. NaN where it is not known and not needed.

    Raises
    ------
    ConfigError
        If it is not known and both sides list something.
    """
    measured = next((one for one in map(listed_diameter, listed) if one is not None), None)
    found = []
    for pair in pairs:
        of_sides = _of_sides(first, second, pair)
        known = (stated, math.exp(sum(map(math.log, of_sides)) / len(of_sides)) if of_sides else None, measured)
        diameter = next((one for one in known if one is not None), math.nan)
        if math.isnan(diameter) and all(map(len, listed)):
            raise ConfigError(
                "neither side says how wide a red cell is, so places cannot be compared",
                subject=f"{first.label} and {second.label}",
                hint="state rbc_diameter_px (--rbc-diameter-px)",
            )
        found.append(diameter)
    return found


def unlike_diameters(first: Side, second: Side, pairs: Sequence[FilePair]) -> Iterator[str]:
    """Yield a remark when the sides do not agree on the size of a red cell."""
    both = [sizes for sizes in (_of_sides(first, second, pair) for pair in pairs) if len(sizes) == 2]
    apart = [sizes for sizes in both if max(sizes) / min(sizes) > UNLIKE]
    if apart:
        worst = max(apart, key=lambda sizes: max(sizes) / min(sizes))
        sizes = f"{worst[0]:.4g} px in {first.label} and {worst[1]:.4g} px in {second.label}"
        yield (
            f"in {len(apart)} of {len(pairs)} images the sides differ on the diameter of a red cell, by up to {sizes}; "
            "the geometric mean was taken"
        )


def _of_sides(first: Side, second: Side, pair: FilePair) -> list[float]:
    diameters = first.files[pair.first].rbc_diameter_px, second.files[pair.second].rbc_diameter_px
    return [one for one in diameters if one is not None]
