"""The widgets' modules run by node: a script imports what it tests and returns JSON."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from hemato_lab.widgets.esm import FOLDER

NODE: Final = shutil.which("node")
_MAIN: Final = """
import fs from "node:fs";
const given = JSON.parse(fs.readFileSync(0, "utf-8"));
const answer = await (async () => { %s })();
fs.writeFileSync(1, JSON.stringify(answer));
"""


def run_javascript(imports: str, body: str, **given: Any) -> Any:
    """Run the body of a function that knows `given` and the imported names; return what it returns.

    ``imports`` is like ``"Camera from view, clamp from numbers"``; without node the test is skipped.
    """
    if NODE is None:
        pytest.skip("node is not installed")
    lines = [one.split(" from ") for one in imports.split(", ")]
    head = "".join(f'import {{ {name} }} from "./{module}.js";\n' for name, module in lines)
    folder = Path(_copied().name)
    (folder / "main.js").write_text(head + _MAIN % body, encoding="utf-8")
    done = subprocess.run(  # noqa: S603
        [NODE, "main.js"],
        cwd=folder,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@cache
def _copied() -> tempfile.TemporaryDirectory[str]:
    """A folder with the modules, which node takes for modules; gone when the tests end."""
    folder = tempfile.TemporaryDirectory()
    for source in FOLDER.glob("*.js"):
        shutil.copy(source, folder.name)
    (Path(folder.name) / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    return folder
