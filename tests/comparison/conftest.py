from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hemato_lab.comparison import Comparison, compare, pictures
from hemato_lab.report import Diagnosis, DiagnosticReport, FeatureStatistic, MorphologicalFinding, Report
from tests.analysed import analysis, cells, hostile_analysis

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis

__all__ = ["analysis", "hostile_analysis"]


def with_file_ids(analysis: Analysis) -> Analysis:
    """Return the analysis with an id of its own for each field."""
    fields = tuple(replace(one, file_id=f"file-{number}") for number, one in enumerate(analysis.smear.fields))
    report = replace(analysis.report, file_ids=tuple(one.file_id for one in fields))
    return replace(analysis, smear=replace(analysis.smear, fields=fields), report=report)


def other_report(report: Report) -> Report:
    """Return a report that says something else at every level, one statistic of it in a unit without meaning."""
    return replace(
        report,
        feature_statistics={
            "rbc-density": FeatureStatistic("0.0061", "/um2"),
            "blast-density": FeatureStatistic("not assessed", "%"),
            "platelet-density": FeatureStatistic("x", "y"),
        },
        morphological_findings={"RBC": MorphologicalFinding("4"), "blast": MorphologicalFinding("2")},
        diagnostic_report=DiagnosticReport((Diagnosis(3, "0.40", "B", "D69", "Low platelets", "Low platelets"),)),
        pathology_report="No demographics or other history were provided.",
        extension={},
    )


@pytest.fixture
def same(analysis: Analysis) -> Comparison:
    """An analysis beside itself."""
    one = with_file_ids(analysis)
    return compare(one, one, labels=("one", "other"))


@pytest.fixture
def different(analysis: Analysis) -> Comparison:
    """Three cells agree, a WBC is an RBC for the other, and each side has one cell for itself."""
    one = with_file_ids(analysis)
    found = cells(
        [
            (0, "RBC", 102, 100, 42),
            (1, "RBC", 200, 200, 40),
            (1, "RBC", 400, 250, 78),
            (1, "RBC", 600, 400, 40),
            (1, "RBC", 60, 440, 40),
        ]
    )
    return compare(one, replace(one, detections=found, report=other_report(one.report)), labels=("one", "other"))


@pytest.fixture
def hostile(hostile_analysis: Analysis) -> Comparison:
    """Markup in every text that may come from outside, on either side."""
    other = replace(hostile_analysis.report, pathology_report=hostile_analysis.report.pathology_report + " Twice <b>.")
    label = hostile_analysis.smear.name
    return compare(hostile_analysis, replace(hostile_analysis, report=other), labels=(label, label), rbc_diameter_px=9)


@pytest.fixture
def quick_pictures(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """What stands for every picture, where a test is not about them: drawing takes half a second each."""
    standing_in = b"\x89PNG"
    monkeypatch.setattr(pictures, "_png", lambda _: standing_in)
    return standing_in
