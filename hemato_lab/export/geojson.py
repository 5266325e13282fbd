"""Cells as GeoJSON that QuPath opens: one detection a cell, with its class, colour and measurements.

The form is that of QuPath 0.4 and later: properties ``objectType``, ``classification`` (name and colour) and
``measurements``, and an ellipse parallel to the axes marked as such, so that circles come back as circles. y points
down and (0, 0) is the outer corner of the first pixel, as in QuPath. The ``id`` of a cell is made from its place, size
and name: a corrected analysis keeps the ids of the cells that stayed as they were, and uses none for another cell.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_URL, uuid5

import numpy as np

from hemato_lab.export.archive import index, stems_of, zipped
from hemato_lab.export.characters import storable
from hemato_lab.export.shapes import ellipses
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.vocabulary import term

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from hemato_lab.analysis import Analysis

SUFFIX: Final = ".geojson"
_POINTS: Final = 32
"""Of an outline; its area is 0.6 % less than that of the ellipse."""
_IN_THE_OUTLINE: Final = ("field", "x", "y", "name", "x_min", "y_min", "x_max", "y_max")


def render(analysis: Analysis) -> bytes:
    """Return a feature collection, and a ZIP archive of one for each field where there are several.

    Raises
    ------
    ConfigError
        If a cell has no place, or a name that is not in the vocabulary.
    """
    files = [
        (f"{stem}{SUFFIX}", f"{json.dumps(collection(analysis, field), allow_nan=False)}\n".encode("ascii"))
        for field, stem in enumerate(stems_of(analysis))
    ]
    return files[0][1] if len(files) == 1 else zipped((index(analysis), *files))


def collection(analysis: Analysis, field: int) -> dict[str, Any]:
    """Return the feature collection of one field, JSON-ready."""
    one = analysis.smear.fields[field]
    return {
        "type": "FeatureCollection",
        "features": list(_features(analysis, field)),
        "notice": RESEARCH_USE_NOTICE,
        "image": storable(one.name),
        "file_id": storable(one.file_id),
    }


def _features(analysis: Analysis, field: int) -> Iterator[dict[str, Any]]:
    cells = analysis.cells_of(field)
    identities = _identities(analysis, field)
    shapes = ellipses(cells, analysis.smear.scale)
    outlines, circles = np.round(shapes.outlines(_POINTS), 2).tolist(), shapes.are_circles.tolist()
    columns = {name: cells[name] for name in cells if name not in _IN_THE_OUTLINE}
    for row, name in enumerate(cells["name"].tolist()):
        ring = outlines[row]
        geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
        yield {
            "type": "Feature",
            "id": identities[row],
            "geometry": {**geometry, "isEllipse": True} if circles[row] else geometry,
            "properties": {
                "objectType": "detection",
                "classification": {"name": name, "color": _rgb(name)},
                "measurements": _measurements(columns, row),
            },
        }


def _identities(analysis: Analysis, field: int) -> list[str]:
    """Return an id for each cell of a field, of its place, size and name: never that of another cell."""
    cells, study = analysis.cells_of(field), analysis.report.pbs_study_id
    columns = [np.round(cells[name].astype(np.float64), 2).tolist() for name in ("x", "y", "radius")]
    seen: Counter[tuple[object, ...]] = Counter()
    identities = []
    for cell in zip(cells["name"].tolist(), *columns, strict=True):
        identities.append(str(uuid5(NAMESPACE_URL, ascii(("hemato_lab:cell", study, field, *cell, seen[cell])))))
        seen[cell] += 1
    return identities


def _rgb(name: str) -> list[int]:
    return list(bytes.fromhex(term(name).colour.removeprefix("#")))


def _measurements(columns: dict[str, NDArray[Any]], row: int) -> dict[str, float]:
    """Return what was measured of a cell, six digits of each."""
    values = ((name, float(column[row])) for name, column in columns.items() if column.dtype.kind in "fiub")
    return {name: float(f"{value:.6g}") for name, value in values if np.isfinite(value)}
