"""``hemato-lab view``: what it serves, what it keeps, how it ends, and what it refuses."""

from __future__ import annotations

import signal
import subprocess
import sys
import webbrowser
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from hemato_lab import analyze, open_smear
from hemato_lab.cli.output import write_files
from hemato_lab.export.reading import read_analysis
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.review import Review
from tests.widgets.loopback.conftest import Client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hemato_lab.widgets.loopback import LoopbackServer


@pytest.fixture(scope="session")
def image(tmp_path_factory, photograph) -> Path:
    path = tmp_path_factory.mktemp("images") / "field.jpg"
    path.write_bytes(photograph)
    return path


@pytest.fixture(scope="session")
def results(tmp_path_factory, image) -> Path:
    folder = tmp_path_factory.mktemp("results")
    write_files(analyze(open_smear(image, rbc_diameter_px=30.0), detector="classical"), folder)
    return folder


class Served:
    """A running command: its address, and what it printed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.printed: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            self.printed.append(line)
            if line.startswith("open "):
                self.client = Client(line.split()[1])
                return
        raise AssertionError(f"no address: {self.printed}")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        self.printed += self.process.stdout or ()
        return self.process.wait(timeout=30)


@contextmanager
def served(*arguments: object) -> Iterator[Served]:
    line = [sys.executable, "-m", "hemato_lab", "view", *map(str, arguments), "--no-browser"]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # noqa: S603
    try:
        yield Served(process)
    finally:
        process.kill()
        process.communicate(timeout=30)


def test_decisions_are_on_the_disk_when_it_is_stopped(image, results, tmp_path):
    log = tmp_path / "decisions.jsonl"
    with served(image, "--results", results, "--decisions", log, "--reader", "B") as running:
        running.client.come()
        running.client.post("open")
        content, _ = running.client.ask("widget-2", "decide", action="reject", rows=[0, 3], name="")
        assert content["done"] == 2
        tiles, buffers = running.client.ask("widget-1", "tiles", wanted=[[0, 0, 0, 0]])
        assert (len(tiles["tiles"]), len(buffers)) == (1, 1)
        assert running.stop() == 0
    text = "".join(running.printed)
    assert f"0 of them decided; decisions are kept in {log}" in text
    assert RESEARCH_USE_NOTICE in text
    assert text.endswith("stopped\n")
    assert log.stat().st_mode & 0o077 == 0
    again = Review(read_analysis(results, image), log)
    assert (again.progress.decided, again.log.decisions[0].reader) == (2, "B")


def test_without_an_analysis_there_is_a_page_to_look_at(image, command, monkeypatch):
    seen = []

    def look(server: LoopbackServer, *, browser: bool) -> None:
        with server:
            client = Client(server.address)
            seen.append((client.come().decode(), [one["widget"] for one in client.post("open")[0]], browser))

    monkeypatch.setattr(sys.modules["hemato_lab.cli.view"], "_serve", look)
    assert command("view", image, "--no-analyse").code == 0
    ((page, widgets, browser),) = seen
    assert "Nothing was analysed" in page
    assert widgets == ["widget-1"]
    assert browser


@pytest.mark.parametrize(
    ("arguments", "ending"),
    [
        (("no_such.jpg",), (3, "no_such.jpg")),
        (("{image}", "--results", "{image}"), (2, "holds no results")),
        (("{results}",), (2, "--results")),
        (("{image}", "--no-analyse", "--reader", "B"), (2, "--no-analyse")),
        (("{image}", "--results", "{results}", "--um-per-px", "0.2"), (2, "analysed already")),
        (("{image}", "--decisions", ""), (2, "--decisions")),
        (("{image}", "--results", "{results}", "--decisions", "{image}"), (12, "field.jpg")),
        (("{image}", "--results", "{results}", "--reader", "x" * 500), (2, "label")),
        (("{image}", "--port", "70000"), (2, "--port")),
        ((), (2, "smear")),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(image, results, command, arguments, ending):
    code, words = ending
    before = image.read_bytes()
    texts = [one.format(image=image, results=results) for one in arguments]
    outcome = command("view", *texts, "--no-browser")
    assert len(outcome.err.splitlines()) == 1
    assert words.lower() in outcome.err.lower()
    assert "open http" not in outcome.out
    assert outcome.code == code
    assert image.read_bytes() == before


def test_a_browser_is_opened_where_there_is_a_screen(monkeypatch):
    from hemato_lab.cli.view import _open_browser

    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    for screen in ("", ":0"):
        monkeypatch.setenv("DISPLAY", screen)
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        _open_browser("http://127.0.0.1:1/")
    assert len(opened) == (2 if sys.platform in {"darwin", "win32"} else 1)
