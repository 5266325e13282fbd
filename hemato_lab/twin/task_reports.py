"""Reports of single tasks, as the later dialect has them (api/DECISIONS.md section 5).

The vendor explains none of the numbers but one. Their meaning here is ours:

positive_count, negative_count
    Red cells with and without a malaria parasite among those that were searched.
conclusion
    ``present`` where more parasites were found than false ones explain, with a likelihood of 0.95 or more; ``absent``
    where none was found in 1,000 red cells or more; else ``indeterminate``. A count, not a statement about a patient.
model_findings
    For each model three numbers: the likelihood that the parasites found are more than the false ones expected, and the
    lower and upper 95 % limit of the share of parasitised red cells.
tile_data
    Tiles of 512 pixels that hold red cells, each with the score of the cell that looks most like a parasitised one.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.reference import load_reference
from hemato_lab.statistics.parasitaemia import PARASITISED
from hemato_lab.twin.reporting import WATERMARK
from hemato_lab.vocabulary import RBC, TERMS, is_a

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hemato_lab.analysis import Analysis

MALARIA: Final = "MALARIA_ANY_ANY"
"""Any species, active or treated."""
TILE_PX: Final = 512
LIKELY: Final = 0.95
FEWEST_SEARCHED: Final = 1000
"""Red cells below which parasites should not be counted in a thin film (DOMAIN.md section 2.6)."""
_DECIMALS: Final = 4


def task_results(analysis: Analysis, tasks: Iterable[str]) -> dict[str, Any]:
    """Return the report of each task of a study, by task."""
    return {task: malaria_report(analysis) if task == MALARIA else _documented(analysis) for task in tasks}


def _documented(analysis: Analysis) -> dict[str, Any]:
    """Return what there is to say, in this shape, of a task that looks at everything."""
    found = _raw(analysis)
    positive = len({(one["image_id"], *one["center"]) for one in found["findings"]})
    return {
        "positive_count": positive,
        "negative_count": max(0, len(analysis.detections) - positive),
        "raw_reports": found,
        "conclusion": "present" if positive else "indeterminate",
        "summary_reports": {"fields_of_view_processed": len(analysis.smear), "model_findings": []},
        "tile_data": [],
        "producer": WATERMARK,
    }


def malaria_report(analysis: Analysis) -> dict[str, Any]:
    """Return the report of the task ``MALARIA_ANY_ANY``."""
    searched, positive, limits = _searched(analysis)
    likelihood = likelihood_of_presence(positive, searched)
    models = analysis.provenance["models"]
    model = next((f"{name}-{one['sha256'][:12]}" for name, one in models.items() if name == "malaria"), "none")
    return {
        "positive_count": positive,
        "negative_count": searched - positive,
        "raw_reports": _raw(analysis, only=PARASITISED),
        "conclusion": _conclusion(positive, searched, likelihood),
        "summary_reports": {
            "fields_of_view_processed": len(analysis.smear),
            "model_findings": [{model: [likelihood, *limits]}],
        },
        "tile_data": _tiles(analysis),
        "producer": WATERMARK,
    }


def likelihood_of_presence(positive: int, searched: int) -> float:
    """Return the probability that chance gives fewer false parasites than were found, by Poisson's law.

    Parameters
    ----------
    positive, searched : int
        Red cells called parasitised, and all that were looked at.
    """
    from scipy.special import pdtr

    if positive == 0:
        return 0.0
    expected = searched * load_reference().values.parasites.false_per_1000 / 1000
    return round(float(pdtr(positive - 1, expected)), _DECIMALS)


def _conclusion(positive: int, searched: int, likelihood: float) -> str:
    if positive and likelihood >= LIKELY:
        return "present"
    return "absent" if positive == 0 and searched >= FEWEST_SEARCHED else "indeterminate"


def _searched(analysis: Analysis) -> tuple[int, int, list[float]]:
    """Return red cells searched, parasitised ones, and the 95 % limits of their share."""
    parasitaemia = analysis.report.extension.get("parasitaemia")
    if not parasitaemia:
        return 0, 0, [0.0, 1.0]
    infected = parasitaemia["infected"]
    limits = infected.get("limits_95") or [0.0, 100.0]
    return infected["n_reference"], infected["n"], [round(limit / 100, 6) for limit in limits]


def _raw(analysis: Analysis, only: str = "") -> dict[str, Any]:
    """Return counts by name, and every cell of these names."""
    seen = analysis.report.morphological_findings
    names = [name for name in seen if not only or (name in TERMS and is_a(name, only))]
    stats = [{"name": name, "count": int(seen[name].count)} for name in names]
    findings = [
        {"name": name, "image_id": entry.file_id, "center": list(entry.center), "radius": entry.radius}
        for name in names
        for entry in seen[name].heat_map
    ]
    return {"finding_stats": stats, "findings": findings}


def _tiles(analysis: Analysis) -> list[dict[str, Any]]:
    cells = analysis.detections
    if "parasite_score" not in cells.features:
        return []
    red = cells.select(cells.of_kind(RBC) & np.isfinite(cells["parasite_score"]))
    highest: dict[tuple[int, int, int], float] = defaultdict(float)
    for field, x, y, score in zip(red["field"], red["x"], red["y"], red["parasite_score"], strict=True):
        tile = int(field), int(max(0.0, x) // TILE_PX), int(max(0.0, y) // TILE_PX)
        highest[tile] = max(highest[tile], float(score))
    return [
        {
            "image_id": analysis.smear.fields[field].file_id,
            "tile_location": {"x": column * TILE_PX, "y": row * TILE_PX},
            "likelihood": round(score, _DECIMALS),
        }
        for (field, column, row), score in sorted(highest.items())
    ]
