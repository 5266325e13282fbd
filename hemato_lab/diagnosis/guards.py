"""Guard rails: what must be so before a rule may speak (DOMAIN.md section 5)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from hemato_lab.diagnosis.conditions import NO_COUNT, NO_INDEPENDENT_SCALE
from hemato_lab.vocabulary import WBC

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hemato_lab.diagnosis.facts import Facts
    from hemato_lab.diagnosis.model import Guard

OTHER_POIKILOCYTES: Final = (
    "sickle cell",
    "target cell",
    "teardrop cell",
    "elliptocyte",
    "ovalocyte",
    "echinocyte",
    "acanthocyte",
    "stomatocyte",
)
MOST_OTHER_POIKILOCYTES_PERCENT: Final = 10.0
"""Own: beyond it fragments are non-specific (DOMAIN.md section 5, C:S7)."""


class GuardResult(NamedTuple):
    """Whether a guard rail lets a rule pass, and what it saw in words."""

    passed: bool
    words: str


def check_guard(name: Guard, facts: Facts) -> GuardResult:
    """Return whether the guard rail of that name lets a rule pass."""
    return GUARDS[name](facts)


def _monolayer(facts: Facts) -> GuardResult:
    passed = facts.quality.monolayer
    return GuardResult(
        passed, "most cells lie in a monolayer" if passed else "most cells do not lie in fields with a monolayer"
    )


def _independent_scale(facts: Facts) -> GuardResult:
    passed = facts.independent_scale
    return GuardResult(passed, "the pixel size was stated" if passed else NO_INDEPENDENT_SCALE)


def _no_other_poikilocytes(facts: Facts) -> GuardResult:
    seen = [facts.findings.assessed[name] for name in OTHER_POIKILOCYTES if name in facts.findings.assessed]
    if not seen:
        return GuardResult(passed=False, words="other poikilocytes were not assessed")
    percent = sum(finding.percent for finding in seen)
    if percent > MOST_OTHER_POIKILOCYTES_PERCENT:
        return GuardResult(passed=False, words=f"other poikilocytes are {percent:.1f} %: fragments are non-specific")
    return GuardResult(passed=True, words=f"other poikilocytes are {percent:.1f} % of red cells")


def _blood_count(facts: Facts) -> GuardResult:
    passed = bool(facts.concentrations)
    return GuardResult(passed, "concentrations are known" if passed else NO_COUNT)


def _white_cell_count(facts: Facts) -> GuardResult:
    passed = WBC in facts.concentrations
    return GuardResult(passed, "the concentration of white cells is known" if passed else NO_COUNT)


def _enough_red_cells(facts: Facts) -> GuardResult:
    """Refuse to read a smear from an analyser's indices alone: its cells must have been looked at too."""
    judged, least = facts.findings.red_cells, math.ceil(facts.reference.minimum_counts.red_cells.value)
    words = f"{judged} red cells were judged"
    return GuardResult(judged >= least, words if judged >= least else f"too few red cells: {judged} of {least}")


def _no_platelet_clumps(facts: Facts) -> GuardResult:
    clumps = facts.findings.assessed.get("platelet clump")
    if clumps is None:
        return GuardResult(passed=True, words="platelet clumps were not assessed")
    if clumps.count:
        return GuardResult(passed=False, words=f"{clumps.count} platelets lie in clumps: the platelet count is invalid")
    return GuardResult(passed=True, words="no platelet clump was seen")


GUARDS: Final[Mapping[Guard, Callable[[Facts], GuardResult]]] = {
    "monolayer": _monolayer,
    "independent scale": _independent_scale,
    "enough red cells": _enough_red_cells,
    "no other poikilocytes": _no_other_poikilocytes,
    "blood count": _blood_count,
    "white-cell count": _white_cell_count,
    "no platelet clumps": _no_platelet_clumps,
}
