"""Real photographs: the same report whatever the tiles and threads, and a table that makes sense.

Images come from every detection set in the folder that HEMATO_LAB_DATASETS names; without it the tests are skipped.
``python tests/benchmarks/campaigns.py determinism`` does the same on more of them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hemato_lab.errors import ScaleNotCredibleError
from hemato_lab.export import render
from hemato_lab.formats import open_smear
from hemato_lab.pipeline import analyze
from hemato_lab.vocabulary import RBC

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hemato_lab.smear import Smear

IMAGES_A_SET = 2
CONFIGURATIONS = ((256, 1), (512, 2), (1024, 4), (None, 2))


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


def test_tables_of_real_fields_are_finite_and_stay_on_the_field(datasets: Path):
    for label, smear in sampled(datasets):
        try:
            analysis = analyze(smear)
        except ScaleNotCredibleError:
            continue
        cells, field = analysis.detections, smear.fields[0]
        for name in cells:
            # Pallor is measured in red cells alone.
            measured = cells.named(RBC)[name] if name == "pallor_ratio" else cells[name]
            assert name == "name" or np.isfinite(measured).all(), (label, name)
        assert ((cells["x_min"] >= -0.5) & (cells["x_max"] <= field.width - 0.5)).all(), label
        assert ((cells["y_min"] >= -0.5) & (cells["y_max"] <= field.height - 0.5)).all(), label
        assert ((cells["x_min"] <= cells["x"]) & (cells["x"] <= cells["x_max"])).all(), label
        assert ((cells["y_min"] <= cells["y"]) & (cells["y"] <= cells["y_max"])).all(), label


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
