"""Which concentrations are known: from a blood count, from a stated red-cell count and the film, or only assumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hemato_lab.diagnosis.facts import CellConcentration
from hemato_lab.statistics import Assumptions
from hemato_lab.statistics.counting import rolls_up_to
from hemato_lab.statistics.differential import OUTSIDE, corrected_white_cells
from hemato_lab.statistics.overdispersion import binomial_overdispersion
from hemato_lab.vocabulary import PLATELET, RBC, TERMS, WBC

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from hemato_lab.reference import ClinicalContext, Reference
    from hemato_lab.statistics.counting import FieldCounts
    from hemato_lab.statistics.differential import Differential
    from hemato_lab.statistics.estimates import Cells

BLOOD_COUNT: Final = "blood count"
STATED: Final = "stated by the user"
ASSUMED: Final = "assumed"
UNIT: Final = "10*3/uL"


def assumptions_of(
    context: ClinicalContext, rbc_per_ul: float | None, reference: Reference, types: Differential | None
) -> Assumptions:
    """Return the concentrations that ratios are multiplied by, and where they come from.

    Parameters
    ----------
    context : ClinicalContext
        A blood count in it is used where the user states nothing else.
    rbc_per_ul : float or None
        As stated by the user.
    reference : Reference
        The assumptions.
    types : Differential or None
        For nucleated red cells that an analyser counts among the white ones.
    """
    count, factors = context.blood_count, reference.factors
    if rbc_per_ul is not None:
        rbc, rbc_origin = rbc_per_ul, STATED
    elif count.rbc is not None:
        rbc, rbc_origin = count.rbc * 1e6, BLOOD_COUNT
    else:
        rbc, rbc_origin = factors.rbc_per_ul.value, ASSUMED
    white = analyser_white_cells(context, reference, types)
    wbc, wbc_origin = (factors.wbc_per_ul.value, ASSUMED) if white is None else (white * 1e3, BLOOD_COUNT)
    return Assumptions(rbc, wbc, rbc_origin, wbc_origin, reference.parasites.sensitivity)


def analyser_white_cells(context: ClinicalContext, reference: Reference, types: Differential | None) -> float | None:
    """Return the white cells of a blood count, 10*3/uL, without the nucleated red cells among them; None without."""
    wbc = context.blood_count.wbc
    if wbc is None or types is None or types.total < reference.minimum_counts.white_cells.value:
        return wbc  # a few cells of a film correct no analyser
    nucleated = 100 * types.nucleated_red_cells.share
    return corrected_white_cells(wbc, nucleated, above=reference.factors.correct_wbc_above_nucleated_rbc.value)


def concentrations_of(
    cells: Cells,
    known: Assumptions,
    context: ClinicalContext,
    types: Differential | None,
    *,
    nameable: Collection[str],
    clumped: bool,
) -> Mapping[str, CellConcentration]:
    """Return the concentrations that rules may judge: none rests on an assumption (DOMAIN.md section 5, guard rails).

    Parameters
    ----------
    cells : Cells
        Counted.
    known : Assumptions
    context : ClinicalContext
    types : Differential or None
    nameable : collection of str
        Names that the networks can give: a type that none of the cells is of has a concentration too.
    clumped : bool
        Whether platelets lie in clumps, so that only an analyser could tell them.
    """
    count = context.blood_count
    found: dict[str, CellConcentration] = {}
    if count.rbc is not None:
        found[RBC] = CellConcentration(count.rbc, "10*6/uL", BLOOD_COUNT)
    stated = known.rbc_origin != ASSUMED
    if known.wbc_origin == BLOOD_COUNT:
        found[WBC] = CellConcentration(known.wbc_per_ul * 1e-3, UNIT, BLOOD_COUNT)
    elif stated:
        found |= _estimated(WBC, cells.counts[WBC], cells)
    if count.plt is not None:
        found[PLATELET] = CellConcentration(count.plt, UNIT, BLOOD_COUNT)
    elif stated and not clumped:
        found |= _estimated(PLATELET, cells.counts[PLATELET], cells)
    for name in () if types is None or WBC not in found else _types_of(types, nameable):
        found |= _of_type(name, cells, types, known)
    return found


def _types_of(types: Differential, nameable: Collection[str]) -> list[str]:
    """Return the types of white cells that were seen or could have been named."""
    possible = [name for name, term in TERMS.items() if term.parent == WBC and name not in OUTSIDE]
    return [name for name in possible if name in types.types or name in nameable]


def _of_type(name: str, cells: Cells, types: Differential | None, known: Assumptions) -> dict[str, CellConcentration]:
    if known.wbc_origin != BLOOD_COUNT or types is None:
        within = cells.within
        return _estimated(name, cells.count(within.select(rolls_up_to(within["name"], name)), WBC), cells)
    white = known.wbc_per_ul * 1e-3
    if name not in types.types:
        return {name: CellConcentration(0.0, UNIT, "share of the blood count", 0, types.total, white)}
    estimate = types.types[name].estimate
    spread = estimate.overdispersion.factor
    share = CellConcentration(
        estimate.share * white,
        UNIT,
        "share of the blood count",
        estimate.count,
        estimate.reference,
        white,
        1.0 if spread is None else max(1.0, spread),
    )
    return {name: share}


def _estimated(name: str, counts: FieldCounts, cells: Cells) -> dict[str, CellConcentration]:
    """Return the ratio to red cells times their concentration; nothing where no red cell was counted."""
    red = cells.counts[RBC]
    both = (counts.area_mm2 > 0) & (red.area_mm2 > 0)
    n, n_red = int(counts.cells[both].sum()), int(red.cells[both].sum())
    if n_red == 0:
        return {}
    # Frames differ a little in size between classes; the ratio wanted is that of the densities.
    per_odds = cells.assumptions.rbc_per_ul * 1e-3 * float(red.area_mm2[both].sum() / counts.area_mm2[both].sum())
    spread = binomial_overdispersion(counts.cells[both], counts.cells[both] + red.cells[both]).factor
    value, widened = n / n_red * per_odds, 1.0 if spread is None else max(1.0, spread)
    white = None if name == PLATELET else cells.counts[WBC].n
    return {name: CellConcentration(value, UNIT, "estimate", n, n_red, per_odds, widened, white)}
