"""Through real sockets: who is let in and who is not, two clients, and decisions on the disk."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from hemato_lab.errors import ConfigError
from hemato_lab.widgets.loopback import LoopbackServer
from hemato_lab.widgets.loopback import server as server_module
from hemato_lab.widgets.loopback.admission import PASS_S, Admission
from hemato_lab.widgets.loopback.doorway import doorway
from hemato_lab.widgets.loopback.exchange import MOST_BYTES
from hemato_lab.widgets.loopback.framing import pack_frame
from tests.widgets.loopback.conftest import Client


def test_the_token_opens_the_page_and_the_cookie_opens_it_again(server, client):
    status, headers, page = client.send("GET", client.path, headers={"Cookie": client.cookie})
    assert status == 200
    assert "Set-Cookie" not in headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Python" not in headers["Server"]
    assert b"For Research Use Only" in page
    assert b"sample &amp; &lt;b&gt;" in page
    assert b"first.png" not in page, "names of files come with the answers"
    token = urlsplit(server.address).query.partition("=")[2]
    assert token.encode() not in page


def test_the_cookie_is_for_pages_of_ours_alone(server, client):
    _, headers, _ = client.send("GET", client.path + "?" + urlsplit(server.address).query)
    flags = {part.strip() for part in headers["Set-Cookie"].split(";")[1:]}
    assert flags == {"HttpOnly", "SameSite=Strict", f"Path={client.path}"}


@pytest.mark.parametrize("query", ["", "?token=", "?token=x", "?token=x&token=y", "?token=%00", "?Token=x"])
def test_without_token_or_cookie_nobody_comes_in(client, query):
    status, headers, body = client.send("GET", client.path + query)
    assert status == 403
    assert "Set-Cookie" not in headers
    assert b"Open the whole address" in body


@pytest.mark.parametrize(
    "cookie", ["", "hemato_lab=", "hemato_lab=x", "other=1", "hemato_lab", "=;;\x01", '"hemato_lab=', "hemato_lab=\xff"]
)
def test_a_message_without_the_cookie_is_refused(client, cookie, review):
    client.cookie = cookie
    status, _, body = client.send("POST", client.path + "open", pack_frame({}), client.page_headers())
    assert status == 401
    assert b"normal" not in body


@pytest.mark.parametrize(
    "change",
    [
        {"Origin": "https://example.org"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost:{port}"},
        {"Host": "example.org"},
        {"Host": "example.org:{port}"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1.example.org:{port}"},
        {"Host": ""},
    ],
)
@pytest.mark.parametrize("what", ["", "open"])
def test_names_of_others_are_refused_even_with_the_cookie(server, client, change, what):
    port = str(urlsplit(server.address).port)
    headers = client.page_headers() | {name: value.format(port=port) for name, value in change.items()}
    method, body = ("POST", pack_frame({"client": "x"})) if what else ("GET", None)
    status, received, _ = client.send(method, client.path + what, body, headers)
    assert status == 403
    assert "Set-Cookie" not in received


def test_a_message_without_an_origin_is_refused(client):
    headers = client.page_headers()
    del headers["Origin"]
    assert client.send("POST", client.path + "open", pack_frame({"client": "x"}), headers)[0] == 403


def test_the_other_name_of_this_machine_does_as_well(server):
    other = Client(server.address.replace("127.0.0.1", "localhost"))
    other.come()
    assert len(other.post("open")[0]) == 2


def test_the_address_for_one_browser_lets_in_once(server):
    one = Client(server.address_for_one())
    one.come()
    assert one.post("open")[0]
    assert one.send("GET", one.path + "?" + urlsplit(one.address).query)[0] == 403
    assert urlsplit(one.address).query not in server.address


def test_that_address_is_good_for_a_minute_and_the_user_hears_of_refusals():
    now, told = [0.0], []
    admission = Admission(1, told=told.append, clock=lambda: now[0])
    first, second = (urlsplit(admission.address_for_one()).query.partition("=")[2] for _ in range(2))
    now[0] = PASS_S - 1
    assert admission.knows_token(first)
    assert not told
    assert not admission.knows_token(first)
    assert "a second time" in told[0]
    now[0] = PASS_S + 1
    assert not admission.knows_token(second)
    assert "too late" in told[1]
    assert not admission.knows_token("x")
    assert len(told) == 2


def test_the_file_that_leads_there_is_for_this_user_alone():
    with doorway("http://127.0.0.1:1/a/?token=x&y") as address:
        assert "token" not in address
        path = Path(url2pathname(urlsplit(address).path))
        assert "url=http://127.0.0.1:1/a/?token=x&amp;y" in path.read_text(encoding="utf-8")
        if os.name == "posix":
            assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert not path.parent.exists()


def test_a_browser_led_here_by_another_page_asks_once_more(client):
    status, headers, page = client.send("GET", client.path, headers={"Sec-Fetch-Site": "cross-site"})
    assert (status, headers["Content-Security-Policy"][:18]) == (403, "default-src 'none'")
    assert f'content="0;url={client.path}"'.encode() in page
    assert b"refresh" not in client.send("GET", client.path, headers={"Sec-Fetch-Site": "same-origin"})[2]


def test_silent_strangers_do_not_lock_the_reader_out(server, client):
    parts = urlsplit(server.address)
    with ExitStack() as opened:
        for _ in range(100):
            opened.enter_context(socket.create_connection((parts.hostname, parts.port), timeout=30))
        assert len(client.post("open")[0]) == 2


def test_a_stranger_is_gone_soon_however_slowly_it_sends_and_the_reader_stays(server, client, monkeypatch):
    monkeypatch.setattr(server_module, "_STRANGER_S", 0.3)
    parts = urlsplit(server.address)
    reader = http.client.HTTPConnection(client.host, timeout=30)
    stranger = socket.create_connection((parts.hostname, parts.port), timeout=30)
    for _ in range(2):
        reader.request("POST", client.path + "open", pack_frame({"client": "x"}), client.page_headers())
        response = reader.getresponse()
        assert (response.status, bool(response.read())) == (200, True)
        own = reader.sock
        for _ in range(8):
            with suppress(OSError):
                stranger.sendall(b"G")
            time.sleep(0.1)
    assert reader.sock is own
    with suppress(ConnectionError):
        assert stranger.recv(10) == b""
    stranger.close()
    reader.close()


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/favicon.ico", 404),
        ("GET", "{path}../", 404),
        ("GET", "{path}style.css", 404),
        ("GET", "{path}open", 405),
        ("POST", "{path}", 405),
        ("POST", "{path}open/", 404),
        ("POST", "{path}run", 404),
        ("GET", "//[", 404),
        ("DELETE", "{path}", 501),
        ("OPTIONS", "{path}open", 501),
        ("HEAD", "{path}", 501),
    ],
)
def test_there_is_nothing_else(client, method, target, status):
    headers = client.page_headers()
    seen, received, _ = client.send(method, target.format(path=client.path), b"", headers)
    assert seen == status
    assert received["Content-Security-Policy"].startswith("default-src 'none'")
    assert received["X-Content-Type-Options"] == "nosniff"
    assert received["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"Content-Type": "application/json"}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Length": str(MOST_BYTES + 1)}, 413),
        ({"Content-Length": "-1"}, 411),
        ({"Content-Length": "four"}, 411),
        ({"Content-Length": "²"}, 411),
        ({"Transfer-Encoding": "chunked"}, 411),
    ],
)
def test_what_is_no_message_of_ours_is_refused_unread(server, client, change, status):
    headers = {"Host": client.host, "Content-Length": "4", **client.page_headers(), **change}
    lines = [f"POST {client.path}open HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    parts = urlsplit(server.address)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1") + b"abcd")
        assert f" {status} ".encode() in connection.recv(1000).splitlines()[0]


@pytest.mark.parametrize(
    ("what", "head", "buffers"),
    [
        ("save", {"widget": "widget-1", "changes": [], "bytes": {}}, ()),
        ("save", {"widget": "widget-1", "changes": {}, "bytes": {"cells": 0}}, ()),
        ("save", {"widget": "widget-1", "changes": {}, "bytes": {"cells": True}}, (b"a", b"b")),
        ("save", {"widget": "widget-1", "changes": {"_esm": "alert(1)"}, "bytes": {}}, ()),
        ("save", {"widget": "widget-9", "changes": {}, "bytes": {}}, ()),
        ("save", {"widget": "widget-1", "changes": {}, "bytes": {}, "client": "x" * 101}, ()),
        ("ask", {"content": {}}, ()),
        ("ask", {"widget": ["widget-1"], "content": {}}, ()),
        ("wait", {"seen": "1"}, ()),
        ("wait", {"seen": True}, ()),
    ],
)
def test_a_message_that_cannot_be_understood_is_answered_with_a_line(client, what, head, buffers):
    frame = pack_frame({"client": "page", **head}, buffers)
    status, headers, body = client.send("POST", client.path + what, frame, client.page_headers())
    assert status == 400
    assert headers["Content-Type"].startswith("text/plain")
    assert len(body.splitlines()) == 1


def test_tiles_and_names_come_as_answers(client):
    client.post("open")
    hello, _ = client.ask("widget-1", "hello")
    assert hello["field_names"] == ["first.png", "second.png"]
    tiles, buffers = client.ask("widget-1", "tiles", wanted=[[0, 0, 0, 0], [1, 0, 0, 0]])
    assert tiles["tiles"] == [[0, 0, 0, 0], [1, 0, 0, 0]]
    assert all(one.startswith(b"\xff\xd8") for one in buffers)


def test_decisions_end_on_the_disk_and_reach_the_other_client(client, second_client, review, tmp_path):
    client.post("open")
    second_client.post("open")
    heard = []
    listener = threading.Thread(target=lambda: heard.append(second_client.post("wait", seen=second_client.seen)))
    listener.start()
    content, _ = client.ask("widget-2", "decide", action="reclassify", rows=[2], name="target cell")
    assert content["done"] == 1
    lines = [json.loads(line) for line in (tmp_path / "decisions.jsonl").read_text().splitlines()]
    made = [(one["action"], one["reader"], one["new_name"]) for one in lines[1:]]
    assert made == [("reclassify", "A", "target cell")]
    listener.join(10)
    assert heard
    messages, _ = heard[0] if heard[0][0] else second_client.post("wait", seen=second_client.seen)
    assert any("decided" in one["bytes"] or "names" in one["state"] for one in messages)
    states, buffers = second_client.post("open")
    assert list(buffers[states[1]["bytes"]["decided"]]) == [0, 0, 3, 0, 0]
    assert list(buffers[states[0]["bytes"]["decided"]]) == [0, 0, 3, 0, 0], "the viewer shows them too"


def test_a_selection_of_one_page_is_that_of_the_other(client, second_client, review):
    client.post("open")
    second_client.post("open")
    client.post("save", widget="widget-1", changes={"selected": [3]}, bytes={})
    messages, _ = second_client.post("wait", seen=second_client.seen)
    assert {one["widget"]: one["state"]["selected"] for one in messages} == {"widget-1": [3], "widget-2": [3]}
    assert review.gallery.selected == [3]


def test_a_connection_serves_many_messages(client, server):
    connection = http.client.HTTPConnection(client.host, timeout=30)
    for _ in range(3):
        connection.request("POST", client.path + "open", pack_frame({"client": "x"}), client.page_headers())
        response = connection.getresponse()
        assert response.status == 200
        response.read()
    connection.request("POST", client.path + "open", pack_frame({}), client.page_headers() | {"Cookie": ""})
    response = connection.getresponse()
    assert (response.status, bool(response.read())) == (401, True)
    connection.request("GET", client.path, headers={"Cookie": client.cookie})
    assert connection.getresponse().status == 200
    connection.close()


def test_closing_lets_go_who_waits_and_frees_the_port(review):
    with LoopbackServer([review.viewer], title="x") as server:
        port = urlsplit(server.address).port
        client = Client(server.address)
        client.come()
        client.post("open")
        heard = []
        waiter = threading.Thread(target=lambda: heard.append(client.post("wait", seen=client.seen)))
        waiter.start()
        time.sleep(0.1)
    waiter.join(10)
    assert heard == [([], [])]
    with LoopbackServer([review.viewer], title="x", port=port) as again:
        assert urlsplit(again.address).port == port
        assert urlsplit(again.address).path != client.path
        with pytest.raises(ConfigError, match="--port"):
            LoopbackServer([review.viewer], title="x", port=port)


def test_it_listens_on_this_machine_alone(server):
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[0-9a-f]{16}/\?token=[\w-]{43}", server.address)
    assert server._server.server_address[0] == "127.0.0.1"


def test_secrets_are_in_no_text_about_the_server(server):
    token = urlsplit(server.address).query.partition("=")[2]
    assert token not in repr(server._admission)
