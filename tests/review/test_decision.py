"""One decision as a line of text."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.errors import ConfigError
from hemato_lab.review.decision import (
    Decision,
    checked_name,
    checked_reader,
    lines_of,
    names_for_cells,
    read_decision,
)
from hemato_lab.vocabulary import TERMS
from tests.review.made_up import decision

numbers = st.floats(-1e6, 1e6, allow_nan=False)


@given(
    x=numbers,
    y=numbers,
    radius=st.floats(1e-3, 1e4),
    score=st.floats(0, 1) | st.just(math.nan),
    reader=st.text(max_size=80),
    name=st.text(max_size=32),
    new_name=st.sampled_from(["", *names_for_cells()]),
    models=st.lists(st.text("0123456789abcdef", min_size=64, max_size=64), max_size=3).map(tuple),
    blind=st.booleans(),
)
def test_a_line_gives_the_same_decision_again(new_name, **members):
    made = decision(new_name=new_name, action="reclassify" if new_name else "reject", **members)
    line = made.line()
    assert "\n" not in line
    assert line.isascii()
    again = read_decision(json.loads(line))
    for one in fields(Decision):
        told, meant = getattr(again, one.name), getattr(made, one.name)
        assert told == meant or (math.isnan(told) and math.isnan(meant)), one.name


@pytest.mark.parametrize(
    "change",
    [
        {"id": ""},
        {"id": "x" * 65},
        {"x": "10"},
        {"x": True},
        {"y": math.inf},
        {"radius": 0},
        {"score": "high"},
        {"part": 1.5},
        {"part": -1},
        {"blind": 1},
        {"models": "abc"},
        {"action": "execute"},
        {"action": "reclassify"},
        {"new_name": "lymphocyte"},
        {"action": "reclassify", "new_name": "<script>"},
        {"action": "reclassify", "new_name": "rouleaux"},
        {"action": "withdraw"},
        {"reader": None},
        {"name": "x" * 33},
    ],
)
def test_what_is_no_decision_is_refused(change):
    with pytest.raises(ValueError, match=r"\w"):
        read_decision(asdict(decision()) | change)


def test_a_member_that_is_missing_is_refused_and_an_unknown_one_passed_over():
    members = asdict(decision())
    assert read_decision(members | {"mood": "good"}) == read_decision(members)
    del members["cell"]
    with pytest.raises(ValueError, match="missing"):
        read_decision(members)


def test_withdrawal_and_repetition_name_the_decision_and_keep_its_cell():
    made = decision(action="reclassify", new_name="lymphocyte", reader="A")
    back, again = made.withdrawn("act-2"), made.repeated("act-3")
    assert (back.action, back.of, back.cell, back.new_name, back.act) == ("withdraw", made.id, made.cell, "", "act-2")
    assert (again.action, again.of, again.cell, again.new_name) == ("reclassify", made.id, made.cell, "lymphocyte")
    assert len({made.id, back.id, again.id}) == 3
    assert len(lines_of([made, back, again]).splitlines()) == 3


def test_only_names_of_cells_and_readable_labels_are_taken():
    assert checked_name("lymphocyte") == "lymphocyte"
    for name in ("rouleaux", "anisocytosis", "nonsense"):
        with pytest.raises(ConfigError):
            checked_name(name)
    assert all(TERMS[name].kind == "cell" for name in names_for_cells())
    assert checked_reader("Dr. Ä-1") == "Dr. Ä-1"
    for label in ("x" * 81, "two\nlines", "\x1b[31m"):
        with pytest.raises(ConfigError):
            checked_reader(label)
