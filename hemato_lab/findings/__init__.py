"""From cells to morphological findings with counts, limits, grades and evidence."""

from hemato_lab.findings.assessing import Sample, assess
from hemato_lab.findings.measuring import MEASUREMENTS
from hemato_lab.findings.model import GRADES, Circle, Finding, Findings, Grade, Measurement
from hemato_lab.findings.naming import with_measured_names

__all__ = [
    "GRADES",
    "MEASUREMENTS",
    "Circle",
    "Finding",
    "Findings",
    "Grade",
    "Measurement",
    "Sample",
    "assess",
    "with_measured_names",
]
