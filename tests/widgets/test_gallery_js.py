"""The gallery's order, layout and selection, run by node and checked against numpy."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from hemato_lab.widgets.esm import FOLDER
from tests.widgets.javascript import run_javascript

CELLS = """
const cells = { count: it.names.length, names: it.names, confidence: read(it.confidence),
  disagreement: read(it.disagreement), radius: it.radius, states: it.states, given: it.given };
function read(values) { return values.map((value) => (value === null ? NaN : value)); }
"""


def node(imports: str, script: str, it: Any = None) -> Any:
    """What a script returns that knows the imported names and `it`."""
    return run_javascript(imports, f"const {{ it }} = given; {script}", it=it)


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    random = np.random.default_rng(4)
    confidence = np.round(random.random(300), 3)
    return {
        "names": random.choice(4, 300, p=[0.7, 0.2, 0.08, 0.02]).tolist(),
        "confidence": [None if index % 17 == 0 else float(value) for index, value in enumerate(confidence)],
        "disagreement": random.random(300).tolist(),
        "radius": random.uniform(5, 50, 300).tolist(),
        "states": random.choice(4, 300).tolist(),
        "given": random.choice([-1, 0, 1, 2, 3], 300, p=[0.8, 0.05, 0.05, 0.05, 0.05]).tolist(),
    }


def arranged(table: dict[str, Any], **how: Any) -> list[dict[str, Any]]:
    texts = ["a", "b", "c", "d"]
    usual = {"nameTexts": texts, "order": "confidence", "reverse": False, "grouped": True, "only": []}
    usual |= {"openOnly": False, "blind": False, **how}
    script = (
        f"{CELLS} return arrangeCells(cells, {json.dumps(usual)}).map((one) => ({{ ...one, rows: [...one.rows] }}));"
    )
    return node("arrangeCells from gallery_order", script, table)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("order", "column"), [("confidence", "confidence"), ("disagreement", "disagreement"), ("size", "radius")]
)
def test_the_order_is_numpys_and_what_is_not_known_comes_last(table, order, column, reverse):
    (group,) = arranged(table, order=order, reverse=reverse, grouped=False)
    values = np.array([np.nan if value is None else value for value in table[column]], float)
    rising = (order == "confidence") != reverse
    expected = np.argsort(values if rising else -values, kind="stable")  # NaN last either way
    assert group["rows"] == expected.tolist()


def test_groups_are_rare_names_first_and_hold_every_cell_once(table):
    groups = arranged(table)
    counts = [len(one["rows"]) for one in groups]
    assert counts == sorted(counts)
    assert sorted(row for one in groups for row in one["rows"]) == list(range(300))
    for one in groups:
        assert {table["names"][row] for row in one["rows"]} == {"abcd".index(one["name"])}


def test_filters_leave_out_names_and_decided_cells(table):
    rows = [row for one in arranged(table, only=["b", "d"], openOnly=True) for row in one["rows"]]
    called = [{table["names"][row], table["given"][row]} for row in range(300)]
    wanted = [row for row in range(300) if called[row] & {1, 3} and table["states"][row] == 0]
    assert sorted(rows) == wanted
    assert arranged({name: [] for name in table}) == []


def test_a_blind_order_is_shuffled_the_same_for_all_and_tells_nothing(table):
    (group,) = arranged(table, blind=True, only=["d"], order="size")
    assert sorted(group["rows"]) == list(range(300))
    other = {**table, "names": table["names"][::-1], "radius": table["radius"][::-1]}
    assert arranged(other, blind=True) == [group]
    assert np.corrcoef(group["rows"], np.arange(300))[0, 1] == pytest.approx(0, abs=0.2)


LAYOUT = """
const rowsOf = (count, at) => Array.from({ length: count }, (_, k) => 1000 * at + k);
const groups = it.map((count, at) => ({ name: `n${at}`, rows: rowsOf(count, at) }));
const layout = new GalleryLayout(groups, 560, { width: 100, height: 140 });
"""


def test_no_two_cells_share_a_place_and_all_in_view_are_found():
    counts = [1, 1, 2, 3, 1, 5, 6, 23, 4, 1]
    script = f"{LAYOUT} return {{ places: layout.rows.map((_, at) => layout.placeOf(at)), height: layout.height, "
    script += "views: [0, 100, 333, 700].map((top) => layout.between(top, top + 250)) };"
    told = node("GalleryLayout from gallery_layout", script, counts)
    places = [(one["left"], one["top"]) for one in told["places"]]
    assert len(set(places)) == len(places) == sum(counts)
    assert all(left % 100 == 0 and 0 <= left <= 400 for left, _ in places)
    for index, (left, top) in enumerate(places):
        for other_left, other_top in places[:index]:
            assert left != other_left or abs(top - other_top) >= 140
    assert told["height"] == max(top for _, top in places) + 140
    for view_top, view in zip([0, 100, 333, 700], told["views"], strict=True):
        seen = {at for at, (_, top) in enumerate(places) if top < view_top + 250 and top + 140 > view_top}
        assert seen <= set(range(view["first"], view["end"]))


def test_arrows_go_to_neighbours_and_reach_every_line():
    counts = [1, 2, 23, 3]
    keys = ["ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight", "Home", "End", "PageDown", "x"]
    script = f"{LAYOUT} const keys = {json.dumps(keys)}; return layout.rows.map((_, at) => keys.map((key) => "
    script += "layout.towards(at, key, 2)));"
    moves = node("GalleryLayout from gallery_layout", script, counts)
    last = sum(counts) - 1
    assert moves[0][:4] == [3, 0, 0, 1], "down from the first section into the third, as the second stands beside"
    assert moves[1][0] == 5, "the section beside starts at the third column"
    assert moves[3][1] == 0
    assert moves[8][:2] == [13, 3]
    assert moves[25][0] == 28, "a shorter line below gives its last cell"
    assert [one[4] for one in moves] == [0] * (last + 1)
    assert [one[5] for one in moves] == [last] * (last + 1)
    assert [one[7] for one in moves] == list(range(last + 1))
    seen = at = 0
    while moves[at][0] != at:
        at, seen = moves[at][0], seen + 1
    assert seen == 6
    assert moves[0][6] == moves[moves[0][0]][0]


def test_selecting_is_as_in_a_list_of_files():
    script = """
    const picking = new GalleryPicking();
    const told = [];
    const tell = () => told.push([picking.at, [...picking.picked].sort((a, b) => a - b), picking.isCollecting]);
    picking.relist([10, 11, 12, 13, 14, 15]);
    picking.goTo(1); tell();
    picking.goTo(3, { extend: true }); tell();
    picking.goTo(0, { extend: true }); tell();
    picking.goTo(4); tell();
    picking.toggle(4); picking.goTo(2); tell();
    picking.toggle(2); tell();
    picking.toggle(2); tell();
    picking.clear(); tell();
    picking.pick([10, 15]); picking.goOn((row) => row !== 11); tell();
    picking.goTo(1); picking.goOn((row) => row > 13); tell();
    picking.goOn(() => false); tell();
    picking.adopt([12, 13]); tell();
    picking.relist([15, 13]); tell();
    told.push(picking.subject);
    picking.relist([]); picking.goTo(3); picking.goOn(() => true); tell();
    return told;
    """
    assert node("GalleryPicking from gallery_picking", script) == [
        [1, [11], False],
        [3, [11, 12, 13], False],
        [0, [10, 11], False],
        [4, [14], False],
        [2, [14], True],
        [2, [12, 14], True],
        [2, [14], True],
        [2, [12], False],
        [5, [15], False],
        [4, [14], False],
        [5, [15], False],
        [2, [12, 13], True],
        [1, [12, 13], True],
        [13],
        [0, [12, 13], True],
    ]


def test_no_source_of_the_gallery_writes_markup_or_asks_the_locale():
    for path in [*FOLDER.glob("gallery_*.js"), FOLDER / "cell_gallery.js"]:
        source = path.read_text("utf-8")
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "toLocale", "Intl."):
            assert word not in source, f"{path.name}: {word}"
