from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import pytest

from hemato_lab.diagnosis import RuleBase, load_rules, parse_rules, rules_sha256
from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

RULE = """
version = "1"
[[rule]]
id = "T1"
words = "many targets"
source = "user"
all = [{CONDITION}]
[[rule.diagnoses]]
who = "D56.9"
cm = "D56.9"
english_long = "Thalassaemia, unspecified"
english_short = "Thalassaemia"
score = 4
significance = "B"
"""
CONDITION = '{ kind = "share", finding = "target cell", at_least = 5.0 }'
OTHER = f"""
[[rule]]
id = "T2"
words = "x"
source = "own"
statement = "x"
all = [{CONDITION}]
"""


def document(condition: str = CONDITION) -> str:
    return RULE.replace("{CONDITION}", condition)


ROWS = {
    *(f"M{number}" for number in range(1, 8)),
    *(f"L{number}" for number in range(1, 11)),
    *(f"W{number}" for number in range(1, 9)),
    *(f"P{number}" for number in range(1, 6)),
    *(f"R{number}" for number in range(1, 16)),
    *("M1b", "R1b", "R2b", "R3b", "R6b", "R6c", "X1"),
}


def test_every_row_of_the_design_note_ships(rules: RuleBase) -> None:
    assert rules.version == "2026.11"
    assert rules.rules.keys() >= ROWS
    assert rules is load_rules()


def test_names_are_those_of_the_design_note(rules: RuleBase) -> None:
    falciparum = rules.rules["M1"].diagnoses[0]
    assert falciparum.english_long == "Malaria Infection with Plasmodium Falciparum"
    assert (falciparum.english_short, falciparum.who, falciparum.cm) == ("Malaria", "B50", "B50.9")
    names = {diagnosis.who: diagnosis.english_long for rule in rules.rule for diagnosis in rule.diagnoses}
    assert names["B51"].endswith("Plasmodium Vivax")
    for name in names.values():
        assert not re.search(r"\b[A-Z]{2,}\b", name.replace("BCR/ABL", "")), name


def test_a_code_has_one_name(rules: RuleBase) -> None:
    by_code: dict[str, set[str]] = {}
    for rule in rules.rule:
        for diagnosis in rule.diagnoses:
            if diagnosis.who != "D72.8":
                by_code.setdefault(diagnosis.who, set()).add(diagnosis.english_long)
    assert all(len(names) == 1 for names in by_code.values())


def test_a_file_of_the_user_takes_the_place_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(document(), encoding="utf-8")
    assert list(load_rules(path).rules) == ["T1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (document(CONDITION.replace("target cell", "targt cell")), "rule T1: .*'targt cell' is no name"),
        (document('{ kind = "measurement", measurement = "MCV" }'), "rule T1: .*'MCV' is no measurement"),
        (document('{ kind = "blood count", value = "crp", above = 5.0 }'), "rule T1: .*'crp' is no value"),
        (document('{ kind = "blood count", value = "hb", outside = "below range" }'), "rule T1: .*no reference range"),
        (document('{ kind = "blood count", value = "hb" }'), "rule T1: .*exactly one"),
        (document('{ kind = "concentration", cell = "smear", above = 5.0 }'), "rule T1: .*'smear' is no kind of cell"),
        (document('{ kind = "concentration", cell = "WBC", above = 5.0, below = 9.0 }'), "rule T1: .*exactly one"),
        (document('{ kind = "concentration", cell = "WBC", above = -5.0 }'), "rule T1: .*greater than 0"),
        (document('{ kind = "hunch" }'), "rule T1: .*'hunch'"),
        (document('{ kind = "rule", rule = "T9" }'), "rule T1: there is no rule T9"),
        (document('{ kind = "not", of = { kind = "rule", rule = "T1" } }'), "rule T1: it asks for itself"),
        (document(CONDITION.replace("5.0", "105.0")), "rule T1: .*less than or equal to 100"),
        (document(CONDITION.replace("at_least = 5.0", "minimum = 5")), "rule T1: .*give at_least"),
        (document(CONDITION.replace("5.0", "5.0, above = 1.0")), "rule T1: .*not both"),
        (document(CONDITION.replace("5.0", "5.0, below = 1.0")), "rule T1: .*not below the upper"),
        (document(CONDITION.replace("5.0", "5.0, colour = 1")), "rule T1: .*colour"),
        (document('{ kind = "any", of = [] }'), "rule T1: .*at least 1 item"),
        (document().replace('who = "D56.9"', 'who = "D56.91"'), "rule T1: .*shape of a code"),
        (document().replace('who = "D56.9"', 'who = "56"'), "rule T1: .*shape of a code"),
        (document().replace('cm = "D56.9"', 'cm = "D56."'), "rule T1: .*shape of a code"),
        (document().replace('who = "D56.9"', 'who = "D57.3"'), "rule T1: .*no smear shows that"),
        (document().replace('cm = "D56.9"', 'cm = "C91.01"'), "rule T1: .*no smear shows that"),
        (document().replace("score = 4", "score = 11"), "rule T1: diagnoses.0.score"),
        (document().replace('"user"', '"hearsay"'), "rule T1: .*a source begins with"),
        (document().replace('id = "T1"', "requires = ['luck']\nid = 'T1'"), "rule T1: requires.0"),
        (document().replace("id =", "# id ="), "rule number 1: id"),
        (document().replace("all =", "unless ="), "rule T1: give at least one condition"),
        (document().partition("[[rule.diagnoses]]")[0], "rule T1: give at least one diagnosis, or a statement"),
        (document() + OTHER.replace("T2", "T1"), "rule T1: the id is used twice"),
        (document().replace('version = "1"', ""), "version"),
        ("version = ", "is not TOML"),
    ],
)
def test_a_rule_that_cannot_be_used_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as error:
        load_rules(path)
    assert error.value.subject == str(path)
    assert error.value.hint


def test_a_circle_of_two_rules_is_refused() -> None:
    circle = document('{ kind = "rule", rule = "T2" }') + OTHER.replace(CONDITION, '{ kind = "rule", rule = "T1" }')
    with pytest.raises(ConfigError, match="asks for itself through T1, T2"):
        parse_rules(circle)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        load_rules(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not text"):
        load_rules(tmp_path / "bytes.toml")


def test_the_hash_is_that_of_the_file(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('version = "1"\nrule = []\n', encoding="utf-8")
    assert rules_sha256(own) == hashlib.sha256(own.read_bytes()).hexdigest()
    assert rules_sha256() != rules_sha256(own)
