"""What a report states as FHIR R4 Observations: every number with its limits, what it was counted from and how.

LOINC codes stand only where a code means just this: an estimate made on a smear. The usual code of a platelet count
(777-3) means an analyser's and would be wrong; that of Plasmodium (51587-4) wants a presence, which a count of
candidates does not state. All else is text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.analysis.tables import value_text
from hemato_lab.detections import REVIEWED
from hemato_lab.export.characters import one_line
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.statistics.parasitaemia import PARASITISED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.analysis import Analysis
    from hemato_lab.report import Diagnosis, FeatureStatistic, Report

_LOINC: Final = "http://loinc.org"
_UCUM: Final = "http://unitsofmeasure.org"
_ABSENT: Final = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_ICD: Final = {"WHO": "http://hl7.org/fhir/sid/icd-10", "CM": "http://hl7.org/fhir/sid/icd-10-cm"}
_CODES: Final = {
    "platelet-concentration": ("49497-1", "Platelets [#/volume] in Blood by Estimate"),
    "wbc-concentration": ("49498-9", "Leukocytes [#/volume] in Blood by Estimate"),
}
_UNITS: Final = ("/mm2", "%", "/uL", "10*3/uL", "10*6/uL", "/100{WBC}", "1")
"""Those that are UCUM for sure; another report may say anything."""
DECISIONS: Final = "decisions of readers"
"""What the Observation is called that says how cells were corrected."""
_LIMITS: Final = "95 % limits of counting"
_ABSENT_WORDS: Final = {"not-performed": "Not Performed", "unknown": "Unknown"}
_NOT_STATED: Final = "not stated"
_LIMITS_WITH_SCALE: Final = "95 % limits with the uncertainty of the scale"


@dataclass(frozen=True, slots=True)
class Reviewed:
    """How many of the cells that are called parasitised a reader decided on."""

    parasitised: int = 0
    of: int = 0


NOT_REVIEWED: Final = Reviewed()


def reviewed_of(analysis: Analysis) -> Reviewed:
    """Return what readers decided on among the parasitised cells of an analysis."""
    cells = analysis.detections
    parasitised = cells.of_kind(PARASITISED)
    decided = cells[REVIEWED] > 0 if REVIEWED in cells.columns else np.zeros(len(cells), bool)
    return Reviewed(int((parasitised & decided).sum()), int(parasitised.sum()))


def observations(report: Report, reviewed: Reviewed = NOT_REVIEWED) -> Iterator[dict[str, Any]]:
    """Yield an Observation, without what all have in common, for each thing that a report states.

    Parameters
    ----------
    report : Report
        Of one that comes from elsewhere the documented part alone: findings as counts without limits.
    reviewed : Reviewed
        What readers decided on.
    """
    yield from _decisions(_mapping(_mapping(report.extension.get("review")).get("decisions")))
    for key, statistic in report.feature_statistics.items():
        yield _statistic(key, statistic)
    details = _mapping(report.extension.get("findings"))
    for name, stated in details.items():
        yield _finding(str(name), _mapping(stated))
    for name, finding in report.morphological_findings.items():
        if name not in details:
            yield {"code": _code(name), "valueString": f"{one_line(finding.count)} candidates", "note": _notes()}
    for name, stated in _mapping(report.extension.get("measurements")).items():
        yield _measurement(str(name), _mapping(stated))
    yield from _plasmodium(_mapping(report.extension.get("parasitaemia")), reviewed)
    yield from _not_assessed(_mapping(report.extension.get("not_assessed")))
    system = _mapping(report.extension.get("diagnosis")).get("code_system")
    for one in report.diagnostic_report.differential_diagnosis:
        yield _candidate(one, str(system))


def _statistic(key: str, statistic: FeatureStatistic) -> dict[str, Any]:
    details, number = statistic.details, statistic.number
    parts = [
        *_range(_LIMITS, details.get("limits_95"), statistic.unit),
        *_range(_LIMITS_WITH_SCALE, details.get("limits_95_with_scale"), statistic.unit),
        *_integer("cells counted", details.get("n")),
        *_integer("cells that they refer to", details.get("n_reference")),
        *_amount("area", details.get("area_mm2"), "mm2"),
    ]
    known = _value(number, statistic.unit) if number is not None else _absent(details.get("reason"))
    assumption = details.get("assumption")
    remarks = [*_texts(details.get("remarks")), *([value_text(assumption)] if assumption else [])]
    return {"code": _code(key), **known, **_method(details), **_components(parts), "note": _notes(*remarks)}


def _finding(name: str, stated: Mapping[str, Any]) -> dict[str, Any]:
    unit, number = str(stated.get("unit", "%")), _number(stated.get("value"))
    grade = stated.get("grade")
    parts = [
        *_range(_LIMITS, stated.get("limits_95"), unit),
        *_integer("candidates", stated.get("count")),
        *_integer(f"{one_line(str(stated.get('denominator', 'cells')))} judged", stated.get("n_reference")),
        *([{"code": {"text": "grade"}, "valueString": one_line(grade)}] if isinstance(grade, str) else []),
    ]
    few = stated.get("insufficient_count") is True
    remarks = [f"not graded: {value_text(stated.get('minimum'))} cells are needed"] if few else []
    known = _value(number, unit) if number is not None else _absent(None)
    return {"code": _code(name), **known, **_method(stated), **_components(parts), "note": _notes(*remarks)}


def _measurement(name: str, stated: Mapping[str, Any]) -> dict[str, Any]:
    unit, number = str(stated.get("unit", "1")), _number(stated.get("value"))
    parts = [*_range("95 % limits", stated.get("limits_95"), unit), *_integer("cells measured", stated.get("n"))]
    known = _value(number, unit) if number is not None else _absent(None)
    return {"code": _code(name), **known, **_method(stated), **_components(parts), "note": _notes()}


def _plasmodium(stated: Mapping[str, Any], reviewed: Reviewed) -> Iterator[dict[str, Any]]:
    """Yield what was seen of parasites in words: never a plain no."""
    infected, limit = _mapping(stated.get("infected")), _mapping(stated.get("detection_limit"))
    count, red = _number(infected.get("n")), _number(infected.get("n_reference"))
    if count is None or red is None:
        return
    if count:
        words = f"{value_text(count)} candidates in {value_text(red)} red cells, {_confirmed(reviewed)}"
    else:
        words = (
            f"no candidate in {value_text(red)} red cells; below {value_text(limit.get('percent'))} % "
            f"({value_text(limit.get('per_ul'))} per uL) an infection cannot be excluded"
        )
    yield {"code": {"text": "Plasmodium, candidates"}, "valueString": words, "note": _notes()}


def _confirmed(reviewed: Reviewed) -> str:
    if not reviewed.parasitised:
        return "to be confirmed by a qualified reader"
    cells = f"{reviewed.parasitised} of {reviewed.of} cells called parasitised"
    others = "; the others are to be confirmed by a qualified reader" if reviewed.parasitised < reviewed.of else ""
    return f"a reader, whose qualification is not known, decided on {cells}{others}"


def _decisions(told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield one Observation for each log of decisions that the cells were corrected by, the last one first."""
    while told:
        parts = [
            *(
                one
                for words, count in _mapping(told.get("counts")).items()
                for one in _integer(f"cells {words}", count)
            ),
            *_integer("cells on which readers differ", told.get("readers_differ")),
            *_integer("decisions about cells that are not listed any more", len(_texts(told.get("unattached")))),
        ]
        log = one_line(str(told.get("log_sha256", ""))) or _NOT_STATED
        note = _notes("Cells were corrected by a reader, whose qualification is not known.")
        yield {"code": {"text": DECISIONS}, "valueString": f"log sha256:{log}", **_components(parts), "note": note}
        told = _mapping(told.get("earlier"))


def _not_assessed(reasons: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield one Observation that lists what was not looked for, and why."""
    if reasons:
        parts = [{"code": {"text": one_line(str(name))}, **_absent(str(why))} for name, why in reasons.items()]
        yield {"code": {"text": "not assessed"}, "component": parts, "note": _notes("Its absence says nothing.")}


def _candidate(one: Diagnosis, system: str) -> dict[str, Any]:
    """Return a condition to think of; it stands among the observations because it is no conclusion."""
    name = one_line(one.english_long or one.english_short) or "not named"
    coded = system in _ICD and one.icd10_code.strip()
    coding = [{"system": _ICD[system], "code": one_line(one.icd10_code), "display": name}] if coded else []
    parts = [
        {"code": {"text": what}, "valueString": one_line(value)}
        for what, value in (
            ("confidence", one.confidence),
            ("score", value_text(one.score)),
            ("clinical significance", one.clinical_significance),
        )
        if one_line(value)
    ]
    value = {"coding": coding, "text": name} if coding else {"text": name}
    words = "condition to consider: a candidate for a qualified reader, no conclusion"
    return {"code": {"text": words}, "valueCodeableConcept": value, **_components(parts), "note": _notes()}


def _code(key: str) -> dict[str, Any]:
    text = {"text": one_line(key) or "not named"}
    if key not in _CODES:
        return text
    code, display = _CODES[key]
    return {"coding": [{"system": _LOINC, "code": code, "display": display}], **text}


def _value(number: float, unit: str) -> dict[str, Any]:
    return {"valueQuantity": _quantity(number, unit)}


def _quantity(number: float, unit: str) -> dict[str, Any]:
    stated = one_line(unit)
    if unit in (*_UNITS, "mm2"):
        return {"value": number, "unit": stated, "system": _UCUM, "code": unit}
    return {"value": number, "unit": stated} if stated else {"value": number}


def _absent(reason: object) -> dict[str, Any]:
    """Return why a value is missing: it was not estimated, for a reason that the report states, or nobody knows why."""
    stated = one_line(reason) if isinstance(reason, str) else ""
    code = "not-performed" if stated else "unknown"
    coding = {"system": _ABSENT, "code": code, "display": _ABSENT_WORDS[code]}
    return {"dataAbsentReason": {"coding": [coding], "text": stated or _NOT_STATED}}


def _range(name: str, limits: Any, unit: str) -> list[dict[str, Any]]:
    """Return a component with both limits; an infinite one is left out, as FHIR has it."""
    if not isinstance(limits, Sequence) or isinstance(limits, str) or len(limits) != 2:
        return []
    ends = {end: _number(limit) for end, limit in zip(("low", "high"), limits, strict=True)}
    stated = {end: _quantity(number, unit) for end, number in ends.items() if number is not None}
    return [{"code": {"text": name}, "valueRange": stated}] if stated else []


def _integer(name: str, value: Any) -> list[dict[str, Any]]:
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31
    return [{"code": {"text": name}, "valueInteger": value}] if whole else []


def _amount(name: str, value: Any, unit: str) -> list[dict[str, Any]]:
    number = _number(value)
    return [] if number is None else [{"code": {"text": name}, **_value(number, unit)}]


def _components(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"component": parts} if parts else {}


def _method(details: Mapping[str, Any]) -> dict[str, Any]:
    stated = details.get("method")
    return {"method": {"text": one_line(stated)}} if isinstance(stated, str) and one_line(stated) else {}


def _notes(*remarks: str) -> list[dict[str, str]]:
    return [{"text": one_line(text)} for text in (*remarks, RESEARCH_USE_NOTICE) if one_line(text)]


def _texts(value: Any) -> list[str]:
    return [value_text(one) for one in value] if isinstance(value, list | tuple) else []


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
