"""Real photographs: the same report whatever the tiles and threads, and a table that makes sense.

Images come from every detection set in the folder that HEMATO_LAB_DATASETS names; without it the tests are skipped.
``python tests/benchmarks/campaigns.py determinism`` does the same on more of them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hemato_lab.detectors.features import FEATURES
from hemato_lab.errors import ScaleNotCredibleError
from hemato_lab.export import render
from hemato_lab.formats import open_smear
from hemato_lab.pipeline import analyze
from hemato_lab.vocabulary import RBC, detector_class

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from hemato_lab.detections import Detections
    from hemato_lab.smear import Smear

IMAGES_A_SET = 2
CONFIGURATIONS = ((256, 1), (512, 2), (1024, 4), (None, 2))
ALWAYS_THERE = ("x", "y", "radius", "score", "x_min", "y_min", "x_max", "y_max", "on_border")
ON_OUTLINES = tuple(name for name in FEATURES if name not in ALWAYS_THERE)
LEAST_OUTLINED = 0.9
"""Share of all cells at a scale of their own."""


def sampled(datasets: Path) -> Iterator[tuple[str, Smear]]:
    """Images that are not for final figures, evenly spread, at their own scale and a stated one."""
    for folder in sorted(datasets.iterdir()):
        if not (folder / "annotations.json").is_file():
            continue
        document = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
        images = [image for image in document["images"] if image["split"] != "test"]
        for image in images[:: max(1, len(images) // IMAGES_A_SET)][:IMAGES_A_SET]:
            label = f"{folder.name}/{image['file_name']}"
            yield label, open_smear(folder / image["file_name"])
            # As if the cells were smaller: more tiles with narrower margins cut the field.
            smaller = max(16.0, document["info"]["rbc_diameter_px"] / 3)
            yield f"{label}, stated too small", open_smear(folder / image["file_name"], rbc_diameter_px=smaller)


def is_red_cell(cells: Detections) -> NDArray[np.bool_]:
    return np.array([detector_class(str(name)) == RBC for name in cells["name"]], np.bool_)


def test_one_report_for_every_tile_size_and_number_of_threads(datasets: Path):
    compared = 0
    for label, smear in sampled(datasets):
        try:
            whole = analyze(smear)
        except ScaleNotCredibleError:
            continue
        reference = render(whole, "json")
        for tile_size, threads in CONFIGURATIONS:
            found = analyze(smear, tile_size=tile_size, threads=threads)
            assert found.detections == whole.detections, (label, tile_size, threads)
            assert render(found, "json") == reference, (label, tile_size, threads)
        compared += 1
    assert compared >= 6


def test_tables_of_real_fields_hold_what_they_promise_and_stay_on_the_field(datasets: Path):
    found = outlined = 0
    for label, smear in sampled(datasets):
        try:
            analysis = analyze(smear)
        except ScaleNotCredibleError:
            continue
        cells, field = analysis.detections, smear.fields[0]
        for name in ALWAYS_THERE:
            assert np.isfinite(cells[name]).all(), (label, name)
        # A cell without an outline lacks everything that is measured on one, and no other does.
        measured = np.isfinite(cells["area_um2"])
        for name in ON_OUTLINES:
            # Pallor is measured in red cells alone.
            there = is_red_cell(cells) if name == "pallor_ratio" else np.ones(len(cells), np.bool_)
            assert (np.isfinite(cells[name]) == measured)[there].all(), (label, name)
        if "stated" not in label:
            found, outlined = found + len(cells), outlined + int(measured.sum())
        assert ((cells["x_min"] >= -0.5) & (cells["x_max"] <= field.width - 0.5)).all(), label
        assert ((cells["y_min"] >= -0.5) & (cells["y_max"] <= field.height - 0.5)).all(), label
        assert ((cells["x_min"] <= cells["x"]) & (cells["x"] <= cells["x_max"])).all(), label
        assert ((cells["y_min"] <= cells["y"]) & (cells["y"] <= cells["y_max"])).all(), label
    assert outlined >= LEAST_OUTLINED * found > 0


def test_most_real_fields_have_a_credible_scale(datasets: Path):
    estimated = [smear for label, smear in sampled(datasets) if "stated" not in label]
    refused = 0
    for smear in estimated:
        try:
            analyze(smear)
        except ScaleNotCredibleError:
            refused += 1
    assert refused <= len(estimated) / 3


@pytest.mark.slow
def test_more_real_fields(datasets: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(globals(), "IMAGES_A_SET", 15)
    test_one_report_for_every_tile_size_and_number_of_threads(datasets)
