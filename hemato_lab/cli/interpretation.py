"""What the command line says about the patient, ranges, rules and codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from hemato_lab.cli.places import named_path
from hemato_lab.errors import ConfigError
from hemato_lab.pipeline.interpretation import Interpretation
from hemato_lab.reference.context import BloodCount, ClinicalContext

if TYPE_CHECKING:
    from hemato_lab.pipeline.interpretation import CodeSystem, Level
    from hemato_lab.reference.context import AgeGroup, Sex


def interpretation_of(
    *,
    blood_count: str | None,
    age_group: str | None,
    sex: str | None,
    level: str,
    icd: str,
    reference: str | None,
    rules: str | None,
) -> Interpretation:
    """Return the interpretation that options ask for.

    Raises
    ------
    ConfigError
        If an option is impossible.
    """
    context = ClinicalContext(
        cast("AgeGroup | None", age_group), cast("Sex | None", sex), blood_count_of(blood_count or "")
    )
    return Interpretation(
        context,
        cast("Level", level),
        cast("CodeSystem", icd),
        None if reference is None else named_path(reference, "--reference"),
        None if rules is None else named_path(rules, "--rules"),
    )


def blood_count_of(text: str) -> BloodCount:
    """Return the blood count that a text like ``wbc=12.3,plt=90`` states.

    Raises
    ------
    ConfigError
        If the text has another form, a name twice, an unknown name or an impossible value.
    """
    values: dict[str, float] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, separator, number = (piece.strip() for piece in part.partition("="))
        try:
            value = float(number)
        except ValueError:
            value = None
        if not separator or value is None or name in values:
            raise ConfigError(
                f"{part!r} is no value", subject="--blood-count", hint="write each name once, as wbc=12.3,plt=90"
            )
        values[name] = value
    return BloodCount.from_mapping(values)
