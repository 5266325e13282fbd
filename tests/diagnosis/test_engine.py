from __future__ import annotations

import json
from typing import Any

import pytest

from hemato_lab.diagnosis import DifferentialDiagnosis, PictureQuality, RuleBase, diagnose, parse_rules
from hemato_lab.diagnosis.evaluation import Evaluation
from hemato_lab.errors import ConfigError
from tests.diagnosis.made_up import make_facts
from tests.diagnosis.test_rules import FIRES

MANY = {
    "counts": {"blast": 100, "target cell": 300, "sickle cell": 60, "echinocyte": 400, "acanthocyte": 200},
    "concentrations": {"platelet": 90.0, "WBC": 20.0},
}


def rule(name: str, finding: str, code: str, *, score: int = 5, significance: str = "B", more: str = "") -> str:
    return f"""
[[rule]]
id = "{name}"
words = "x"
source = "own"
all = [{{ kind = "share", finding = "{finding}", at_least = 5.0 }}]
[[rule.diagnoses]]
who = "{code}"
cm = "{code}"
english_long = "Long {name}"
english_short = "Short {name}"
score = {score}
significance = "{significance}"
{more}
"""


def run(*texts: str, **changes: Any) -> DifferentialDiagnosis:
    return diagnose(make_facts(**changes), parse_rules('version = "1"\n' + "".join(texts)))


def codes(differential: DifferentialDiagnosis) -> list[str]:
    return [entry.icd10_code for entry in differential.entries]


ALL_THREE = {"counts": {"target cell": 300, "acanthocyte": 300, "stomatocyte": 110}}


def test_entries_are_sorted_by_urgency_score_confidence_and_order() -> None:
    texts = (
        rule("T1", "stomatocyte", "A01"),
        rule("T2", "target cell", "A02"),
        rule("T3", "acanthocyte", "A03"),
        rule("T4", "stomatocyte", "A04", score=6),
        rule("T5", "acanthocyte", "A05", score=1, significance="D"),
        rule("T6", "acanthocyte", "A06", more="never_first = true", significance="D"),
    )
    assert codes(run(*texts, **ALL_THREE)) == ["A05", "A04", "A02", "A03", "A01", "A06"]


def test_the_shipped_rules_come_out_in_order(rules: RuleBase) -> None:
    differential = diagnose(make_facts(**MANY), rules)
    ranks = [("DCBA".index(entry.clinical_significance), -entry.score) for entry in differential.entries]
    last = [entry.icd10_code for entry in differential.entries].index("K76.9")
    assert last == len(ranks) - 1
    assert ranks[:-1] == sorted(ranks[:-1])
    assert {entry.clinical_significance for entry in differential.entries} == set("ABCD")


def test_what_may_never_lead_is_not_listed_alone() -> None:
    differential = run(rule("T1", "target cell", "K76.9", more="never_first = true"), **ALL_THREE)
    assert differential.entries == ()
    assert [one["code"] for one in differential.considered] == ["K76.9"]


def test_a_code_is_listed_once_with_its_best_rule() -> None:
    texts = (
        rule("T1", "target cell", "A01"),
        rule("T2", "acanthocyte", "A01", score=7),
        rule("T3", "stomatocyte", "A01", score=9, more="").replace("at_least = 5.0", "at_least = 6.0"),
    )
    differential = run(*texts, **ALL_THREE)
    assert [(entry.icd10_code, entry.score) for entry in differential.entries] == [("A01", 7)]
    evidence = differential.evidence[0]
    assert evidence["rule"] == "T2"
    assert "T1" in {other["rule"] for other in evidence["other_rules"]}


def test_confidence_decides_what_is_listed_considered_or_dropped() -> None:
    texts = (rule("T1", "target cell", "A01"), rule("T2", "acanthocyte", "A02"), rule("T3", "stomatocyte", "A03"))
    differential = run(*texts, counts={"target cell": 120, "acanthocyte": 95, "stomatocyte": 60})
    assert codes(differential) == ["A01"]
    assert [one["code"] for one in differential.considered] == ["A02"]
    assert differential.not_evaluated == ()


def test_poor_pictures_cost_confidence() -> None:
    sharp = run(rule("T1", "target cell", "A01"), **ALL_THREE)
    blurred = run(
        rule("T1", "target cell", "A01"), quality=PictureQuality(0.81, monolayer=True, failed={}), **ALL_THREE
    )
    assert sharp.entries[0].confidence == "0.99"
    assert blurred.entries[0].confidence == "0.81"
    assert blurred.evidence[0]["quality_factor"] == 0.81


def test_codes_are_those_of_one_system(rules: RuleBase) -> None:
    facts = make_facts(counts={"blast": 100})
    assert codes(diagnose(facts, rules)) == ["C95.0", "C91.0", "C92.0"]
    assert codes(diagnose(facts, rules, "CM")) == ["C95.00", "C91.00", "C92.00"]


def test_a_diagnosis_without_a_code_in_the_system_is_left_out(rules: RuleBase) -> None:
    facts = make_facts(counts={"blast": 12})
    who, cm = diagnose(facts, rules), diagnose(facts, rules, "CM")
    assert codes(who) == ["D46.9", "R72"]
    assert who.evidence[1]["codes"] == {"WHO": "R72", "CM": None}
    assert codes(cm) == ["D46.9"]
    assert (who.code_system, cm.code_system) == ("WHO", "CM")


def test_one_code_of_the_who_may_be_several_of_the_other(rules: RuleBase) -> None:
    facts = make_facts(concentrations={"WBC": 20.0, "neutrophil": 12.0, "monocyte": 2.0})
    assert codes(diagnose(facts, rules)).count("D72.8") == 1
    assert {"D72.829", "D72.828", "D72.821"} <= set(codes(diagnose(facts, rules, "CM")))


def test_an_unknown_code_system_is_refused(rules: RuleBase) -> None:
    with pytest.raises(ConfigError, match="WHO, CM"):
        diagnose(make_facts(), rules, "ICD-11")


@pytest.mark.parametrize("name", ["M1", "L5", "P2", "R2", "R6b", "R15"])
def test_evidence_is_json_and_as_long_as_the_list(rules: RuleBase, name: str) -> None:
    differential = diagnose(make_facts(**FIRES[name]), rules)
    assert json.loads(json.dumps(differential.to_dict(), allow_nan=False))["code_system"] == "WHO"
    assert [one["code"] for one in differential.evidence] == codes(differential)
    for entry, evidence in zip(differential.entries, differential.evidence, strict=True):
        assert evidence["confidence"] == entry.confidence
        assert evidence["conditions"]
        assert evidence["source"]
        assert 0.5 <= float(entry.confidence) <= 0.99


def test_a_rule_without_a_diagnosis_makes_a_statement(rules: RuleBase) -> None:
    differential = diagnose(make_facts(counts={"platelet clump": 12}), rules)
    (said,) = differential.statements
    assert said["rule"] == "P5"
    assert "invalid" in said["statement"]
    assert said["conditions"][0]["count"] == 12


def test_parts_combine_as_independent_and_as_the_likeliest() -> None:
    text = 'version = "1"\n' + rule("T1", "target cell", "A01") + rule("T2", "acanthocyte", "A02")
    both = (
        text
        + """
[[rule]]
id = "T3"
words = "x"
source = "own"
statement = "x"
all = [{ kind = "rule", rule = "T1" }, { kind = "not", of = { kind = "rule", rule = "T2" } }]
unless = [{ kind = "rule", rule = "T2" }, { kind = "sign", what = "moonlight" }]
[[rule]]
id = "T4"
words = "x"
source = "own"
statement = "x"
any = [{ kind = "rule", rule = "T1" }, { kind = "rule", rule = "T2" }, { kind = "sign", what = "moonlight" }]
[[rule]]
id = "T5"
words = "x"
source = "own"
statement = "x"
all = [{ kind = "not", of = { kind = "sign", what = "moonlight" } }]
"""
    )
    evaluation = Evaluation(make_facts(counts={"target cell": 105, "acanthocyte": 99}), parse_rules(both))
    one, two = evaluation.outcome("T1").known, evaluation.outcome("T2").known
    assert 0.3 < two < one < 0.9
    assert evaluation.outcome("T3").known == pytest.approx(one * (1 - two) * (1 - two))
    assert evaluation.outcome("T4").known == pytest.approx(one)
    assert evaluation.outcome("T5").reason == "moonlight was not assessed"
