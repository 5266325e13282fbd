from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from hemato_lab.detections import Detections

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Cell = tuple[int, str, float, float, float]


def table(cells: Sequence[Cell]) -> Detections:
    """Cells given as (field, name, x, y, radius), their boxes those of the circles."""
    field, name, x, y, radius = zip(*cells, strict=True) if cells else ([], [], [], [], [])
    x, y, radius = np.array(x, float), np.array(y, float), np.array(radius, float)
    return Detections(
        {
            "field": np.array(field, int),
            "x": x,
            "y": y,
            "radius": radius,
            "name": np.array(name, str),
            "score": np.ones(len(x)),
            "x_min": x - radius,
            "y_min": y - radius,
            "x_max": x + radius,
            "y_max": y + radius,
        }
    )


@pytest.fixture
def make_table() -> Callable[[Sequence[Cell]], Detections]:
    return table
