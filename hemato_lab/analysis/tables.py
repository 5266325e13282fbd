"""The analysis as tables of plain text, for every face that shows one; escaping is left to the face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.analysis import wording
from hemato_lab.vocabulary import TERMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hemato_lab.analysis.model import Analysis
    from hemato_lab.report import FeatureStatistic, Report
    from hemato_lab.smear import Scale, Smear


FIELDS_NAMED: Final = 3
"""Of many fields with the same quality warning so many are named."""
_NARROW_LIMITS: Final = 0.02
"""Limits closer to each other than this share of the value deserve a fourth digit."""
_IN_OTHER_TABLES: Final = ("inputs", "skipped")
"""Parts of the provenance that `fields` and `skipped` list."""


@dataclass(frozen=True, slots=True)
class Table:
    """A caption, a head and rows of as many cells; no row means that there is nothing to show.

    Attributes
    ----------
    caption : str
        What it is about.
    head : tuple of str
        Names of the columns.
    rows : tuple of tuple of str
        As many cells each as the head has.
    note : str
        What to know about all of it; may be empty.
    explanations : tuple of str
        A line for each column, empty where its name says enough; no line at all where no column needs one.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    explanations: tuple[str, ...] = ()


def overview(analysis: Analysis) -> Table:
    """List name, fields, cells, scale and method of the smear, with what must be known about them."""
    smear = analysis.smear
    rows = (
        ("smear", smear.name, ""),
        ("fields", str(len(smear)), ""),
        ("cells found", str(len(analysis.detections)), _found(analysis)),
        ("scale", scale_text(smear.scale), " ".join(wording.on_scale(smear.scale))),
        *(("method", words, "") for words in _method(analysis)),
        ("study", analysis.report.pbs_study_id, ""),
        *((f"tag {key}", value, "") for key, value in smear.tags.items()),
    )
    return Table("Smear", ("what", "value", "remark"), rows)


def _found(analysis: Analysis) -> str:
    """Return the cells found by name, and what they are."""
    counts = ((name, analysis.detections.count(name)) for name in TERMS)
    listed = ", ".join(f"{name}: {count}" for name, count in counts if count)
    return f"{listed}; {wording.FOUND}" if listed else ""


def _method(analysis: Analysis) -> Iterable[str]:
    """Yield how the detector works, where that is known."""
    parameters = analysis.provenance.get("parameters")
    name = parameters.get("detector") if isinstance(parameters, Mapping) else None
    if isinstance(name, str) and name in wording.DETECTORS:
        yield wording.DETECTORS[name]


def cautions(analysis: Analysis) -> Table:
    """List every quality check that a field did not pass, and what that spoils: to be read before the estimates.

    Fields in which a check was not assessed have a row of their own, so that they do not hide those that failed it.
    """
    verdicts = {name: gates for name, gates in analysis.quality.items() if isinstance(gates, Mapping)}
    rows = []
    for key, check in wording.CHECKS.items():
        failed = {name: gates[key] for name, gates in verdicts.items() if _failed(gates.get(key))}
        unknown = {name: verdict for name, verdict in failed.items() if verdict.startswith(wording.NOT_ASSESSED)}
        wrong = {name: verdict for name, verdict in failed.items() if name not in unknown}
        if wrong:
            rows.append((check.heading, _failed_fields(wrong, len(verdicts)), check.spoils))
        if unknown:
            rows.append((check.heading, _failed_fields(unknown, len(verdicts)), wording.SPOILT_UNNOTICED))
    return Table("Quality warnings", ("check", "what is wrong", "what it spoils"), tuple(rows))


def _failed(verdict: Any) -> bool:
    return isinstance(verdict, str) and verdict != "ok"


def _failed_fields(failed: Mapping[str, str], fields: int) -> str:
    """Return what is wrong, with the names of the fields where there are several."""
    if fields == 1:
        return next(iter(failed.values()))
    named = [f"{name}: {verdict}" for name, verdict in failed.items()]
    more = len(named) - FIELDS_NAMED
    rest = [f"and {more} more, see the quality checks"] if more > 0 else []
    return f"{len(named)} of {fields} fields; " + "; ".join(named[:FIELDS_NAMED] + rest)


def statistics(report: Report) -> Table:
    """List every statistic with its limits."""
    rows = tuple(_statistic_row(key, statistic) for key, statistic in report.feature_statistics.items())
    note = f"Limits are of counting; those with scale have the uncertainty of the scale on top. {wording.COUNTED}"
    head = ("estimate", "value", "unit", "95 % limits", "with scale", "counted by border rule", "remarks")
    return Table("Estimates", head, rows, note)


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
    if not _of_fields(analysis):
        return Table("Quality checks", ("check", "value"), tuple(flattened(analysis.quality)))
    return _quality_of_fields(analysis, "Quality checks", lambda _key: True)


def quality_by_kind(analysis: Analysis) -> tuple[Table, ...]:
    """List the same in two narrower tables: what the checks decided, and what they measured."""
    if not _of_fields(analysis):
        return (quality(analysis),)
    return (
        _quality_of_fields(analysis, "Quality checks", lambda key: key in wording.CHECKS),
        _quality_of_fields(analysis, "Measured for the quality checks", lambda key: key not in wording.CHECKS),
    )


def _of_fields(analysis: Analysis) -> bool:
    return bool(analysis.quality) and all(isinstance(value, Mapping) for value in analysis.quality.values())


def _quality_of_fields(analysis: Analysis, caption: str, wanted: Callable[[str], bool]) -> Table:
    by_field = {
        name: {key: value_text(wording.shown_share(key, value)) for key, value in _leaves(values) if wanted(key)}
        for name, values in analysis.quality.items()
    }
    keys = tuple(dict.fromkeys(key for values in by_field.values() for key in values))
    rows = tuple((name, *(values.get(key, "") for key in keys)) for name, values in by_field.items())
    return Table(
        caption,
        ("Field", *map(wording.heading, keys)),
        rows if keys else (),
        explanations=("", *map(wording.explanation, keys)),
    )


def provenance(analysis: Analysis) -> Table:
    """List what reproduces the analysis, besides the fields and the files left out, which have tables of their own."""
    listed = {key: value for key, value in analysis.provenance.items() if key not in _IN_OTHER_TABLES}
    return Table("Provenance", ("what", "value"), tuple(row for row in flattened(listed) if row[1]))


def scale_text(scale: Scale | None) -> str:
    """Return the pixel size, its uncertainty and origin in words."""
    if scale is None:
        return "not known"
    return (
        f"{scale.um_per_px:.3g} µm/px ± {100 * scale.relative_uncertainty:.2g} % ({scale.origin}; "
        f"red cell {scale.rbc_diameter_px:.3g} px)"
    )


def flattened(values: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield every leaf of nested mappings, as text for people, with its path."""
    for path, value in _leaves(values):
        yield path, value_text(value)


def _leaves(values: Mapping[str, Any], path: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in values.items():
        here = f"{path} · {key}" if path else str(key)
        if isinstance(value, Mapping):
            yield from _leaves(value, here)
        else:
            yield here, value


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
    details, number, limits = statistic.details, statistic.number, statistic.limits_95
    digits = digits_of(number, limits)
    scale_limits = details.get("limits_95_with_scale")
    return (
        key,
        statistic.value if number is None or limits is None else significant(number, digits),
        statistic.unit,
        "" if limits is None else limits_text(limits, digits),
        limits_text(scale_limits, digits) if isinstance(scale_limits, list | tuple) else "",
        value_text(details["n"]) if "n" in details else "",
        "; ".join(_remarks(details)),
    )


def _remarks(details: Mapping[str, Any]) -> Iterable[str]:
    """Yield what must be known about an estimate, the gravest first."""
    if "reason" in details:
        yield wording.in_words(value_text(details["reason"]))
    stated = details.get("remarks")
    yield from map(value_text, stated if isinstance(stated, list | tuple) else ())
    if "assumption" in details:
        yield value_text(details["assumption"])
    spread = details.get("overdispersion")
    if isinstance(spread, Mapping) and spread.get("estimable") is False:
        yield "spread between fields not known"


def digits_of(number: float | None, limits: tuple[float, float] | None) -> int:
    """Return how many digits of an estimate mean something."""
    if number is None or limits is None:
        return 3
    return 4 if limits[1] - limits[0] < _NARROW_LIMITS * abs(number) else 3


def significant(value: float, digits: int = 3) -> str:
    """Return a number with so many significant digits, never in exponent notation: 12345.6 becomes ``12300``."""
    return "0" if value == 0 else format(Decimal(f"{value:.{digits - 1}e}"), "f")


def limits_text(limits: Iterable[Any], digits: int) -> str:
    """Return limits as ``low to high``."""
    texts = (significant(limit, digits) if _is_number(limit) else value_text(limit) for limit in limits)
    return " to ".join(texts)


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**15)
