"""A tiny crop set that takes the place of the shipped records, and a server on loopback that holds it."""

from __future__ import annotations

import functools
import shutil
import threading
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hemato_lab.datasets import places, records
from hemato_lab.datasets.pinning import pin
from hemato_lab.datasets.records import encode

if TYPE_CHECKING:
    from collections.abc import Iterator

TINY = "tiny_cells"
CROP = "images/parasitised RBC/C1 cell #7.jpg"  # signs that an address must escape
RECORD = f"""
[{TINY}]
kind = "crops"
source = "https://example.org/tiny"
licence = "CC0"
citation = "nobody"
magnification = "100x"
stain = "Giemsa"
image_bytes = "unknown"
notes = "two crops"
images = {{ train = 1, test = 1 }}

[{TINY}.labels]
"parasitised RBC" = 1
"uninfected RBC" = 1
"""


@dataclass
class Server:
    """What a test sees of the server; `broken` maps a path to how often its answer still stops half-way."""

    root: Path
    address: str = ""
    asked: list[str] = field(default_factory=list)
    broken: dict[str, int] = field(default_factory=dict)

    def path_of(self, file: str) -> Path:
        return self.root / TINY / file


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments: Any, server_state: Server) -> None:
        self._state = server_state
        super().__init__(*arguments, directory=str(server_state.root))

    def do_GET(self) -> None:
        file = Path(self.translate_path(self.path)).relative_to(self._state.root / TINY).as_posix()
        self._state.asked.append(file)
        if self._state.broken.get(file, 0) == 0:
            super().do_GET()
            return
        self._state.broken[file] -= 1
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"half")

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def packaged(tmp_path: Path) -> Path:
    """The folder that holds the packaged tiny set."""
    folder = tmp_path / "served" / TINY
    for name, content in ((CROP, b"first"), ("images/uninfected RBC/C2_cell_1.jpg", b"second")):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(content)
    (folder / "labels.csv").write_text(
        "file,label,split,group\n"
        f"{CROP},parasitised RBC,train,C1\n"
        "images/uninfected RBC/C2_cell_1.jpg,uninfected RBC,test,C2\n",
        encoding="utf-8",
    )
    return folder


@pytest.fixture
def tiny(tmp_path: Path, packaged: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The tiny set's name, the only one there is; neither the environment nor the user's cache is that of the user."""
    pinned = tmp_path / "pinned"
    pinned.mkdir()
    (pinned / "records.toml").write_text(RECORD, encoding="utf-8")
    (pinned / f"{TINY}.csv.gz").write_bytes(encode(pin(packaged)))
    monkeypatch.setattr(records, "_PINNED", pinned)
    monkeypatch.delenv(places.VARIABLE, raising=False)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "cache" / name))
    records._records.cache_clear()
    yield TINY
    records._records.cache_clear()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "hemato_lab" / "datasets"


@pytest.fixture
def server(packaged: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    state = Server(packaged.parent)
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, server_state=state)) as listener:
        state.address = f"http://127.0.0.1:{listener.server_port}/"
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        listener.shutdown()
        thread.join()


@pytest.fixture
def copied(packaged: Path, tmp_path: Path) -> Path:
    """A folder with a copy of the tiny set, as a user would keep it."""
    return Path(shutil.copytree(packaged.parent, tmp_path / "own"))
