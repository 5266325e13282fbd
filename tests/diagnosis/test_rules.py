"""Every rule that ships fires on facts made for it, and on nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hemato_lab.diagnosis import RuleBase, diagnose
from hemato_lab.diagnosis.evaluation import Evaluation
from tests.diagnosis.made_up import make_facts

SICKLE = {"sickle cell": 60}
FRAGMENTS = {"schistocyte": 60}
SPHEROCYTES = {"spherocyte": 200}
POLYCHROMASIA = {"polychromatic cell": 200}
PALE_AND_SMALL = {"microcyte": 500, "hypochromic cell": 600}
RINGS = {"ring trophozoite": 40, "parasitised RBC": 40}
FEW_PLATELETS = {"concentrations": {"platelet": 50.0}}

FIRES: dict[str, dict[str, Any]] = {
    "M1": {"counts": RINGS},
    "M2": {"counts": {"parasitised RBC": 40}, "measured": {"parasitised RBC enlargement": 1.4}},
    "M6": {"counts": {"parasitised RBC": 40}},
    "M7b": {"counts": RINGS},
    "L1": {"counts": {"blast": 100}},
    "L2": {"counts": {"blast": 100, "Auer rod": 10}},
    "L4": {"counts": {"blast": 100}},
    "L5": {"counts": {"blast": 12}},
    "L6": {"counts": {"immature granulocyte": 40, "basophil": 16}, "concentrations": {"WBC": 80.0}},
    "L7": {"counts": {"lymphocyte": 160, "smudge cell": 60}, "concentrations": {"lymphocyte": 40.0}},
    "L8": {"counts": {"lymphocyte": 140, "reactive lymphocyte": 60}},
    "L9": {"counts": {"rouleaux": 400}},
    "L10": {"counts": {"plasma cell": 30}},
    "W1": {"concentrations": {"WBC": 14.0}},
    "W2": {"concentrations": {"neutrophil": 9.0}},
    "W3": {"counts": {"immature granulocyte": 16}},
    "W4": {"concentrations": {"eosinophil": 0.9}},
    "W5": {"concentrations": {"lymphocyte": 6.0}},
    "W6": {"concentrations": {"monocyte": 1.3}},
    "W7": {"concentrations": {"neutrophil": 1.1}},
    "W8": {"counts": {"nucleated RBC": 12, "immature granulocyte": 12}},
    "P1": FEW_PLATELETS,
    "P2": {**FEW_PLATELETS, "counts": {"giant platelet": 60}},
    "P3": {"concentrations": {"platelet": 500.0}},
    "P4": {"concentrations": {"platelet": 900.0}},
    "P5": {"counts": {"platelet clump": 12}},
    "R1": {"counts": SICKLE},
    "R1b": {"counts": {**SICKLE, "target cell": 600}},
    "R2": {"counts": FRAGMENTS},
    "R2b": {"counts": FRAGMENTS},
    "R3": {"counts": SPHEROCYTES},
    "R3b": {"counts": {**SPHEROCYTES, **POLYCHROMASIA}},
    "R4": {"counts": {"elliptocyte": 900}},
    "R5": {"counts": {"target cell": 300}},
    "R6": {"counts": PALE_AND_SMALL},
    "R6b": {"counts": {**PALE_AND_SMALL, "target cell": 300}},
    "R6c": {"counts": {**PALE_AND_SMALL, "Pappenheimer body": 80}, "measured": {"anisocytosis": 12.0}},
    "R7": {"counts": {"oval macrocyte": 200, "hypersegmented neutrophil": 20}},
    "R8": {"counts": {"macrocyte": 500}},
    "R9": {"counts": {"teardrop cell": 300}},
    "R10": {"counts": {"bite cell": 50}},
    "R11": {"counts": {"Howell-Jolly body": 80}},
    "R12": {"counts": {"basophilic stippling": 200}},
    "R13": {"counts": {"acanthocyte": 200}},
    "R14": {"counts": {"echinocyte": 400}},
    "R15": {"counts": {"polychromatic cell": 200}},
    "X1": {"concentrations": {"RBC": 2.5, "WBC": 1.5, "platelet": 40.0}},
}
NEED_A_SIGN = {
    "M1b": "the crescent shape of gametocytes",
    "M3": "band forms or a rosette of merozoites",
    "M4": "oval, fimbriated and dotted parasitised red cells",
    "M5": "band forms or a rosette of merozoites",
    "M7": "tetrads or rings outside red cells",
    "L3": "bundles of Auer rods",
    "W6b": "whether the monocytosis lasts",
}


def test_every_rule_is_tested(rules: RuleBase) -> None:
    assert FIRES.keys() | NEED_A_SIGN.keys() == rules.rules.keys()
    assert not FIRES.keys() & NEED_A_SIGN.keys()


@pytest.mark.parametrize("name", FIRES)
def test_a_rule_fires_on_what_it_is_about(rules: RuleBase, name: str) -> None:
    facts = make_facts(**FIRES[name])
    assert Evaluation(facts, rules).outcome(name).known > 0.8
    differential = diagnose(facts, rules)
    for diagnosis in rules.rules[name].diagnoses:
        assert diagnosis.who in {entry.icd10_code for entry in differential.entries}


@pytest.mark.parametrize("name", FIRES)
def test_a_rule_is_silent_on_an_unremarkable_smear(rules: RuleBase, name: str) -> None:
    outcome = Evaluation(make_facts(), rules).outcome(name)
    assert outcome.reason == ""
    assert outcome.known < 0.1


@pytest.mark.parametrize(("name", "sign"), NEED_A_SIGN.items())
def test_a_rule_on_what_nothing_looks_for_says_so(rules: RuleBase, name: str, sign: str) -> None:
    reasons = {one["rule"]: one["reason"] for one in diagnose(make_facts(), rules).not_evaluated}
    assert reasons[name].startswith("not evaluated: ")
    assert reasons[name].endswith(f"{sign} was not assessed")


def test_an_unremarkable_smear_points_to_nothing(rules: RuleBase) -> None:
    differential = diagnose(make_facts(), rules)
    assert differential.entries == differential.evidence == differential.considered == differential.statements == ()
    assert {one["rule"] for one in differential.not_evaluated} == NEED_A_SIGN.keys()


def test_nothing_looked_for_is_nothing_evaluated(rules: RuleBase) -> None:
    facts = make_facts(concentrations=dict.fromkeys(make_facts().concentrations))
    facts.findings.assessed.clear()  # type: ignore[attr-defined]
    facts.findings.measurements.clear()  # type: ignore[attr-defined]
    differential = diagnose(facts, rules)
    assert differential.entries == ()
    assert len(differential.not_evaluated) == len(rules.rule)


def test_malaria_of_rings_alone_is_led_by_falciparum(rules: RuleBase) -> None:
    entries = diagnose(make_facts(**FIRES["M1"]), rules).entries
    assert [(entry.icd10_code, entry.score) for entry in entries] == [("B50", 7), ("B60.0", 2)]
    older = {**RINGS, "trophozoite": 30, "parasitised RBC": 70}
    entries = diagnose(make_facts(counts=older), rules).entries
    assert [(entry.icd10_code, entry.score) for entry in entries] == [("B50", 5)]


def test_enlarged_red_cells_speak_against_falciparum(rules: RuleBase) -> None:
    facts = make_facts(counts=RINGS, measured={"parasitised RBC enlargement": 1.4})
    codes = [entry.icd10_code for entry in diagnose(facts, rules).entries]
    assert "B50" not in codes
    assert "B51" in codes


@pytest.mark.parametrize(
    ("name", "changes", "significance"),
    [
        ("P1", {"concentrations": {"platelet": 140.0}}, "B"),
        ("P1", {"concentrations": {"platelet": 99.0}}, "C"),
        ("P1", {"concentrations": {"platelet": 19.0}}, "D"),
        ("L5", {"counts": {"blast": 10}}, "C"),
        ("L5", {"counts": {"blast": 24}}, "D"),
        ("W7", {"concentrations": {"neutrophil": 1.0}}, "C"),
        ("W7", {"concentrations": {"neutrophil": 0.4}}, "D"),
        ("W4", {"concentrations": {"eosinophil": 1.5}}, "B"),
        ("W4", {"concentrations": {"eosinophil": 1.6}}, "C"),
        ("W3", {"counts": {"immature granulocyte": 16, "toxic granulation": 4}}, "B"),
        ("W3", {"counts": {"immature granulocyte": 16, "toxic granulation": 30}}, "C"),
    ],
)
def test_significance_follows_the_value(rules: RuleBase, name: str, changes: dict[str, Any], significance: str) -> None:
    outcome = Evaluation(make_facts(**changes), rules).outcome(name)
    assert outcome.significance(rules.rules[name].diagnoses[0]) == significance


def test_support_raises_the_score_to_that_of_the_table(rules: RuleBase) -> None:
    diagnosis = rules.rules["R2"].diagnoses[0]
    alone = Evaluation(make_facts(counts=FRAGMENTS), rules).outcome("R2")
    with_one = Evaluation(make_facts(counts=FRAGMENTS, **FEW_PLATELETS), rules).outcome("R2")
    full = Evaluation(make_facts(counts={**FRAGMENTS, **POLYCHROMASIA}, **FEW_PLATELETS), rules).outcome("R2")
    assert [outcome.score(diagnosis) for outcome in (alone, with_one, full)] == [5, 6, 7]


def test_plasma_cells_raise_the_score_of_rouleaux(rules: RuleBase) -> None:
    diagnosis = rules.rules["L9"].diagnoses[0]
    alone = Evaluation(make_facts(counts={"rouleaux": 400}), rules).outcome("L9")
    both = Evaluation(make_facts(counts={"rouleaux": 400, "plasma cell": 20}), rules).outcome("L9")
    assert (alone.score(diagnosis), both.score(diagnosis)) == (3, 5)


def test_support_that_was_not_assessed_raises_nothing(rules: RuleBase) -> None:
    facts = make_facts(counts={"rouleaux": 400}, missing=["plasma cell"])
    outcome = Evaluation(facts, rules).outcome("L9")
    assert outcome.score(rules.rules["L9"].diagnoses[0]) == 3
    assert "not_assessed" in outcome.evidence()["supported_by"][0]


def test_spherocytes_are_led_by_the_hereditary_form(rules: RuleBase) -> None:
    entries = diagnose(make_facts(**FIRES["R3b"]), rules).entries
    codes = [entry.icd10_code for entry in entries]
    assert codes.index("D58.0") < codes.index("D59.1")


@pytest.mark.parametrize("spread", [6.0, 9.0, 12.0])
@pytest.mark.parametrize("pencils", [140, 300])
@pytest.mark.parametrize("others", [{}, {"target cell": 300}, {"Pappenheimer body": 100}])
def test_pencil_cells_keep_iron_deficiency_first(
    rules: RuleBase, spread: float, pencils: int, others: dict[str, int]
) -> None:
    counts = {**PALE_AND_SMALL, "elliptocyte": pencils, **others}
    entries = diagnose(make_facts(counts=counts, measured={"anisocytosis": spread}), rules).entries
    codes = [entry.icd10_code for entry in entries if entry.icd10_code in ("D50.9", "D56.9", "D64.3")]
    assert codes[0] == "D50.9"


def test_the_analyser_comes_before_the_eye(rules: RuleBase) -> None:
    by_analyser = make_facts(blood_count={"mcv": 70, "mch": 22, "rdw": 18}, independent_scale=False)
    assert Evaluation(by_analyser, rules).outcome("R6").known == 1.0
    contradicted = make_facts(blood_count={"mcv": 90, "mch": 30}, counts=PALE_AND_SMALL)
    assert Evaluation(contradicted, rules).outcome("R6").known == 0.0
    neither = make_facts(independent_scale=False, counts=PALE_AND_SMALL)
    assert "stated pixel size" in Evaluation(neither, rules).outcome("R6").reason


def test_a_cause_found_leaves_polychromasia_unexplained_no_more(rules: RuleBase) -> None:
    facts = make_facts(counts={**POLYCHROMASIA, **FRAGMENTS})
    assert Evaluation(facts, rules).outcome("R15").known < 0.1


def test_a_diagnosis_without_a_code_in_the_system_is_said_to_be_missing(rules: RuleBase) -> None:
    facts = make_facts(**FIRES["L5"])
    told = {"WHO": diagnose(facts, rules, "WHO"), "CM": diagnose(facts, rules, "CM")}
    assert "R72" in [entry.icd10_code for entry in told["WHO"].entries]
    reasons = {
        system: [one["reason"] for one in found.not_evaluated if one["rule"] == "L5"] for system, found in told.items()
    }
    assert reasons["WHO"] == []
    assert reasons["CM"] == [
        "not listed: Abnormality of white blood cells, not elsewhere classified has no code in the system CM"
    ]


PARASITES = {"ring trophozoite": 40, "parasitised RBC": 40}


def test_a_species_is_named_only_where_the_size_of_its_cells_was_measured(rules: RuleBase) -> None:
    facts = make_facts(counts=PARASITES)
    unmeasured = replace(facts, findings=replace(facts.findings, measurements={}))
    assert diagnose(unmeasured, rules).entries[0].icd10_code == "B54"
    assert diagnose(facts, rules).entries[0].icd10_code == "B50"


def test_malaria_that_was_named_is_a_cause_of_young_red_cells(rules: RuleBase) -> None:
    facts = make_facts(counts={**PARASITES, **POLYCHROMASIA})
    assert not {"D59.9", "D58.9"} & {entry.icd10_code for entry in diagnose(facts, rules).entries}
    alone = make_facts(counts=POLYCHROMASIA)
    assert {"D59.9", "D58.9"} <= {entry.icd10_code for entry in diagnose(alone, rules).entries}
