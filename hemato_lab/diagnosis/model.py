"""The typed content of ``rules.toml``: conditions, rules and what they point to (DOMAIN.md section 5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from hemato_lab.findings import MEASUREMENTS
from hemato_lab.reference.context import UNITS
from hemato_lab.reference.model import Name, Percent, Positive, Share, Source, Table
from hemato_lab.vocabulary import DETECTOR_CLASSES, TERMS

if TYPE_CHECKING:
    from collections.abc import Iterator

Significance = Literal["A", "B", "C", "D"]
SIGNIFICANCES: Final[tuple[Significance, ...]] = get_args(Significance)
"""Rising: incidental, routine follow-up, work-up within days, potentially life-threatening."""
Guard = Literal[
    "monolayer",
    "independent scale",
    "enough red cells",
    "no other poikilocytes",
    "blood count",
    "white-cell count",
    "no platelet clumps",
]
RANGED: Final = ("rbc", "wbc", "plt", "mcv", "mch", "mchc", "rdw")
"""Values of a blood count that have a reference range."""
_WHO = re.compile(r"[A-Z]\d\d(\.\d)?")
_CM = re.compile(r"[A-Z][0-9A-Z]{2}(\.[0-9A-Z]{1,4})?")
_NEVER = re.compile(
    r"D57\.(0.*|3.*|21.*|41.*|43.*|45.*|81.*)|D45|D75\.[01]|N18\.[1-6].*|C9[0-5]\.[0-9A-Z][12]",
)
"""Sickle trait and crisis, polycythaemia, stages of kidney disease, remission and relapse."""


def _listed(known: tuple[str, ...], what: str) -> AfterValidator:
    def check(name: str) -> str:
        if name not in known:
            raise ValueError(f"{name!r} is no {what}; known are {', '.join(known)}")
        return name

    return AfterValidator(check)


def _code(shape: re.Pattern[str], words: str) -> AfterValidator:
    def check(code: str) -> str:
        if not shape.fullmatch(code):
            raise ValueError(f"{code!r} has not the shape of a code: {words}")
        if _NEVER.fullmatch(code):
            raise ValueError(f"{code!r} names a trait, polycythaemia, stage, crisis or remission: no smear shows that")
        return code

    return AfterValidator(check)


_COUNTED = (*DETECTOR_CLASSES, *(t.name for t in TERMS.values() if t.lineage == "white cell" and t.kind == "cell"))
Counted = Annotated[str, _listed(_COUNTED, "kind of cell with a concentration")]
MeasurementName = Annotated[str, _listed(MEASUREMENTS, "measurement")]
CountValue = Annotated[str, _listed(tuple(UNITS), "value of a blood count")]
Ranged = Annotated[str, _listed(RANGED, "value with a reference range")]
WhoCode = Annotated[str, _code(_WHO, "a letter, two digits, and perhaps a point and a digit")]
CmCode = Annotated[str, _code(_CM, "a letter, two letters or digits, and perhaps a point and up to four more")]
Words = Annotated[str, Field(min_length=1)]


class ShareCondition(Table):
    """The true share of a finding lies above, below or between thresholds.

    Attributes
    ----------
    finding : str
    at_least, above, below : float or None
        Percent of the finding's denominator; one of the first two may stand with the last.
    above_in_preterm : float or None
        What takes the place of the lower threshold in preterm infants.
    minimum : int or None
        Cells that must have been judged; a finding's own minimum holds besides.
    any_age : bool
        Whether the threshold holds at every age; others on white cells are those of adults.
    """

    kind: Literal["share"]
    finding: Name
    at_least: Annotated[Percent, Field(gt=0)] | None = None
    above: Percent | None = None
    below: Annotated[Percent, Field(gt=0)] | None = None
    above_in_preterm: Percent | None = None
    minimum: Annotated[int, Field(gt=0)] | None = None
    any_age: bool = False

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if self.at_least is not None and self.above is not None:
            raise ValueError("give at_least or above, not both")
        if self.low is None and self.below is None:
            raise ValueError("give at_least, above or below")
        if self.low is not None and self.below is not None and self.low >= self.below:
            raise ValueError("the lower threshold is not below the upper one")
        return self

    @property
    def low(self) -> float | None:
        """The lower threshold in percent."""
        return self.above if self.at_least is None else self.at_least


class GradeCondition(Table):
    """The true share of a finding reaches a grade of the reference (DOMAIN.md section 3.1)."""

    kind: Literal["grade"]
    finding: Name
    at_least: Literal["2+", "3+"]
    any_age: bool = False


class PresentCondition(Table):
    """More cells are called so than mistakes explain.

    Attributes
    ----------
    finding : str
    at_least : int
        Cells below which the probability is 0.
    or_one_surest : bool
        Of parasites: whether a single cell of the surest score will do.
    false_percent : float or None
        Of what is no parasite: cells called so by mistake for 100 cells judged, where the reference has no figure.
    any_age : bool
    """

    kind: Literal["present"]
    finding: Name
    at_least: Annotated[int, Field(gt=0)] = 1
    or_one_surest: bool = False
    false_percent: Percent | None = None
    any_age: bool = False


class ConcentrationCondition(Table):
    """Cells in the blood above or below a threshold: 10*3/uL, of red cells 10*6/uL, or the usual range of adults."""

    kind: Literal["concentration"]
    cell: Counted
    above: Positive | None = None
    below: Positive | None = None
    below_range: Ranged | None = None

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        _require_one(self, "above", "below", "below_range")
        return self


class MeasurementCondition(Table):
    """A measurement reaches a value in its unit; without one the value from which it is flagged."""

    kind: Literal["measurement"]
    measurement: MeasurementName
    at_least: Positive | None = None


class BloodCountCondition(Table):
    """A value of the analyser lies above or below a threshold in its unit, or the usual range of adults."""

    kind: Literal["blood count"]
    value: CountValue
    above: Positive | None = None
    below: Positive | None = None
    outside: Literal["above range", "below range"] | None = None

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if self.outside is not None and self.value not in RANGED:
            raise ValueError(f"{self.value!r} has no reference range")
        _require_one(self, "above", "below", "outside")
        return self


class SignCondition(Table):
    """A sign that has no name in the vocabulary, because nothing looks for it yet: never assessed."""

    kind: Literal["sign"]
    what: Words


class RuleCondition(Table):
    """Another rule holds."""

    kind: Literal["rule"]
    rule: Words


class NotCondition(Table):
    """Another condition does not hold."""

    kind: Literal["not"]
    of: Condition


class AnyCondition(Table):
    """The most probable of the parts that were assessed."""

    kind: Literal["any"]
    of: tuple[Condition, ...] = Field(min_length=1)


class AllCondition(Table):
    """All parts, as if independent."""

    kind: Literal["all"]
    of: tuple[Condition, ...] = Field(min_length=1)


class FirstCondition(Table):
    """The first part that was assessed: an analyser's value before what the eye sees."""

    kind: Literal["first"]
    of: tuple[Condition, ...] = Field(min_length=1)


Condition = Annotated[
    ShareCondition
    | GradeCondition
    | PresentCondition
    | ConcentrationCondition
    | MeasurementCondition
    | BloodCountCondition
    | SignCondition
    | RuleCondition
    | NotCondition
    | AnyCondition
    | AllCondition
    | FirstCondition,
    Field(discriminator="kind"),
]


class RuleDiagnosis(Table):
    """What a rule points to.

    Attributes
    ----------
    who : str
        ICD-10 code of the WHO (2019).
    cm : str or None
        ICD-10-CM code; None where there is none.
    english_long, english_short : str
    score : int
        From 1 to 10: how far the findings point to it at full evidence.
    significance : str
    never_first : bool
        Whether it is a cause that a smear may suggest but never leads with.
    """

    who: WhoCode
    cm: CmCode | None = None
    english_long: Words
    english_short: Words
    score: Annotated[int, Field(ge=1, le=10)]
    significance: Significance
    never_first: bool = False


class Raised(Table):
    """A significance that takes the place of a lower one when its condition is more likely than not."""

    significance: Significance
    when: Condition


class Rule(Table):
    """A row of DOMAIN.md section 5.

    Attributes
    ----------
    id : str
    words : str
        The condition for people.
    source : str
        Begins with checked, known, computed, own or user.
    all, any : tuple of Condition
        The product of the first times the largest of the second.
    unless : tuple of Condition
        What takes the probability away; what was not assessed takes nothing.
    supported_by : tuple of Condition
        What raises the score to that of the table; what was not assessed raises nothing.
    support_weight : float or None
        Share of the score that rests on it, where it is not the reference's.
    requires : tuple of str
        Guard rails.
    diagnoses : tuple of RuleDiagnosis
        None for a rule that only makes a statement.
    raised : tuple of Raised
    statement : str
        What to say when the rule holds.
    """

    id: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]*$")]
    words: Words
    source: Source
    all: tuple[Condition, ...] = ()
    any: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()
    supported_by: tuple[Condition, ...] = ()
    support_weight: Share | None = None
    requires: tuple[Guard, ...] = ()
    diagnoses: tuple[RuleDiagnosis, ...] = ()
    raised: tuple[Raised, ...] = ()
    statement: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not (self.all or self.any):
            raise ValueError("give at least one condition in all or any")
        if not (self.diagnoses or self.statement):
            raise ValueError("give at least one diagnosis, or a statement")
        return self

    def mentioned(self) -> set[str]:
        """Return the ids of the rules that this one asks for."""
        parts = (*self.all, *self.any, *self.unless, *self.supported_by, *(raised.when for raised in self.raised))
        return {name for part in parts for name in _rules_in(part)}


class RuleBase(Table):
    """Everything in ``rules.toml``."""

    version: Words
    rule: tuple[Rule, ...]

    @property
    def rules(self) -> dict[str, Rule]:
        """The rules by their ids, in their order."""
        return {rule.id: rule for rule in self.rule}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = [rule.id for rule in self.rule]
        if twice := [name for name in ids if ids.count(name) > 1]:
            raise ValueError(f"rule {twice[0]}: the id is used twice; give each rule an id of its own")
        for rule in self.rule:
            if unknown := sorted(rule.mentioned() - set(ids)):
                raise ValueError(f"rule {rule.id}: there is no rule {unknown[0]}; name one of the file")
        self._refuse_cycles()
        return self

    def _refuse_cycles(self) -> None:
        left = {rule.id: rule.mentioned() for rule in self.rule}
        while free := [name for name, asked in left.items() if not asked & left.keys()]:
            for name in free:
                del left[name]
        if left:
            raise ValueError(f"rule {next(iter(left))}: it asks for itself through {', '.join(left)}; break the circle")


def _require_one(table: Table, *names: str) -> None:
    if sum(getattr(table, name) is not None for name in names) != 1:
        raise ValueError(f"give exactly one of {', '.join(names)}")


def _rules_in(condition: Condition) -> Iterator[str]:
    if isinstance(condition, RuleCondition):
        yield condition.rule
    elif isinstance(condition, NotCondition):
        yield from _rules_in(condition.of)
    elif isinstance(condition, AnyCondition | AllCondition | FirstCondition):
        for part in condition.of:
            yield from _rules_in(part)


for _recursive in (NotCondition, AnyCondition, AllCondition, FirstCondition):
    _recursive.model_rebuild()
