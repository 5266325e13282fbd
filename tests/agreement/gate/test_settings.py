from __future__ import annotations

import pytest

from hemato_lab.agreement.gate.settings import load_settings
from hemato_lab.errors import ConfigError


def test_the_file_that_ships_is_used_as_it_is():
    settings = load_settings()
    assert (settings.confidence, settings.undecided, settings.least_smears) == (0.95, "fail", 20)
    assert settings.rule_for("smears analysed").absolute == 0
    assert settings.rule_for("cells:WBC").relative == 0.02
    assert settings.rule_for("cells").absolute is None
    assert settings.rule_for("rbc-density").relative == 0.02
    assert settings.rule_for("count:schistocyte").relative == 0.05
    assert settings.rule_for("f1").worse == "lower"
    assert settings.rule_for("first_only") is None
    assert settings.rule_for("whatever").relative == 0.02


def test_every_table_that_ships_says_why():
    assert all(rule.why or rule.ignore for rule in load_settings().shipped)


def test_a_users_tables_come_first_and_keys_replace(tmp_path):
    path = tmp_path / "gate.toml"
    path.write_text('undecided = "pass"\n[[metric]]\nmatch = "rbc-*"\nrelative = 0.1\nworse = "lower"\n', "utf-8")
    settings = load_settings(path)
    assert settings.undecided == "pass"
    assert settings.confidence == 0.95
    assert (settings.rule_for("rbc-density").relative, settings.rule_for("rbc-density").worse) == (0.1, "lower")
    assert settings.rule_for("wbc-density").relative == 0.02


def test_patterns_tell_upper_from_lower_case():
    settings = load_settings({"metric": [{"match": "cells:rbc", "ignore": True}]})
    assert settings.rule_for("cells:RBC") is not None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("confidence = 2", "confidence: Input should be less than 1"),
        ("resamples = 5", "resamples"),
        ("seed = 1.5", "seed"),
        ('undecided = "maybe"', "undecided"),
        ("colour = 1", "colour: Extra inputs are not permitted"),
        ('[[metric]]\nmatch = "a"', "metric.1: a metric needs a relative or an absolute tolerance"),
        ('[[metric]]\nmatch = "a"\nrelative = -1', "metric.1.relative"),
        ('[[metric]]\nmatch = "a"\nabsolute = nan', "metric.1.absolute"),
        ('[[metric]]\nmatch = "a"\nworse = "up"\nrelative = 1', "metric.1.worse"),
        ("[[metric]]\nrelative = 1", "metric.1.match"),
        ("x = ", "is not TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, text: str, problem: str):
    path = tmp_path / "own.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as refusal:
        load_settings(path)
    assert problem in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert "gate.toml explains every key" in str(refusal.value)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_settings(tmp_path / "bytes.toml")


def test_a_name_that_looks_like_a_pattern_means_itself():
    settings = load_settings({"metric": [{"match": "count:a[b]", "ignore": True}]})
    assert settings.rule_for("count:a[b]") is None
    assert settings.rule_for("count:ab") is None, "the pattern fits, too"
    assert settings.rule_for("count:ac") is not None


def test_a_user_cannot_replace_the_list_that_ships():
    with pytest.raises(ConfigError, match="shipped: Extra inputs"):
        load_settings({"shipped": []})


def test_what_is_about_these_smears_only_is_so_by_the_file_that_ships():
    settings = load_settings()
    found = {rule.match for rule in settings.shipped if rule.these_smears_only}
    assert found == {"smears analysed", "values stated", "fields"}
