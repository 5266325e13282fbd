"""Properties of all cells of a kind: how much red cells differ in size, and whether parasitised ones are enlarged."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from hemato_lab.findings.model import Measurement
from hemato_lab.findings.red_cells import measured
from hemato_lab.statistics.limits import Limits, two_sided_z
from hemato_lab.statistics.parasitaemia import PARASITISED

if TYPE_CHECKING:
    from hemato_lab.detections import Detections
    from hemato_lab.reference import Reference

ANISOCYTOSIS: Final = "anisocytosis"
ENLARGEMENT: Final = "parasitised RBC enlargement"
MEASUREMENTS: Final = (ANISOCYTOSIS, ENLARGEMENT)
"""Every measurement that may be in `hemato_lab.findings.Findings`."""
FEWEST_RED_CELLS: Final = 100
FEWEST_PARASITISED: Final = 1
FEWEST_OTHERS: Final = 20
"""Red cells without parasites that parasitised ones are compared with, at least."""
ENOUGH_FOR_SPREAD: Final = 10
"""Parasitised cells that tell their own spread."""
CENTRAL: Final = (2.5, 97.5)
"""Percentiles whose distance tells the spread: single cells that were outlined wrongly do not count."""


def measurements(detections: Detections, reference: Reference) -> tuple[dict[str, Measurement], dict[str, str]]:
    """Return what was measured by name, and why the rest could not be.

    Parameters
    ----------
    detections : Detections
        Of the fields that are fit for it.
    reference : Reference
        Thresholds and minimum counts.
    """
    rows = measured(detections)
    diameter = detections["equivalent_diameter_um"][rows] if rows.any() else np.empty(0)
    infected = detections.select(rows).of_kind(PARASITISED)
    taken: dict[str, Measurement] = {}
    missing: dict[str, str] = {}
    if len(diameter) < FEWEST_RED_CELLS:
        missing[ANISOCYTOSIS] = f"{len(diameter)} red cells were measured, {FEWEST_RED_CELLS} are needed"
    else:
        taken[ANISOCYTOSIS] = _anisocytosis(diameter, reference)
    if np.count_nonzero(infected) >= FEWEST_PARASITISED and np.count_nonzero(~infected) >= FEWEST_OTHERS:
        taken[ENLARGEMENT] = _enlargement(diameter[infected], diameter[~infected], reference)
    return taken, missing


def _anisocytosis(diameter: np.ndarray, reference: Reference) -> Measurement:
    """Coefficient of variation of the diameter, in %: it needs no scale (DOMAIN.md section 3.2)."""
    low, middle, high = np.percentile(diameter, [CENTRAL[0], 50.0, CENTRAL[1]])
    value = 100 * float((high - low) / (2 * two_sided_z() * middle))
    # Of a normal sample's spread by percentiles; about 1.3 times that of its standard deviation.
    error = 1.3 * value / math.sqrt(2 * len(diameter))
    rule = reference.measured.anisocytosis
    return Measurement(
        ANISOCYTOSIS,
        value,
        error,
        _normal_limits(value, error),
        len(diameter),
        "%",
        rule.most_diameter_variation,
        len(diameter) < reference.minimum_counts.red_cells.value,
        "coefficient of variation of the red cells' diameter",
        f"measured.{ANISOCYTOSIS}",
        rule.source,
    )


def _enlargement(infected: np.ndarray, others: np.ndarray, reference: Reference) -> Measurement:
    """Diameter of parasitised red cells over that of the others (DOMAIN.md section 3.3)."""
    value = float(np.median(infected) / np.median(others))
    # Standard error of a median of a normal sample; that of the many others is small beside it. A few cells do not
    # tell their own spread: it is at least that of the others.
    own = float(np.std(infected, ddof=1)) if len(infected) > 1 else 0.0
    spread = own if len(infected) >= ENOUGH_FOR_SPREAD else max(own, float(np.std(others, ddof=1)))
    error = 1.2533 * spread / math.sqrt(len(infected)) / float(np.median(others))
    rule = reference.parasites
    return Measurement(
        ENLARGEMENT,
        value,
        error,
        _normal_limits(value, error),
        len(infected),
        "1",
        rule.enlarged_ratio,
        insufficient_count=False,
        method="median diameter of parasitised red cells over that of the others",
        rule="parasites.enlarged_ratio",
        source=rule.source,
    )


def _normal_limits(value: float, error: float) -> Limits:
    half = two_sided_z() * error
    return Limits(max(0.0, value - half), value + half)
