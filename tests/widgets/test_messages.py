"""What a browser may ask: everything well formed is understood, everything else refused without harm."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.errors import ConfigError
from hemato_lab.widgets.messages import (
    KINDS,
    Card,
    Crops,
    Decide,
    Export,
    Plain,
    Request,
    Tiles,
    name_of_request,
    read_request,
)

NUMBERS = st.integers(0, 2**31 - 1)
NOT_NUMBERS = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.text(),
    st.integers(max_value=-1),
    st.integers(min_value=2**31),
    st.just([]),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def asked(kind: str, **fields: Any) -> Any:
    return read_request({"kind": kind, "request": "view-7", **fields}).fields


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), max_size=12))
def test_tiles(keys: list[tuple[int, int, int, int]]) -> None:
    assert asked("tiles", wanted=[list(key) for key in keys]) == Tiles(tuple(keys))


@given(st.lists(NUMBERS, max_size=48), st.integers(16, 512))
def test_crops(rows: list[int], side: int) -> None:
    assert asked("crops", wanted=rows, side_px=side) == Crops(tuple(rows), side)


@given(st.lists(NUMBERS, max_size=60), st.text(max_size=200))
def test_decisions(rows: list[int], name: str) -> None:
    assert asked("decide", action="reclassify", rows=rows, name=name) == Decide("reclassify", tuple(rows), name)
    assert asked("decide", action="reject", rows=rows) == Decide("reject", tuple(rows), "")


def test_the_other_kinds() -> None:
    assert asked("card", row=3) == Card(3)
    assert asked("export", format="coco") == Export("coco")
    for kind in ("hello", "undo", "redo", "table"):
        assert read_request({"kind": kind, "request": "a", "more": 1}) == Request(kind, "a", Plain())


@given(NOT_NUMBERS)
def test_numbers_are_whole_and_in_bounds(value: Any) -> None:
    wrong: list[dict[str, Any]] = [
        {"kind": "card", "row": value},
        {"kind": "crops", "wanted": [value], "side_px": 96},
        {"kind": "crops", "wanted": [1], "side_px": value},
        {"kind": "tiles", "wanted": [[0, value, 0, 0]]},
        {"kind": "decide", "action": "accept", "rows": [value]},
    ]
    for content in wrong:
        with pytest.raises(ConfigError, match="whole number"):
            read_request({"request": "1", **content})


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        "hello",
        {},
        {"kind": "hello"},
        {"request": "1"},
        {"kind": 7, "request": "1"},
        {"kind": "hello", "request": 7},
        {"kind": "hello", "request": "x" * 201},
        {"kind": "run", "request": "1", "code": "import os"},
        {"kind": "__init__", "request": "1"},
        {"kind": "tiles", "request": "1"},
        {"kind": "tiles", "request": "1", "wanted": [[0, 0, 0, 0]] * 13},
        {"kind": "tiles", "request": "1", "wanted": [[0, 0, 0]]},
        {"kind": "tiles", "request": "1", "wanted": ["0000"]},
        {"kind": "tiles", "request": "1", "wanted": {"0": 1}},
        {"kind": "crops", "request": "1", "wanted": list(range(49)), "side_px": 96},
        {"kind": "crops", "request": "1", "wanted": [1], "side_px": 15},
        {"kind": "crops", "request": "1", "wanted": [1], "side_px": 513},
        {"kind": "decide", "request": "1", "action": "erase", "rows": [1]},
        {"kind": "decide", "request": "1", "action": "reclassify", "rows": [1]},
        {"kind": "decide", "request": "1", "action": "accept", "rows": "1"},
        {"kind": "export", "request": "1"},
    ],
)
def test_what_is_no_request_is_refused(content: object) -> None:
    with pytest.raises(ConfigError):
        read_request(content)


@given(JSON, st.sampled_from([*KINDS, "other"]))
def test_nothing_else_than_a_refusal_comes_of_nonsense(nonsense: Any, kind: str) -> None:
    for content in (nonsense, {"kind": kind, "request": "1", "wanted": nonsense, "rows": nonsense, "row": nonsense}):
        with suppress(ConfigError):
            assert isinstance(read_request(content), Request)
        assert isinstance(name_of_request(content), str)


def test_an_answer_repeats_only_short_texts() -> None:
    assert name_of_request({"request": "view-1"}) == "view-1"
    for content in (None, {}, {"request": 1}, {"request": "x" * 201}):
        assert name_of_request(content) == ""
