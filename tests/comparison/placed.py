"""Sides with cells at chosen places, for the tests of comparing cell by cell."""

from __future__ import annotations

import math

from hemato_lab.comparison.listing import Listed
from hemato_lab.comparison.sides import Side, SideFile
from hemato_lab.report import Report

Place = tuple[int, float, float, str]
"""File, x, y and name."""
RADIUS = 10.0


def listed(*places: Place) -> Listed:
    return Listed.of_rows([(file, x, y, RADIUS, name, 1.0) for file, x, y, name in places])


def side(
    *places: Place,
    files: tuple[str, ...] = ("a",),
    covered: frozenset[str] | None = None,
    diameter: float | None = 2 * RADIUS,
    left_open: tuple[Place, ...] = (),
) -> Side:
    """Return a side that knows every cell."""
    images = tuple(SideFile(f"{name}.jpg", frozenset({name}), diameter, covered) for name in files)
    return Side("cells", "annotations", images, listed(), listed(*places), ignored=listed(*left_open))


def report_side(
    *places: Place,
    files: tuple[str, ...] = ("a",),
    unplaced: dict[str, int] | None = None,
    diameter: float | None = 2 * RADIUS,
    report: Report | None = None,
) -> Side:
    """Return a side that knows only what a report lists."""
    images = tuple(SideFile(f"{name}.jpg", frozenset({name}), diameter) for name in files)
    return Side("report", "report", images, listed(*places), None, unplaced or {}, report or Report("id", files))


NOWHERE = math.nan
