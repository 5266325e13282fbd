"""Frames: what is packed is unpacked, by Python and by the page's own JavaScript; anything else is refused."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemato_lab.errors import InputError
from hemato_lab.widgets.esm import bundle
from hemato_lab.widgets.loopback.framing import pack_frame, unpack_frame

NODE = shutil.which("node")
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40)
@given(st.dictionaries(st.text().filter(lambda key: key != "sizes"), JSON, max_size=4), st.lists(st.binary()))
def test_any_head_and_buffers_come_back(head, buffers):
    assert unpack_frame(pack_frame(head, buffers)) == (head, buffers)


@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda tail: b"\x02\x00\x00\x00{}" + tail))
def test_whatever_is_no_frame_is_refused_and_nothing_else_happens(content):
    with pytest.raises(InputError, match="no message"):
        unpack_frame(content)


@pytest.mark.parametrize(
    "head", ['{"sizes":[1]}', '{"sizes":[-1,2]}', '{"sizes":[true]}', '{"sizes":{}}', "[]", "{", '{"sizes":[2.0]}']
)
def test_a_head_that_does_not_fit_is_refused(head):
    text = head.encode()
    with pytest.raises(InputError, match="no message"):
        unpack_frame(len(text).to_bytes(4, "little") + text + b"ab")


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_no_json_pass_neither_way(word):
    text = f'{{"x":{word},"sizes":[]}}'.encode()
    with pytest.raises(InputError, match="no JSON"):
        unpack_frame(len(text).to_bytes(4, "little") + text)
    with pytest.raises(ValueError, match="JSON"):
        pack_frame({"x": float(word)})


def test_deep_nesting_is_refused():
    text = b"[" * 100_000
    with pytest.raises(InputError, match="no JSON"):
        unpack_frame(len(text).to_bytes(4, "little") + text)


PROGRAM = """
const [frame] = process.argv.slice(2);
const bytes = Uint8Array.from(Buffer.from(frame, "base64"));
const { head, buffers } = unpackFrame(bytes.buffer);
const { sizes, ...rest } = head;
const seen = buffers.map((one) => one.byteLength);
const again = packFrame({ ...rest, seen }, [...buffers, new Uint8Array([9]).buffer]);
process.stdout.write(Buffer.from(again).toString("base64"));
"""


def test_the_page_packs_and_unpacks_the_same(tmp_path):
    if NODE is None:
        pytest.skip("node is not there")
    path = tmp_path / "frames.mjs"
    path.write_text(bundle("loopback_transport.js") + PROGRAM, encoding="utf-8")
    head, buffers = {"text": "µ 🩸 <", "list": [1, 2.5, None]}, [b"", bytes(range(256)), b"\xff"]
    frame = base64.b64encode(pack_frame(head, buffers)).decode()
    answered = subprocess.run([NODE, str(path), frame], capture_output=True, check=True, timeout=60).stdout  # noqa: S603
    assert unpack_frame(base64.b64decode(answered)) == ({**head, "seen": [0, 256, 1]}, [*buffers, b"\x09"])


FOLLOW = """
const listeners = new Set();
globalThis.document = {
  visibilityState: "visible",
  addEventListener: (_, listener) => listeners.add(listener),
  removeEventListener: (_, listener) => listeners.delete(listener),
};
const told = [];
const news = packFrame({ version: 2, messages: [] });
const statuses = [200, 200, 503, 200, 403];
globalThis.fetch = async () => {
  const status = statuses.shift();
  told.push([status, listeners.size]);
  return { ok: status === 200, status, text: async () => `status ${status}`, arrayBuffer: async () => news.buffer };
};
const said = [];
await new LoopbackTransport((text) => said.push(text)).follow(new Map());
process.stdout.write(JSON.stringify({ told, said, left: listeners.size }));
"""


def test_waiting_for_news_leaves_no_listener_and_outlives_a_failure_of_the_server(tmp_path):
    if NODE is None:
        pytest.skip("node is not there")
    path = tmp_path / "follow.mjs"
    path.write_text(bundle("loopback_transport.js") + FOLLOW, encoding="utf-8")
    done = subprocess.run([NODE, str(path)], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603
    assert json.loads(done.stdout) == {
        "told": [[200, 1], [200, 1], [503, 1], [200, 1], [403, 1]],
        "said": ["", "", "status 503", "", "status 403"],
        "left": 0,
    }
