"""A smear to look at: deep zoom, cells by finding, density, measuring."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import traitlets

from hemato_lab.analysis.drawing import annotate
from hemato_lab.detections import Detections
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.widgets.base import SmearWidget
from hemato_lab.widgets.cards import CardStore
from hemato_lab.widgets.cells import classes_of, encode_cells, lineages_of
from hemato_lab.widgets.crops import CropStore
from hemato_lab.widgets.settings import FiniteFloat, checked_rows, checked_viewport
from hemato_lab.widgets.tiles import TileStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from hemato_lab.smear import Smear
    from hemato_lab.widgets.base import Answerer

ARRANGEMENTS: Final = ("pages", "strip")
MARKS: Final = ("circle", "outline", "none")
DENSITIES: Final = ("none", "kernel", "grid")
BANDWIDTH_UM: Final = 15.0
"""As `hemato_lab.statistics.heatmap.BANDWIDTH_UM`, whose module loads numba."""
_CLOSE_UP_PX: Final = 60.0
"""Radius on the screen that a cell has after `SmearViewer.go_to`."""


class SmearViewer(SmearWidget):
    """Shows a smear with its cells.

    Parameters
    ----------
    smear : Smear
        One or more fields.
    detections : Detections, optional
        Its cells; default none.
    title : str, optional
        Shown above; default the smear's name. It is no part of a saved notebook.
    remarks : sequence of str
        What a reader must know, shown below the title.
    **settings
        Any of the traits below, and `keep_picture` of `SmearWidget`.

    Attributes
    ----------
    arrangement : str
        One of `ARRANGEMENTS`: one field at a time, or all of them side by side.
    viewport : list
        Field, x and y of the middle in pixels of the field, zoom in screen pixels per pixel; empty shows all.
    hidden : list of str
        Names whose cells are not drawn.
    marks : str
        One of `MARKS`: circles, ellipses of the measured axes, or nothing.
    density : str
        One of `DENSITIES`: none, a smooth map, or counts in squares.
    density_of : list of str
        Names that the map counts; empty stands for all red cells, or for all cells where none has a red cell's name.
    bandwidth_um : float
        Standard deviation of the smooth map's Gaussian.
    minimum_score : float
        Cells below are not drawn.
    selected : list of int
        Rows of the table.
    cells, names, colours, lineages, classes, fields, um_per_px, rbc_diameter_px, decided, decided_names
        What is shown, as the browser needs it (see `cells.COLUMNS`); not meant to be set by hand.

    Raises
    ------
    ConfigError
        If a cell lies in a field that the smear does not have.
    traitlets.TraitError
        If a setting cannot have the value.
    """

    ENTRY = "smear_viewer.js"
    SET_BY_READERS = frozenset(
        {
            "arrangement", "viewport", "hidden", "marks", "density", "density_of", "bandwidth_um", "minimum_score",
            "selected",
        }
    )  # fmt: skip

    cells = traitlets.Bytes().tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    colours = traitlets.List(traitlets.Unicode()).tag(sync=True)
    lineages = traitlets.List(traitlets.Unicode()).tag(sync=True)
    classes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    fields = traitlets.List(traitlets.Dict()).tag(sync=True)
    um_per_px = traitlets.Float(None, allow_none=True).tag(sync=True)
    rbc_diameter_px = traitlets.Float(None, allow_none=True).tag(sync=True)
    arrangement = traitlets.Enum(ARRANGEMENTS, "pages").tag(sync=True)
    viewport = traitlets.List(traitlets.Float()).tag(sync=True)
    hidden = traitlets.List(traitlets.Unicode()).tag(sync=True)
    marks = traitlets.Enum(MARKS, "circle").tag(sync=True)
    density = traitlets.Enum(DENSITIES, "none").tag(sync=True)
    density_of = traitlets.List(traitlets.Unicode()).tag(sync=True)
    bandwidth_um = FiniteFloat(BANDWIDTH_UM, min=0.1, max=1000.0).tag(sync=True)
    minimum_score = FiniteFloat(0.0, min=0.0, max=1.0).tag(sync=True)
    selected = traitlets.List(traitlets.Int()).tag(sync=True)
    decided = traitlets.Bytes().tag(sync=True)
    decided_names = traitlets.Bytes().tag(sync=True)

    def __init__(
        self,
        smear: Smear,
        detections: Detections | None = None,
        *,
        title: str | None = None,
        remarks: Sequence[str] = (),
        **settings: Any,
    ) -> None:
        self._smear = smear
        self._detections = Detections.empty() if detections is None else detections
        self._title = smear.name if title is None else title
        self._remarks = list(remarks)
        if len(self._detections) and not 0 <= int(self._detections["field"].max()) < len(smear):
            raise ConfigError(
                f"the cells lie in {int(self._detections['field'].max()) + 1} fields, the smear has {len(smear)}",
                subject=smear.name,
                hint="give the smear in which these cells were found",
            )
        self._tiles = TileStore(smear)
        self._crops = CropStore(smear, self._detections)
        self._cards = CardStore(smear, self._detections)
        scale = smear.known_scale
        um_per_px = None if scale is None else scale.um_per_px
        encoded = encode_cells(self._detections, um_per_px)
        super().__init__(
            cells=encoded.cells,
            names=encoded.names,
            colours=encoded.colours,
            fields=[{"width": field.width, "height": field.height} for field in smear.fields],
            um_per_px=um_per_px,
            rbc_diameter_px=None if scale is None else scale.rbc_diameter_px,
            **settings,
        )

    @property
    def smear(self) -> Smear:
        """What is shown."""
        return self._smear

    @property
    def detections(self) -> Detections:
        """Its cells; `selected` counts their rows."""
        return self._detections

    @traitlets.validate("selected")
    def _check_selected(self, proposal: dict[str, Any]) -> list[int]:
        return checked_rows(proposal["value"], len(self._detections), "table")

    @traitlets.validate("viewport")
    def _check_viewport(self, proposal: dict[str, Any]) -> list[float]:
        return checked_viewport(proposal["value"], len(self._smear))

    @traitlets.observe("names")
    def _know_names(self, change: dict[str, Any]) -> None:
        # A gallery beside this viewer may add names that a reader gives.
        self.lineages, self.classes = lineages_of(change["new"]), classes_of(change["new"])

    def answerers(self) -> Mapping[str, Answerer]:
        """Return what answers tiles, crops and cards besides hello."""
        own: dict[str, Answerer] = {
            "tiles": self._tiles.answer,
            "crops": self._crops.answer,
            "card": self._cards.answer,
        }
        return {**super().answerers(), **own}

    def hello(self) -> dict[str, Any]:
        """Return title, remarks and field names, and that nothing can be decided here."""
        return {
            "title": self._title,
            "field_names": [field.name for field in self._smear.fields],
            "notice": RESEARCH_USE_NOTICE,
            "can_decide": False,
            "remarks": self._remarks,
        }

    def select(self, rows: Iterable[int]) -> None:
        """Select cells by row of the table; they are marked in every view.

        Raises
        ------
        ConfigError
            If there is no such row.
        """
        self.selected = [self._checked(row) for row in rows]

    def go_to(self, row: int) -> None:
        """Select one cell and bring it into the middle, large.

        Raises
        ------
        ConfigError
            If there is no such row.
        """
        self.selected = [self._checked(row)]
        cell = {name: float(self._detections[name][row]) for name in ("field", "x", "y", "radius")}
        self.viewport = [cell["field"], cell["x"], cell["y"], _CLOSE_UP_PX / max(cell["radius"], 1.0)]

    def frame_of_selection(self) -> pd.DataFrame:
        """Return the selected cells as a pandas table, in the order of selection, indexed by their row."""
        import pandas as pd

        frame = self._detections.select(np.array(self.selected, np.intp)).to_frame()
        frame.insert(0, "field_name", [self._smear.fields[index].name for index in frame["field"]])
        return frame.set_index(pd.Index(self.selected, name="row", dtype="int64"))

    def _checked(self, row: int) -> int:
        if not 0 <= row < len(self._detections):
            raise ConfigError(f"there is no cell {row}", hint=f"rows count from 0 to {len(self._detections) - 1}")
        return int(row)

    def to_png(self) -> bytes:
        """Return the field in view, or the one with most cells, with its cells ringed, as a PNG file."""
        counts = np.bincount(self._detections["field"], minlength=len(self._smear))
        index = int(self.viewport[0]) if self.viewport else int(np.argmax(counts))
        cells = self._detections.select(self._detections["field"] == index)
        stream = io.BytesIO()
        annotate(self._smear.fields[index], cells, self._smear.known_scale).save(stream, "PNG")
        return stream.getvalue()

    def __repr__(self) -> str:
        fields = "1 field" if len(self._smear) == 1 else f"{len(self._smear)} fields"
        return f"SmearViewer({fields}, {len(self._detections)} cells)"
