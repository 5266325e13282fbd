"""A JupyterLab of its own, in folders of its own, and notebooks opened in it as a user would."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.error import URLError
from urllib.request import urlopen

import nbformat

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Locator, Page

START_S: Final = 60
SETTINGS: Final = {
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/completer-extension/manager.jupyterlab-settings": {"autoCompletion": False},
    "@jupyter-widgets/jupyterlab-manager/plugin.jupyterlab-settings": {"saveState": True},
}
TOLERATED: Final = "warning: "
"""JupyterLab warns by itself, of plug-ins that start slowly and of kernels that restart; errors still count."""
READY: Final = """async () => {
  const app = window.jupyterapp;
  await app.restored;
  const find = () => [...app.shell.widgets("main")].find((one) => one.sessionContext);
  while (!find()?.sessionContext.session?.kernel) await new Promise((done) => setTimeout(done, 50));
  const { sessionContext } = find();
  await sessionContext.ready;
  await sessionContext.session.kernel.info;
  while (sessionContext.session.kernel.status !== "idle") await new Promise((done) => setTimeout(done, 50));
}"""
PANEL: Final = """[...window.jupyterapp.shell.widgets("main")].find((one) => one.sessionContext)"""


@dataclass(frozen=True)
class Lab:
    """A running server."""

    address: str
    folder: Path
    """Where notebooks are, and what the kernel works in."""

    def open(self, page: Page, *cells: str, name: str = "story.ipynb") -> Notebook:
        """Write a notebook of code cells and open it."""
        document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        document.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(document, self.folder / name)
        return self.reopen(page, name)

    def reopen(self, page: Page, name: str = "story.ipynb") -> Notebook:
        """Open a notebook that exists, with a kernel that is ready."""
        page.goto(f"{self.address}/lab/tree/{name}?reset")
        page.wait_for_function("() => window.jupyterapp")
        page.evaluate(READY)
        return Notebook(page, self.folder / name)


@dataclass(frozen=True)
class Notebook:
    """A notebook in the browser."""

    page: Page
    path: Path

    def run_all(self, *, timeout_s: float = 60) -> None:
        """Run every cell and wait until the last has run; a cell that raises fails the test."""
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
        self.wait_until_run(timeout_s=timeout_s)

    def wait_until_run(self, *, timeout_s: float = 60) -> None:
        """Wait until every code cell has a number and the kernel is idle."""
        done = f"""() => {{
          const panel = {PANEL};
          const cells = panel.content.widgets.filter((one) => one.model.type === "code");
          const {{ status }} = panel.sessionContext.session.kernel;
          return status === "idle" && cells.every((one) => one.model.executionCount);
        }}"""
        self.page.wait_for_function(done, timeout=timeout_s * 1000)
        assert not self.problems(), "\n".join(self.problems())

    def problems(self) -> list[str]:
        """What cells raised or wrote to standard error."""
        return [
            "\n".join(one.get("traceback", ())) or one.get("text", "")
            for one in self.outputs()
            if one["output_type"] == "error" or one.get("name") == "stderr"
        ]

    def outputs(self) -> list[dict[str, Any]]:
        """The outputs of all cells, as the notebook's document holds them."""
        found = f"() => {PANEL}.content.widgets.flatMap((one) => one.model.outputs?.toJSON() ?? [])"
        return self.page.evaluate(found)

    def printed(self) -> str:
        """What cells wrote to standard output."""
        return "".join(one.get("text", "") for one in self.outputs() if one.get("name") == "stdout")

    def ask(self, code: str) -> str:
        """Run code in the kernel without a cell; what it prints."""
        asked = f"""async (code) => {{
          const kernel = {PANEL}.sessionContext.session.kernel;
          const future = kernel.requestExecute({{ code, store_history: false }});
          let said = "";
          future.onIOPub = ({{ content, header }}) => {{
            if (header.msg_type === "stream") said += content.text;
            if (header.msg_type === "error") said += content.traceback.join("\\n");
          }};
          const {{ content }} = await future.done;
          return [content.status, said];
        }}"""
        status, said = self.page.evaluate(asked, code)
        assert status == "ok", said
        return said.strip()

    def output(self, cell: int) -> Locator:
        """The output area of a cell."""
        return self.page.locator(".jp-Notebook-cell").nth(cell).locator(".jp-Cell-outputArea")

    def restart_kernel(self) -> None:
        """A new process without any of the old one's variables; outputs stay until cells run again."""
        self.page.evaluate(f"async () => {{ await {PANEL}.sessionContext.restartKernel(); }}")
        self.page.evaluate(READY)
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs'); }")

    def save(self) -> dict[str, Any]:
        """Save as a user would; the document on disk."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        return json.loads(self.path.read_text(encoding="utf-8"))


@contextmanager
def running_lab(home: Path, **environment: str) -> Iterator[Lab]:
    """A server whose settings, data, and history are all below ``home``."""
    folder = home / "notebooks"
    folder.mkdir(parents=True)
    address = f"http://127.0.0.1:{_free_port()}"
    log = (home / "server.log").open("wb")
    process = subprocess.Popen(  # noqa: S603
        _command(address.rpartition(":")[2], folder), env=_environment(home) | environment, stdout=log, stderr=log
    )
    try:
        _wait_until_up(address, process, home / "server.log")
        yield Lab(address, folder)
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def _command(port: str, folder: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"),
        *("--ServerApp.port_retries=0", "--IdentityProvider.token=", "--expose-app-in-browser"),
        *("--LabApp.extension_manager=readonly", f"--ServerApp.root_dir={folder}", "--LabApp.news_url="),
    ]


def _environment(home: Path) -> dict[str, str]:
    settings = home / "settings"
    for name, values in SETTINGS.items():
        file = settings / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values), encoding="utf-8")
    own = {
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": settings,
        "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces",
        "IPYTHONDIR": home / "ipython",
        "HOME": home,
        "XDG_DATA_HOME": home / "share",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "IPYTHON", "PYTEST"))}
    return kept | {name: str(path) for name, path in own.items()}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def _wait_until_up(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urlopen(f"{address}/api", timeout=5):  # noqa: S310
                return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise AssertionError("JupyterLab did not start:\n" + log.read_text(encoding="utf-8", errors="replace"))
