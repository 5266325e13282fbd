"""transport.js and tiles.js: questions to Python, few and fresh ones."""

from __future__ import annotations

import numpy as np
import pytest

from hemato_lab.formats.deep_zoom import DeepZoom
from hemato_lab.report import RESEARCH_USE_NOTICE
from tests.analysed import plain_field
from tests.widgets.javascript import run_javascript

MODEL = """const sent = []; const listeners = new Set();
const model = { on: (event, hear) => listeners.add(hear), off: (event, hear) => listeners.delete(hear),
  send: (content) => sent.push(content) };
const answer = (content, buffers = []) => { for (const hear of [...listeners]) hear(content, buffers); };
const rest = () => new Promise((resolve) => setTimeout(resolve, 0));
globalThis.createImageBitmap = async (blob) => {
  if (blob.size === 0) throw new Error("damaged");
  return { width: 256, height: 256, close() {} };
};
const later = globalThis.setTimeout;
globalThis.setTimeout = (act, ms) => {
  const timer = later(act, ms);
  return ms > 999 ? timer.unref() : timer;
};
"""


def test_each_question_gets_its_own_answer_whatever_the_order():
    answer = run_javascript(
        "ask from transport, endAsking from transport",
        MODEL
        + """const first = ask(model, "card", { row: 1 }); const second = ask(model, "card", { row: 2, kind: "x" });
        answer({ kind: "card", request: "of another view", lines: [] }); answer(null); answer({});
        answer({ kind: "card", request: sent[1].request, row: 2 }, [new DataView(new ArrayBuffer(3))]);
        answer({ kind: "card", request: sent[1].request, row: "again" });
        answer({ kind: "problem", request: sent[0].request, text: "there is no cell 1" });
        const [one, two] = await Promise.allSettled([first, second]);
        const open = ask(model, "hello"); const other = ask(model, "table"); endAsking(model);
        const whileOpen = listeners.size;
        for (const { kind, request } of sent.slice(2)) answer({ kind, request });
        const three = (await Promise.all([open, other])).map(({ content }) => content.kind);
        return { one: one.reason.message, three, whileOpen,
          two: [two.value.content.row, two.value.buffers.length],
          sent: sent.map(({ kind, row, request }) => [kind, row, typeof request]), listening: listeners.size,
          different: new Set(sent.map(({ request }) => request)).size };""",
    )
    assert answer["one"] == "there is no cell 1"
    assert answer["two"] == [2, 1]
    # A view that closes leaves the questions of others alone.
    assert answer["three"] == ["hello", "table"]
    assert answer["whileOpen"] == 1
    assert answer["sent"] == [
        ["card", 1, "string"],
        ["card", 2, "string"],
        ["hello", None, "string"],
        ["table", None, "string"],
    ]
    assert answer["listening"] == 0
    assert answer["different"] == 4


def test_two_views_of_one_model_never_use_the_same_request():
    requests = run_javascript(
        "ask from transport",
        MODEL
        + """for (let view = 0; view < 50; view += 1) ask({ ...model }, "hello");
        return sent.map(({ request }) => request);""",
    )
    assert len(set(requests)) == 50


@pytest.mark.parametrize("size", [(100, 80), (256, 256), (257, 10), (1000, 3000), (40_000, 40_000), (1, 1)])
def test_levels_are_those_of_python(size: tuple[int, int]):
    levels = run_javascript(
        "levelsOf from tiles", "return levelsOf(given.field);", field=dict(zip(("width", "height"), size, strict=True))
    )
    expected = DeepZoom(plain_field("one", *size)).levels if max(size) < 5000 else range(9)
    assert levels == len(expected)


# Timers that run when the test says so, on a clock of its own.
CLOCK = """let clock = 0; const timers = new Map(); let lastTimer = 0;
globalThis.setTimeout = (act, ms = 0) => { timers.set(++lastTimer, { at: clock + ms, act }); return lastTimer; };
globalThis.clearTimeout = (timer) => timers.delete(timer);
performance.now = () => clock;
const soon = () => new Promise((resolve) => setImmediate(resolve));
const pass = async (ms) => {
  for (const end = clock + ms; clock < end; ) {
    const due = [...timers].filter(([, { at }]) => at <= end).sort(([, one], [, other]) => one.at - other.at)[0];
    clock = due ? due[1].at : end;
    if (due) { timers.delete(due[0]); due[1].act(); }
    await soon();
  }
};
"""


def test_a_decision_is_waited_for_and_its_late_answer_taken():
    answer = run_javascript(
        "ask from transport",
        MODEL
        + CLOCK
        + """const told = []; const outcome = {};
        for (const kind of ["decide", "undo", "redo", "export", "card"]) {
          ask(model, kind, {}, () => told.push(kind)).then(
            ({ content }) => { outcome[kind] = content.said; },
            (error) => { outcome[kind] = [error.message, error.isLate]; });
        }
        await pass(4000); const early = told.length; await pass(3600000); const atHour = { ...outcome };
        for (const { kind, request } of sent) answer({ kind, request, said: "kept" });
        await soon(); await soon();
        return { early, told, atHour, outcome, timers: timers.size };""",
    )
    assert answer["early"] == 0
    assert answer["told"] == ["decide", "undo", "redo", "export", "card"]
    gave_up = ["no answer: is Python still running?", True]
    assert answer["atHour"] == {"card": gave_up}
    assert answer["outcome"] == {**dict.fromkeys(["decide", "undo", "redo", "export"], "kept"), "card": gave_up}
    assert answer["timers"] == 0


def test_a_question_that_cannot_be_sent_fails_at_once():
    answer = run_javascript(
        "ask from transport",
        MODEL
        + CLOCK
        + """model.send = () => { throw new Error("the comm is closed"); };
        const [one] = await Promise.allSettled([ask(model, "decide")]);
        return [one.reason.message, one.reason.isLate, timers.size];""",
    )
    assert answer == ["the comm is closed", False, 0]


def test_a_view_asks_how_to_begin_until_it_is_told_or_closes():
    answer = run_javascript(
        "askHello from transport",
        MODEL
        + CLOCK
        + """const said = []; let isOver = false; let hello;
        askHello(model, (text) => said.push(text), () => isOver).then((content) => { hello = content; });
        await pass(70000); const asked = sent.length;
        answer({ kind: "problem", request: sent[1].request, text: "Failed to fetch" }); await soon(); await pass(4000);
        answer({ kind: "hello", request: sent[2].request, title: "a smear" }); await soon(); await soon();
        let other; const before = sent.length;
        askHello(model, () => said.push("of another"), () => isOver).then((content) => { other = content; });
        isOver = true; await pass(200000);
        return { said, asked, hello: hello.title, other, more: sent.length - before };""",
    )
    assert answer["asked"] == 2
    # After 5 s, when 60 s have passed, and 5 s after it was asked again.
    assert [text.split(",")[0] for text in answer["said"]] == [*["waiting for Python"] * 3, "Failed to fetch"]
    assert answer["hello"] == "a smear"
    assert answer["other"] is None
    assert answer["more"] == 1


def test_the_research_use_notice_needs_no_answer():
    text = run_javascript(
        "makeNotice from controls",
        """globalThis.document = { createElement: () => ({ append() {}, setAttribute() {} }) };
        return makeNotice().textContent;""",
    )
    assert text == RESEARCH_USE_NOTICE


STORE = (
    MODEL
    + """const store = new TileStore(model, () => {});
const tile = (at) => [0, 0, at, 0]; const many = Array.from({ length: 40 }, (_, at) => tile(at));
const serve = async (at, failed = []) => {
  const { request, wanted } = sent[at];
  const isFailed = ([, , column]) => failed.includes(column);
  const made = wanted.filter((one) => !isFailed(one));
  answer({ kind: "tiles", request, tiles: made, failed: wanted.filter(isFailed).map((one) => [...one, "unreadable"]) },
    made.map(() => new DataView(new ArrayBuffer(5))));
  await rest(); await rest();
};
const asked = () => sent.map(({ wanted }) => wanted.map(([, , column]) => column));
"""
)


def test_at_most_twelve_tiles_a_message_and_twenty_four_under_way():
    asked = run_javascript(
        "TileStore from tiles",
        STORE
        + """store.want(many); store.want(many); const first = asked(); await serve(0); const second = asked();
        store.want(many.slice(30)); await serve(1); await serve(2);
        const there = many.filter((one) => store.picture(...one)).length;
        return { first, second, all: asked(), there, bytes: store.received };""",
    )
    assert asked["first"] == [list(range(12)), list(range(12, 24))]
    assert asked["second"] == [*asked["first"], list(range(24, 36))]
    # What scrolled out of view meanwhile is never asked for, what is on its way not twice.
    assert asked["all"] == [*asked["second"], list(range(36, 40))]
    assert asked["there"] == 36
    assert asked["bytes"] == 36 * 5


def test_tiles_that_cannot_be_had_are_not_asked_for_at_once_again_and_coarser_ones_stand_in():
    answer = run_javascript(
        "TileStore from tiles, drawTiles from tiles, Camera from view, World from world",
        STORE
        + """const world = new World([{ width: 1024, height: 200 }], "pages");
        const camera = new Camera(); const drawn = [];
        camera.resize(1024, 200); camera.bound(world.bounds()); camera.go(512, 100, 1);
        const draw = () => { drawn.length = 0;
          drawTiles({ drawImage: (picture, ...place) => drawn.push(place) }, 1, camera, world, store); };
        draw(); await serve(0, [3]); draw(); const next = sent.slice(1).map(({ wanted }) => wanted);
        const { request, wanted } = sent[1];
        answer({ kind: "tiles", request, tiles: wanted }, wanted.map(() => new DataView(new ArrayBuffer(5))));
        await rest(); await rest(); draw(); const last = sent.length;
        const failed = store.hasFailed("0/0/3/0");
        return { first: sent[0].wanted, next, drawn, last, problem: store.problem, failed };""",
    )
    assert answer["first"][0] == [0, 2, 0, 0]
    assert sorted(answer["first"][1:]) == [[0, 0, column, 0] for column in range(4)]
    assert answer["next"] == [[[0, 1, 1, 0]]]
    assert answer["last"] == 2
    assert answer["problem"] == "unreadable"
    assert answer["failed"]
    # Source and place: three tiles of full size and the right half of a coarser one, side by side without a seam.
    places = sorted(answer["drawn"], key=lambda place: place[4])
    np.testing.assert_allclose([place[4:] for place in places], [[column * 256, 0, 256, 200] for column in range(4)])
    assert places[3][:4] == [128, 0, 128, 100]


def test_a_damaged_or_refused_tile_is_said_and_not_drawn():
    answer = run_javascript(
        "TileStore from tiles",
        STORE
        + """store.want([tile(0), tile(1)]);
        const buffers = [0, 4].map((length) => new DataView(new ArrayBuffer(length)));
        answer({ kind: "tiles", request: sent[0].request, tiles: [tile(0), tile(1)] }, buffers);
        await rest(); await rest();
        const damaged = [store.problem, store.picture(...tile(0)), Boolean(store.picture(...tile(1)))];
        store.want([tile(7)]);
        answer({ kind: "problem", request: sent[1].request, text: "the file is gone" });
        await rest(); await rest();
        return { damaged, refused: store.problem, messages: sent.length };""",
    )
    assert answer == {
        "damaged": ["a part of the picture came damaged", None, True],
        "refused": "the file is gone",
        "messages": 2,
    }
