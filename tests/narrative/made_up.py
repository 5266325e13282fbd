"""Facts as an analysis would give them, made up, and the extension of the report that they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hemato_lab.diagnosis import Trigger
from hemato_lab.diagnosis.facts import Facts, PictureQuality
from hemato_lab.findings import Circle, Finding, Findings, Measurement
from hemato_lab.narrative import NarrativeFacts, Specimen
from hemato_lab.reference import ClinicalContext, load_reference
from hemato_lab.report import RESEARCH_USE_NOTICE, Diagnosis, FeatureStatistic
from hemato_lab.smear import Scale
from hemato_lab.statistics.differential import Differential, Type
from hemato_lab.statistics.limits import Limits, clopper_pearson_limits, odds
from hemato_lab.statistics.overdispersion import Overdispersion
from hemato_lab.statistics.parasitaemia import Parasitaemia
from hemato_lab.statistics.shares import ShareEstimate, cells_needed
from hemato_lab.vocabulary import TERMS

ALONE = Overdispersion(None, 1, "one field")
SHAPES = ("hypochromic cell", "polychromatic cell", "sickle cell", "schistocyte", "target cell")
PARASITES = ("parasitised RBC", "ring trophozoite", "gametocyte")


@dataclass(frozen=True)
class Listed:
    """Stands in for a differential diagnosis."""

    entries: tuple[Diagnosis, ...] = ()
    evidence: tuple[dict[str, Any], ...] = ()
    not_evaluated: tuple[dict[str, Any], ...] = ()


def finding(name: str, count: int, reference: int, **details: Any) -> Finding:
    grades = load_reference().values.grades_of(name)
    minimum = details.pop("minimum", 1000)
    few = reference < minimum
    limits = clopper_pearson_limits(count, reference).scaled(100)

    def grade_of(percent: float) -> Any:
        if percent >= grades.three_plus:
            return "3+"
        if percent >= grades.two_plus:
            return "2+"
        return "1+" if grades.one_plus is not None and percent > grades.one_plus else "none"

    graded = grades is not None and not few
    return Finding(
        name,
        count,
        reference,
        details.pop("denominator", TERMS[name].denominator),
        limits,
        grade_of(100 * count / reference) if graded else None,
        (grade_of(limits.low), grade_of(limits.high)) if graded else None,
        few,
        minimum,
        "made up",
        "made.up",
        "own",
        **details,
    )


def findings(red: int, counts: dict[str, int], *, also: tuple[Finding, ...] = (), **not_assessed: str) -> Findings:
    assessed = {name: finding(name, counts.get(name, 0), red) for name in (*SHAPES, *PARASITES)}
    assessed |= {one.name: one for one in also}
    variation = Measurement(
        "anisocytosis", 5.1, 0.1, Limits(4.9, 5.3), red, "%", 9.0, red < 1000, "made up", "made.up", "own"
    )
    missing = {"macrocyte": "no pixel size was stated", "Howell-Jolly body": "no model looks for it"}
    missing |= {"Auer rod": "no model looks for it"} | not_assessed
    return Findings(assessed, {"anisocytosis": variation} if red else {}, missing, red)


def estimate(count: int, reference: int) -> ShareEstimate:
    return ShareEstimate(count, reference, clopper_pearson_limits(count, reference), ALONE)


def ratio(count: int, reference: int) -> ShareEstimate:
    return ShareEstimate(count, reference, odds(clopper_pearson_limits(count, count + reference)), ALONE)


def differential(counts: dict[str, int], nucleated: int = 0, smudges: int = 0) -> Differential:
    total = sum(counts.values())
    types = {
        name: Type(estimate(count, total), cells_needed(count / total, 0.05)) for name, count in counts.items() if count
    }
    return Differential(total, types, ratio(nucleated, total), ratio(smudges, total))


def parasitaemia(infected: int, red: int, white: int, *, gametocytes: int = 0) -> Parasitaemia:
    asexual = estimate(infected - gametocytes, red)
    return Parasitaemia(estimate(infected, red), asexual, ratio(infected, white), 5e6, 8000.0, 0.9)


def concentration(thousands: str, limits: tuple[float, float], n: int, red: int) -> FeatureStatistic:
    details = {"limits_95": list(limits), "n": n, "n_reference": red, "insufficient_count": n < 10}
    return FeatureStatistic(thousands, "10*3/uL", details)


def unknown(reason: str) -> FeatureStatistic:
    return FeatureStatistic("not assessed", "10*3/uL", {"assessed": False, "reason": reason})


def statistics(red: int = 4500) -> dict[str, FeatureStatistic]:
    return {
        "rbc-density": FeatureStatistic("5000", "/mm2", {"area_mm2": 0.9, "n": red}),
        "wbc-concentration": concentration("13.33", (6.89, 23.3), 12, red),
        "platelet-concentration": concentration("222.2", (192.6, 255.2), 200, red),
    }


def entry(code: str, name: str, significance: str) -> Diagnosis:
    return Diagnosis(6, "0.90", significance, code, name, name)


def case(
    seen: Findings,
    *,
    red: int = 4500,
    context: ClinicalContext | None = None,
    values: dict[str, FeatureStatistic] | None = None,
    counts: Differential | None = None,
    parasites: Parasitaemia | None = None,
    diagnosis: Listed | None = None,
    reasons: tuple[str, ...] = (),
    origin: str = "assumed",
    failed: dict[str, int] | None = None,
    scale: Scale | None = None,
) -> NarrativeFacts:
    scale = scale or Scale.from_rbc_diameter_px(100.0)
    reference = load_reference().values
    quality = PictureQuality(1.0, monolayer=True, failed=failed or {})
    facts = Facts(seen, {}, (), red, quality, context or ClinicalContext(), scale.is_independent, reference)
    cells = {"RBC": red, "WBC": 12, "platelet": 200}
    specimen = Specimen(
        8,
        0,
        scale,
        cells,
        named=True,
        rbc_per_ul=5e6,
        rbc_origin=origin,
        version="1.2.3",
        models=("detector", "malaria"),
    )
    values = statistics(red) if values is None else values
    triggers = tuple(Trigger("made-up", reason, {}) for reason in reasons)
    return NarrativeFacts(specimen, facts, values, counts, parasites, diagnosis, triggers, "2026.11")


def extension_of(facts: NarrativeFacts) -> dict[str, Any]:
    """Return the extension that the traces of a narrative must lead into."""
    seen, counts, listed = facts.facts.findings, facts.differential, facts.diagnosis
    made: dict[str, Any] = {
        "findings": {name: one.to_dict() for name, one in seen.assessed.items()},
        "measurements": {name: one.to_dict() for name, one in seen.measurements.items()},
        "not_assessed": dict(seen.not_assessed),
        "feature_statistics": {key: dict(one.details) for key, one in facts.statistics.items()},
        "review": {"reasons": [trigger.reason for trigger in facts.triggers]},
        "quality": {},
        "provenance": dict.fromkeys(("models", "reference", "rules", "scale", "context")),
        "cells_found": dict(facts.specimen.cells),
        "notice": RESEARCH_USE_NOTICE,
    }
    if counts is not None:
        made["differential"] = {"total": counts.total, "types": dict.fromkeys(counts.types)}
    if facts.parasitaemia is not None:
        made["parasitaemia"] = {}
    if listed is not None:
        made["diagnosis"] = {"items": list(listed.evidence), "not_evaluated": list(listed.not_evaluated)}
    return made


MALARIA = case(
    findings(4500, {"parasitised RBC": 1, "ring trophozoite": 1}),
    counts=differential({"neutrophil": 7, "lymphocyte": 4, "monocyte": 1}),
    parasites=parasitaemia(1, 4500, 12),
    diagnosis=Listed(
        (
            entry("B50", "Malaria Infection with Plasmodium Falciparum", "D"),
            entry("B60.0", "Babesiosis", "D"),
        ),
        ({"rule": "M1"}, {"rule": "M7"}),
        ({"rule": "L2"},),
    ),
    reasons=("1 of 4500 red cells was called parasitised.",),
)
NORMAL = case(
    findings(4500, {"target cell": 9, "schistocyte": 0}),
    counts=differential({"neutrophil": 128, "lymphocyte": 60, "monocyte": 12}),
    parasites=parasitaemia(0, 4500, 200),
    diagnosis=Listed(),
)
FEW = case(
    findings(240, {"target cell": 2, "schistocyte": 1}),
    red=240,
    counts=differential({"lymphocyte": 1}),
    parasites=parasitaemia(0, 240, 1),
    diagnosis=Listed(),
)
CLUMPED = case(
    findings(
        4500,
        {},
        also=(
            finding("platelet clump", 14, 200, minimum=100, circles=(Circle(0, 9, 9, 5), Circle(1, 9, 9, 5))),
            finding("giant platelet", 1, 200, minimum=100),
        ),
    ),
    values=statistics() | {"platelet-concentration": unknown("platelets lie in clumps")},
    diagnosis=Listed(),
)
MANY_SHAPES = case(
    findings(1200, {"target cell": 216, "schistocyte": 12, "sickle cell": 60}),
    red=1200,
    diagnosis=Listed((entry("D57.1", "Sickle-cell anaemia without crisis", "C"),), ({"rule": "R1"},)),
)
EMPTY = case(Findings({}, {}, {}, 0), red=0, values={})
