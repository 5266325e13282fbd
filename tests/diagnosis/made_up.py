"""Made-up facts, said in few words."""

from __future__ import annotations

from typing import Any

from hemato_lab.diagnosis import CellConcentration, Facts, PictureQuality
from hemato_lab.findings import Finding, Findings, Measurement
from hemato_lab.reference import BloodCount, ClinicalContext, load_reference
from hemato_lab.statistics.limits import Limits, clopper_pearson_limits
from hemato_lab.vocabulary import TERMS

CELLS = {"RBC": 2000, "WBC": 200, "platelet": 200, "neutrophil": 120, "blast": 50}
RATIOS = ("nucleated RBC", "smudge cell")
UNREMARKABLE = {
    "RBC": ("10*6/uL", 5.0),
    "WBC": ("10*3/uL", 7.0),
    "platelet": ("10*3/uL", 250.0),
    "neutrophil": ("10*3/uL", 4.0),
    "lymphocyte": ("10*3/uL", 2.0),
    "monocyte": ("10*3/uL", 0.5),
    "eosinophil": ("10*3/uL", 0.2),
    "basophil": ("10*3/uL", 0.05),
}
USUAL_PERCENT = {"neutrophil": 60.0, "lymphocyte": 30.0, "monocyte": 6.0, "eosinophil": 3.0}


def finding(name: str, count: int, reference: int | None = None, *, minimum: int | None = None, **more: Any) -> Finding:
    """Return a finding of so many cells."""
    denominator = TERMS[name].denominator or "RBC"
    reference = CELLS[denominator] if reference is None else reference
    minimum = {"RBC": 1000, "blast": 10}.get(denominator, 100) if minimum is None else minimum
    limits = clopper_pearson_limits(min(count, reference), reference).scaled(100)
    return Finding(
        name=name,
        count=count,
        reference=reference,
        denominator=denominator,
        limits_percent=limits,
        grade=more.pop("grade", None),
        grade_range=None,
        insufficient_count=reference < minimum,
        minimum=minimum,
        method="made up",
        rule="made up",
        source="own",
        unit="/100{WBC}" if name in RATIOS else "%",
        **more,
    )


def measurement(name: str, value: float, standard_error: float, flag_from: float, **more: Any) -> Measurement:
    """Return a measurement of 500 cells."""
    limits = Limits(value - 1.96 * standard_error, value + 1.96 * standard_error)
    given = {"insufficient_count": False, "n": 500, **more}
    return Measurement(
        name=name,
        value=value,
        standard_error=standard_error,
        limits=limits,
        unit="%" if name == "anisocytosis" else "1",
        flag_from=flag_from,
        method="made up",
        rule="made up",
        source="own",
        **given,
    )


def make_facts(**changes: Any) -> Facts:
    """Return facts of an unremarkable smear in which everything of the vocabulary was looked for, with changes.

    `counts` gives cells (or cells and denominator) by name, `missing` names that were not assessed, `blood_count`
    values of the analyser, `concentrations` exact ones by name, `measured` values of measurements, and the rest are
    fields of `Facts`.
    """
    counts = {name: int(percent * 2) for name, percent in USUAL_PERCENT.items()} | changes.pop("counts", {})
    missing = changes.pop("missing", ())
    looked_for = [name for name, term in TERMS.items() if term.denominator and name not in (*missing, "anisocytosis")]
    assessed = {}
    for name in looked_for:
        given = counts.get(name, 0)
        assessed[name] = given if isinstance(given, Finding) else finding(name, given)
    measured = {"anisocytosis": 6.0, "parasitised RBC enlargement": 1.0} | changes.pop("measured", {})
    measurements = {
        "anisocytosis": measurement("anisocytosis", measured["anisocytosis"], 0.2, 9.0),
        "parasitised RBC enlargement": measurement(
            "parasitised RBC enlargement", measured["parasitised RBC enlargement"], 0.02, 1.2
        ),
    }
    concentrations = {name: value for name, (_, value) in UNREMARKABLE.items()} | changes.pop("concentrations", {})
    context = changes.pop("context", None) or ClinicalContext(
        age_group=changes.pop("age_group", None),
        blood_count=BloodCount.from_mapping(changes.pop("blood_count", {})),
    )
    given = {
        "findings": Findings(assessed, measurements, dict.fromkeys(missing, "no model names it"), 2000),
        "concentrations": {
            name: value
            if isinstance(value, CellConcentration)
            else CellConcentration(value, UNREMARKABLE[name][0], "blood count")
            for name, value in concentrations.items()
            if value is not None
        },
        "parasite_scores": (),
        "red_cells_searched": 2000,
        "quality": PictureQuality(1.0, monolayer=True, failed={}),
        "context": context,
        "independent_scale": True,
        "reference": load_reference().values,
    }
    return Facts(**{**given, **changes})
