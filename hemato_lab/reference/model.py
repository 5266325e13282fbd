"""The typed content of ``reference.toml``; the file explains every table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from hemato_lab.reference.context import UNITS
from hemato_lab.vocabulary import TERMS

if TYPE_CHECKING:
    from hemato_lab.reference.context import ClinicalContext, Sex

GradeName = Literal["1+", "2+", "3+"]
Share = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[float, Field(ge=0, le=100)]
Positive = Annotated[float, Field(gt=0)]
Several = Annotated[float, Field(ge=2)]


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("the lower end is above the upper one")
    return pair


def _marked(source: str) -> str:
    if not re.match(r"(checked|known|computed|own|user)\b", source):
        raise ValueError("a source begins with checked, known, computed, own or user")
    return source


def _known(name: str) -> str:
    if name not in TERMS:
        raise ValueError(f"{name!r} is no name of the vocabulary")
    return name


def _of_a_range(name: str) -> str:
    if name not in UNITS and name not in TERMS:
        raise ValueError(f"{name!r} is neither a value of a blood count nor a name of the vocabulary")
    return name


Range = Annotated[tuple[float, float], AfterValidator(_ordered)]
Source = Annotated[str, AfterValidator(_marked)]
Name = Annotated[str, AfterValidator(_known)]
RangeName = Annotated[str, AfterValidator(_of_a_range)]


class Table(BaseModel):
    """A table that refuses keys it does not know, and numbers that are none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ReferenceRange(Table):
    """What is usual in adults; a range of one sex, or of both.

    Attributes
    ----------
    unit : str
        UCUM.
    adult, female, male : (float, float) or None
        Lowest and highest usual value.
    source : str
    """

    unit: str
    adult: Range | None = None
    female: Range | None = None
    male: Range | None = None
    source: Source

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.adult is None and (self.female is None or self.male is None):
            raise ValueError("give the range of adults, or those of both sexes")
        return self

    def of(self, sex: Sex | None) -> tuple[float, float]:
        """Return the range of a sex; of an unknown one the range that holds both."""
        own = {"female": self.female, "male": self.male}.get(sex or "") or self.adult
        if own is not None:
            return own
        both = [pair for pair in (self.female, self.male) if pair is not None]
        return min(low for low, _ in both), max(high for _, high in both)


class Sourced(Table):
    """One number and where it comes from."""

    value: Positive
    source: Source


class Factors(Table):
    """Assumptions of DOMAIN.md sections 2.5 and 2.6."""

    rbc_per_ul: Sourced
    wbc_per_ul: Sourced
    correct_wbc_above_nucleated_rbc: Sourced


class GradeTable(Table):
    """From which percent on a finding is graded; ``one_plus`` only where 1+ is used (DOMAIN.md section 3.1)."""

    names: tuple[Name, ...]
    one_plus: Percent | None = None
    two_plus: Percent
    three_plus: Percent
    source: Source

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if not (self.one_plus or 0.0) <= self.two_plus < self.three_plus:
            raise ValueError("grades must rise")
        return self


class MinimumCounts(Table):
    """Cells without which a share is not graded (DOMAIN.md section 2.7)."""

    red_cells: Sourced
    white_cells: Sourced
    white_cells_for_blasts: Sourced
    platelets: Sourced


class SpherocyteRule(Table):
    """Small, round, dense, without pallor."""

    largest_diameter_ratio: Positive
    least_circularity: Share
    largest_pallor_ratio: Share
    least_density_ratio: Positive
    source: Source


class HypochromicRule(Table):
    """Wide pallor, or pale."""

    least_pallor_ratio: Share
    largest_density_ratio: Positive
    source: Source


class PolychromaticRule(Table):
    """Blue-grey and not small."""

    deviations_red: Positive
    deviations_blueness: Positive
    least_diameter_ratio: Positive
    source: Source


class AnisocytosisRule(Table):
    """Coefficients of variation of the diameter, %."""

    normal_diameter_variation: Positive
    most_diameter_variation: Positive
    source: Source

    @model_validator(mode="after")
    def _rising(self) -> Self:
        _ordered((self.normal_diameter_variation, self.most_diameter_variation))
        return self


class PlateletSizeRule(Table):
    """In micrometres where the scale is independent, else as a ratio to the red cells."""

    least_diameter_um: Positive
    least_ratio_to_red_cell: Positive
    source: Source


class PlateletClumpRule(Table):
    """Touching platelets, or one ragged body of many."""

    least_platelets: Several
    largest_gap_ratio: Positive
    largest_circularity: Share
    source: Source


class PlateletColourRule(Table):
    """A "red cell" without haemoglobin; ratios to the median red cell."""

    least_red_ratio: Positive
    largest_blue_ratio: Positive
    largest_density_ratio: Positive
    source: Source


class SmudgeCellRule(Table):
    """Large, pale, ragged, without a name; ratios to the red cells."""

    least_diameter_ratio: Positive
    most_green_density_ratio: Positive
    largest_solidity: Share
    source: Source


class RouleauxRule(Table):
    """Overlapping red cells in a line."""

    least_cells: Several
    least_overlap: Share
    largest_bend: Positive
    source: Source


class AgglutinationRule(Table):
    """Overlapping red cells in a heap."""

    least_cells: Several
    least_overlap: Share
    source: Source


class MeasuredRules(Table):
    """Rules on measured features (DOMAIN.md sections 3.2 to 3.5)."""

    spherocyte: SpherocyteRule
    hypochromic_cell: HypochromicRule
    polychromatic_cell: PolychromaticRule
    anisocytosis: AnisocytosisRule
    giant_platelet: PlateletSizeRule
    large_platelet: PlateletSizeRule
    platelet_clump: PlateletClumpRule
    platelet_without_haemoglobin: PlateletColourRule
    smudge_cell: SmudgeCellRule
    rouleaux: RouleauxRule
    agglutination: AgglutinationRule


class Misnaming(Table):
    """How often a name is given wrongly.

    Attributes
    ----------
    false_share : float
        Of cells that are not so, the share called so.
    sensitivity : float
        Of cells that are so, the share called so.
    confused_with : mapping of str to float
        Cells called so for each cell that is called by another name.
    source : str
    """

    false_share: Share
    sensitivity: Annotated[float, Field(gt=0, le=1)]
    confused_with: dict[Name, Share] = Field(default_factory=dict)
    source: Source


class ParasiteRule(Table):
    """How well parasites are seen.

    Attributes
    ----------
    sensitivity : float
        Share of parasitised red cells that are recognised.
    false_per_1000, false_per_1000_surest : float
        Red cells falsely called parasitised for 1,000, at the usual score and at `surest_score`.
    surest_score : float
    flag_percent, flag_lists : tuple
        Percent of red cells above which a list calls an infection severe, and the name of that list.
    flag_from : tuple of bool
        Whether a list calls it severe from that percentage on, and not only above it.
    enlarged_ratio : float
        Of the diameter to that of other red cells, from which on parasitised ones are enlarged.
    source : str
    """

    sensitivity: Annotated[float, Field(gt=0, le=1)]
    false_per_1000: Positive
    false_per_1000_surest: Positive
    surest_score: Share
    flag_percent: tuple[Percent, ...]
    flag_lists: tuple[str, ...]
    flag_from: tuple[bool, ...]
    enlarged_ratio: Positive
    source: Source

    @model_validator(mode="after")
    def _paired(self) -> Self:
        if not len(self.flag_percent) == len(self.flag_lists) == len(self.flag_from) or list(
            self.flag_percent
        ) != sorted(self.flag_percent):
            raise ValueError("each flag needs the name of its list, and flags must rise")
        return self


class PlateletAdequacy(Table):
    """Platelets per oil-immersion field of field number 22."""

    low_below: Positive
    high_above: Positive
    source: Source

    @model_validator(mode="after")
    def _rising(self) -> Self:
        _ordered((self.low_below, self.high_above))
        return self


class ConfidenceRule(Table):
    """How probabilities become entries of the differential.

    Attributes
    ----------
    listed_from, kept_from : float
        Confidence from which a diagnosis is listed, and from which it is kept in the extension as considered.
    failed_check : float
        What each quality check that a field failed multiplies confidence by.
    support : float
        Share of the score that rests on a rule's supporting conditions.
    """

    listed_from: Share
    kept_from: Share
    failed_check: Share
    support: Share
    source: Source

    @model_validator(mode="after")
    def _rising(self) -> Self:
        _ordered((self.kept_from, self.listed_from))
        return self


class ReviewRule(Table):
    """When a smear must be looked at by a person (DOMAIN.md section 4)."""

    wbc: Range
    plt: Range
    least_hb: Positive
    mcv: Range
    most_rdw: Positive
    most_metamyelocyte_percent: Percent
    most_reactive_lymphocyte_percent: Percent
    least_plasma_cells: int
    grade: GradeName
    white_cells: dict[Name, Range]
    source: Source


class Reference(Table):
    """Everything in ``reference.toml``."""

    version: str
    ranges: dict[RangeName, ReferenceRange]
    factors: Factors
    grades: tuple[GradeTable, ...]
    minimum_counts: MinimumCounts
    measured: MeasuredRules
    misnaming: dict[Name, Misnaming]
    parasites: ParasiteRule
    platelet_adequacy: PlateletAdequacy
    confidence: ConfidenceRule
    review: ReviewRule

    @model_validator(mode="after")
    def _no_name_twice(self) -> Self:
        names = [name for table in self.grades for name in table.names]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{twice[0]!r} has two grade tables")
        return self

    def grades_of(self, name: str) -> GradeTable | None:
        """Return the grades of a finding, None where it has none."""
        return next((table for table in self.grades if name in table.names), None)

    def range_of(self, name: str, context: ClinicalContext) -> tuple[float, float] | None:
        """Return the usual range of a value, None where the ranges do not apply to this age."""
        return self.ranges[name].of(context.sex) if context.has_adult_ranges else None
