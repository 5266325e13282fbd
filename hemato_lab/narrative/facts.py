"""What the text is written from: the same facts that the numbers of the report come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hemato_lab.diagnosis import DifferentialDiagnosis, Trigger
    from hemato_lab.diagnosis.facts import Facts
    from hemato_lab.report import FeatureStatistic
    from hemato_lab.smear import Scale
    from hemato_lab.statistics.differential import Differential
    from hemato_lab.statistics.parasitaemia import Parasitaemia


@dataclass(frozen=True, slots=True)
class Specimen:
    """What was looked at and how.

    Attributes
    ----------
    images : int
        Fields that were analysed.
    unfit : int
        Fields among them in which nothing could be counted.
    scale : Scale or None
    cells : mapping of str to int
        Cells found by detector class: RBC, WBC, platelet.
    named : bool
        Whether classifiers named the cells.
    rbc_per_ul : float
        Red cells per microlitre, measured or assumed.
    rbc_origin : str
        ``blood count``, ``stated by the user`` or ``assumed``.
    version : str
        Of the package.
    models : tuple of str
        Names of the models that were used.
    decided : mapping of str to int
        Cells that readers accepted, rejected and renamed, by these words; empty where none was decided on.
    readers : int
        Who have decided; those without a label count as one.
    damaged_lines : int
        Lines of the log of decisions that could not be read.
    blind_left_out : int
        Decisions of blind readings, which are not carried out.
    """

    images: int
    unfit: int
    scale: Scale | None
    cells: Mapping[str, int]
    named: bool
    rbc_per_ul: float
    rbc_origin: str
    version: str
    models: tuple[str, ...]
    decided: Mapping[str, int] = field(default_factory=dict)
    readers: int = 0
    damaged_lines: int = 0
    blind_left_out: int = 0


@dataclass(frozen=True, slots=True)
class NarrativeFacts:
    """Everything that a sentence may speak of.

    Attributes
    ----------
    specimen : Specimen
    facts : Facts
        Findings, context, quality, reference.
    statistics : mapping of str to FeatureStatistic
        With their details (n, limits_95, reason, ...).
    differential : Differential or None
        None where white cells were not told apart.
    parasitaemia : Parasitaemia or None
        None where parasites were not looked for.
    diagnosis : DifferentialDiagnosis or None
        None where the analysis stopped before.
    triggers : tuple of Trigger
        Why a person must look at the smear.
    rules_version : str
    """

    specimen: Specimen
    facts: Facts
    statistics: Mapping[str, FeatureStatistic]
    differential: Differential | None
    parasitaemia: Parasitaemia | None
    diagnosis: DifferentialDiagnosis | None
    triggers: tuple[Trigger, ...]
    rules_version: str
