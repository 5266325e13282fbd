"""The report and its parts; with ``report.schema.json`` the only place that knows the JSON.

The documented keys, their order, types and styles are those of the vendor's document. What is ours lives under one
extra key of ``results``, ``hemato_lab``, and in the optional ``file_id`` of a heat-map entry (api/DECISIONS.md
section 3).
"""

from hemato_lab.report.model import EXTENSION_KEY, RESEARCH_USE_NOTICE, Report, local_study_id
from hemato_lab.report.parts import (
    Diagnosis,
    DiagnosticReport,
    FeatureStatistic,
    HeatMapEntry,
    MorphologicalFinding,
)
from hemato_lab.report.schema import report_schema

__all__ = [
    "EXTENSION_KEY",
    "RESEARCH_USE_NOTICE",
    "Diagnosis",
    "DiagnosticReport",
    "FeatureStatistic",
    "HeatMapEntry",
    "MorphologicalFinding",
    "Report",
    "local_study_id",
    "report_schema",
]
