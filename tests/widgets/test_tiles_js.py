"""tiles.js and gallery_crops.js: what is kept, what is asked for again, what is said of what is missing."""

from __future__ import annotations

import pytest

from tests.widgets.javascript import run_javascript
from tests.widgets.test_asking_js import CLOCK, MODEL

# A kernel that answers every question for tiles at once.
SERVED = (
    MODEL
    + CLOCK
    + """let closed = 0;
globalThis.createImageBitmap = async () => ({ width: 256, height: 256, close: () => { closed += 1; } });
const drawing = { drawImage() {} };
const server = { at: 0 };
const serve = async () => {
  while (server.at < sent.length) {
    const { request, wanted } = sent[server.at]; server.at += 1;
    answer({ kind: "tiles", request, tiles: wanted }, wanted.map(() => new DataView(new ArrayBuffer(5))));
    await soon(); await soon();
  }
};
const asked = () => sent.flatMap(({ wanted }) => wanted.map((tile) => tile.join("/")));
"""
)
VIEW = """const world = new World(given.fields, given.layout); const camera = new Camera();
camera.resize(...given.size); camera.bound(world.bounds()); camera.fit();
const store = new TileStore(model, () => {});
const draw = async () => { drawTiles(drawing, given.ratio, camera, world, store); await serve(); };
"""
IMPORTS = "TileStore from tiles, drawTiles from tiles, Camera from view, World from world"


@pytest.mark.parametrize(
    ("fields", "size", "ratio"),
    [
        ([{"width": 1000, "height": 800}] * 600, [1200, 800], 1),
        ([{"width": 1200, "height": 900}] * 600, [1600, 1000], 2),
        ([{"width": 9552, "height": 6600}], [2388, 1650], 4),
        ([{"width": 300, "height": 200}] * 1500, [1200, 800], 1),
    ],
)
def test_a_picture_at_rest_asks_for_nothing_however_many_tiles_it_has(
    fields: list[dict[str, int]], size: list[int], ratio: int
) -> None:
    answer = run_javascript(
        IMPORTS,
        SERVED
        + VIEW
        + """await draw(); await draw(); const first = sent.length; for (let at = 0; at < 4; at += 1) await draw();
        return { first, last: sent.length, kept: store.kept.size, tiles: asked().length,
          different: new Set(asked()).size, problem: store.problem };""",
        fields=fields,
        size=size,
        ratio=ratio,
        layout="strip",
    )
    assert answer["last"] == answer["first"]
    assert answer["tiles"] == answer["different"] == answer["kept"]
    # As many as a frame may have, and one that holds the whole of each field.
    assert answer["tiles"] <= 640 + len(fields)
    assert answer["problem"] == ""


def test_fields_of_one_tile_are_fetched_once() -> None:
    tiles = run_javascript(
        IMPORTS,
        SERVED + VIEW + "await draw(); await draw(); return asked();",
        fields=[{"width": 200, "height": 150}] * 20,
        size=[900, 700],
        ratio=1,
        layout="strip",
    )
    assert sorted(tiles) == sorted(f"{field}/0/0/0" for field in range(20))


def test_what_left_the_view_makes_room_and_what_is_replaced_is_closed() -> None:
    answer = run_javascript(
        "TileStore from tiles",
        SERVED
        + """const store = new TileStore(model, () => {}); const tile = (at) => [0, 0, at, 0];
        const some = (from, count) => Array.from({ length: count }, (_, at) => tile(from + at));
        store.want(some(0, 600)); await serve(); const all = store.kept.size;
        store.want(some(1000, 500)); await serve();
        const [size, before] = [store.kept.size, closed];
        store.keep("0/0/1000/0", { picture: { close() {} } });
        return { all, size, gone: before, replaced: closed - before,
          here: some(1000, 500).every((one) => store.picture(...one)) };""",
    )
    assert answer == {"all": 600, "size": 750, "gone": 350, "replaced": 1, "here": True}


def test_a_problem_is_said_while_it_stands_and_the_picture_is_asked_for_again_by_itself() -> None:
    answer = run_javascript(
        "TileStore from tiles",
        SERVED
        + """let changes = 0; const store = new TileStore(model, () => { changes += 1; });
        store.want([[0, 0, 0, 0]]); await pass(61000);
        const silent = store.problem; store.want([[0, 1, 0, 0]]); const elsewhere = store.problem;
        store.want([[0, 0, 0, 0]]); server.at = sent.length; const before = changes;
        await pass(16000); await serve();
        return { silent, elsewhere, after: store.problem, there: Boolean(store.picture(0, 0, 0, 0)),
          told: changes > before };""",
    )
    assert answer == {
        "silent": "no answer: is Python still running?",
        "elsewhere": "",
        "after": "",
        "there": True,
        "told": True,
    }


def test_pictures_of_cells_that_nobody_answered_for_are_asked_for_again() -> None:
    answer = run_javascript(
        "CropLoader from gallery_crops",
        MODEL
        + CLOCK
        + """URL.createObjectURL = () => "blob:x"; URL.revokeObjectURL = () => {};
        const changed = []; const crops = new CropLoader(model, (row) => changed.push(row));
        crops.want([4, 5], 96); await pass(61000);
        const failed = [4, 5].map((row) => Boolean(crops.failureOf(row)));
        await pass(6000); const again = sent[1]?.wanted;
        const { request } = sent[1];
        answer({ kind: "crops", request, crops: [4], failed: [[5, "unreadable"]] }, [new DataView(new ArrayBuffer(5))]);
        await soon(); await soon(); await pass(100000);
        const out = { failed, again, picture: crops.pictureOf(4), why: crops.failureOf(5) ?? "", asked: sent.length };
        crops.close(); return { ...out, timers: timers.size };""",
    )
    assert answer == {
        "failed": [True, True],
        "again": [4, 5],
        "picture": "blob:x",
        "why": "unreadable",
        "asked": 2,
        "timers": 0,
    }


def test_a_picture_that_an_answer_leaves_out_is_not_asked_for_without_end() -> None:
    answer = run_javascript(
        "CropLoader from gallery_crops",
        """let asked = 0; const heard = new Set();
        const model = { on: (_, listener) => heard.add(listener), off: () => {}, send: ({ request }) => {
          asked += 1;
          const content = { kind: "crops", request, crops: [], failed: asked > 40 ? [[4, "end"], [5, "end"]] : [] };
          queueMicrotask(() => heard.forEach((listener) => listener(content, [])));
        } };
        const crops = new CropLoader(model, () => {});
        crops.want([4, 5], 96); await new Promise((resolve) => setTimeout(resolve, 20));
        const out = { asked, why: crops.failureOf(4) ?? "", other: crops.failureOf(5) ?? "" };
        crops.close(); return out;""",
    )
    assert answer == {"asked": 1, "why": "no picture came", "other": "no picture came"}
