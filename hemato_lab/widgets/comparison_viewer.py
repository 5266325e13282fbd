"""Two readings of one smear side by side: what both list, what only one does, and what they call differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import traitlets

from hemato_lab.comparison.cells import STATES
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.widgets.base import Answer, SmearWidget
from hemato_lab.widgets.cells import check_places
from hemato_lab.widgets.compared_places import SIDES, ComparedPlaces, smear_of, without_pixels
from hemato_lab.widgets.settings import FiniteFloat, checked_rows, checked_viewport
from hemato_lab.widgets.tiles import TileStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hemato_lab.analysis.tables import Table
    from hemato_lab.comparison import Comparison
    from hemato_lab.detections import Detections
    from hemato_lab.smear import Smear
    from hemato_lab.widgets.base import Answerer
    from hemato_lab.widgets.messages import Card, Plain

ARRANGEMENTS: Final = ("side by side", "together")
COLOURED_BY: Final = ("agreement", "name")
_CLOSE_UP_PX: Final = 48.0
"""Pixels of the screen that the radius of a cell takes after `ComparisonViewer.go_to`."""


class ComparisonViewer(SmearWidget):
    """Shows where two readings of one smear agree and where they differ.

    Parameters
    ----------
    comparison : Comparison
        Of `hemato_lab.compare`.
    smear : Smear, optional
        The images, where neither side is an analysis that holds them. Without pixels the places are drawn on plain
        ground.
    keep_picture : bool
        See `SmearWidget`.
    arrangement : str
        One of `ARRANGEMENTS`: two pictures that move together, or both readings on one.
    coloured_by : str
        One of `COLOURED_BY`.
    hidden_states : list of str
        Of `hemato_lab.comparison.cells.STATES`, which are not drawn.
    hidden : list of str
        Names that are not drawn where either side gives one.
    minimum_score : float
        Cells below are not drawn.
    selected : list of int
        Places, by row of ``comparison.to_frame()``.
    viewport : list of float
        Image, x, y (pixels of the image) and zoom; empty shows the whole image.

    Raises
    ------
    traitlets.TraitError
        If a setting cannot have the value.
    """

    ENTRY = "comparison_viewer.js"
    SET_BY_READERS = frozenset(
        {"viewport", "arrangement", "coloured_by", "hidden_states", "hidden", "minimum_score", "selected"}
    )

    first = traitlets.Bytes().tag(sync=True)
    second = traitlets.Bytes().tag(sync=True)
    places = traitlets.Bytes().tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    colours = traitlets.List(traitlets.Unicode()).tag(sync=True)
    fields = traitlets.List(traitlets.Dict()).tag(sync=True)
    um_per_px = traitlets.Float(None, allow_none=True).tag(sync=True)
    viewport = traitlets.List(traitlets.Float()).tag(sync=True)
    arrangement = traitlets.Enum(ARRANGEMENTS, "side by side").tag(sync=True)
    coloured_by = traitlets.Enum(COLOURED_BY, "agreement").tag(sync=True)
    hidden_states = traitlets.List(traitlets.Enum(STATES)).tag(sync=True)
    hidden = traitlets.List(traitlets.Unicode()).tag(sync=True)
    minimum_score = FiniteFloat(0.0, min=0.0, max=1.0).tag(sync=True)
    selected = traitlets.List(traitlets.Int()).tag(sync=True)

    def __init__(self, comparison: Comparison, *, smear: Smear | None = None, **settings: Any) -> None:
        self._comparison = comparison
        self._smear = smear_of(comparison, smear)
        self._tiles = TileStore(self._smear)
        encoded = ComparedPlaces.of(comparison.cells)
        self._detections = encoded.detections
        check_places(self._detections)
        absent, scale = without_pixels(self._smear), self._smear.known_scale
        super().__init__(
            first=encoded.first,
            second=encoded.second,
            places=encoded.places,
            names=encoded.names,
            colours=encoded.colours,
            fields=[
                {"width": field.width, "height": field.height, "has_pixels": index not in absent}
                for index, field in enumerate(self._smear.fields)
            ],
            um_per_px=None if scale is None else scale.um_per_px,
            **{"viewport": [float(comparison.most_differing)] if comparison.cells.files else [], **settings},
        )

    @property
    def comparison(self) -> Comparison:
        """What is shown."""
        return self._comparison

    @property
    def smear(self) -> Smear:
        """The images that both sides have."""
        return self._smear

    @property
    def detections(self) -> Detections:
        """One row a place: as the first side lists it, where it does not as the second; `selected` counts these."""
        return self._detections

    @traitlets.validate("selected")
    def _check_selected(self, proposal: dict[str, Any]) -> list[int]:
        return checked_rows(proposal["value"], len(self._detections), "places")

    @traitlets.validate("viewport")
    def _check_viewport(self, proposal: dict[str, Any]) -> list[float]:
        return checked_viewport(proposal["value"], len(self._smear))

    def differing(self) -> list[int]:
        """Return the rows of the places in which the sides differ, in the order in which they are stepped through."""
        return [int(row) for row in np.flatnonzero(self._comparison.cells["state"] != "matched")]

    def go_to(self, row: int) -> None:
        """Select one place and bring it into the middle, large.

        Raises
        ------
        ConfigError
            If there is no such row.
        """
        self._check_row(row)
        self.selected = [int(row)]
        cell = {name: float(self._detections[name][row]) for name in ("field", "x", "y", "radius")}
        self.viewport = [cell["field"], cell["x"], cell["y"], _CLOSE_UP_PX / max(cell["radius"], 1.0)]

    def answerers(self) -> Mapping[str, Answerer]:
        """Return what answers tiles, cards and tables besides hello."""
        own: dict[str, Answerer] = {
            "tiles": self._tiles.answer,
            "card": self._answer_card,
            "table": self._answer_tables,
        }
        return {**super().answerers(), **own}

    def hello(self) -> dict[str, Any]:
        """Return the names of the sides and images, and what to know before reading."""
        first, second = self._comparison.labels
        return {
            "title": f"{first} and {second} compared",
            "labels": [first, second],
            "field_names": [field.name for field in self._smear.fields],
            "remarks": list(self._remarks()),
            "notice": RESEARCH_USE_NOTICE,
            "can_decide": False,
        }

    def _remarks(self) -> list[str]:
        absent = without_pixels(self._smear)
        if not absent:
            return list(self._comparison.remarks)
        where = "no image" if len(absent) == len(self._smear) else f"{len(absent)} of {len(self._smear)} images not"
        return [*self._comparison.remarks, f"{where} at hand: places are drawn on plain ground"]

    def _answer_card(self, wanted: Card) -> Answer:
        self._check_row(wanted.row)
        return Answer({"lines": self._lines(wanted.row)})

    def _lines(self, row: int) -> list[list[str]]:
        """Return what either side says of a place."""
        cells = self._comparison.cells
        lines = []
        for side, label in zip(SIDES, self._comparison.labels, strict=True):
            here = {name: cells[f"{side}_{name}"][row] for name in ("row", "name", "score", "radius")}
            if here["row"] < 0:
                lines.append([label, "lists nothing here"])
                continue
            score = f", score {here['score']:.2f}" if np.isfinite(here["score"]) else ""
            size = f", radius {here['radius']:.0f} px" if np.isfinite(here["radius"]) else ""
            lines.append([label, f"{here['name']}{score}{size}"])
        if np.isfinite(cells["distance"][row]):
            lines.append(["centres apart", f"{cells['distance'][row]:.2f} red-cell radii"])
        place = f"x {self._detections['x'][row]:.0f}, y {self._detections['y'][row]:.0f} px"
        return [*lines, ["image", self._smear.fields[int(cells["file"][row])].name], ["place", place]]

    def _check_row(self, row: int) -> None:
        if not 0 <= row < len(self._detections):
            raise ConfigError(f"there is no place {row}", hint=f"rows count from 0 to {len(self._detections) - 1}")

    def _answer_tables(self, fields: Plain) -> Answer:
        del fields
        return Answer({"tables": [_table(one) for one in self._comparison.tables() if one.rows]})

    def to_png(self) -> bytes:
        """Return the map of the image with most places that differ."""
        from hemato_lab.comparison.pictures import difference_png

        return difference_png(self._comparison)

    def __repr__(self) -> str:
        differing = len(self.differing())
        return f"ComparisonViewer({len(self._detections)} places, {differing} differ)"


def _table(table: Table) -> dict[str, Any]:
    return {
        "caption": table.caption,
        "head": list(table.head),
        "rows": [list(row) for row in table.rows],
        "note": table.note,
    }
