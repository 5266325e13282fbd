"""Estimated concentrations in words, and what they rest on (DOMAIN.md section 2.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hemato_lab.narrative.wording import because, counted, millions, per_ul_with_limits, plural, sentence_case
from hemato_lab.vocabulary import RBC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.narrative.facts import NarrativeFacts, Specimen
    from hemato_lab.narrative.wording import Line
    from hemato_lab.report import FeatureStatistic

ASSUMED: Final = "assumed"
_GRADUAL: Final = "only an order of magnitude, from so few cells"


def estimated(facts: NarrativeFacts, name: str, key: str, usual: str) -> Iterator[Line]:
    """Tell an estimated concentration, or why there is none.

    Parameters
    ----------
    facts : NarrativeFacts
    name : str
        Of the cells.
    key : str
        Of the statistic, in 10*3/uL.
    usual : str
        Of the reference range.
    """
    statistic = facts.statistics.get(key)
    many = plural(name)
    if statistic is None:
        yield f"The concentration of {many} was not estimated.", ("cells_found",)
    elif statistic.number is None:
        reason = because(str(statistic.details.get("reason", "it could not be assessed")))
        yield f"The concentration of {many} was not estimated: {reason}.", (f"feature_statistics/{key}",)
    else:
        yield _value(statistic, name, facts.specimen), (f"feature_statistics/{key}", "provenance/reference")
        yield from _verdict(facts, statistic, key, usual, many)
        yield from _against_analyser(facts, statistic, key, usual, many)


def red_cells_in_words(specimen: Specimen) -> str:
    """Return the concentration of red cells and where it comes from."""
    origins = {"blood count": "from the blood count", "stated by the user": "stated by the user"}
    return f"{millions(specimen.rbc_per_ul)}, {origins.get(specimen.rbc_origin, specimen.rbc_origin)}"


def _value(statistic: FeatureStatistic, name: str, specimen: Specimen) -> str:
    thousands, limits = statistic.number or 0.0, statistic.limits_95
    details = statistic.details
    value = per_ul_with_limits(1000 * thousands, (1000 * limits[0], 1000 * limits[1])) if limits else "no limits"
    counts = ""
    if "n" in details and "n_reference" in details:
        counts = f", from {counted(int(details['n']), name)} to {counted(int(details['n_reference']), RBC)}"
    few = f"; {_GRADUAL}" if details.get("insufficient_count") else ""
    return (
        f"{sentence_case(plural(name))} are estimated at about {value}{counts}, by the ratio to red cells, whose "
        f"concentration is taken as {red_cells_in_words(specimen)}{few}."
    )


def _against_analyser(
    facts: NarrativeFacts, statistic: FeatureStatistic, key: str, usual: str, many: str
) -> Iterator[Line]:
    """Tell where the analyser's count lies outside the limits of the film's."""
    counted_value, limits = facts.facts.context.blood_count.given().get(usual), statistic.limits_95
    if counted_value is None or limits is None or statistic.details.get("insufficient_count"):
        return
    if not limits[0] <= counted_value <= limits[1]:
        text = (
            f"The blood count gives {1000 * counted_value:,.0f} {many}/uL, outside these limits: clumping, the choice "
            "of fields or another sample are to be thought of."
        )
        yield text, (f"feature_statistics/{key}", "provenance/context")


def _verdict(facts: NarrativeFacts, statistic: FeatureStatistic, key: str, usual: str, many: str) -> Iterator[Line]:
    where = (f"feature_statistics/{key}", "provenance/reference")
    if facts.specimen.rbc_origin == ASSUMED:
        yield (
            f"As this rests on an assumed concentration of red cells, {many} are not called low, adequate or high.",
            where,
        )
        return
    usual_range = facts.facts.reference.range_of(usual, facts.facts.context)
    if usual_range is None:
        yield f"No reference range of {many} is held for this age.", (*where, "provenance/context")
        return
    value, (low, high) = statistic.number or 0.0, usual_range
    word = "low" if value < low else "high" if value > high else "adequate"
    least, most = statistic.limits_95 or (value, value)
    crossed = any(least < border <= most or least <= border < most for border in usual_range)
    but = ", but the limits cross the border of the range, so that this is uncertain" if crossed else ""
    yield (
        f"Against the adult range of {1000 * low:,.0f} to {1000 * high:,.0f}/uL the estimate is {word}{but}.",
        where,
    )
