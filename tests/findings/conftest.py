from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hemato_lab.detections import Detections
from hemato_lab.reference import Reference, load_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

NORMAL: dict[str, float] = {
    "equivalent_diameter_um": 7.5,
    "circularity": 1.0,
    "solidity": 0.96,
    "pallor_ratio": 0.4,
    "od_red": 0.10,
    "od_green": 0.21,
    "od_blue": 0.16,
    "on_border": 0.0,
    "overlapped": 0.0,
    "parasite_score": 0.0,
}
"""A red cell without anything remarkable."""


def red_cell(name: str = "normal RBC", **measured: float) -> dict[str, Any]:
    return {"name": name, **NORMAL, **measured}


def table(cells: Sequence[Mapping[str, Any]], *, spread: float = 0.02) -> Detections:
    """Cells far apart in one field unless they say where; measurements scatter a little, as those of real cells do."""
    generator = np.random.default_rng(4)
    rows = [
        {"field": 0, "x": 100.0 * k, "y": 50.0, "radius": 30.0, "score": 1.0, **cell} for k, cell in enumerate(cells)
    ]
    columns: dict[str, Any] = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    for key in ("equivalent_diameter_um", "od_red", "od_green", "od_blue"):
        if key in columns:
            columns[key] = columns[key] * (1 + spread * generator.standard_normal(len(rows)))
    return Detections(columns)


@pytest.fixture
def make_cells() -> Callable[..., Detections]:
    return table


@pytest.fixture
def make_red_cell() -> Callable[..., dict[str, Any]]:
    return red_cell


@pytest.fixture
def make_circles() -> Callable[..., Detections]:
    """Cells of one name at given places, all of radius 10."""

    def make(places: Sequence[tuple[float, float]], name: str = "normal RBC", field: int = 0) -> Detections:
        return table([{"name": name, "x": x, "y": y, "radius": 10.0, "field": field} for x, y in places])

    return make


@pytest.fixture(scope="session")
def reference() -> Reference:
    return load_reference().values
