from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from hemato_lab.diagnosis import CellConcentration, RuleBase, diagnose, review_triggers
from hemato_lab.statistics.limits import clopper_pearson_limits
from tests.diagnosis.made_up import finding, make_facts


def ids(**changes: Any) -> list[str]:
    return [trigger.id for trigger in review_triggers(make_facts(**changes))]


def test_an_unremarkable_smear_needs_no_review(rules: RuleBase) -> None:
    facts = make_facts(blood_count={"wbc": 7, "plt": 250, "hb": 14, "mcv": 90, "rdw": 13})
    assert review_triggers(facts, diagnose(facts, rules)) == ()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"blood_count": {"wbc": 3.9}}, "white-cells-low"),
        ({"blood_count": {"wbc": 31}}, "white-cells-high"),
        ({"blood_count": {"plt": 99}}, "platelets-low"),
        ({"blood_count": {"plt": 1001}}, "platelets-high"),
        ({"blood_count": {"hb": 6.9}}, "haemoglobin-low"),
        ({"blood_count": {"mcv": 74}}, "mcv-low"),
        ({"blood_count": {"mcv": 106}}, "mcv-high"),
        ({"blood_count": {"rdw": 23}}, "rdw-high"),
        ({"concentrations": {"WBC": 3.0}}, "white-cells-low"),
        ({"concentrations": {"platelet": 1200.0}}, "platelets-high"),
        ({"concentrations": {"neutrophil": 0.9}}, "neutrophils-low"),
        ({"concentrations": {"neutrophil": 21.0}}, "neutrophils-high"),
        ({"concentrations": {"lymphocyte": 5.1}}, "lymphocytes-high"),
        ({"concentrations": {"monocyte": 1.6}}, "monocytes-high"),
        ({"concentrations": {"eosinophil": 2.1}}, "eosinophils-high"),
        ({"concentrations": {"basophil": 0.6}}, "basophils-high"),
        ({"age_group": "infant"}, "first-sample-of-infant"),
        ({"age_group": "preterm infant"}, "first-sample-of-infant"),
        ({"counts": {"blast": 1}}, "blast-seen"),
        ({"counts": {"promyelocyte": 1}}, "promyelocyte-seen"),
        ({"counts": {"myelocyte": 1}}, "myelocyte-seen"),
        ({"counts": {"immature granulocyte": 1}}, "immature-granulocyte-seen"),
        ({"counts": {"nucleated RBC": 1}}, "nucleated-rbc-seen"),
        ({"counts": {"plasma cell": 1}}, "plasma-cell-seen"),
        ({"counts": {"platelet clump": 5}}, "platelet-clump-seen"),
        ({"counts": {"metamyelocyte": 5}}, "metamyelocyte-high"),
        ({"counts": {"reactive lymphocyte": 11}}, "reactive-lymphocyte-high"),
        ({"counts": {"sickle cell": finding("sickle cell", 30, grade="2+")}}, "sickle-cell-graded"),
        ({"counts": {"Howell-Jolly body": finding("Howell-Jolly body", 90, grade="3+")}}, "howell-jolly-body-graded"),
        ({"counts": {"rouleaux": finding("rouleaux", 300, grade="2+")}}, "rouleaux-graded"),
        ({"counts": {"giant platelet": finding("giant platelet", 30, grade="2+")}}, "giant-platelet-graded"),
        ({"counts": {"Dohle body": finding("Dohle body", 4, grade="2+")}}, "dohle-body-graded"),
        ({"counts": {"toxic granulation": finding("toxic granulation", 9, grade="2+")}}, "toxic-granulation-graded"),
        ({"counts": {"vacuolation": finding("vacuolation", 9, grade="3+")}}, "vacuolation-graded"),
        ({"counts": {"parasitised RBC": 3}}, "parasites-likely"),
        ({"counts": {"parasitised RBC": 1}}, "parasites-to-check"),
        ({"counts": {"parasitised RBC": 1}, "parasite_scores": (0.97,)}, "parasites-likely"),
    ],
)
def test_each_rule_triggers_alone(changes: dict[str, Any], expected: str) -> None:
    (trigger,) = review_triggers(make_facts(**changes))
    assert trigger.id == expected
    assert trigger.reason.endswith(".")
    assert json.loads(json.dumps(trigger.to_dict(), allow_nan=False))["evidence"]


@pytest.mark.parametrize(
    "changes",
    [
        {"blood_count": {"wbc": 4.0, "plt": 100.0, "hb": 7.0, "mcv": 75.0, "rdw": 22.0}},
        {"blood_count": {"wbc": 30.0, "plt": 1000.0, "mcv": 105.0}},
        {"counts": {"metamyelocyte": 4, "reactive lymphocyte": 10}},
        {"counts": {"schistocyte": finding("schistocyte", 5, grade="1+")}},
        {"counts": {"hypogranular neutrophil": finding("hypogranular neutrophil", 9, grade="2+")}},
        {"age_group": "child", "concentrations": {"lymphocyte": 6.0}},
        {"concentrations": {"WBC": None, "platelet": None}},
    ],
)
def test_what_lies_on_the_line_or_is_unknown_triggers_nothing(changes: dict[str, Any]) -> None:
    assert ids(**changes) == []


def test_the_analyser_comes_before_the_estimate() -> None:
    assert ids(blood_count={"plt": 250}, concentrations={"platelet": 80.0}) == []


def test_reasons_are_sentences_with_their_counts() -> None:
    estimate = CellConcentration(80.0, "10*3/uL", "estimate", 16, 1000, 5000.0)
    facts = make_facts(
        counts={
            "blast": 3,
            "parasitised RBC": 3,
            "platelet clump": 6,
            "spherocyte": finding("spherocyte", 120, grade="2+"),
        },
        concentrations={"platelet": estimate},
        blood_count={"hb": 6.5},
    )
    reasons = {trigger.id: trigger.reason for trigger in review_triggers(facts)}
    assert reasons == {
        "haemoglobin-low": "The blood count gives haemoglobin as 6.5 g/dL, below 7.",
        "platelets-low": "Platelets are 80 10*3/uL (estimate), below 100.",
        "blast-seen": "3 cells were called blast among 200 white cells.",
        "platelet-clump-seen": "6 platelets lie in clumps among 200 platelets.",
        "spherocyte-graded": "120 of 2000 red cells (6.0 %) were called spherocyte, graded 2+.",
        "parasites-likely": "3 of 2000 red cells were called parasitised, where mistakes explain about 1.8.",
    }


def test_a_threatening_candidate_is_a_reason(rules: RuleBase) -> None:
    facts = make_facts(counts={"ring trophozoite": 40, "parasitised RBC": 40})
    triggers = review_triggers(facts, diagnose(facts, rules))
    assert [trigger.id for trigger in triggers] == ["parasites-likely", "urgent-b50", "urgent-b60-0"]
    assert triggers[1].reason == (
        "Malaria Infection with Plasmodium Falciparum (B50) is a candidate that calls for review on the same day."
    )


def test_many_among_few_cells_are_a_reason_although_they_have_no_grade() -> None:
    """8 of 117: the exact lower limit is 3.0 %, where 2+ begins at 1 %; of 1 of 117 it is 0.02 %."""
    few = {
        name: replace(
            finding("sickle cell", count, grade=None),
            reference=117,
            insufficient_count=True,
            limits_percent=clopper_pearson_limits(count, 117).scaled(100),
        )
        for name, count in (("many", 8), ("one", 1))
    }
    (trigger,) = review_triggers(make_facts(counts={"sickle cell": few["many"]}))
    assert trigger.id == "sickle-cell-likely"
    assert "even the lower limit of 3.0 % would be 2+" in trigger.reason
    assert not review_triggers(make_facts(counts={"sickle cell": few["one"]}))
