"""When a person must look at the smear (DOMAIN.md section 4): one sentence for each reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hemato_lab.diagnosis.probabilities import parasites_expected_false, probability_present
from hemato_lab.findings import GRADES
from hemato_lab.reference.context import UNITS
from hemato_lab.statistics.rounding import number_text, quantised
from hemato_lab.vocabulary import PLATELET, RBC, TERMS, WBC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.diagnosis.engine import DifferentialDiagnosis
    from hemato_lab.diagnosis.facts import Facts
    from hemato_lab.findings import Finding


LIKELY: Final = 0.5
"""Probability from which on cells called parasitised are more than mistakes (own); fewer are to be looked at too."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """A reason to review the smear.

    Attributes
    ----------
    id : str
        Stable, of lower-case words joined by hyphens.
    reason : str
        One sentence with its count or value.
    evidence : dict
        JSON-ready.
    """

    id: str
    reason: str
    evidence: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {"id": self.id, "reason": self.reason, "evidence": self.evidence}


class _Watched(NamedTuple):
    """Between which values something calls for no review, in its unit."""

    name: str
    label: str
    low: float | None
    high: float | None
    adults_only: bool = False

    @property
    def words(self) -> str:
        """What it is called in a sentence."""
        return self.label.upper() if self.label == self.name else self.label.replace("-", " ")

    def beyond(self, value: float) -> Iterator[tuple[str, float]]:
        """Yield the side and the limit beyond which the value lies."""
        if self.low is not None and value < self.low:
            yield "low", self.low
        if self.high is not None and value > self.high:
            yield "high", self.high


_OF_ADULTS: Final = ("lymphocyte",)
"""White cells of which children have more."""
_SEEN_ONCE: Final = ("blast", "promyelocyte", "myelocyte", "immature granulocyte", "nucleated RBC", "platelet clump")
_GRADED_ELSEWHERE: Final = ("giant platelet", "Dohle body", "toxic granulation", "vacuolation")
_INFANTS: Final = ("infant", "preterm infant")


def review_triggers(facts: Facts, differential: DifferentialDiagnosis | None = None) -> tuple[Trigger, ...]:
    """Return every reason to review the smear, none where there is none.

    Rules on earlier samples and on an analyser's flags cannot be judged, nor can haemoglobin above its range, of which
    the reference has none.

    Parameters
    ----------
    facts : Facts
    differential : DifferentialDiagnosis or None
        A diagnosis of significance D in it is a reason too.
    """
    triggers = [
        *_nothing_judged(facts),
        *_patient(facts),
        *_blood_count(facts),
        *_white_cells(facts),
        *_seen(facts),
        *_shares(facts),
        *_graded(facts),
        *_parasites(facts),
    ]
    if differential is not None:
        triggers.extend(_urgent(differential))
    return tuple(triggers)


def _nothing_judged(facts: Facts) -> Iterator[Trigger]:
    if not facts.findings.assessed:
        yield Trigger("nothing-judged", "No cell could be judged, so that nothing is known of the blood.", {"cells": 0})


def _patient(facts: Facts) -> Iterator[Trigger]:
    group = facts.context.age_group
    if group in _INFANTS:
        yield Trigger(
            "first-sample-of-infant", f"The patient is a {group}: a first sample needs a look.", {"age_group": group}
        )


def _blood_count(facts: Facts) -> Iterator[Trigger]:
    rule, given = facts.reference.review, facts.context.blood_count.given()
    watched = (
        _Watched("wbc", "white-cells", *rule.wbc),
        _Watched("plt", "platelets", *rule.plt),
        _Watched("hb", "haemoglobin", rule.least_hb, None),
        _Watched("mcv", "mcv", *rule.mcv),
        _Watched("rdw", "rdw", None, rule.most_rdw),
    )
    for one in watched:
        value, unit = given.get(one.name), UNITS[one.name]
        if value is None:
            continue
        for side, limit in one.beyond(value):
            yield Trigger(
                f"{one.label}-{side}",
                f"The blood count gives {one.words} as {quantised(value):g} {unit}, {_than(side, limit)}.",
                {"value": value, "unit": unit, "limit": limit, "origin": "blood count"},
            )
    for cell, one in ((WBC, watched[0]), (PLATELET, watched[1])):
        if one.name not in given:
            yield from _concentration(facts, one._replace(name=cell))


def _white_cells(facts: Facts) -> Iterator[Trigger]:
    watched = (
        _Watched(name, f"{name}s", low or None, high, adults_only=name in _OF_ADULTS)
        for name, (low, high) in facts.reference.review.white_cells.items()
    )
    for one in watched:
        if facts.context.has_adult_ranges or not one.adults_only:
            yield from _concentration(facts, one)


def _concentration(facts: Facts, watched: _Watched) -> Iterator[Trigger]:
    concentration = facts.concentrations.get(watched.name)
    if concentration is None or concentration.too_few(facts.reference):
        return
    for side, limit in watched.beyond(concentration.value):
        above = concentration.probability_above(limit)
        value = f"{quantised(concentration.value):g} {concentration.unit}"
        yield Trigger(
            f"{watched.label}-{side}",
            f"{watched.words.capitalize()} are {value} ({concentration.origin}), {_than(side, limit)}.",
            {
                **concentration.to_dict(),
                "limit": limit,
                "probability": quantised(1 - above if side == "low" else above),
            },
        )


def _than(side: str, limit: float) -> str:
    return f"{'below' if side == 'low' else 'above'} {limit:g}"


def _seen(facts: Facts) -> Iterator[Trigger]:
    least_plasma = facts.reference.review.least_plasma_cells
    for name in (*_SEEN_ONCE, "plasma cell"):
        finding = facts.findings.assessed.get(name)
        if finding is not None and finding.count >= (least_plasma if name == "plasma cell" else 1):
            called = "platelets lie in clumps" if name == "platelet clump" else f"cells were called {name}"
            yield _of_finding(
                f"{_slug(name)}-seen",
                f"{finding.count} {called} among {finding.reference} {_judged(finding)}.",
                finding,
            )


def _shares(facts: Facts) -> Iterator[Trigger]:
    rule = facts.reference.review
    for name, most in (
        ("metamyelocyte", rule.most_metamyelocyte_percent),
        ("reactive lymphocyte", rule.most_reactive_lymphocyte_percent),
    ):
        finding = facts.findings.assessed.get(name)
        if finding is not None and finding.percent > most:
            yield _of_finding(f"{_slug(name)}-high", f"{_share(finding)}, above {most:g} %.", finding)


def _graded(facts: Facts) -> Iterator[Trigger]:
    least = GRADES.index(facts.reference.review.grade)
    for name, finding in facts.findings.assessed.items():
        term = TERMS[name]
        watched = name in _GRADED_ELSEWHERE or (term.lineage == "red cell" and term.denominator == RBC)
        if watched and finding.grade is not None and GRADES.index(finding.grade) >= least:
            yield _of_finding(f"{_slug(name)}-graded", f"{_share(finding)}, graded {finding.grade}.", finding)
        elif watched and _is_many_among_few(finding, facts):
            low = number_text(finding.limits_percent.low, 2)
            reason = f"{_share(finding)}: too few for a grade, but even the lower limit of {low} % would be 2+."
            yield _of_finding(f"{_slug(name)}-likely", reason, finding)


def _is_many_among_few(finding: Finding, facts: Facts) -> bool:
    """Tell whether too few cells were judged for a grade, and yet the whole interval lies at 2+ or above (own)."""
    table = facts.reference.grades_of(finding.name)
    if table is None or not finding.insufficient_count:
        return False
    return finding.limits_percent.low >= table.two_plus


def _parasites(facts: Facts) -> Iterator[Trigger]:
    finding = facts.findings.assessed.get("parasitised RBC")
    if finding is None or not finding.count:
        return
    cells = facts.red_cells_searched
    expected = parasites_expected_false(facts.reference, cells, surest=False)
    surest = sum(score >= facts.reference.parasites.surest_score for score in facts.parasite_scores)
    likely = surest or probability_present(finding.count, expected) >= LIKELY
    yield _of_finding(
        "parasites-likely" if likely else "parasites-to-check",
        f"{finding.count} of {cells} red cells were called parasitised, where mistakes explain about "
        f"{number_text(expected, 2)}.",
        finding,
        expected_false=quantised(expected),
    )


def _urgent(differential: DifferentialDiagnosis) -> Iterator[Trigger]:
    for entry in differential.entries:
        if entry.clinical_significance == "D":
            yield Trigger(
                f"urgent-{_slug(entry.icd10_code)}",
                f"{entry.english_long} ({entry.icd10_code}) is a candidate that calls for review on the same day.",
                {"code": entry.icd10_code, "confidence": entry.confidence, "score": entry.score},
            )


def _of_finding(name: str, reason: str, finding: Finding, **more: Any) -> Trigger:
    return Trigger(name, reason, {"finding": finding.name, **finding.to_dict(), **more})


def _share(finding: Finding) -> str:
    cells = f"{finding.count} of {finding.reference} {_judged(finding)}"
    return f"{cells} ({finding.percent:.1f} %) were called {finding.name}"


def _judged(finding: Finding) -> str:
    words = {RBC: "red cells", WBC: "white cells", PLATELET: "platelets", "neutrophil": "neutrophils"}
    return words.get(finding.denominator, f"{finding.denominator} cells")


def _slug(name: str) -> str:
    return "-".join("".join(sign if sign.isalnum() else " " for sign in name.lower()).split())
