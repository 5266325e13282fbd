"""What is known of the patient, what was looked at, and how good it was (DOMAIN.md sections 4 and 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hemato_lab.narrative.wording import counted, listed
from hemato_lab.reference.context import UNITS
from hemato_lab.vocabulary import DETECTOR_CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.narrative.facts import NarrativeFacts, Specimen
    from hemato_lab.narrative.wording import Line

NO_HISTORY: Final = "No demographics or past medical history is available about the patient."
"""The opening of the vendor's pathology report when nothing was given."""
_VALUES: Final = {
    "rbc": "red cells",
    "wbc": "white cells",
    "plt": "platelets",
    "hb": "haemoglobin",
    "mcv": "MCV",
    "mch": "MCH",
    "mchc": "MCHC",
    "rdw": "RDW-CV",
}
_ORIGINS: Final = {
    "stated um/px": "from the stated pixel size, independent of the cells",
    "stated red-cell diameter": "from the stated diameter of a red cell in pixels",
    "estimated from red cells": "estimated from the red cells themselves, which are taken for normal in size",
}


def context(facts: NarrativeFacts) -> Iterator[Line]:
    """Tell what was given about the patient."""
    known = facts.facts.context
    trace = ("provenance/context",)
    if known.is_empty:
        yield NO_HISTORY, trace
        return
    stated = [f"age group {known.age_group}"] if known.age_group else []
    stated += [f"sex {known.sex}"] if known.sex else []
    given = known.blood_count.given()
    yield f"The request states {listed(stated) if stated else 'neither age group nor sex'}.", trace
    if given:
        values = listed(_judged(facts, name, value) for name, value in given.items())
        yield f"The blood count gives {values}.", (*trace, "provenance/reference")
    if not known.has_adult_ranges:
        text = (
            "The reference ranges are those of adults and do not apply to this age group, so that no value is "
            "called low or high."
        )
        yield text, (*trace, "provenance/reference")
    elif given and known.age_group is None:
        yield "No age was stated; the ranges are those of adults.", (*trace, "provenance/reference")


def _judged(facts: NarrativeFacts, name: str, value: float) -> str:
    unit = UNITS[name].replace("10*", "x 10^")
    stated = f"{_VALUES[name]} {value:g} {unit}"
    if not facts.facts.context.has_adult_ranges:
        return stated
    if name not in facts.facts.reference.ranges:
        return f"{stated} (no range held)"
    usual = facts.facts.reference.range_of(name, facts.facts.context)
    if usual is None:
        return stated
    low, high = usual
    if low <= value <= high:
        return f"{stated} (within {low:g} to {high:g})"
    return f"{stated} ({'low' if value < low else 'high'}, usual {low:g} to {high:g})"


def adequacy(facts: NarrativeFacts) -> Iterator[Line]:
    """Tell what was looked at: pictures, area, cells, scale, quality."""
    specimen = facts.specimen
    yield from _pictures(facts)
    found = ", ".join(counted(specimen.cells.get(name, 0), name) for name in DETECTOR_CLASSES)
    text = (
        f"Candidates found: {found}, those cut by the border of a field included; estimates count fewer, by a border "
        "rule."
    )
    yield text, ("cells_found",)
    yield _scale(specimen)
    yield from _quality(facts)


def _pictures(facts: NarrativeFacts) -> Iterator[Line]:
    specimen = facts.specimen
    text = f"{specimen.images:,} {'image was' if specimen.images == 1 else 'images were'} assessed automatically"
    statistic = facts.statistics.get("rbc-density")
    area = statistic.details.get("area_mm2") if statistic is not None else None
    if area is None:
        yield f"{text}.", ("quality",)
    else:
        traces = ("quality", "feature_statistics/rbc-density")
        yield f"{text}, with {area:.3g} mm2 on which red cells could be counted.", traces
    if specimen.unfit:
        was = "image among them was" if specimen.unfit == 1 else "images among them were"
        yield f"{specimen.unfit:,} {was} unfit, and nothing was counted there.", ("quality",)


def _scale(specimen: Specimen) -> Line:
    scale = specimen.scale
    if scale is None:
        return "No scale could be read, so that no size or density is stated.", ("provenance/scale",)
    origin = _ORIGINS[scale.origin]
    return f"The scale is {scale.um_per_px:.3g} um/px, {origin}.", ("provenance/scale",)


def _quality(facts: NarrativeFacts) -> Iterator[Line]:
    quality, images = facts.facts.quality, facts.specimen.images
    failed = {check: number for check, number in quality.failed.items() if number}
    if failed:
        checks = listed(f"{check} in {number:,} of {_fields(images)}" for check, number in failed.items())
        yield f"Quality checks failed: {checks}; conclusions are less certain for it.", ("quality",)
    else:
        made = " that could be made" if quality.unknown else ""
        yield f"No field failed a quality check{made}.", ("quality",)
    if quality.unknown:
        checks = listed(f"{check} in {number:,} of {_fields(images)}" for check, number in quality.unknown.items())
        yield f"Quality checks that could not be made: {checks}.", ("quality",)
    if not quality.monolayer:
        text = (
            "Most cells do not lie in fields that passed the monolayer check, so that shapes and arrangements of red "
            "cells are unreliable."
        )
        yield text, ("quality",)


def _fields(number: int) -> str:
    return "1 field" if number == 1 else f"{number:,} fields"
