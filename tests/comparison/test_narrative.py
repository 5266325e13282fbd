from __future__ import annotations

import difflib
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.comparison.narrative import compare_narratives, sentences_of

FIRST = """SPECIMEN
3 images were assessed, with 0.0316 mm2 on which
red cells could be counted. No field failed.

PARASITES
9 ring trophozoites were seen in 266 red cells. Only the first says so, e.g. this way."""
SECOND = """SPECIMEN
3 images were assessed, with 0.0316 mm2 on which red cells could be counted. No field failed.

PARASITES
12 ring trophozoites were seen in 266 red cells. Entirely other words stand here instead."""
SENTENCES = st.lists(st.sampled_from([f"Sentence {word} stands here." for word in "abcdefg"]), max_size=8)


def test_sentences_ignore_line_breaks_and_keep_headings_and_decimals():
    assert sentences_of(FIRST) == [
        "SPECIMEN",
        "3 images were assessed, with 0.0316 mm2 on which red cells could be counted.",
        "No field failed.",
        "PARASITES",
        "9 ring trophozoites were seen in 266 red cells.",
        "Only the first says so, e.g. this way.",
    ]


def test_items_of_a_list_are_sentences_of_their_own():
    assert sentences_of("Findings:\n- one ring\n  form\n- two\n1. Third") == [
        "Findings:",
        "- one ring form",
        "- two",
        "1. Third",
    ]


def test_initials_do_not_end_a_sentence():
    assert sentences_of("Seen with P. Falciparum in mind. Yes.") == ["Seen with P. Falciparum in mind.", "Yes."]


def test_equal_changed_and_one_sided_sentences():
    found = compare_narratives(FIRST, SECOND)
    assert [(one.change, one.first[:9], one.second[:9]) for one in found.sentences] == [
        ("equal", "SPECIMEN", "SPECIMEN"),
        ("equal", "3 images ", "3 images "),
        ("equal", "No field ", "No field "),
        ("equal", "PARASITES", "PARASITES"),
        ("changed", "9 ring tr", "12 ring t"),
        ("first only", "Only the ", ""),
        ("second only", "", "Entirely "),
    ]
    assert found.ratio == 8 / 12
    assert not found.equal
    assert [found.count(kind) for kind in ("equal", "changed", "first only", "second only")] == [4, 1, 1, 1]


def test_differences_as_text():
    assert compare_narratives(FIRST, SECOND).to_text() == (
        "- 9 ring trophozoites were seen in 266 red cells.\n"
        "+ 12 ring trophozoites were seen in 266 red cells.\n"
        "- Only the first says so, e.g. this way.\n"
        "+ Entirely other words stand here instead."
    )
    assert compare_narratives(FIRST, SECOND).to_text(equal=True).startswith("  SPECIMEN\n  3 images")


def test_differences_as_html_mark_words_and_escape_all():
    found = compare_narratives("Seen: <b>9 rings & more</b> today.", "Seen: <b>12 rings & more</b> today.")
    assert found.to_html() == (
        "<ul><li>Seen: <del>&lt;b&gt;9</del> <ins>&lt;b&gt;12</ins> rings &amp; more&lt;/b&gt; today.</li></ul>"
    )
    one_sided = compare_narratives("<i>Gone.", "")
    assert one_sided.to_html() == "<ul><li><del>&lt;i&gt;Gone.</del></li></ul>"
    assert compare_narratives("<i>", "<i>").to_html() == ""
    assert compare_narratives("<i>", "<i>").to_html(equal=True) == "<ul><li>&lt;i&gt;</li></ul>"


def test_texts_that_are_the_same_are_equal_and_two_empty_ones_too():
    assert compare_narratives(FIRST, FIRST).equal
    assert compare_narratives(FIRST, FIRST).ratio == 1
    assert compare_narratives(FIRST, FIRST).to_text() == ""
    empty = compare_narratives("", " \n ")
    assert empty.equal
    assert math.isnan(empty.ratio)
    assert empty.to_dict() == {"ratio": None, "equal_sentences": 0, "differences": []}


@given(SENTENCES, SENTENCES)
def test_no_sentence_is_lost_or_made_up(first: list[str], second: list[str]):
    found = compare_narratives("\n\n".join(first), " ".join(second))
    assert [one.first for one in found.sentences if one.first] == first
    assert [one.second for one in found.sentences if one.second] == second
    if first or second:
        assert found.ratio == difflib.SequenceMatcher(None, first, second, autojunk=False).ratio()


def test_long_stretches_are_not_compared_sentence_by_sentence():
    first, second = (" ".join(f"Sentence {kind} {number} is here." for number in range(300)) for kind in ("a", "b"))
    found = compare_narratives(first, second)
    assert found.count("changed") == 0
    assert (found.count("first only"), found.count("second only")) == (300, 300)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("aa bb " * 4000 + "x", "aa bb " * 4000 + "y z"),
        ("a " * 8000 + "b", "c " + "a " * 8000),
        (". ".join(["A b", "C d"] * 4000), "X. " + ". ".join(["C d", "A b"] * 4000)),
        ("A a a a a a a. " * 500, "B a a a a a a. " * 500),
    ],
    ids=["one long sentence", "one word", "many equal sentences", "many alike sentences"],
)
def test_repeated_words_take_no_longer_than_they_are(first: str, second: str):
    start = time.process_time()
    found = compare_narratives(first, second)
    found.to_html()
    assert not found.equal
    assert time.process_time() - start < 2


def test_long_sentences_are_told_apart_by_how_they_begin_and_end():
    first, second = "a b " * 2000 + "x c d.", "a b " * 2000 + "y c d."
    found = compare_narratives(first, second)
    assert [one.change for one in found.sentences] == ["changed"]
    assert found.to_html().endswith("a b <del>x</del> <ins>y</ins> c d.</li></ul>")
    many = compare_narratives("Same. " * 1000 + "One.", "Same. " * 1000 + "Other words. And more.")
    assert (many.count("equal"), many.ratio) == (1000, 2000 / 2003)
