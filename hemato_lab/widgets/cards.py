"""What is known of one cell, as short lines for the card beside the pointer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from hemato_lab.analysis.tables import significant
from hemato_lab.errors import ConfigError
from hemato_lab.widgets.base import Answer

if TYPE_CHECKING:
    from hemato_lab.detections import Detections
    from hemato_lab.smear import Smear
    from hemato_lab.widgets.messages import Card

_MEASURED: Final = (
    ("area_um2", "area", " µm²"),
    ("circularity", "circularity", ""),
    ("solidity", "solidity", ""),
    ("pallor_ratio", "central pallor", " of the diameter"),
)
"""Column, label and unit of what a card says beyond name, size and place."""
_REMARKS: Final = (("on_border", "on the border of the field"), ("overlapped", "overlaps another cell"))


@dataclass(frozen=True)
class CardStore:
    """Writes the cards of the cells of a smear."""

    smear: Smear
    detections: Detections

    def lines(self, row: int) -> list[list[str]]:
        """Return pairs of label and value.

        Raises
        ------
        ConfigError
            If there is no such row.
        """
        if not 0 <= row < len(self.detections):
            raise ConfigError(f"there is no cell {row}")
        cell = {name: self.detections[name][row] for name in self.detections}
        lines = [["candidate", str(cell["name"])]]
        if np.isfinite(cell["score"]):
            lines.append(["score", f"{cell['score']:.2f} of being a cell"])
        if np.isfinite(cell.get("name_confidence", np.nan)):
            lines.append(["confidence", f"{cell['name_confidence']:.2f} of the name"])
        lines.append(["diameter", self._diameter(float(cell["radius"]))])
        lines += self._axes(cell)
        lines += [
            [label, significant(float(cell[column])) + unit]
            for column, label, unit in _MEASURED
            if np.isfinite(cell.get(column, np.nan))
        ]
        lines += [["remark", remark] for column, remark in _REMARKS if cell.get(column, 0) == 1]
        lines.append(["field", self.smear.fields[int(cell["field"])].name])
        lines.append(["place", f"x {cell['x']:.0f}, y {cell['y']:.0f} px"])
        return lines

    def _diameter(self, radius_px: float) -> str:
        scale = self.smear.known_scale
        if scale is None:
            return f"{2 * radius_px:.0f} px"
        return f"{2 * radius_px * scale.um_per_px:.1f} µm ({2 * radius_px:.0f} px)"

    def _axes(self, cell: dict[str, float]) -> list[list[str]]:
        axes = [cell.get(column, np.nan) for column in ("major_axis_um", "minor_axis_um")]
        return [["axes", f"{axes[0]:.1f} x {axes[1]:.1f} µm"]] if np.isfinite(axes).all() else []

    def answer(self, wanted: Card) -> Answer:
        """Return the card of one cell."""
        return Answer({"lines": self.lines(wanted.row)})
