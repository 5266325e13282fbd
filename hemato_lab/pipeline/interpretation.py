"""What a user decides about reading the cells: patient, ranges, rules, codes, and how far the report goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from hemato_lab.errors import ConfigError
from hemato_lab.reference import ClinicalContext, load_reference

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

Level = Literal["morphological_findings", "diagnostic_report", "pathology_report"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
"""The levels of the vendor's report, each holding those before it."""
CodeSystem = Literal["WHO", "CM"]
CODE_SYSTEMS: Final[tuple[CodeSystem, ...]] = get_args(CodeSystem)


@dataclass(frozen=True, slots=True)
class Interpretation:
    """How cells are turned into findings, a differential and text.

    Attributes
    ----------
    context : ClinicalContext
        What is known of the patient.
    level : str
        One of `LEVELS`: after which level of the report to stop.
    code_system : str
        ``WHO`` for ICD-10, ``CM`` for ICD-10-CM.
    reference : path, mapping or None
        What replaces single values of ``reference.toml``.
    rules : path or None
        A file that is used in place of ``rules.toml``.
    """

    context: ClinicalContext = field(default_factory=ClinicalContext)
    level: Level = "pathology_report"
    code_system: CodeSystem = "WHO"
    reference: str | os.PathLike[str] | Mapping[str, Any] | None = None
    rules: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        for what, value, known in (("level", self.level, LEVELS), ("code system", self.code_system, CODE_SYSTEMS)):
            if value not in known:
                raise ConfigError(f"unknown {what} {value!r}", hint=f"use one of {', '.join(known)}")

    def check(self) -> None:
        """Refuse files that cannot be used, before anything is read.

        Raises
        ------
        ConfigError
            If the reference or the rules are damaged.
        """
        from hemato_lab.diagnosis import load_rules

        load_reference(self.reference)
        load_rules(self.rules)
