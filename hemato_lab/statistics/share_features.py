"""The statistics of a report that are shares: blasts among white cells, parasites among red cells."""

from __future__ import annotations

from typing import Any, Final

from hemato_lab.statistics.differential import white_cells
from hemato_lab.statistics.estimates import Cells, Estimate, assessed, rounded, spread_of, unknown
from hemato_lab.statistics.parasitaemia import Parasitaemia, is_searched, parasitaemia
from hemato_lab.statistics.rounding import number_text, quantised
from hemato_lab.statistics.shares import MINIMUM_WBC, share_of

MINIMUM_RBC: Final = 1000
"""Red cells below which parasites should not be counted in a thin film (DOMAIN.md section 2.6)."""
EVERY_CELL: Final = "every cell that was found counts, those cut by the border of a field too"


def blast_density(cells: Cells) -> Estimate:
    """Blasts per 100 white cells, nucleated red cells excluded (DOMAIN.md section 2.1)."""
    method = "blasts per 100 white cells; exact Clopper-Pearson limits, widened by the spread of the fields"
    white = cells.within.select(white_cells(cells.within))
    if len(white) == 0:
        return unknown("no white cell was found", method)
    found = share_of(white.of_kind("blast"), white["field"], len(cells.field_sizes))
    details = {
        "n": found.count,
        "n_reference": found.reference,
        "fields": len(cells.field_sizes) - len(cells.excluded_fields),
        "limits_95": rounded(found.limits.scaled(100)),
        "overdispersion": spread_of(found.overdispersion),
        "insufficient_count": found.reference < MINIMUM_WBC,
        "remarks": _on_share(found.reference),
    }
    return Estimate(100 * found.share, assessed(method, details, counted=EVERY_CELL))


def parasites_of(cells: Cells) -> Parasitaemia | None:
    """Return the parasites of a smear, None where none were looked for."""
    within = cells.within
    if not is_searched(within):
        return None
    known = cells.assumptions
    return parasitaemia(
        within,
        len(cells.field_sizes),
        rbc_per_ul=known.rbc_per_ul,
        wbc_per_ul=known.wbc_per_ul,
        sensitivity=known.parasite_sensitivity,
    )


def parasitised_share(cells: Cells) -> Estimate:
    """Parasitised red cells per 100 red cells (DOMAIN.md section 2.6)."""
    method = (
        "parasitised red cells per 100 red cells; exact Clopper-Pearson limits, widened by the spread of the fields"
    )
    found = parasites_of(cells)
    if found is None:
        return unknown("no red cell was searched for parasites", method)
    details = {
        **_counted(found),
        "limits_95": rounded(found.infected.limits.scaled(100)),
        "without_gametocytes": {
            "n": found.asexual.count,
            "value": quantised(100 * found.asexual.share),
            "limits_95": rounded(found.asexual.limits.scaled(100)),
        },
    }
    return Estimate(100 * found.infected.share, assessed(method, details, counted=EVERY_CELL))


def parasites_by_red_cells(cells: Cells) -> Estimate:
    """Parasitised red cells per microlitre, from their share of red cells (DOMAIN.md section 2.6)."""
    method = "estimate: share of red cells times the red-cell concentration"
    found = parasites_of(cells)
    if found is None:
        return unknown("no red cell was searched for parasites", method)
    details = {
        "assumption": cells.assumptions.of_red_cells,
        **_counted(found),
        "limits_95": rounded(found.limits_by_red_cells),
    }
    return Estimate(found.per_ul_by_red_cells, assessed(method, details, counted=EVERY_CELL))


def parasites_by_white_cells(cells: Cells) -> Estimate:
    """Parasitised red cells per microlitre, from their ratio to white cells (DOMAIN.md section 2.6)."""
    method = "estimate: ratio to white cells times the white-cell concentration; exact limits of a ratio of counts"
    found = parasites_of(cells)
    if found is None:
        return unknown("no red cell was searched for parasites", method)
    value = found.per_ul_by_white_cells
    if value is None:
        return unknown("no white cell was found", method)
    white = found.to_white_cells.reference
    remarks = [f"from {white} white cell{'' if white == 1 else 's'}: 200 are usual"] if white < 2 * MINIMUM_WBC else []
    details = {
        "assumption": cells.assumptions.of_white_cells,
        "n": found.to_white_cells.count,
        "n_reference": white,
        "limits_95": rounded(found.limits_by_white_cells),
        "overdispersion": spread_of(found.to_white_cells.overdispersion),
        "insufficient_count": white < MINIMUM_WBC,
        "remarks": remarks,
    }
    return Estimate(value, assessed(method, details, counted=EVERY_CELL))


def _counted(found: Parasitaemia) -> dict[str, Any]:
    """Return the counts that an estimate of parasites rests on, and what none seen would mean."""
    red = found.infected.reference
    details: dict[str, Any] = {
        "n": found.infected.count,
        "n_reference": red,
        "overdispersion": spread_of(found.infected.overdispersion),
        "insufficient_count": red < MINIMUM_RBC,
        "remarks": [f"from {red} red cells: at least {MINIMUM_RBC} are usual"] if red < MINIMUM_RBC else [],
        "sensitivity": found.sensitivity,
    }
    if found.infected.count == 0:
        least = found.detection_limit
        details["detection_limit"] = {"percent": quantised(100 * least), "per_ul": quantised(least * found.rbc_per_ul)}
        share = number_text(100 * least, 2)
        details["remarks"] = [f"none seen in {red} red cells: below {share} % cannot be excluded", *details["remarks"]]
    return details


def _on_share(white: int) -> list[str]:
    """Return what must be said of a share of few white cells."""
    if white >= MINIMUM_WBC:
        return []
    counted = "1 white cell" if white == 1 else f"{white} white cells"
    return [f"from {counted} only: a share needs {MINIMUM_WBC}"]
