"""The sample smears: small, valid, and what the commands in their README make."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hemato_lab.cli.phantom import parse_size
from hemato_lab.phantom import RECIPES, render_field
from hemato_lab.phantom.dataset import CATEGORY_IDS
from hemato_lab.smear import RED_CELL_DIAMETER_UM

SAMPLES = Path(__file__).parents[2] / "sample_data"
NAMES = ("normal", "malaria", "sickle", "acute_leukaemia")


def commands():
    """Return the options of each command in the README by the folder that it writes."""
    lines = [line for line in (SAMPLES / "README.md").read_text().splitlines() if line.startswith("hemato-lab phantom")]
    words = [shlex.split(line) for line in lines]
    return {Path(word[2]).name: dict(zip(word[3::2], word[4::2], strict=True)) for word in words}


def test_all_together_are_small_and_say_what_they_are():
    assert sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()) < 6_000_000
    for name in ("README.md", "NOTICE.txt"):
        assert "For Research Use Only. Not for use in diagnostic procedures." in (SAMPLES / name).read_text()


def test_there_is_one_command_for_each():
    assert set(commands()) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_command_makes_the_sample(name):
    document = json.loads((SAMPLES / name / "annotations.json").read_text())
    options = commands()[name]
    width, height = parse_size(options["--size"])
    assert len(document["images"]) == int(options["--fields"]) == document["info"]["fields"]
    assert document["info"]["seed"] == int(options["--seed"])
    um_per_px = RED_CELL_DIAMETER_UM / float(options["--rbc-diameter-px"])
    assert document["info"]["um_per_px"] == pytest.approx(um_per_px, rel=1e-12)

    recipe = replace(RECIPES[options["--recipe"]], um_per_px=um_per_px)
    pixels, truth = render_field(recipe, int(options["--seed"]), width, height)
    first = [record for record in document["annotations"] if record["image_id"] == 1]
    assert [record["category_id"] for record in first] == [CATEGORY_IDS[cell] for cell in truth["name"].tolist()]
    centers = np.column_stack([truth["x"], truth["y"]]) + 0.5
    np.testing.assert_allclose([record["center"] for record in first], centers, atol=0.001)
    areas = [record["attributes"]["area_um2"] for record in first]
    np.testing.assert_allclose(areas, truth["area_um2"], atol=1e-4)
    with Image.open(SAMPLES / name / document["images"][0]["file_name"]) as stored:
        difference = np.abs(np.asarray(stored).astype(int) - pixels)
    # What JPEG takes away
    assert difference.mean() < 1.5
    assert np.quantile(difference, 0.999) <= 20


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("normal", {"segmented neutrophil", "lymphocyte", "platelet"}),
        ("malaria", {"ring trophozoite", "trophozoite", "schizont", "gametocyte"}),
        ("sickle", {"sickle cell", "target cell"}),
        ("acute_leukaemia", {"blast"}),
    ],
)
def test_each_sample_shows_what_it_is_for(name, cells):
    document = json.loads((SAMPLES / name / "annotations.json").read_text())
    shown = {record["category_id"] for record in document["annotations"]}
    assert {CATEGORY_IDS[cell] for cell in cells} <= shown
