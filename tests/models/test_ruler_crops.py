"""Crops of fields of discs, whose size in the crop is measured and compared with the size that is to be learned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

pytest.importorskip("cv2", reason="needs OpenCV, of the extra train")

from models.training.marked_fields import GRID_CELLS, Knowledge, MarkedField
from models.training.ruler_crops import (
    NOMINAL_PX,
    OCTAVES,
    SIDE,
    SIZES,
    chances,
    load_pictures,
    other_thing,
    sized_crop,
)

STEPS = np.log2(np.array(SIZES) / NOMINAL_PX)


def discs(spacing: float = 60.0, shape: tuple[int, int] = (620, 540)) -> MarkedField:
    """Discs of the size of a red cell on a square lattice."""
    rows, columns = np.indices(shape)
    away = np.hypot(*((place % spacing) - spacing / 2 for place in (rows, columns)))
    stained = away < GRID_CELLS / 2
    empty = np.zeros(0)
    return MarkedField(
        *("made", "train", "slide", "made.png"),
        density=np.repeat(0.5 * stained[..., None], 3, axis=2).astype(np.float16),
        foreground=stained,
        boxes=np.zeros((0, 4), np.float32),
        has_box=empty.astype(np.bool_),
        channel=empty.astype(np.int8),
        parasitised=empty.astype(np.bool_),
        ignored=empty.astype(np.bool_),
        knowledge=(Knowledge.EVERYWHERE,) * 4,
    )


def measured_octave(density: np.ndarray) -> float | None:
    """Size of the discs that lie wholly in a crop, in octaves from the nominal one."""
    labels, count = ndimage.label(density > 0.25)
    area = ndimage.sum_labels(np.ones_like(density), labels, np.arange(1, count + 1))
    border = set(np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])))
    whole = [area[index - 1] for index in range(1, count + 1) if index not in border]
    return float(np.log2(2 * np.sqrt(np.median(whole) / np.pi) / NOMINAL_PX)) if whole else None


def test_what_is_to_be_learned_is_the_size_in_the_crop():
    field, compared = discs(), 0
    for seed in range(60):
        crop = sized_crop(field, np.random.default_rng(seed), strength=0.0)
        assert crop.density.shape == (3, SIDE, SIDE)
        assert crop.chance.sum() == pytest.approx(1.0, abs=1e-5)
        octave = measured_octave(crop.density[0])
        if octave is None:
            continue
        if crop.chance[-1] < 0.5:
            assert float(np.sum(crop.chance[:-1] * STEPS)) == pytest.approx(octave, abs=0.12)
            compared += 1
        else:
            assert abs(octave) > OCTAVES - 0.05
    assert compared > 20


def test_sizes_out_of_range_and_none_are_no_size():
    assert chances(None)[-1] == 1.0
    for octave in (-OCTAVES - 0.1, OCTAVES + 0.1):
        assert chances(octave)[-1] == 1.0
    for index, octave in enumerate(STEPS):
        assert chances(octave).argmax() == index


def test_a_crop_with_next_to_nothing_in_it_tells_no_size():
    field = discs()
    empty = replace(field, density=np.zeros_like(field.density), foreground=np.zeros_like(field.foreground))
    for seed in range(10):
        assert sized_crop(empty, np.random.default_rng(seed), strength=0.0).chance[-1] == 1.0


def test_the_same_seed_cuts_the_same_crop():
    field = discs()
    first, second = (sized_crop(field, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first.density, second.density)


def test_other_things_tell_no_size():
    pictures = load_pictures()
    for seed in range(20):
        crop = other_thing(pictures, np.random.default_rng(seed))
        assert crop.density.shape == (3, SIDE, SIDE)
        assert np.isfinite(crop.density).all()
        assert crop.chance[-1] == 1.0
