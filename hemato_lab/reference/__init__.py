"""Reference ranges, factors, grades and thresholds as data, and what is known of the patient."""

from hemato_lab.reference.context import BloodCount, ClinicalContext
from hemato_lab.reference.loading import ReferenceData, load_reference
from hemato_lab.reference.model import Reference

__all__ = ["BloodCount", "ClinicalContext", "Reference", "ReferenceData", "load_reference"]
