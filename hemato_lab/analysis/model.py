"""The `Analysis` that the pipeline returns."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from PIL.Image import Image

    from hemato_lab.detections import Detections
    from hemato_lab.report import Report
    from hemato_lab.smear import Smear


@dataclass(frozen=True)
class Analysis:
    """What was found on a smear and how.

    Attributes
    ----------
    smear : Smear
        What was looked at, with the scale that was used (None only for an analysis made elsewhere).
    detections : Detections
        One row a cell; empty when nothing was found.
    report : Report
        In the vendor's schema.
    provenance : mapping
        Version, models, parameters and inputs that reproduce the analysis; JSON-ready.
    quality : mapping
        By field name, what the quality checks measured and decided; JSON-ready.
    """

    smear: Smear
    detections: Detections
    report: Report
    provenance: Mapping[str, Any] = field(default_factory=dict)
    quality: Mapping[str, Any] = field(default_factory=dict)

    def cells_of(self, index: int) -> Detections:
        """Return the cells of one field."""
        return self.detections.select(self.detections["field"] == index)

    @property
    def fullest_field(self) -> int:
        """Index of the field with most cells, the first of equals."""
        return int(np.argmax(np.bincount(self.detections["field"], minlength=len(self.smear))))

    def to_frame(self) -> pd.DataFrame:
        """Return a pandas table, one row a cell: the name of its field, then every column of the detections.

        A byte of a file name that is no character is spelled out, as pandas may not hold it.
        """
        frame = self.detections.to_frame()
        names = [one.name.encode("utf-8", "backslashreplace").decode("utf-8") for one in self.smear.fields]
        frame.insert(0, "field_name", [names[index] for index in self.detections["field"]])
        return frame

    def picture(self, index: int | None = None) -> Image:
        """Return one field with its cells ringed (default: the fullest), at most `drawing.LONGEST_SIDE` pixels of it.

        Raises
        ------
        InputError
            If the field's pixels can no longer be read.
        """
        from hemato_lab.analysis.drawing import annotate

        chosen = self.fullest_field if index is None else index
        return annotate(self.smear.fields[chosen], self.cells_of(chosen), self.smear.scale)

    def _repr_html_(self) -> str:
        from hemato_lab.analysis.notebook import to_html

        return to_html(self)

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.picture().save(stream, "PNG")
        return stream.getvalue()

    def __repr__(self) -> str:
        fields = "1 field" if len(self.smear) == 1 else f"{len(self.smear)} fields"
        return f"Analysis({self.smear.name!r}, {fields}, {self.detections!r})"
