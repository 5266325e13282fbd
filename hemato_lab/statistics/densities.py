"""Cells per mm2 with what is known of their uncertainty, chance and scale kept apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hemato_lab.statistics.limits import Limits, poisson_limits, two_sided_z
from hemato_lab.statistics.overdispersion import Overdispersion, poisson_overdispersion

if TYPE_CHECKING:
    from hemato_lab.smear import Scale
    from hemato_lab.statistics.counting import FieldCounts


@dataclass(frozen=True, slots=True)
class Density:
    """Cells of a class per mm2.

    Attributes
    ----------
    per_mm2 : float
        The estimate.
    limits : Limits
        95 % limits of counting: exact Poisson, widened by the spread of the fields; per mm2.
    overdispersion : Overdispersion
        The spread of the fields.
    limits_with_scale : Limits
        `limits` combined with the systematic uncertainty of the scale, which all densities of a smear share; per mm2.
    """

    per_mm2: float
    limits: Limits
    overdispersion: Overdispersion
    limits_with_scale: Limits


def density(counts: FieldCounts, scale: Scale) -> Density | None:
    """Estimate the density of a class.

    Parameters
    ----------
    counts : FieldCounts
        Cells and areas of the fields.
    scale : Scale
        For its uncertainty.

    Returns
    -------
    Density or None
        None when there is no area to count on: a density of nothing is not zero.
    """
    area = counts.total_area_mm2
    if area == 0:
        return None
    spread = poisson_overdispersion(counts.cells, counts.area_mm2)
    limits = spread.widen(poisson_limits(counts.n), counts.n).scaled(1 / area)
    estimate = counts.n / area
    return Density(estimate, limits, spread, with_scale(estimate, limits, scale))


def with_scale(estimate: float, limits: Limits, scale: Scale) -> Limits:
    """Combine limits of counting with the uncertainty of the scale.

    Lengths are off by a common factor, areas by its square, densities by the inverse; so the half-widths are added in
    quadrature as logarithms: twice the relative uncertainty of a length, times 1.96 for 95 %. Where the limit or the
    estimate is 0 its logarithm says nothing: 0 stays 0, and an upper limit above an estimate of 0 takes the whole
    factor, which is the cautious side.
    """
    scale_half_width = two_sided_z() * 2 * scale.relative_uncertainty
    if estimate == 0:
        return Limits(0.0, limits.high * math.exp(scale_half_width))
    upper = math.hypot(math.log(limits.high / estimate), scale_half_width)
    if limits.low == 0:
        return Limits(0.0, estimate * math.exp(upper))
    lower = math.hypot(math.log(estimate / limits.low), scale_half_width)
    return Limits(estimate * math.exp(-lower), estimate * math.exp(upper))
