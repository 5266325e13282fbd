"""From facts and rules to the differential: candidates with confidence, score and evidence (DOMAIN.md section 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from hemato_lab.diagnosis.evaluation import Evaluation
from hemato_lab.diagnosis.model import SIGNIFICANCES
from hemato_lab.errors import ConfigError
from hemato_lab.report import Diagnosis
from hemato_lab.statistics.rounding import quantised

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hemato_lab.diagnosis.evaluation import RuleOutcome
    from hemato_lab.diagnosis.facts import Facts
    from hemato_lab.diagnosis.model import RuleBase, RuleDiagnosis, Significance

CodeSystem = Literal["WHO", "CM"]
CODE_SYSTEMS: Final[tuple[CodeSystem, ...]] = get_args(CodeSystem)
"""ICD-10 of the WHO (2019), and ICD-10-CM."""
MOST_CONFIDENCE: Final = 0.99
"""Own: no count of cells makes a finding certain."""
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class DifferentialDiagnosis:
    """What the findings may point to; an empty list is valid and says nothing about health.

    Attributes
    ----------
    code_system : str
    rules_version : str
    entries : tuple of Diagnosis
        By significance, then score, then confidence, then the order of the rules; what may never lead comes last.
    evidence : tuple of dict
        One an entry: rule, codes, conditions with their counts, guard rails, and how score and confidence came about.
    considered : tuple of dict
        The same for what is too unlikely to be listed.
    not_evaluated : tuple of dict
        Rules that could not be judged, and why.
    statements : tuple of dict
        What rules without a diagnosis say.
    """

    code_system: CodeSystem
    rules_version: str
    entries: tuple[Diagnosis, ...] = ()
    evidence: tuple[Json, ...] = ()
    considered: tuple[Json, ...] = ()
    not_evaluated: tuple[Json, ...] = ()
    statements: tuple[Json, ...] = ()

    def to_dict(self) -> Json:
        """Return what the report's extension says about it, JSON-ready."""
        return {
            "code_system": self.code_system,
            "rules_version": self.rules_version,
            "items": list(self.evidence),
            "considered": list(self.considered),
            "not_evaluated": list(self.not_evaluated),
            "statements": list(self.statements),
        }


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A diagnosis of a rule with everything that decides where it stands."""

    outcome: RuleOutcome
    diagnosis: RuleDiagnosis
    code: str
    score: int
    significance: Significance
    confidence: float
    order: int

    def rank(self) -> tuple[bool, int, int, float, int]:
        """Return what candidates are sorted by, the first one lowest."""
        urgency = -SIGNIFICANCES.index(self.significance)
        return self.diagnosis.never_first, urgency, -self.score, -self.confidence, self.order

    def brief(self) -> Json:
        """Return which rule gives it, with what confidence and score."""
        return {
            "rule": self.outcome.rule.id,
            "confidence": _two_decimals(self.confidence),
            "score": self.score,
            "significance": self.significance,
        }


def diagnose(facts: Facts, rules: RuleBase, code_system: str = "WHO") -> DifferentialDiagnosis:
    """Return what the findings may point to.

    Parameters
    ----------
    facts : Facts
    rules : RuleBase
    code_system : str
        ``WHO`` or ``CM``; diagnoses without a code in it are left out.

    Raises
    ------
    ConfigError
        If the code system is unknown.
    """
    system = _code_system(code_system)
    evaluation = Evaluation(facts, rules)
    outcomes = [evaluation.outcome(rule.id) for rule in rules.rule]
    limits = facts.reference.confidence
    best, others = _best_of_each_code(_candidates(outcomes, system, facts), limits.listed_from)
    listed = [one for one in best if one.confidence >= limits.listed_from]
    if all(one.diagnosis.never_first for one in listed):
        listed = []
    considered = [one for one in best if one not in listed and one.confidence >= limits.kept_from]
    return DifferentialDiagnosis(
        system,
        rules.version,
        entries=tuple(_entry(one) for one in listed),
        evidence=tuple(_evidence(one, system, facts, others[one.code]) for one in listed),
        considered=tuple(_evidence(one, system, facts, others[one.code]) for one in considered),
        not_evaluated=(
            *(
                {"rule": one.rule.id, "reason": f"not evaluated: {one.reason}"}
                for one in outcomes
                if one.probability is None
            ),
            *_without_code(outcomes, system, facts),
        ),
        statements=tuple(_statements(outcomes, facts)),
    )


def _code_system(name: str) -> CodeSystem:
    for known in CODE_SYSTEMS:
        if name == known:
            return known
    raise ConfigError(f"unknown code system {name!r}", hint=f"use one of {', '.join(CODE_SYSTEMS)}")


def _candidates(outcomes: Iterable[RuleOutcome], system: CodeSystem, facts: Facts) -> list[_Candidate]:
    found: list[_Candidate] = []
    for outcome in outcomes:
        if outcome.probability is None:
            continue
        confidence = _confidence(outcome.probability, facts)
        for diagnosis in outcome.rule.diagnoses:
            code = diagnosis.who if system == "WHO" else diagnosis.cm
            if code is None:
                continue
            score, significance = outcome.score(diagnosis), outcome.significance(diagnosis)
            found.append(_Candidate(outcome, diagnosis, code, score, significance, confidence, len(found)))
    return found


def _without_code(outcomes: Iterable[RuleOutcome], system: CodeSystem, facts: Facts) -> Iterable[Json]:
    """Yield the diagnoses that hold but have no code in the system, so that none vanishes unsaid."""
    least = facts.reference.confidence.kept_from
    for outcome in outcomes:
        for one in outcome.rule.diagnoses:
            if (one.who if system == "WHO" else one.cm) is None and _confidence(outcome.known, facts) >= least:
                reason = f"not listed: {one.english_long} has no code in the system {system}"
                yield {"rule": outcome.rule.id, "reason": reason}


def _confidence(probability: float, facts: Facts) -> float:
    """Return the confidence that is printed: what is listed and what is shown must never disagree."""
    return min(MOST_CONFIDENCE, round(probability * facts.quality.factor, 2))


def _best_of_each_code(
    candidates: list[_Candidate], listed_from: float
) -> tuple[list[_Candidate], dict[str, list[_Candidate]]]:
    """Return the best candidate of each code in their order, and the others by code.

    An unlikely candidate of high score never hides a likely one of the same code.
    """
    best: dict[str, _Candidate] = {}
    others: dict[str, list[_Candidate]] = {}
    for one in sorted(candidates, key=lambda one: (one.confidence < listed_from, one.rank())):
        others.setdefault(one.code, [])
        if one.code in best:
            others[one.code].append(one)
        else:
            best[one.code] = one
    return sorted(best.values(), key=_Candidate.rank), others


def _entry(one: _Candidate) -> Diagnosis:
    return Diagnosis(
        score=one.score,
        confidence=_two_decimals(one.confidence),
        clinical_significance=one.significance,
        icd10_code=one.code,
        english_long=one.diagnosis.english_long,
        english_short=one.diagnosis.english_short,
    )


def _evidence(one: _Candidate, system: CodeSystem, facts: Facts, others: list[_Candidate]) -> Json:
    rule, outcome = one.outcome.rule, one.outcome
    return {
        "code": one.code,
        "code_system": system,
        "codes": {"WHO": one.diagnosis.who, "CM": one.diagnosis.cm},
        "english_long": one.diagnosis.english_long,
        **one.brief(),
        "rule_words": rule.words,
        "source": rule.source,
        **outcome.evidence(),
        "probability": quantised(outcome.known),
        "quality_factor": quantised(facts.quality.factor),
        "score_of_table": one.diagnosis.score,
        "support": None if outcome.support is None else quantised(outcome.support),
        "other_rules": [other.brief() for other in others if other.confidence >= facts.reference.confidence.kept_from],
    }


def _statements(outcomes: Iterable[RuleOutcome], facts: Facts) -> list[Json]:
    said = []
    for outcome in outcomes:
        confidence = _confidence(outcome.known, facts)
        if outcome.rule.statement and confidence >= facts.reference.confidence.listed_from:
            evidence = outcome.evidence()
            rule = outcome.rule
            said.append(
                {
                    "rule": rule.id,
                    "statement": rule.statement,
                    "source": rule.source,
                    "confidence": _two_decimals(confidence),
                    **evidence,
                }
            )
    return said


def _two_decimals(confidence: float) -> str:
    return f"{confidence:.2f}"
