"""The package as a whole: what it offers, what its import costs, what ships with it, and the rules of the house."""

from __future__ import annotations

import ast
import functools
import importlib
import json
import pkgutil
import re
import shlex
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
from packaging.requirements import Requirement

import hemato_lab
import hemato_lab.api
from hemato_lab.errors import ConfigError
from hemato_lab.export import render
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.resources import shipped
from hemato_lab.twin.database import open_database
from tests.api.fake_service import FakeService
from tests.api.loopback import LoopbackServer

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "hemato_lab"
SOURCES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {"PIL", "matplotlib", "numba", "numpy", "onnxruntime", "pandas", "scipy", "skimage", "tifffile"}
MODULES = sorted(
    module.name for module in pkgutil.walk_packages([str(PACKAGE)], "hemato_lab.") if "__main__" not in module.name
)
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def readme_block(language: str) -> str:
    """The one fenced block of a language in the README."""
    (block,) = re.findall(rf"^```{language}\n(.*?)^```$", text_of("README.md"), re.MULTILINE | re.DOTALL)
    return block


def documented_columns() -> list[str]:
    """The columns of cells.csv in the order of the README's table."""
    table = text_of("README.md").partition("| column | meaning | unit |\n|---|---|---|\n")[2].partition("\n\n")[0]
    return [name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])]


def run_python(*arguments: str, folder: Path = ROOT) -> str:
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder).stdout  # noqa: S603


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", ["hemato_lab", "hemato_lab.cli"])
def test_import_loads_nothing_heavy(module: str):
    loaded = run_python("-c", f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})")
    assert "hemato_lab" in loaded.split()
    assert not HEAVY & set(loaded.split())


def test_public_names_are_listed_in_order_and_resolve():
    assert sorted(hemato_lab.__all__) == hemato_lab.__all__
    assert set(hemato_lab.__all__) <= set(dir(hemato_lab))
    for name in MODULES:
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", ()):
            assert getattr(module, public) is not None, f"{name}.{public}"
    for public in hemato_lab.__all__:
        assert getattr(hemato_lab, public) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = hemato_lab.nonsense


def test_no_public_name_is_that_of_a_module_beside_it():
    for name in ("hemato_lab", *MODULES):
        module = importlib.import_module(name)
        beside = {found.name for found in pkgutil.iter_modules(getattr(module, "__path__", ()))}
        assert not beside & set(getattr(module, "__all__", ())), name


def test_everything_public_is_documented():
    missing = [path for path in SOURCES if not ast.get_docstring(tree_of(path))]
    for path in SOURCES:
        for node in tree_of(path).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                missing += [] if ast.get_docstring(node) else [f"{path}: {node.name}"]
    assert not missing


def test_files_and_functions_are_short():
    long = [path for path in SOURCES if len(path.read_text(encoding="utf-8").splitlines()) > 400]
    for path in SOURCES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                long += [f"{path}: {node.name}"] if body and body[-1].end_lineno - body[0].lineno >= 40 else []
    assert not long


def test_the_layers_hold():
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603
    assert done.returncode == 0, done.stdout


def test_kernels_know_only_numpy_and_numba():
    for path in (PACKAGE / "kernels").glob("*.py"):
        for node in ast.walk(tree_of(path)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                own = name.startswith("hemato_lab.kernels")
                assert own or name.partition(".")[0] in {"numpy", "numba", *sys.stdlib_module_names}, path


def test_the_notice_is_where_people_look_first():
    assert RESEARCH_USE_NOTICE in "\n".join(text_of("README.md").splitlines()[:10])
    assert RESEARCH_USE_NOTICE in hemato_lab.__doc__
    assert RESEARCH_USE_NOTICE in run_python("-m", "hemato_lab", "--version")
    assert RESEARCH_USE_NOTICE in " ".join(run_python("-m", "hemato_lab", "--help").split())


def test_the_version_is_the_same_everywhere():
    version = hemato_lab.__version__
    assert PYPROJECT["project"]["version"] == version
    assert re.search(r"^version: (.+)$", text_of("CITATION.cff"), re.MULTILINE)[1] == version
    assert re.search(r"^## \[([\d.]+)\]", text_of("CHANGELOG.md"), re.MULTILINE)[1] == version
    assert f"hemato-lab {version}." in run_python("-m", "hemato_lab", "--version")


def test_what_ships_is_found_beside_the_checkout_and_put_into_the_wheel():
    sources = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["sources"]
    for name in ("models", "sample_data"):
        assert shipped(name) == ROOT / name
        assert sources[name] == f"hemato_lab/_data/{name}"
    with pytest.raises(ConfigError, match="no such_thing"):
        shipped("such_thing")


def test_every_requirement_is_pinned_to_a_version_it_allows():
    lines = [line for line in text_of("constraints.txt").splitlines() if not line.startswith("#")]
    pins = {name.lower().replace("_", "-"): version for name, version in (line.split("==") for line in lines)}
    project = PYPROJECT["project"]
    for listed in (*project["dependencies"], *project["optional-dependencies"]["test"]):
        requirement = Requirement(listed)
        assert requirement.specifier.contains(pins[requirement.name]), listed


def test_the_two_commands_are_those_that_run_in_ci():
    commands = readme_block("bash").splitlines()
    assert len(commands) == 2
    script = [line for line in text_of(".ci/run").splitlines() if line]
    first = script.index(commands[0])
    assert script[first + 1 : first + 3] == [")", commands[1]]


def paths_of(value: Any, path: str = "") -> set[str]:
    """Every key path of a JSON object, and the units and origins that stand at some of them."""
    if not isinstance(value, dict):
        return {f"{path}={value}"} if path.endswith((".unit", ".origin")) else {path}
    return set().union(*(paths_of(item, f"{path}.{key}") for key, item in value.items()))


def test_the_ten_lines_of_python_run_and_give_the_report_that_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(readme_block("python"), "README.md", "exec"), names)  # noqa: S102 (our own words)
    assert (tmp_path / "report.html").stat().st_size > 0
    shown = paths_of(json.loads(readme_block("json")))
    assert shown <= paths_of(json.loads(render(names["analysis"], "json")))
    assert sorted(documented_columns()) == sorted(names["cells"].columns)


def assert_understood(line: str) -> None:
    from hemato_lab.cli.application import application

    program, command, *arguments = shlex.split(line, comments=True)
    assert program == "hemato-lab"
    arguments = arguments[: arguments.index(">")] if ">" in arguments else arguments
    group = typer.main.get_command(application)
    if command == "remote":
        group, (command, *arguments) = group.commands[command], arguments
    if command != "--version":
        group.commands[command].make_context(command, arguments)


def test_the_ten_lines_of_command_line_are_understood():
    lines = readme_block("console").splitlines()
    assert len(lines) == 10
    for line in lines:
        assert_understood(line)


def test_the_commands_for_the_service_are_understood():
    blocks = re.findall(r"^```sh\n(.*?)^```$", text_of("README.md"), re.MULTILINE | re.DOTALL)
    (lines,) = (block.splitlines() for block in blocks if "remote" in block)
    for line in lines:
        assert_understood(line)


def test_the_lines_for_the_service_run_against_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    service = FakeService(host="127.0.0.1")
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    service.keys["your key id"] = hemato_lab.api.make_key_pair("key.pem").public_path.read_text()
    with LoopbackServer(service) as server:
        code = readme_block("py").replace('Client("eu",', f'Client("eu", base_url={server.url!r},')
        assert server.url in code
        exec(compile(code, "README.md", "exec"), {})  # noqa: S102 (our own words)
    assert "The token is accepted." in capsys.readouterr().out
    assert [study.tags for study in service.studies.values()] == [{"batch_id": "7"}]


def test_the_lines_of_the_twin_run(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.chdir(ROOT)
    exec(compile(readme_block("python3"), "README.md", "exec"), {})  # noqa: S102 (our own words)
    printed = capsys.readouterr().out
    assert "Malaria" in printed
    assert printed.splitlines()[-1] == "True"


def test_the_commands_of_the_twin_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    hemato_lab.api.make_key_pair("key.pem")
    (tmp_path / "twin_data").mkdir()
    open_database(tmp_path / "twin_data").close()
    for line in readme_block("shell").splitlines():
        command = shlex.split(line, comments=True)
        if command[2] == "admin":
            run_python("-m", "hemato_lab", *command[1:], folder=tmp_path)
        else:
            assert_understood(line)


def test_the_lines_of_the_comparison_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    monkeypatch.chdir(tmp_path)
    exec(compile(readme_block("pyi"), "README.md", "exec"), {})  # noqa: S102 (our own words)
    assert "differs: places" in capsys.readouterr().out
    assert (tmp_path / "compared" / "comparison.html").stat().st_size > 0


def test_the_lines_of_the_review_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    names: dict[str, Any] = {}
    exec(compile(readme_block("ipython"), "README.md", "exec"), names)  # noqa: S102 (our own words)
    assert "'renamed': 1" in capsys.readouterr().out
    assert (tmp_path / "decisions.jsonl").read_text(encoding="utf-8").count("ring trophozoite") == 1
    assert names["review"].viewer.selected == [0, 1, 2]
    assert (tmp_path / "review.html").stat().st_size > 100_000


def test_the_commands_for_many_smears_are_understood():
    for line in readme_block("zsh").splitlines():
        assert_understood(line)


def test_tests_cannot_leave_the_machine():
    with socket.socket() as listener, socket.socket() as caller:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        caller.connect(listener.getsockname())
    with socket.socket() as caller, pytest.raises(AssertionError, match=r"192\.0\.2\.1"):
        caller.connect(("192.0.2.1", 80))
    with pytest.raises(AssertionError, match=r"example\.org"):
        socket.getaddrinfo("example.org", 443)
