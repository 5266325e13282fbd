"""Small reports for the tests of their comparison."""

from __future__ import annotations

from typing import Any

from hemato_lab.report import Diagnosis, DiagnosticReport, FeatureStatistic, HeatMapEntry, MorphologicalFinding, Report


def report(
    *,
    statistics: dict[str, tuple[str, str]] | None = None,
    findings: dict[str, str] | None = None,
    codes: tuple[str, ...] = (),
    text: str = "",
    extension: dict[str, Any] | None = None,
    file_ids: tuple[str, ...] = ("file",),
) -> Report:
    """Return a report with these statistics (value and unit), counts of findings, codes in their order and text."""
    return Report(
        "11111111-2222-5333-8444-555555555555",
        file_ids,
        {key: FeatureStatistic(*pair) for key, pair in (statistics or {}).items()},
        {name: MorphologicalFinding(count) for name, count in (findings or {}).items()},
        DiagnosticReport(tuple(Diagnosis(1, "0.5", "A", code, f"name of {code}", code) for code in codes)),
        text,
        extension or {},
    )


def placed(name: str, places: list[tuple[float, float]], *, file_id: str | None = "file") -> Report:
    """Return a report with one finding at these places, of radius 10."""
    entries = tuple(HeatMapEntry.at(x, y, 10, file_id=file_id) for x, y in places)
    return Report("11111111-2222-5333-8444-555555555555", ("file",), {}, {name: MorphologicalFinding.of(entries)})
