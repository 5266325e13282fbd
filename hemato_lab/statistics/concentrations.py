"""From counts on a film to cells per microlitre of blood: estimates, never counts (DOMAIN.md section 2.5)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hemato_lab.errors import ConfigError
from hemato_lab.statistics.limits import Limits, clopper_pearson_limits, odds
from hemato_lab.statistics.overdispersion import Overdispersion, binomial_overdispersion

if TYPE_CHECKING:
    from hemato_lab.statistics.counting import FieldCounts

ASSUMED_WBC_PER_UL: Final = 8000.0
"""White cells per microlitre when no blood count of the patient is given (DOMAIN.md section 2.6)."""
ASSUMED_RBC_PER_UL: Final = 5.0e6
"""Red cells per microlitre when no blood count of the patient is given (DOMAIN.md section 2.5)."""


@dataclass(frozen=True, slots=True)
class FixedFactor:
    """A published "cells per field times a constant" rule.

    Attributes
    ----------
    per_ul_per_cell : float
        Cells per microlitre for one cell a field.
    field_area_mm2 : float
        Area of the round field the rule is about (DOMAIN.md section 2.2).
    wording : str
        The rule as people say it.
    """

    per_ul_per_cell: float
    field_area_mm2: float
    wording: str


def _round_field_mm2(field_number_mm: float, magnification: float) -> float:
    return math.pi / 4 * (field_number_mm / magnification) ** 2


FIXED_FACTORS: Final = {
    "platelet": FixedFactor(15_000, _round_field_mm2(22, 100), "mean per 100x field (field number 22) x 15,000"),
    "WBC": FixedFactor(2_000, _round_field_mm2(22, 40), "mean per 40x field (field number 22) x 2,000"),
}
"""For comparison only: the factor hides an assumed density of red cells (DOMAIN.md section 2.5)."""


@dataclass(frozen=True, slots=True)
class Concentration:
    """Cells of a class per microlitre of blood, estimated.

    Attributes
    ----------
    per_ul : float
        The estimate.
    limits : Limits
        95 % limits: exact for the ratio of two Poisson counts, widened by the spread of the ratio over fields; the
        red-cell concentration is taken as exact.
    overdispersion : Overdispersion
        The spread of the ratio over the fields.
    """

    per_ul: float
    limits: Limits
    overdispersion: Overdispersion


def ratio_concentration(cells: FieldCounts, red_cells: FieldCounts, rbc_per_ul: float) -> Concentration | None:
    """Estimate a concentration from the ratio to red cells on the same fields; needs no scale.

    Given both counts together, the first is binomial with the odds of the two expected counts, so its Clopper-Pearson
    limits are exact limits of the ratio (Przyborowski and Wilenski, Biometrika 1940;31:313).

    Parameters
    ----------
    cells, red_cells : FieldCounts
        The class and the red cells, with the same fields in the same order.
    rbc_per_ul : float
        Red cells per microlitre, measured or assumed.

    Returns
    -------
    Concentration or None
        None when no red cell was counted or the class had no area to be counted on.

    Raises
    ------
    ConfigError
        If the red-cell concentration is not positive and finite.
    """
    if not (math.isfinite(rbc_per_ul) and rbc_per_ul > 0):
        raise ConfigError(
            f"{rbc_per_ul} red cells per microlitre is impossible", hint="a usual value is 5.0e6 per microlitre"
        )
    both = (cells.area_mm2 > 0) & (red_cells.area_mm2 > 0)
    n, n_red = int(cells.cells[both].sum()), int(red_cells.cells[both].sum())
    if n_red == 0:
        return None
    # The classes have frames of slightly different size; the ratio wanted is that of the densities.
    per_odds = rbc_per_ul * math.fsum(red_cells.area_mm2[both]) / math.fsum(cells.area_mm2[both])
    together = cells.cells[both] + red_cells.cells[both]
    spread = binomial_overdispersion(cells.cells[both], together)
    ratio = n / n_red
    limits = spread.widen_ratio(odds(clopper_pearson_limits(n, n + n_red)), ratio)
    return Concentration(ratio * per_odds, limits.scaled(per_odds), spread)


def fixed_factor_concentration(per_mm2: float, rule: FixedFactor) -> float:
    """Return the concentration per microlitre that a published rule gives, for comparison.

    Parameters
    ----------
    per_mm2 : float
        Density of the class.
    rule : FixedFactor
        See `FIXED_FACTORS`; the density is first turned into cells per field of the rule (DOMAIN.md section 2.2).
    """
    return per_mm2 * rule.field_area_mm2 * rule.per_ul_per_cell
