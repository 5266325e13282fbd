"""What the cards and the stored figures say of the models, against the files that ship."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"
CARDS = sorted(MODELS.glob("*.md"))
SHIPPED = sorted(MODELS.glob("*.onnx"))
SHA256 = {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in SHIPPED}
FIGURES = json.loads((MODELS / "figures.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", [*CARDS, ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_what_a_page_links_to_is_there(page: Path):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


def test_every_model_has_a_card_and_a_line_in_the_readme():
    readme = (MODELS / "README.md").read_text(encoding="utf-8")
    for path in SHIPPED:
        assert f"`{path.name}`" in readme
        assert (MODELS / f"{path.stem.removesuffix('-int8')}.md").is_file()


@pytest.mark.parametrize("path", [path for path in SHIPPED if "int8" not in path.stem], ids=lambda path: path.stem)
def test_the_number_of_parameters_is_that_of_the_file(path: Path):
    stated = re.search(r"([0-9.]+)\s+million\s+parameters", (MODELS / f"{path.stem}.md").read_text(encoding="utf-8"))
    assert stated is not None
    count = sum(int(np.prod(weight.dims)) for weight in onnx.load(path).graph.initializer)
    assert float(stated[1]) == pytest.approx(count / 1e6, rel=0.08)


@pytest.mark.parametrize("command", [name for name, kept in FIGURES.items() if "trained without" not in kept["title"]])
def test_figures_are_those_of_the_models_that_ship(command: str):
    kept = FIGURES[command]
    used = kept.get("models") or {kept["card"]: kept["model_sha256"]}
    assert set(used.values()) <= set(SHA256.values())
