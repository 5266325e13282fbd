"""From named cells to findings, statistics, a differential, review triggers and text."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as with_default
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.diagnosis import diagnose, load_rules, review_triggers
from hemato_lab.diagnosis.facts import Facts, PictureQuality
from hemato_lab.findings import Sample, assess, with_measured_names
from hemato_lab.findings.arrangements import PLATELET_CLUMP
from hemato_lab.findings.red_cells import red_cells
from hemato_lab.imaging.content import NO_FILM
from hemato_lab.imaging.quality import MONOLAYER_PER_MM2
from hemato_lab.pipeline.concentrations import assumptions_of, concentrations_of
from hemato_lab.pipeline.finding import nameable
from hemato_lab.reference import load_reference
from hemato_lab.statistics.differential import differential
from hemato_lab.statistics.estimates import Cells
from hemato_lab.statistics.features import statistics_of
from hemato_lab.statistics.parasitaemia import PARASITISED, is_searched
from hemato_lab.statistics.share_features import parasites_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from hemato_lab.detections import Detections
    from hemato_lab.diagnosis import DifferentialDiagnosis, Trigger
    from hemato_lab.diagnosis.model import RuleBase
    from hemato_lab.findings import Findings
    from hemato_lab.imaging.calibration import FieldCalibration
    from hemato_lab.pipeline.interpretation import Interpretation
    from hemato_lab.reference import ReferenceData
    from hemato_lab.smear import Scale, Smear
    from hemato_lab.statistics import Assumptions, StatisticsResult
    from hemato_lab.statistics.differential import Differential
    from hemato_lab.statistics.parasitaemia import Parasitaemia

CHECKED: Final = ("focus", "exposure", "background", "stain", "monolayer", "content", "scale")
"""Quality checks whose failing lowers confidence."""
NOT_ASSESSED: Final = "not assessed"
CLUMPED: Final = "platelets lie in clumps: no estimate of them holds"


@dataclass(frozen=True, slots=True)
class Reading:
    """The cells of a smear and which of them count.

    Attributes
    ----------
    smear : Smear
        With its scale.
    scale : Scale
    detections : Detections
        All cells.
    quality : mapping
        By field name.
    excluded : collection of int
        Fields in which nothing can be counted.
    usable_shares : sequence of float
        Of every field.
    named_by : mapping of str to str
        For every name that a network can give, that network; empty where cells were not named.
    nameable : collection of str
        Names that some network can give, whether any was asked or not.
    not_named : str
        Why blasts were not told apart, where they were not.
    decisions : mapping
        What the report says about the decisions of readers that the cells have been corrected by, JSON-ready; empty
        where there are none.
    """

    smear: Smear
    scale: Scale
    detections: Detections
    quality: Mapping[str, Any]
    excluded: Collection[int]
    usable_shares: Sequence[float]
    named_by: Mapping[str, str]
    nameable: Collection[str]
    not_named: str
    decisions: Mapping[str, Any] = with_default(default_factory=dict)

    @property
    def fit(self) -> Detections:
        """The cells of the fields that are fit for counting."""
        return self.detections.select(~np.isin(self.detections["field"], list(self.excluded)))


@dataclass(frozen=True, slots=True)
class Interpreted:
    """What the cells of a smear say.

    Attributes
    ----------
    assumptions : Assumptions
    facts : Facts
    statistics : StatisticsResult
    differential : Differential or None
        None where white cells were not told apart.
    parasitaemia : Parasitaemia or None
        None where parasites were not looked for.
    diagnosis : DifferentialDiagnosis or None
        None where the report stops before it.
    triggers : tuple of Trigger
    reference : ReferenceData
    rules : RuleBase
    """

    assumptions: Assumptions
    facts: Facts
    statistics: StatisticsResult
    differential: Differential | None
    parasitaemia: Parasitaemia | None
    diagnosis: DifferentialDiagnosis | None
    triggers: tuple[Trigger, ...]
    reference: ReferenceData
    rules: RuleBase


def reading_of(
    smear: Smear,
    calibrations: Sequence[FieldCalibration],
    detections: Detections,
    quality: Mapping[str, Any],
    *,
    detector: str,
    names: bool,
) -> Reading:
    """Return the cells with the fields in which something can be seen.

    Parameters
    ----------
    smear : Smear
        With its scale.
    calibrations : sequence of FieldCalibration
        Of every field.
    detections : Detections
    quality : mapping
        By field name.
    detector : str
        What found the cells.
    names : bool
        Whether classifiers named them.
    """
    return Reading(
        smear,
        calibrations[0].scale,
        detections,
        quality,
        excluded=[
            index
            for index, (one, calibration) in enumerate(zip(smear.fields, calibrations, strict=True))
            if _nothing_to_see(quality[one.name]) or not calibration.levels.has_colour
        ],
        usable_shares=[calibration.illumination.lit_share for calibration in calibrations],
        named_by=nameable() if names else {},
        nameable=nameable(),
        not_named=f"the {detector} detector does not tell blasts from other white cells",
    )


def _nothing_to_see(gates: Mapping[str, Any]) -> bool:
    """Tell whether a field is dark, blinded, blank or something else, so that no count of it means anything."""
    blank = gates["red_cell_density"] == 0 and gates["exposure"] != "ok"
    return bool(blank or gates["content"].startswith(NO_FILM))


def named_by_measurement(reading: Reading, interpretation: Interpretation) -> Detections:
    """Return all cells with the names that only a whole smear can give; its unfit fields have no say."""
    if not reading.named_by:
        return reading.detections
    rules = load_reference(interpretation.reference).values.measured
    rows = np.flatnonzero(~np.isin(reading.detections["field"], list(reading.excluded)))
    renamed = with_measured_names(reading.detections.select(rows), rules, reading.scale)
    columns = {}
    for column in ("name", "name_confidence", "parasite_score"):
        if column in reading.detections.columns:
            whole = reading.detections[column].copy()
            whole[rows] = renamed[column]
            columns[column] = whole
    return reading.detections.with_columns(**columns)


def interpret(reading: Reading, interpretation: Interpretation, *, rbc_per_ul: float | None) -> Interpreted:
    """Turn cells into facts, and facts into a differential.

    Parameters
    ----------
    reading : Reading
        With measured names.
    interpretation : Interpretation
    rbc_per_ul : float or None
        Red cells per microlitre, as stated by the user.

    Raises
    ------
    ConfigError
        If the reference or the rules cannot be used.
    """
    reference, rules = load_reference(interpretation.reference), load_rules(interpretation.rules)
    fit, fields = reading.fit, len(reading.smear)
    named = bool(reading.named_by)
    findings = assess(
        Sample(fit, fields, _monolayer_fields(reading), reading.scale, reading.named_by, reading.nameable),
        reference.values,
    )
    types = differential(fit, fields) if named else None
    known = assumptions_of(interpretation.context, rbc_per_ul, reference.values, types)
    cells = _cells(reading, known)
    refused = {} if named else {"blast-density": reading.not_named}
    statistics = statistics_of(cells, not_assessed=refused | _clumped(findings))
    facts = Facts(
        findings,
        concentrations_of(
            cells, known, interpretation.context, types, nameable=reading.named_by, clumped=bool(_clumped(findings))
        ),
        _parasite_scores(fit),
        int(np.count_nonzero(red_cells(fit))) if is_searched(fit) else 0,
        picture_quality(reading, reference.values.confidence.failed_check),
        interpretation.context,
        reading.scale.is_independent,
        reference.values,
    )
    stops = interpretation.level == "morphological_findings"
    diagnosis = None if stops else diagnose(facts, rules, interpretation.code_system)
    return Interpreted(
        known,
        facts,
        statistics,
        types,
        parasites_of(cells),
        diagnosis,
        review_triggers(facts, diagnosis),
        reference,
        rules,
    )


def _cells(reading: Reading, known: Assumptions) -> Cells:
    sizes = [(field.width, field.height) for field in reading.smear.fields]
    return Cells(reading.detections, sizes, reading.scale, known, reading.excluded, reading.usable_shares)


def _clumped(findings: Findings) -> dict[str, str]:
    """Return the estimates of platelets that clumps spoil, and why."""
    clumps = findings.assessed.get(PLATELET_CLUMP)
    if clumps is None or not clumps.count:
        return {}
    return dict.fromkeys(("platelet-density", "platelet-concentration"), CLUMPED)


def _parasite_scores(cells: Detections) -> tuple[float, ...]:
    if "parasite_score" not in cells.features:
        return ()
    scores = cells["parasite_score"][cells.of_kind(PARASITISED)]
    return tuple(sorted((float(score) for score in scores[np.isfinite(scores)]), reverse=True))


def _monolayer_fields(reading: Reading) -> list[int]:
    """Return the fields whose red cells are neither sparse nor crowded, however they lie."""
    low, high = MONOLAYER_PER_MM2
    return [
        index
        for index, field in enumerate(reading.smear.fields)
        if index not in reading.excluded and low <= reading.quality[field.name]["red_cells_per_mm2"] <= high
    ]


def picture_quality(reading: Reading, failed_check: float) -> PictureQuality:
    """Judge how far the pictures can be trusted: each check that a field failed costs a part, by its share of cells."""
    failed, unknown = dict.fromkeys(CHECKED, 0), dict.fromkeys(CHECKED, 0)
    cells = np.bincount(reading.fit["field"], minlength=len(reading.smear))
    factors, single = np.ones(len(reading.smear)), np.zeros(len(reading.smear), np.bool_)
    for index, field in enumerate(reading.smear.fields):
        gates = reading.quality[field.name]
        wrong = [check for check in CHECKED if _has_failed(gates.get(check, "ok"))]
        for check in CHECKED:
            failed[check] += check in wrong
            unknown[check] += str(gates.get(check, "ok")).startswith(NOT_ASSESSED)
        factors[index] = failed_check ** len(wrong)
        single[index] = gates.get("monolayer") == "ok"
    total = int(cells.sum())
    factor = float(np.sum(factors * cells) / total) if total else 0.0
    shown = [{check: count for check, count in counts.items() if count} for counts in (failed, unknown)]
    return PictureQuality(factor, bool(2 * cells[single].sum() > total), *shown)


def _has_failed(verdict: Any) -> bool:
    return isinstance(verdict, str) and verdict != "ok" and not verdict.startswith(NOT_ASSESSED)
