"""Each notebook as it is kept, and as it runs: without errors, warnings or network, and with pictures."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import nbformat
import pytest

from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER: Final = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS: Final = tuple(sorted(FOLDER.glob("*.ipynb")))
GUARD: Final = """
import sys, warnings

def stay_on_this_machine(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple) and arguments[1][0] not in ("127.0.0.1", "::1"):
        raise AssertionError(f"a notebook tried to reach {arguments[1][0]}")

sys.addaudithook(stay_on_this_machine)
warnings.simplefilter("error")
"""
LINK: Final = re.compile(r"\]\(([^)#]+)\)")
OF_ONE_MACHINE: Final = re.compile(r"[\"'](?:/\w+/|[A-Za-z]:\\\\|~/)|/(?:home|Users|tmp|work)/")


def _read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def _texts(notebook: Any, kind: str) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def test_there_are_the_nine_of_the_index() -> None:
    assert [path.name[:2] for path in NOTEBOOKS] == [f"{number}_" for number in range(1, 10)]
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [name for name in LINK.findall(index) if name.endswith(".ipynb")] == [path.name for path in NOTEBOOKS]
    assert RESEARCH_USE_NOTICE in index


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_kept_without_outputs(path: Path) -> None:
    notebook = _read(path)
    nbformat.validate(notebook, version=4, version_minor=5)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    for cell in notebook.cells:
        assert not cell.metadata
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_begins_and_ends_with_the_notice_and_links_to_what_exists(path: Path) -> None:
    notebook = _read(path)
    words = _texts(notebook, "markdown")
    assert notebook.cells[0].cell_type == notebook.cells[-1].cell_type == "markdown"
    assert RESEARCH_USE_NOTICE in words[0]
    assert words[-1].rstrip().endswith(f"**{RESEARCH_USE_NOTICE}**")
    for target in LINK.findall("\n".join(words)):
        assert (FOLDER / target).is_file(), target


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_needs_no_folder_of_a_certain_machine(path: Path) -> None:
    code = "\n".join(_texts(_read(path), "code"))
    without_examples = re.sub(r"#.*", "", code)
    assert not OF_ONE_MACHINE.search(without_examples)
    assert "%matplotlib" not in code


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that is gone afterwards, with a short name, as sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="nb") as name:
        yield Path(name)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path: Path, folder: Path) -> None:
    ran = _executed(path, folder)
    outputs = [output for cell in ran.cells for output in cell.get("outputs", [])]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    assert [output for output in outputs if "image/png" in output.get("data", {})]
    # The state of widgets, which is saved with a notebook, names no picture.
    assert "field_0" not in json.dumps(ran.metadata)


def _executed(path: Path, folder: Path) -> Any:
    """Return the notebook with its outputs; Jupyter, IPython and the package keep their files in the folder."""
    own = {
        "IPYTHONDIR": "ipython",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "XDG_DATA_HOME": "own",
        "XDG_STATE_HOME": "own",
        "TMPDIR": "temporary",
    }
    places = {key: folder / name for key, name in own.items()}
    for place in places.values():
        place.mkdir(exist_ok=True)
    startup = places["IPYTHONDIR"] / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00-guard.py").write_text(GUARD)
    result = folder / "result.ipynb"
    command = [sys.executable, str(Path(__file__).with_name("executing.py")), str(path), str(folder), str(result)]
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment = {**os.environ, **one_thread, **{key: str(place) for key, place in places.items()}}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    assert ran.returncode == 0, ran.stderr
    return _read(result)
