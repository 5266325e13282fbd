"""Judging whole rules: their conditions combined, behind their guard rails."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hemato_lab.diagnosis.conditions import judge_leaf
from hemato_lab.diagnosis.guards import check_guard
from hemato_lab.diagnosis.judged import Judged, not_assessed
from hemato_lab.diagnosis.model import (
    SIGNIFICANCES,
    AllCondition,
    AnyCondition,
    FirstCondition,
    NotCondition,
    RuleCondition,
    SignCondition,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemato_lab.diagnosis.facts import Facts
    from hemato_lab.diagnosis.model import Condition, Rule, RuleBase, RuleDiagnosis, Significance


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """A rule that was judged, or could not be.

    Attributes
    ----------
    rule : Rule
    probability : float or None
        That the rule's condition holds; None when it was not evaluated.
    reason : str
        Why it was not evaluated.
    support : float or None
        Mean probability of what supports it, signs that nothing looks for left out; None where nothing can.
    support_weight : float
        Share of the score that rests on the support.
    raised_to : str
        Lowest significance that the values allow.
    conditions, supported_by, unless : tuple of Judged
    guard_rails : tuple of str
        What each saw, in words.
    """

    rule: Rule
    probability: float | None
    reason: str = ""
    support: float | None = None
    support_weight: float = 0.0
    raised_to: Significance = "A"
    conditions: tuple[Judged, ...] = ()
    supported_by: tuple[Judged, ...] = ()
    unless: tuple[Judged, ...] = ()
    guard_rails: tuple[str, ...] = ()

    @property
    def known(self) -> float:
        """The probability, 0 when it was not evaluated."""
        return self.probability or 0.0

    def score(self, diagnosis: RuleDiagnosis) -> int:
        """Return the score of the table, less what rests on support that is missing; at least 1."""
        if self.support is None:
            return diagnosis.score
        share = 1 - self.support_weight + self.support_weight * self.support
        return max(1, math.floor(diagnosis.score * share + 0.5))

    def significance(self, diagnosis: RuleDiagnosis) -> Significance:
        """Return the significance of the table, or the higher one that the values call for."""
        return max(diagnosis.significance, self.raised_to, key=SIGNIFICANCES.index)

    def evidence(self) -> dict[str, Any]:
        """Return conditions and guard rails, JSON-ready."""
        return {
            "conditions": [one.to_dict() for one in self.conditions],
            "supported_by": [one.to_dict() for one in self.supported_by],
            "unless": [one.to_dict() for one in self.unless],
            "guard_rails": list(self.guard_rails),
        }


@dataclass(slots=True)
class Evaluation:
    """Judges the rules of a base on one set of facts, each once."""

    facts: Facts
    base: RuleBase
    _outcomes: dict[str, RuleOutcome] = field(default_factory=dict)

    def outcome(self, rule_id: str) -> RuleOutcome:
        """Return what a rule says; rules ask for each other without a circle, as the base has checked."""
        if rule_id not in self._outcomes:
            self._outcomes[rule_id] = self._judge_rule(self.base.rules[rule_id])
        return self._outcomes[rule_id]

    def _judge_rule(self, rule: Rule) -> RuleOutcome:
        guards = [check_guard(name, self.facts) for name in rule.requires]
        for guard in guards:
            if not guard.passed:
                return RuleOutcome(rule, None, guard.words)
        conditions = tuple(self.judge(one) for one in rule.all)
        if rule.any:
            conditions += (self._any(rule.any),)
        if reason := _first_reason(conditions):
            return RuleOutcome(rule, None, reason, conditions=conditions)
        unless = tuple(self.judge(one) for one in rule.unless)
        supported_by = tuple(self.judge(one) for one in rule.supported_by)
        weight = self.facts.reference.confidence.support if rule.support_weight is None else rule.support_weight
        return RuleOutcome(
            rule,
            math.prod(one.known for one in conditions) * (1 - max((one.known for one in unless), default=0.0)),
            support=_support(rule, supported_by),
            support_weight=weight,
            raised_to=self._raised_to(rule),
            conditions=conditions,
            supported_by=supported_by,
            unless=unless,
            guard_rails=tuple(guard.words for guard in guards),
        )

    def _raised_to(self, rule: Rule) -> Significance:
        reached = [raised.significance for raised in rule.raised if self.judge(raised.when).known >= 0.5]
        return max(reached, key=SIGNIFICANCES.index, default="A")

    def judge(self, condition: Condition) -> Judged:
        """Return how likely a condition holds, or why it was not assessed."""
        match condition:
            case RuleCondition():
                return self._rule(condition)
            case NotCondition():
                return self._not(condition)
            case AnyCondition():
                return self._any(condition.of)
            case AllCondition():
                return self._all(condition.of)
            case FirstCondition():
                return self._first(condition.of)
            case _:
                return judge_leaf(condition, self.facts)

    def _rule(self, condition: RuleCondition) -> Judged:
        words, outcome = f"rule {condition.rule}", self.outcome(condition.rule)
        if outcome.probability is None:
            return not_assessed(words, f"rule {condition.rule} was not evaluated: {outcome.reason}")
        return Judged(words, outcome.probability)

    def _not(self, condition: NotCondition) -> Judged:
        part = self.judge(condition.of)
        if part.probability is None:
            return not_assessed(f"not: {part.words}", part.reason)
        return Judged(f"not: {part.words}", 1.0 - part.probability, numbers={"parts": [part.to_dict()]})

    def _any(self, conditions: Sequence[Condition]) -> Judged:
        parts = [self.judge(one) for one in conditions]
        words = " or ".join(part.words for part in parts)
        assessed = [part.probability for part in parts if part.probability is not None]
        if not assessed:
            return not_assessed(words, _first_reason(parts))
        return Judged(words, max(assessed), numbers={"parts": [part.to_dict() for part in parts]})

    def _all(self, conditions: Sequence[Condition]) -> Judged:
        parts = [self.judge(one) for one in conditions]
        words = " and ".join(part.words for part in parts)
        if reason := _first_reason(parts):
            return not_assessed(words, reason)
        probability = math.prod(part.known for part in parts)
        return Judged(words, probability, numbers={"parts": [part.to_dict() for part in parts]})

    def _first(self, conditions: Sequence[Condition]) -> Judged:
        parts = [self.judge(one) for one in conditions]
        found = next((part for part in parts if part.assessed), None)
        # What the eye sees is the last resort, so its reason is the one that says what would help.
        return found or not_assessed(" or else ".join(part.words for part in parts), parts[-1].reason)


def _support(rule: Rule, judged: Sequence[Judged]) -> float | None:
    """Return the mean probability of what supports a rule; None where nothing can.

    A sign that no analysis looks for speaks neither for nor against; a finding that this analysis missed is missing.
    """
    pairs = zip(rule.supported_by, judged, strict=True)
    known = [one.known for condition, one in pairs if not isinstance(condition, SignCondition)]
    return sum(known) / len(known) if known else None


def _first_reason(parts: Sequence[Judged]) -> str:
    return next((part.reason for part in parts if not part.assessed), "")
