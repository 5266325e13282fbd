"""Crops: centred on their cell, all at one scale, grey beyond the field."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from hemato_lab.detections import Detections
from hemato_lab.smear import ArraySource, Field, Scale, Smear
from hemato_lab.widgets import crops
from hemato_lab.widgets.crops import BEYOND, CropStore
from hemato_lab.widgets.messages import Crops
from tests.analysed import cells

DIAMETER = 40.0
RINGING = 8


def disc_field(x: float, y: float, radius: float) -> Field:
    rows, columns = np.mgrid[:200, :300]
    pixels = np.full((200, 300, 3), 230, np.uint8)
    pixels[np.hypot(columns - x, rows - y) < radius] = (150, 60, 90)
    return Field("disc", ArraySource(pixels), "sha224-i-" + "2" * 56)


def store_of(rows: list[tuple[int, str, float, float, float]], *fields: Field, scaled: bool = True) -> CropStore:
    scale = Scale.from_rbc_diameter_px(DIAMETER) if scaled else None
    return CropStore(Smear("discs", fields, scale=scale), cells(rows) if rows else Detections.empty())


def decoded(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB")).astype(float)


@pytest.mark.parametrize("side", [60, 97, 120, 240])
@pytest.mark.parametrize(("x", "y"), [(150.0, 100.0), (120.4, 80.7), (149.5, 99.5)])
def test_the_cell_is_in_the_middle_at_the_stated_scale(x: float, y: float, side: int) -> None:
    store = store_of([(0, "RBC", x, y, 20)], disc_field(x, y, 20))
    answer = store.answer(Crops((0,), side))
    crop = decoded(answer.buffers[0])
    assert crop.shape == (side, side, 3)
    rows, columns = np.nonzero(crop[..., 1] < 145)
    middle = (side - 1) / 2
    assert rows.mean() == pytest.approx(middle, abs=0.35 * side / 120 + 0.2)
    assert columns.mean() == pytest.approx(middle, abs=0.35 * side / 120 + 0.2)
    diameter_um = 2 * np.sqrt(len(rows) / np.pi) * answer.content["um_per_px"]
    assert diameter_um == pytest.approx(7.5, rel=0.05)


def test_all_crops_have_one_scale() -> None:
    store = store_of([(0, "RBC", 60, 60, 20), (0, "WBC", 150, 100, 45)], disc_field(150, 100, 45))
    assert store.width_px == 2.5 * DIAMETER
    shown = decoded(store.jpeg(1, 120))
    assert np.count_nonzero(shown[..., 1] < 145) == pytest.approx(np.pi * (45 * 120 / store.width_px) ** 2, rel=0.03)


def test_beyond_the_field_is_grey() -> None:
    store = store_of([(0, "RBC", 0, 0, 20), (0, "RBC", 299, 199, 20), (0, "RBC", -500, 100, 20)], disc_field(0, 0, 20))
    first, last, outside = (decoded(store.jpeg(row, 120)) for row in range(3))
    assert np.abs(first[:56, :56] - BEYOND).max() <= RINGING
    assert np.abs(first[62:, 95:] - 230).max() <= RINGING
    assert np.abs(last[66:, 66:] - BEYOND).max() <= RINGING
    assert np.abs(outside - BEYOND).max() <= RINGING


def test_without_a_scale_the_red_cells_are_the_measure() -> None:
    rows = [(0, "RBC", 50, 50, radius) for radius in (18, 20, 30)] + [(0, "WBC", 150, 100, 60)]
    store = store_of(rows, disc_field(50, 50, 20), scaled=False)
    assert store.width_px == 2.5 * 2 * 20
    assert store.answer(Crops((0,), 60)).content["um_per_px"] is None
    only_white = store_of([(0, "WBC", 150, 100, 60)], disc_field(50, 50, 20), scaled=False)
    assert only_white.width_px == 2.5 * 2 * 60


def test_the_file_may_state_the_scale() -> None:
    field = disc_field(50, 50, 20)
    stated = Field(field.name, field.source, field.file_id, um_per_px=0.15)
    store = CropStore(Smear("discs", (stated,)), cells([(0, "RBC", 50, 50, 20)]))
    assert store.width_px == pytest.approx(2.5 * 7.5 / 0.15)


def test_rows_that_are_not_there_are_told() -> None:
    answer = store_of([(0, "RBC", 50, 50, 20)], disc_field(50, 50, 20)).answer(Crops((5, 0), 64))
    assert answer.content["crops"] == [0]
    assert answer.content["failed"] == [[5, "there is no cell 5"]]
    assert len(answer.buffers) == 1
    assert store_of([], disc_field(1, 1, 1)).answer(Crops((0,), 64)).content["crops"] == []


def test_crops_larger_than_what_is_read_show_the_same_from_coarser_levels(monkeypatch) -> None:
    rng = np.random.default_rng(8)
    blocks = np.kron(rng.integers(0, 255, (8, 12, 3)), np.ones((25, 25, 1))).astype(np.uint8)
    field = Field("blocks", ArraySource(blocks), "sha224-i-" + "7" * 56)
    store = store_of([(0, "RBC", 90.0, 40.0, 70.0)], field, scaled=False)
    near = decoded(store.jpeg(0, 44))
    monkeypatch.setattr(crops, "LARGEST_READ_PX", 100)
    far = decoded(store.jpeg(0, 44))
    assert np.array_equal(near[:, 0].round(-1) == 130, far[:, 0].round(-1) == 130)
    assert np.corrcoef(near.ravel(), far.ravel())[0, 1] > 0.93


def test_no_radius_needs_more_memory_than_the_field() -> None:
    store = store_of([(0, "RBC", 150.0, 100.0, 2e5)], disc_field(150, 100, 20), scaled=False)
    crop = decoded(store.jpeg(0, 64))
    assert crop.shape == (64, 64, 3)
    assert np.count_nonzero(np.abs(crop - BEYOND).max(axis=2) < 12) > 4000
