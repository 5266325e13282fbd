"""Joining modules: the rules, what breaks them, and that the joined module says what the files say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from hemato_lab.errors import ConfigError
from hemato_lab.widgets import esm
from hemato_lab.widgets.css import stylesheet
from hemato_lab.widgets.esm import FOLDER, bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NODE = shutil.which("node")
ENTRIES = ("smear_viewer.js", "cell_gallery.js", "comparison_viewer.js", "unsaved_field.js")


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    def write(**files: str) -> None:
        for name, text in files.items():
            (tmp_path / f"{name}.js").write_text(text, encoding="utf-8")

    monkeypatch.setattr(esm, "FOLDER", tmp_path)
    bundle.cache_clear()
    yield write
    bundle.cache_clear()


def run_node(module: str, folder: Path) -> str:
    if NODE is None:
        pytest.skip("node is not there")
    path = folder / "joined.mjs"
    path.write_text(module, encoding="utf-8")
    return subprocess.run([NODE, str(path)], capture_output=True, text=True, check=True, timeout=60).stdout  # noqa: S603


def test_files_are_joined_each_once_after_what_they_need(sources: Callable[..., None], tmp_path: Path) -> None:
    sources(
        one='import { two } from "./two.js";\nimport { three, FOUR } from "./three.js";\n'
        "console.log(JSON.stringify([two(), three.name, FOUR]));\nfunction render() {}\nexport default { render };\n",
        two='import { FOUR } from "./three.js";\nexport function two() {\n  return FOUR + 1;\n}\n',
        three="export class three {}\nexport const FOUR = 4;\nlet counted = 0;\nexport async function more() {}\n",
    )
    joined = bundle("one.js")
    assert "import" not in joined
    assert re.findall(r"^export.*$", joined, re.MULTILINE) == ["export default { render };"]
    assert joined.count("class three") == 1
    assert json.loads(run_node(joined, tmp_path)) == [5, "three", 4]


@pytest.mark.parametrize(
    ("one", "two", "problem"),
    [
        ("const same = 1;", "export const same = 2;", r"same, which (one|two)\.js declares too"),
        ("", "const other = 1;", r"imports missing, which two\.js does not export"),
        ("", 'import {\n  missing\n} from "./one.js";', "another form"),
        ("", 'export * from "./one.js";', "another form"),
        ("", "export const { missing } = {};", "another form"),
        ("", "export { missing };", "another form"),
        ("", "var missing = 1;", "another form"),
        ("", 'import x from "https://example.org/x.js";', "another form"),
        ("", 'import { render } from "./one.js";\nexport const missing = 1;', r"imports itself through"),
    ],
)
def test_what_breaks_the_rules_is_refused(one: str, two: str, problem: str, sources: Callable[..., None]) -> None:
    wanted = "missing" if "same" not in one else "same"
    sources(one=f'import {{ {wanted} }} from "./two.js";\n{one}\nexport default {{ render }};\n', two=two + "\n")
    with pytest.raises(ConfigError, match=problem):
        bundle("one.js")


def test_a_missing_file_is_named(sources: Callable[..., None]) -> None:
    sources(one='import { gone } from "./gone.js";\n')
    with pytest.raises(ConfigError, match=r"gone\.js: cannot be read"):
        bundle("one.js")


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_widgets_modules_are_sound(entry: str, tmp_path: Path) -> None:
    module = bundle(entry)
    assert re.findall(r"^export default \{ render \};$", module, re.MULTILINE) == ["export default { render };"]
    assert run_node(f"{module}\nconsole.log(typeof render);\n", tmp_path) == "function\n"


def test_the_sources_are_short_and_make_no_markup_from_text() -> None:
    files = sorted(FOLDER.glob("*.js"))
    assert files
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 400, path
        for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
            assert forbidden not in text, (path, forbidden)
        assert "toLocale" not in text, path
        assert not re.search(r"https?://(?!www\.w3\.org/)", text), path


def test_every_rule_of_the_stylesheet_is_below_the_widget() -> None:
    # Comments, then the heads of conditional groups, are taken away; what is left before a brace is a selector.
    plain = re.sub(r"/\*.*?\*/", "", stylesheet(), flags=re.DOTALL)
    selectors = [found.strip() for found in re.findall(r"([^{};]+)\{", plain)]
    rules = [selector for selector in selectors if not selector.startswith(("@media", "@container", "@supports"))]
    assert rules
    for rule in rules:
        assert all(".hemato-lab" in one for one in re.split(r",(?![^(]*\))", rule)), rule
