"""The model of a page without Jupyter, run by node: what a view sees, and what its transport is told."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from hemato_lab.widgets.esm import bundle

NODE = shutil.which("node")
SET_UP = """
const told = [];
const heard = [];
const models = new Map();
let release = null;
const transport = {
  send: async (widget, content, buffers) => [
    { widget, kind: "answer", content: { ...content, kind: "said" }, buffers: buffers },
    { widget: "other", kind: "state", state: { count: 7 }, buffers: { cells: new Uint8Array([7]) } },
  ],
  save: (widget, changes) => new Promise((resolve) => {
    told.push([widget, changes]);
    release = (messages = []) => resolve(messages);
  }),
};
const bytes = { cells: new Uint8Array([1, 2]).buffer };
const model = new PageModel({ widget: "one", state: { count: 1, list: [1, 2] }, buffers: bytes, transport, models });
const other = new PageModel({ widget: "other", state: { count: 1 }, transport, models });
const note = (name) => () => heard.push(name);
const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
"""


def run(program: str, folder: Any) -> Any:
    if NODE is None:
        pytest.skip("node is not there")
    path = folder / "program.mjs"
    path.write_text(bundle("page_model.js") + SET_UP + program, encoding="utf-8")
    done = subprocess.run([NODE, str(path)], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603
    return json.loads(done.stdout)


def test_a_view_reads_sets_and_hears_as_from_anywidget(tmp_path):
    program = """
    model.on("change:count change:list", note("changed"));
    const any = note("any");
    model.on("change", any);
    model.set("count", 2);
    model.set("count", 2);
    model.set("list", [1, 2]);
    model.set({ list: [2], count: 3 });
    model.off("change", any);
    model.set("fresh", { a: [1] });
    model.set("fresh", { a: [1] });
    model.off("change:count change:list");
    model.set("count", 9);
    const view = model.get("cells");
    console.log(JSON.stringify({ heard, view: [view instanceof DataView, view.getUint8(1)], told }));
    """
    assert run(program, tmp_path) == {
        "heard": ["changed", "any", "changed", "changed", "any"],
        "view": [True, 2],
        "told": [],
    }


def test_saves_go_one_after_another_and_the_last_value_wins(tmp_path):
    program = """
    model.set("count", 2);
    model.save_changes();
    model.set("count", 3);
    model.save_changes();
    model.set("count", 4);
    model.set("list", []);
    model.save_changes();
    const first = structuredClone(told);
    release();
    await turn();
    const second = structuredClone(told);
    release();
    await turn();
    model.save_changes();
    console.log(JSON.stringify({ first, second, last: told.length }));
    """
    assert run(program, tmp_path) == {
        "first": [["one", {"count": 2}]],
        "second": [["one", {"count": 2}], ["one", {"count": 4, "list": []}]],
        "last": 2,
    }


def test_what_is_under_way_is_not_overwritten_but_by_its_own_answer(tmp_path):
    program = """
    model.on("change:count", () => heard.push(model.get("count")));
    model.set("count", 2);
    deliverMessages(models, [{ widget: "one", kind: "state", state: { count: 50, list: [5] } }]);
    model.save_changes();
    deliverMessages(models, [{ widget: "one", kind: "state", state: { count: 60 } }]);
    release([{ widget: "one", kind: "state", state: { count: 1 } }]);
    await turn();
    deliverMessages(models, [{ widget: "one", kind: "state", state: { count: 8 } }, { widget: "gone", kind: "state" }]);
    console.log(JSON.stringify({ heard, list: model.get("list"), told }));
    """
    assert run(program, tmp_path) == {"heard": [2, 1, 8], "list": [5], "told": [["one", {"count": 2}]]}


def test_questions_are_answered_with_buffers_and_news_of_others(tmp_path):
    program = """
    model.on("msg:custom", (content, buffers) => heard.push([content, buffers.length]));
    other.on("change:count change:cells", note("other"));
    model.send({ kind: "hello", request: "r" }, undefined, [new Uint8Array([1])]);
    await turn();
    transport.send = async () => { throw new Error("gone"); };
    model.send({ kind: "hello", request: "s" });
    await turn();
    console.log(JSON.stringify({ heard, count: other.get("count"), byte: other.get("cells").getUint8(0) }));
    """
    assert run(program, tmp_path) == {
        "heard": [
            [{"kind": "said", "request": "r"}, 1],
            "other",
            "other",
            [{"kind": "problem", "request": "s", "text": "gone"}, 0],
        ],
        "count": 7,
        "byte": 7,
    }


FAILING = """
    const save = transport.save;
    const fail = (isRefusal) => async () => { throw Object.assign(new Error("gone"), { isRefusal }); };
    model.on("problem", (error) => heard.push(error?.message ?? ""));
"""


def test_a_save_without_an_answer_is_told_and_sent_again(tmp_path):
    program = """
    transport.save = fail(false);
    model.set("count", 2);
    model.save_changes();
    await turn();
    transport.save = save;
    deliverMessages(models, [{ widget: "one", kind: "state", state: { count: 1 } }]);
    await new Promise((resolve) => setTimeout(resolve, 600));
    release();
    await turn();
    console.log(JSON.stringify({ heard, told, count: model.get("count") }));
    """
    expected = {"heard": ["gone", ""], "told": [["one", {"count": 2}]], "count": 2}
    assert run(FAILING + program, tmp_path) == expected


def test_a_save_that_is_refused_is_told_and_later_ones_still_go(tmp_path):
    program = """
    transport.save = fail(true);
    model.set("count", 2);
    model.save_changes();
    await turn();
    transport.save = save;
    model.set("list", [3]);
    model.save_changes();
    console.log(JSON.stringify({ heard, told }));
    """
    assert run(FAILING + program, tmp_path) == {"heard": ["gone"], "told": [["one", {"list": [3]}]]}


def test_linked_models_follow_each_other_and_one_way_links_one_way(tmp_path):
    program = """
    linkModels([model, "count"], [other, "count"]);
    linkModels([model, "list"], [other, "rows"], { isOneWay: true });
    other.on("change:count", note("other"));
    model.set("count", 5);
    other.set("count", 6);
    model.set("list", [9]);
    other.set("rows", []);
    other.save_changes();
    const values = [model.get("count"), model.get("list")];
    console.log(JSON.stringify({ heard, values, rows: other.get("rows"), told }));
    """
    assert run(program, tmp_path) == {
        "heard": ["other", "other"],
        "values": [6, [9]],
        "rows": [],
        "told": [["other", {"count": 6, "rows": []}]],
    }


def test_a_transport_that_saves_nothing_forgets_what_was_changed(tmp_path):
    program = """
    delete transport.save;
    model.set("count", 2);
    model.save_changes();
    deliverMessages(models, [{ widget: "one", kind: "state", state: { count: 3 } }]);
    console.log(JSON.stringify([model.get("count"), bytesOfBase64("AQL/").getUint8(2)]));
    """
    assert run(program, tmp_path) == [3, 255]
