"""The analysis as tables of plain text, for every face that shows one; escaping is left to the face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hemato_lab.analysis.model import Analysis
    from hemato_lab.report import FeatureStatistic, Report
    from hemato_lab.smear import Scale, Smear


@dataclass(frozen=True, slots=True)
class Table:
    """A caption, a head and rows of as many cells; no row means that there is nothing to show."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def overview(analysis: Analysis) -> Table:
    """List name, fields, cells and scale of the smear."""
    smear = analysis.smear
    rows = (
        ("smear", smear.name),
        ("fields", str(len(smear))),
        ("cells found", str(len(analysis.detections))),
        ("scale", scale_text(smear.scale)),
        ("study", analysis.report.pbs_study_id),
        *((f"tag {key}", value) for key, value in smear.tags.items()),
    )
    return Table("Smear", ("what", "value"), rows)


def statistics(report: Report) -> Table:
    """List every statistic with its limits."""
    rows = tuple(_statistic_row(key, statistic) for key, statistic in report.feature_statistics.items())
    note = "Limits are of counting; the uncertainty of the scale comes on top where it is given."
    head = ("estimate", "value", "unit", "95 % limits", "with scale", "cells counted", "remarks")
    return Table("Estimates", head, rows, note)


def findings(report: Report) -> Table:
    """List every finding with the number of its candidates."""
    rows = tuple((name, finding.count) for name, finding in report.morphological_findings.items())
    return Table("Morphological findings", ("finding", "candidates"), rows)


def considerations(report: Report) -> Table:
    """List the differential: conditions to think of."""
    rows = tuple(
        (
            one.english_long or one.english_short,
            one.icd10_code,
            value_text(one.score),
            one.confidence,
            one.clinical_significance,
        )
        for one in report.diagnostic_report.differential_diagnosis
    )
    head = ("candidate", "ICD-10", "score", "confidence", "significance")
    return Table("Conditions to consider", head, rows, "Candidates for a qualified reader, not conclusions.")


def fields(analysis: Analysis) -> Table:
    """List every field with its size and number of cells."""
    cells = np.bincount(analysis.detections["field"], minlength=len(analysis.smear))
    rows = tuple(
        (one.name, f"{one.width} × {one.height}", str(count), one.file_id)
        for one, count in zip(analysis.smear.fields, cells, strict=True)
    )
    return Table("Fields", ("field", "pixels", "cells found", "file id"), rows)


def skipped(smear: Smear) -> Table:
    """List the files that could not be read."""
    rows = tuple((one.name, one.code, one.reason) for one in smear.skipped)
    return Table("Files left out", ("file", "code", "reason"), rows)


def quality(analysis: Analysis) -> Table:
    """List what the quality checks said: a row for each field when they speak of fields, else for each value."""
    checks = analysis.quality
    if not checks or not all(isinstance(value, Mapping) for value in checks.values()):
        return Table("Quality checks", ("check", "value"), tuple(flattened(checks)))
    by_field = {name: dict(flattened(values)) for name, values in checks.items()}
    names = tuple(dict.fromkeys(name for values in by_field.values() for name in values))
    rows = tuple((name, *(values.get(check, "") for check in names)) for name, values in by_field.items())
    return Table("Quality checks", ("field", *names), rows)


def provenance(analysis: Analysis) -> Table:
    """List what reproduces the analysis."""
    return Table("Provenance", ("what", "value"), tuple(flattened(analysis.provenance)))


def scale_text(scale: Scale | None) -> str:
    """Return the pixel size, its uncertainty and origin in words."""
    if scale is None:
        return "not known"
    return (
        f"{scale.um_per_px:.4g} µm/px ± {100 * scale.relative_uncertainty:.2g} % ({scale.origin}; "
        f"red cell {scale.rbc_diameter_px:.4g} px)"
    )


def flattened(values: Mapping[str, Any], path: str = "") -> Iterable[tuple[str, str]]:
    """Yield every leaf of nested mappings with its path."""
    for key, value in values.items():
        here = f"{path} · {key}" if path else str(key)
        if isinstance(value, Mapping):
            yield from flattened(value, here)
        else:
            yield here, value_text(value)


def value_text(value: Any) -> str:
    """Return a JSON value for people: four digits of a float, yes and no for a truth value."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if value is None:
        return "not known"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
    if isinstance(value, list | tuple):
        return ", ".join(value_text(item) for item in value)
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {text}" for key, text in flattened(value))
    return str(value)


def _statistic_row(key: str, statistic: FeatureStatistic) -> tuple[str, ...]:
    details = statistic.details
    remarks = [details["reason"]] if "reason" in details else []
    remarks += [details["assumption"]] if "assumption" in details else []
    remarks += ["fewer cells than needed"] if details.get("insufficient_count") else []
    remarks += ["spread between fields not known"] if _one_field(details) else []
    scale_limits = details.get("limits_95_with_scale")
    return (
        key,
        statistic.value,
        statistic.unit,
        "" if statistic.limits_95 is None else _limits_text(statistic.limits_95),
        _limits_text(scale_limits) if isinstance(scale_limits, list | tuple) else "",
        value_text(details["n"]) if "n" in details else "",
        "; ".join(value_text(remark) for remark in remarks),
    )


def _one_field(details: Mapping[str, Any]) -> bool:
    """Tell whether limits rest on counting alone because there was but one field."""
    spread = details.get("overdispersion")
    return isinstance(spread, Mapping) and spread.get("estimable") is False


def _limits_text(limits: Iterable[Any]) -> str:
    return " to ".join(value_text(limit) for limit in limits)
