"""The statistics of a report: one function and one line in `STATISTICS` each.

Each entry has the documented shape, value and unit as strings, and a block of details for the report's extension:
cells counted, area, fields, limits, scale, spread, method, assumption and remarks (DOMAIN.md section 2.1).

What cannot be told keeps its documented key with the value ``not assessed``. A reader of the vendor's schema finds the
key it expects and a string, as the schema asks; unlike an empty string, ``0`` or ``NaN`` the words can neither be
overlooked nor be taken for a measurement. The reason stands in the details. A key of ours is left out when there are
too few cells or too little area for it, and says ``not assessed`` only when the caller does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hemato_lab.errors import ConfigError
from hemato_lab.report import FeatureStatistic
from hemato_lab.statistics.concentrations import FIXED_FACTORS, fixed_factor_concentration, ratio_concentration
from hemato_lab.statistics.densities import density
from hemato_lab.statistics.estimates import Assumptions, Cells, Estimate, assessed, rounded, spread_of, unknown, where
from hemato_lab.statistics.rounding import number_text, quantised
from hemato_lab.statistics.share_features import (
    blast_density,
    parasites_by_red_cells,
    parasites_by_white_cells,
    parasitised_share,
)
from hemato_lab.vocabulary import PLATELET, RBC, WBC

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from hemato_lab.detections import Detections
    from hemato_lab.smear import Scale

NOT_ASSESSED: Final = "not assessed"
"""The value of a documented statistic that cannot be told."""
FEWEST_CELLS: Final = 10
"""Cells below which an estimate is no more than an order of magnitude: our own line, where the exact limits of a count
begin to lie more than a factor of two away (DOMAIN.md section 2.7, whose own minimum counts are for shares)."""
DOCUMENTED_KEYS: Final = ("rbc-density", "platelet-density", "blast-density")
"""The keys that the vendor's document has, in its order."""


@dataclass(frozen=True, slots=True)
class StatisticsResult:
    """What the statistics of a smear add to its report.

    Attributes
    ----------
    documented : mapping of str to FeatureStatistic
        For `Report.feature_statistics`: the vendor's keys first, then ours.
    extension : mapping of str to mapping
        For ``feature_statistics`` of `Report.extension`: JSON-ready details of each statistic by the same keys.
    """

    documented: Mapping[str, FeatureStatistic]
    extension: Mapping[str, Mapping[str, Any]]


class Statistic(NamedTuple):
    """How a statistic is computed and its unit, in UCUM (DOMAIN.md section 2.1)."""

    unit: str
    compute: Callable[[Cells], Estimate]

    def entry(self, estimate: Estimate) -> FeatureStatistic:
        """Return the documented part."""
        return FeatureStatistic(NOT_ASSESSED if estimate.value is None else number_text(estimate.value), self.unit)


def rbc_density(cells: Cells) -> Estimate:
    """Red cells per mm2."""
    return _density(cells, RBC)


def platelet_density(cells: Cells) -> Estimate:
    """Platelets per mm2 of the same fields."""
    return _density(cells, PLATELET)


def wbc_density(cells: Cells) -> Estimate:
    """White cells per mm2; rare and unevenly spread (DOMAIN.md section 2.5)."""
    return _density(cells, WBC)


def wbc_concentration(cells: Cells) -> Estimate:
    """White cells per microlitre, estimated from the ratio to red cells."""
    return _concentration(cells, WBC)


def platelet_concentration(cells: Cells) -> Estimate:
    """Platelets per microlitre, estimated from the ratio to red cells."""
    return _concentration(cells, PLATELET)


STATISTICS: Final = {
    "rbc-density": Statistic("/mm2", rbc_density),
    "platelet-density": Statistic("/mm2", platelet_density),
    "blast-density": Statistic("%", blast_density),
    "wbc-density": Statistic("/mm2", wbc_density),
    "wbc-concentration": Statistic("10*3/uL", wbc_concentration),
    "platelet-concentration": Statistic("10*3/uL", platelet_concentration),
    "parasitaemia": Statistic("%", parasitised_share),
    "parasite-concentration": Statistic("/uL", parasites_by_red_cells),
    "parasite-concentration-by-white-cells": Statistic("/uL", parasites_by_white_cells),
}
"""Every statistic by its kebab-case key, in the order of the report."""


def feature_statistics(
    detections: Detections,
    field_sizes: Sequence[tuple[int, int]],
    scale: Scale,
    *,
    assumptions: Assumptions | None = None,
    not_assessed: Mapping[str, str],
    excluded_fields: Collection[int] = (),
    usable_shares: Sequence[float] | None = None,
) -> StatisticsResult:
    """Compute every statistic of a smear.

    Parameters
    ----------
    detections : Detections
        Cells of all fields; `count_cells` says which columns are used.
    field_sizes : sequence of (width, height)
        Of every field in pixels, in the order that the column ``field`` refers to.
    scale : Scale
        Pixel size and its uncertainty.
    assumptions : Assumptions, optional
        Concentrations of red and white cells; default the usual assumptions.
    not_assessed : mapping of str to str
        Keys that this run could not assess and why, for example blast-density when no classifier told blasts apart;
        a classification that was not done must not be reported as none found.
    excluded_fields : collection of int
        Fields that were not fit for counting; their cells and area do not count.
    usable_shares : sequence of float, optional
        Of every field, the share of its area that can show cells; default all of it.

    Returns
    -------
    StatisticsResult

    Raises
    ------
    ConfigError
        If a cell lies in a field that is not listed, a key of `not_assessed` is unknown, or the red-cell
        concentration is not positive.
    """
    cells = Cells(detections, field_sizes, scale, assumptions or Assumptions(), excluded_fields, usable_shares)
    return statistics_of(cells, not_assessed=not_assessed)


def statistics_of(cells: Cells, *, not_assessed: Mapping[str, str]) -> StatisticsResult:
    """Compute every statistic of cells that are counted already; see `feature_statistics`.

    Raises
    ------
    ConfigError
        If a key of `not_assessed` is unknown, or the red-cell concentration is not positive.
    """
    if strangers := sorted(set(not_assessed) - set(STATISTICS)):
        raise ConfigError(f"unknown statistic {strangers[0]!r}", hint="known are " + ", ".join(STATISTICS))
    documented: dict[str, FeatureStatistic] = {}
    extension: dict[str, Mapping[str, Any]] = {}
    for key, statistic in STATISTICS.items():
        refused = key in not_assessed
        estimate = unknown(not_assessed[key], "none was run") if refused else statistic.compute(cells)
        if estimate.value is not None or refused or key in DOCUMENTED_KEYS:
            documented[key] = statistic.entry(estimate)
            extension[key] = estimate.details
    return StatisticsResult(documented, extension)


def _density(cells: Cells, name: str) -> Estimate:
    counts = cells.counts[name]
    method = "cells per area; exact Poisson limits, widened by the spread of the fields"
    found = density(counts, cells.scale)
    if found is None:
        return unknown("no field on which cells can be counted", method)
    details = {
        "n": counts.n,
        **where(counts),
        "limits_95": rounded(found.limits),
        "limits_95_with_scale": rounded(found.limits_with_scale),
        "overdispersion": spread_of(found.overdispersion),
        "scale": {
            "um_per_px": quantised(cells.scale.um_per_px),
            "origin": cells.scale.origin,
            "relative_uncertainty": quantised(cells.scale.relative_uncertainty),
        },
        "insufficient_count": counts.n < FEWEST_CELLS,
        "remarks": _on_count(counts.n, "cell"),
    }
    return Estimate(found.per_mm2, assessed(method, details))


def _concentration(cells: Cells, name: str) -> Estimate:
    counts, red = cells.counts[name], cells.counts[RBC]
    method = (
        "estimate: ratio to red cells on the same fields times the red-cell concentration; exact limits of a ratio of "
        "Poisson counts, widened by the spread of the fields"
    )
    found, per_area = ratio_concentration(counts, red, cells.assumptions.rbc_per_ul), density(counts, cells.scale)
    if found is None or per_area is None:
        return unknown("no red cell was counted", method)
    rule = FIXED_FACTORS[name]
    details = {
        "assumption": cells.assumptions.of_red_cells,
        "n": counts.n,
        "n_reference": red.n,
        **where(counts),
        "limits_95": rounded(found.limits.scaled(1e-3)),
        "overdispersion": spread_of(found.overdispersion),
        "fixed_factor_for_comparison": {
            "value": quantised(fixed_factor_concentration(per_area.per_mm2, rule) * 1e-3),
            "rule": rule.wording,
        },
        "insufficient_count": min(counts.n, red.n) < FEWEST_CELLS,
        "remarks": [*_on_count(counts.n, "cell"), *_on_count(red.n, "red cell")],
    }
    return Estimate(found.per_ul * 1e-3, assessed(method, details))


def _on_count(n: int, what: str) -> list[str]:
    """Return what must be said of an estimate that rests on few cells."""
    if n == 0:
        return [f"no {what} counted: only the upper limit says anything"]
    if n < FEWEST_CELLS:
        return [f"from {n} {what}{'' if n == 1 else 's'} only: no more than an order of magnitude"]
    return []
