"""Judging the conditions that look at facts; those that combine others are in `evaluation`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hemato_lab.diagnosis.judged import Judged, not_assessed
from hemato_lab.diagnosis.model import (
    BloodCountCondition,
    ConcentrationCondition,
    GradeCondition,
    MeasurementCondition,
    PresentCondition,
    ShareCondition,
    SignCondition,
)
from hemato_lab.diagnosis.probabilities import (
    apparent_threshold,
    counted_of,
    is_parasite,
    is_share,
    parasites_expected_false,
    precision_of,
    probability_present,
    probability_share_at_least,
    probability_value_at_least,
    share_of_percent,
)
from hemato_lab.reference.context import UNITS
from hemato_lab.statistics.rounding import number_text, quantised
from hemato_lab.vocabulary import TERMS, WBC, lineage_path

if TYPE_CHECKING:
    from hemato_lab.diagnosis.facts import Facts
    from hemato_lab.findings import Finding

LeafCondition = (
    ShareCondition
    | GradeCondition
    | PresentCondition
    | ConcentrationCondition
    | MeasurementCondition
    | BloodCountCondition
    | SignCondition
)
SIZE_NAMES: Final = frozenset({"macrocyte", "microcyte", "oval macrocyte"})
"""Sizes of red cells: with a scale that rests on the red cells themselves they mean nothing (DOMAIN.md 3.2)."""
ADULTS_ONLY: Final = "reference ranges are those of adults"
NO_COUNT: Final = "needs a blood count, or a red-cell concentration stated by the user"
NO_INDEPENDENT_SCALE: Final = "sizes of red cells need a stated pixel size"
_DENOMINATORS: Final = {
    "RBC": "red cells",
    "WBC": "white cells",
    "platelet": "platelets",
    "neutrophil": "neutrophils",
    "blast": "blasts",
}


def judge_leaf(condition: LeafCondition, facts: Facts) -> Judged:
    """Return how likely a condition holds, with its numbers, or why it was not assessed."""
    match condition:
        case ShareCondition():
            judged = _share(condition, facts)
        case GradeCondition():
            judged = _grade(condition, facts)
        case PresentCondition():
            judged = _present(condition, facts)
        case ConcentrationCondition():
            judged = _concentration(condition, facts)
        case MeasurementCondition():
            judged = _measurement(condition, facts)
        case BloodCountCondition():
            judged = _blood_count(condition, facts)
        case SignCondition():
            judged = not_assessed(condition.what, f"{condition.what} was not assessed")
    return judged


def _share(condition: ShareCondition, facts: Facts) -> Judged:
    low = condition.low
    if condition.above_in_preterm is not None and facts.context.age_group == "preterm infant":
        low = condition.above_in_preterm
    words = _share_words(condition, low)
    reason = _why_not(condition.finding, facts, any_age=condition.any_age, minimum=condition.minimum)
    if reason:
        return not_assessed(words, reason)
    finding = facts.findings.assessed[condition.finding]
    probability, moved = 1.0, {}
    for name, percent in (("lower", low), ("upper", condition.below)):
        if percent is None:
            continue
        above, threshold = _probability_percent_at_least(finding, percent, facts)
        probability = above if name == "lower" else probability - above
        moved[f"{name}_threshold_as_called"] = quantised(100 * threshold)
    return Judged(words, min(1.0, max(0.0, probability)), numbers={**_counts(finding), **moved})


def _share_words(condition: ShareCondition, low: float | None) -> str:
    denominator = TERMS[condition.finding].denominator or ""
    sides = []
    if low is not None:
        sides.append(f"{'at least' if condition.at_least is not None else 'above'} {low:g} %")
    if condition.below is not None:
        sides.append(f"below {condition.below:g} %")
    return f"{condition.finding} {' and '.join(sides)} of {_DENOMINATORS.get(denominator, 'cells')}"


def _grade(condition: GradeCondition, facts: Facts) -> Judged:
    words = f"{condition.finding} graded {condition.at_least} or more"
    grades = facts.reference.grades_of(condition.finding)
    if grades is None:
        return not_assessed(words, f"{condition.finding} has no grades")
    percent = grades.two_plus if condition.at_least == "2+" else grades.three_plus
    reason = _why_not(condition.finding, facts, any_age=condition.any_age)
    if reason:
        return not_assessed(words, reason)
    finding = facts.findings.assessed[condition.finding]
    probability, threshold = _probability_percent_at_least(finding, percent, facts)
    moved = {"lower_threshold": percent, "lower_threshold_as_called": quantised(100 * threshold)}
    return Judged(words, probability, numbers={**_counts(finding), **moved})


def _probability_percent_at_least(finding: Finding, percent: float, facts: Facts) -> tuple[float, float]:
    misnaming = facts.reference.misnaming.get(finding.name)
    others = {name: _share_seen(name, facts) for name in (misnaming.confused_with if misnaming else ())}
    threshold = apparent_threshold(share_of_percent(finding, percent), misnaming, others)
    return probability_share_at_least(counted_of(finding), threshold), threshold


def _share_seen(name: str, facts: Facts) -> float:
    finding = facts.findings.assessed.get(name)
    return finding.percent / 100 if finding else 0.0


def _present(condition: PresentCondition, facts: Facts) -> Judged:
    name = condition.finding
    words = f"{name} present" + (f", {condition.at_least} cells or more" if condition.at_least > 1 else "")
    if is_parasite(name):
        if condition.or_one_surest:
            words += ", or one of the surest score"
        return _parasites(condition, words, facts)
    if reason := _why_not(name, facts, any_age=condition.any_age):
        return not_assessed(words, reason)
    misnaming = facts.reference.misnaming.get(name)
    false_percent = condition.false_percent or 0.0 if misnaming is None else 100 * misnaming.false_share
    finding = facts.findings.assessed[name]
    expected = false_percent / 100 * finding.reference
    probability = probability_present(finding.count, expected, at_least=condition.at_least)
    return Judged(words, probability, numbers={**_counts(finding), "expected_false": quantised(expected)})


def _parasites(condition: PresentCondition, words: str, facts: Facts) -> Judged:
    """Judge the presence of parasitised red cells of a stage, or of any.

    No minimum of cells is asked for: ten rings in a few cells are rings (DOMAIN.md section 5, M1). Scores are those of
    parasitised cells of any stage, so that a single surest cell counts for a stage only where no other stage has more
    cells. Each way to be present is multiplied by the precision that its own number of mistakes leaves.
    """
    name, cells = condition.finding, facts.red_cells_searched
    finding = facts.findings.assessed.get(name)
    if finding is None:
        return not_assessed(words, _missing(name, facts))
    if not cells:
        return not_assessed(words, "no red cell was searched for parasites")
    expected = parasites_expected_false(facts.reference, cells, surest=False)
    numbers: dict[str, Any] = {**_counts(finding), "red_cells_searched": cells, "expected_false": quantised(expected)}
    probability = probability_present(finding.count, expected, at_least=condition.at_least)
    probability *= precision_of(finding.count, expected)
    if condition.or_one_surest and _is_largest_stage(finding, facts):
        least = facts.reference.parasites.surest_score
        surest = min(finding.count, sum(score >= least for score in facts.parasite_scores))
        expected = parasites_expected_false(facts.reference, cells, surest=True)
        sure = probability_present(surest, expected) * precision_of(surest, expected)
        numbers |= {"n_surest": surest, "expected_false_surest": quantised(expected)}
        probability = max(probability, sure)
    return Judged(words, probability, numbers=numbers)


def _is_largest_stage(finding: Finding, facts: Facts) -> bool:
    if TERMS[finding.name].parent != "parasitised RBC":
        return True
    stages = [one for one in facts.findings.assessed.values() if TERMS[one.name].parent == "parasitised RBC"]
    return all(finding.count >= other.count for other in stages)


def _concentration(condition: ConcentrationCondition, facts: Facts) -> Judged:
    side = "above" if condition.above is not None else "below"
    threshold = condition.above if condition.above is not None else condition.below
    words = f"{condition.cell} {side} {'the usual range' if threshold is None else f'{threshold:g}'}"
    if not facts.context.has_adult_ranges:
        return not_assessed(words, ADULTS_ONLY)
    concentration = facts.concentrations.get(condition.cell)
    if concentration is None:
        return not_assessed(words, NO_COUNT)
    if reason := concentration.too_few(facts.reference):
        return not_assessed(words, reason)
    if threshold is None:
        threshold = _range(condition.below_range or "", facts)[0]
    above = concentration.probability_above(threshold)
    numbers = {**concentration.to_dict(), "threshold": threshold}
    exactly = concentration.origin == "blood count" and concentration.value == threshold
    probability = above if side == "above" else float(not exactly) * (1.0 - above)
    return Judged(f"{words} {concentration.unit}", probability, numbers=numbers)


def _measurement(condition: MeasurementCondition, facts: Facts) -> Judged:
    name = condition.measurement
    found = facts.findings.measurements.get(name)
    if found is None:
        return not_assessed(name, _missing(name, facts))
    threshold = found.flag_from if condition.at_least is None else condition.at_least
    if threshold is None:
        return not_assessed(name, f"{name} has no value from which it is remarkable")
    words = f"{name} at least {threshold:g}{'' if found.unit == '1' else f' {found.unit}'}"
    if found.insufficient_count:
        return not_assessed(words, f"too few cells were measured for {name}: {found.n}")
    probability = probability_value_at_least(found.value, found.standard_error, threshold)
    limits = [quantised(found.limits.low), quantised(found.limits.high)]
    return Judged(
        words,
        probability,
        numbers={"value": quantised(found.value), "unit": found.unit, "n": found.n, "limits_95": limits},
    )


def _blood_count(condition: BloodCountCondition, facts: Facts) -> Judged:
    name, unit = condition.value.upper(), UNITS[condition.value]
    value = facts.context.blood_count.given().get(condition.value)
    if not facts.context.has_adult_ranges:
        return not_assessed(name, ADULTS_ONLY)
    if value is None:
        return not_assessed(name, f"the blood count gives no {name}")
    above = condition.above is not None or condition.outside == "above range"
    threshold = condition.above if above else condition.below
    if threshold is None:
        threshold = _range(condition.value, facts)[1 if above else 0]
    words = f"{name} {'above' if above else 'below'} {number_text(threshold)} {unit}"
    holds = value > threshold if above else value < threshold
    numbers = {"value": value, "unit": unit, "origin": "blood count", "threshold": threshold}
    return Judged(words, float(holds), numbers=numbers)


def _range(name: str, facts: Facts) -> tuple[float, float]:
    return facts.reference.ranges[name].of(facts.context.sex)


def _why_not(name: str, facts: Facts, *, any_age: bool, minimum: int | None = None) -> str:
    """Return why a finding's share cannot be judged, empty where it can."""
    finding = facts.findings.assessed.get(name)
    if finding is None:
        return _missing(name, facts)
    if name in SIZE_NAMES and not facts.independent_scale:
        return f"{name}: {NO_INDEPENDENT_SCALE}"
    of_white_cells = WBC in (*lineage_path(name), TERMS[name].denominator)
    if of_white_cells and not any_age and not facts.context.has_adult_ranges:
        return f"{name}: {ADULTS_ONLY}"
    needed = max(minimum or 0, finding.minimum if finding.insufficient_count else 0)
    if finding.insufficient_count or finding.reference < needed:
        return f"too few cells for {name}: {finding.reference} of {needed}"
    return "" if finding.reference else f"too few cells for {name}: 0"


def _missing(name: str, facts: Facts) -> str:
    why = facts.findings.not_assessed.get(name)
    return f"{name} was not assessed: {why}" if why else f"{name} was not assessed"


def _counts(finding: Finding) -> dict[str, Any]:
    limits = finding.limits_percent
    return {
        "count": finding.count,
        "n_reference": finding.reference,
        "value": quantised(finding.percent),
        "unit": "%" if is_share(finding) else finding.unit,
        "limits_95": [quantised(limits.low), quantised(limits.high)],
    }
