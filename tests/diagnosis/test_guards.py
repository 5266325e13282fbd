from __future__ import annotations

from typing import Any, get_args

import pytest

from hemato_lab.diagnosis import PictureQuality, RuleBase
from hemato_lab.diagnosis.evaluation import Evaluation
from hemato_lab.diagnosis.guards import GUARDS, check_guard
from hemato_lab.diagnosis.model import Guard
from tests.diagnosis.made_up import make_facts
from tests.diagnosis.test_rules import FIRES

NO_COUNT = dict.fromkeys(make_facts().concentrations)
OF_A_MONOLAYER = ("R3", "R3b", "R6", "R6b", "R6c", "R7", "R14", "L9")
OF_A_COUNT = ("W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8", "P1", "P2", "P3", "P4", "X1")
CROWDED = PictureQuality(1.0, monolayer=False, failed={"monolayer": 3})


def test_every_guard_rail_of_the_rules_is_known() -> None:
    assert tuple(GUARDS) == get_args(Guard)


@pytest.mark.parametrize("guard", GUARDS)
def test_unremarkable_facts_pass(guard: Guard) -> None:
    assert check_guard(guard, make_facts()).passed


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        *((name, {"quality": CROWDED}, "monolayer") for name in OF_A_MONOLAYER),
        ("R7", {"independent_scale": False}, "stated pixel size"),
        ("R8", {"independent_scale": False}, "stated pixel size"),
        *((name, {"concentrations": NO_COUNT}, "needs a blood count") for name in OF_A_COUNT),
        ("P1", {"counts": {"platelet clump": 5}}, "5 platelets lie in clumps"),
        ("X1", {"counts": {"platelet clump": 5}}, "5 platelets lie in clumps"),
        ("R2", {"counts": {"schistocyte": 60, "target cell": 150, "teardrop cell": 60}}, "10.5 %"),
        ("R2b", {"counts": {"schistocyte": 60, "target cell": 250}}, "non-specific"),
    ],
)
def test_a_rule_keeps_silent_without_its_guard_rail(
    rules: RuleBase, name: str, changes: dict[str, Any], reason: str
) -> None:
    outcome = Evaluation(make_facts(**{**FIRES[name], **changes}), rules).outcome(name)
    assert outcome.probability is None
    assert reason in outcome.reason


def test_what_could_not_be_looked_at_is_said(rules: RuleBase) -> None:
    facts = make_facts(missing=["platelet clump"], **FIRES["P1"])
    assert "platelet clumps were not assessed" in Evaluation(facts, rules).outcome("P1").guard_rails
    facts.findings.assessed.clear()  # type: ignore[attr-defined]
    assert check_guard("no other poikilocytes", facts).words == "other poikilocytes were not assessed"
