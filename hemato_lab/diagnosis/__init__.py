"""A transparent rule base over findings: candidates with evidence, and reasons for a person to look."""

from hemato_lab.diagnosis.engine import CODE_SYSTEMS, CodeSystem, DifferentialDiagnosis, diagnose
from hemato_lab.diagnosis.facts import CellConcentration, Facts, PictureQuality
from hemato_lab.diagnosis.loading import load_rules, parse_rules, rules_sha256
from hemato_lab.diagnosis.model import RuleBase
from hemato_lab.diagnosis.review import Trigger, review_triggers

__all__ = [
    "CODE_SYSTEMS",
    "CellConcentration",
    "CodeSystem",
    "DifferentialDiagnosis",
    "Facts",
    "PictureQuality",
    "RuleBase",
    "Trigger",
    "diagnose",
    "load_rules",
    "parse_rules",
    "review_triggers",
    "rules_sha256",
]
