"""What a user may tell about the patient: it changes ranges and wording, never a cell.

Nothing here can identify a person; names, dates and numbers of patients have no place in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from numbers import Real
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

Sex = Literal["female", "male"]
AgeGroup = Literal["adult", "child", "infant", "preterm infant"]
SEXES: Final = get_args(Sex)
AGE_GROUPS: Final = get_args(AgeGroup)


@dataclass(frozen=True, slots=True)
class BloodCount:
    """Values of a complete blood count from an analyser, None where not given.

    Attributes
    ----------
    rbc : float or None
        10*6/uL.
    wbc, plt : float or None
        10*3/uL.
    hb : float or None
        g/dL.
    mcv : float or None
        fL.
    mch : float or None
        pg.
    mchc : float or None
        g/L.
    rdw : float or None
        Coefficient of variation, %.
    """

    rbc: float | None = None
    wbc: float | None = None
    plt: float | None = None
    hb: float | None = None
    mcv: float | None = None
    mch: float | None = None
    mchc: float | None = None
    rdw: float | None = None

    def __post_init__(self) -> None:
        for name, value in self._stated().items():
            if isinstance(value, bool) or not isinstance(value, Real):
                raise ConfigError(f"{value!r} is no number of {name}", subject="blood count", hint=f"use {UNITS[name]}")
            low, high = POSSIBLE[name]
            if not (math.isfinite(value) and low <= float(value) <= high):
                raise ConfigError(
                    f"a {name} of {value:g} {UNITS[name]} is impossible",
                    subject="blood count",
                    hint=f"{name} is given in {UNITS[name]}, between {low:g} and {high:g}",
                )

    @classmethod
    def from_mapping(cls, values: Mapping[str, float]) -> BloodCount:
        """Return the count of named values.

        Raises
        ------
        ConfigError
            If a name is unknown or a value impossible.
        """
        for name in values:
            if name not in UNITS:
                raise ConfigError(
                    f"{name!r} is no value of a blood count",
                    subject="blood count",
                    hint="known are " + ", ".join(f"{known} ({unit})" for known, unit in UNITS.items()),
                )
        return cls(**values)

    def given(self) -> dict[str, float]:
        """Return the values that are known, by their names."""
        return {name: float(value) for name, value in self._stated().items()}

    def _stated(self) -> dict[str, Any]:
        stated = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in stated.items() if value is not None}


UNITS: Final = {
    "rbc": "10*6/uL",
    "wbc": "10*3/uL",
    "plt": "10*3/uL",
    "hb": "g/dL",
    "mcv": "fL",
    "mch": "pg",
    "mchc": "g/L",
    "rdw": "%",
}
"""Unit (UCUM) of every value of a blood count."""
POSSIBLE: Final = {
    "rbc": (0.3, 12.0),
    "wbc": (0.0, 1500.0),
    "plt": (0.0, 6000.0),
    "hb": (1.0, 28.0),
    "mcv": (40.0, 170.0),
    "mch": (8.0, 60.0),
    "mchc": (150.0, 450.0),
    "rdw": (5.0, 60.0),
}
"""Beyond these a value was typed in another unit (own limits)."""


@dataclass(frozen=True, slots=True)
class ClinicalContext:
    """What is known of the patient besides the smear.

    Attributes
    ----------
    age_group : str or None
        One of `AGE_GROUPS`; reference ranges are those of adults.
    sex : str or None
        One of `SEXES`.
    blood_count : BloodCount
        From an analyser.
    """

    age_group: AgeGroup | None = None
    sex: Sex | None = None
    blood_count: BloodCount = field(default_factory=BloodCount)

    def __post_init__(self) -> None:
        for name, value, known in (("age group", self.age_group, AGE_GROUPS), ("sex", self.sex, SEXES)):
            if value is not None and value not in known:
                raise ConfigError(f"unknown {name} {value!r}", hint=f"use one of {', '.join(known)}, or none")

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known."""
        return self == ClinicalContext()

    @property
    def has_adult_ranges(self) -> bool:
        """Whether the reference ranges apply: they are those of adults, and an unknown age is taken for one."""
        return self.age_group in (None, "adult")

    def to_dict(self) -> dict[str, object]:
        """Return what is known, JSON-ready."""
        stated = {"age_group": self.age_group, "sex": self.sex, "blood_count": self.blood_count.given() or None}
        return {name: value for name, value in stated.items() if value is not None}
