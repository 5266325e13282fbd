from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from skimage.measure import label
from skimage.segmentation import flood

from hemato_lab.classifiers import crops
from hemato_lab.classifiers.crops import (
    BLACK,
    TYPICAL_RED_CELL,
    CropShape,
    cell_on_black,
    crop_density,
    cut_cells,
    stands_on_black,
)
from hemato_lab.smear import Window
from tests.calibrated import Array, calibrated, linear_light, stored_light

SLOPING = np.array(
    [[0.05, 0.04, 0.06], [0.02, -0.01, 0.0], [0.0, 0.01, 0.03], [0.01, 0.0, 0.02], [0.01, 0, 0], [0, 0.02, 0.01]]
)
"""Background density by 1, u, v, uu, uv and vv; no term is the same in all channels."""
on_slope = partial(calibrated, background=SLOPING)

SHAPE = CropShape(10, 32.0)
LAW = settings(deadline=None, max_examples=60)
STEPS = [1 / 3, 1 / 2, 1.0, 2.0]
"""Crop pixels a pixel of the field at which the light of a crop is known by heart: block means, copies, bilinear."""


def picture(width: int = 90, height: int = 78, seed: int = 1) -> Array:
    return np.random.default_rng(seed).integers(30, 256, (height, width, 3), np.uint8)


def resampled(light: Array, step: float) -> Array:
    """Light of a whole field at a step of `STEPS`."""
    height, width, _ = light.shape
    if step <= 1:
        block = round(1 / step)
        return np.asarray(light.reshape(height // block, block, width // block, block, 3).mean(axis=(1, 3)))
    rows = (np.arange(int(height * step)) + 0.5) / step - 0.5
    columns = (np.arange(int(width * step)) + 0.5) / step - 0.5
    places = np.meshgrid(rows, columns, indexing="ij")
    return np.stack([ndimage.map_coordinates(light[..., c], places, order=1, mode="nearest") for c in range(3)], -1)


def density_of_field(pixels: Array, step: float) -> Array:
    """Density of a whole field against the background `SLOPING`, shape (3, height, width)."""
    light = resampled(linear_light(pixels), step)
    height, width = light.shape[:2]
    u, v = np.meshgrid((np.arange(width) + 0.5) * 2 / width - 1, (np.arange(height) + 0.5) * 2 / height - 1)
    background = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1) @ SLOPING
    return np.asarray((-np.log10(light) - background).transpose(2, 0, 1))


def centre_of(corner: tuple[int, int], step: float, shape: CropShape = SHAPE) -> list[float]:
    """Place in pixels of the middle of a crop whose first pixel is a given cell of the grid."""
    return [(first + shape.side / 2) / step - 0.5 for first in corner]


def disc(height: int, width: int, middle: tuple[float, float], radius: float) -> Array:
    rows, columns = np.indices((height, width))
    return np.asarray(np.hypot(columns - middle[0], rows - middle[1]) <= radius)


@pytest.mark.parametrize("step", STEPS)
def test_crops_are_densities_against_the_background(step: float) -> None:
    pixels = picture()
    calibration = on_slope(pixels, SHAPE.rbc_diameter_px / step)
    corners = [(3, 2), (0, 0), (11, 7)]
    crops = cut_cells(
        pixels, calibration.field.window, calibration, np.array([centre_of(one, step) for one in corners]), SHAPE
    )
    whole = density_of_field(pixels, step)
    assert crops.shape == (3, 3, 10, 10)
    assert crops.dtype == np.float32
    for crop, (x, y) in zip(crops, corners, strict=True):
        np.testing.assert_allclose(crop, whole[:, y : y + 10, x : x + 10], rtol=0, atol=1e-5)


@pytest.mark.parametrize("side", [29, 30])
@pytest.mark.parametrize("step", [0.31, 0.5, 1.0, 1.3])
def test_a_cell_is_in_the_middle_of_its_crop(step: float, side: int) -> None:
    diameter, middle = 20.0, (74.3, 67.8)
    pixels = np.full((140, 150, 3), 230, np.uint8)
    pixels[disc(140, 150, middle, diameter / 2 / step)] = 120
    calibration = on_slope(pixels, diameter / step)
    (crop,) = cut_cells(pixels, calibration.field.window, calibration, np.array([middle]), CropShape(side, diameter))
    weight = crop[1] > crop[1].max() / 2
    assert np.abs(np.mean(np.nonzero(weight), axis=1) - (side - 1) / 2).max() <= 0.75
    assert np.count_nonzero(weight) == pytest.approx(np.pi / 4 * diameter**2, rel=0.05)


@LAW
@given(st.sampled_from(STEPS), st.tuples(*[st.integers(0, 60)] * 2), st.tuples(*[st.integers(-40, 40)] * 2))
def test_a_centre_moved_by_whole_steps_moves_the_crop(
    step: float, place: tuple[int, int], moved: tuple[int, int]
) -> None:
    """What two crops both show of the field is the same, and each shows nothing beyond it."""
    pixels = picture()
    calibration = on_slope(pixels, SHAPE.rbc_diameter_px / step)
    canvas = np.zeros((3, 400, 400), np.float32)
    shown = density_of_field(pixels, step)
    canvas[:, 100 : 100 + shown.shape[1], 100 : 100 + shown.shape[2]] = shown
    corners = [place, (place[0] + moved[0], place[1] + moved[1])]
    centres = np.array([centre_of(one, step) for one in corners])
    crops = cut_cells(pixels, calibration.field.window, calibration, centres, SHAPE)
    for crop, (left, top) in zip(crops, corners, strict=True):
        expected = canvas[:, top + 100 : top + 110, left + 100 : left + 110]
        np.testing.assert_allclose(crop, expected, rtol=0, atol=1e-5)


@LAW
@given(st.floats(-1e4, -40), st.floats(-1e4, 1e4), st.booleans())
def test_nothing_lies_beyond_the_field(far: float, other: float, swapped: bool) -> None:  # noqa: FBT001
    pixels = picture()
    for place in (far, 80 - far):
        centre = [other, place] if swapped else [place, other]
        (crop,) = cut_cells(pixels, Window(0, 0, 90, 78), on_slope(pixels, 64.0), np.array([centre]), SHAPE)
        assert not crop.any()


@LAW
@given(
    st.floats(0.25, 2.0),
    st.tuples(st.floats(0, 89), st.floats(0, 77)),
    st.tuples(*[st.integers(0, 40)] * 4),
)
def test_a_crop_has_the_same_bits_from_whatever_window(
    step: float, place: tuple[float, float], more: tuple[int, int, int, int]
) -> None:
    pixels = picture()
    calibration = on_slope(pixels, SHAPE.rbc_diameter_px / step)
    field, centre = calibration.field, np.array([place])
    reach = int(np.ceil((SHAPE.side / 2 + 1) / step)) + 2
    least = Window(int(place[0]) - reach, int(place[1]) - reach, int(place[0]) + reach + 2, int(place[1]) + reach + 2)
    window = Window(least.x0 - more[0], least.y0 - more[1], least.x1 + more[2], least.y1 + more[3]).intersect(
        field.window
    )
    np.testing.assert_array_equal(
        cut_cells(field.read(window), window, calibration, centre, SHAPE),
        cut_cells(pixels, field.window, calibration, centre, SHAPE),
    )


def test_cells_are_cut_block_by_block_with_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = picture()
    calibration = on_slope(pixels, 20.0)
    random = np.random.default_rng(5)
    centres = random.uniform(-10, 100, (40, 2))
    whole = cut_cells(pixels, calibration.field.window, calibration, centres, SHAPE)
    largest = 0
    density = crops._density

    def watched(*args: Any) -> Array:
        nonlocal largest
        found = density(*args)
        largest = max(largest, *found.shape[:2])
        return found

    monkeypatch.setattr(crops, "BLOCK", 40)
    monkeypatch.setattr(crops, "_density", watched)
    np.testing.assert_array_equal(cut_cells(pixels, calibration.field.window, calibration, centres, SHAPE), whole)
    assert 0 < largest <= 40 + SHAPE.side


def test_the_dark_surround_is_background() -> None:
    pixels = picture()
    lit = np.ones((1, 2), np.bool_)
    lit[0, 0] = False
    (crop,) = cut_cells(pixels, Window(0, 0, 90, 78), on_slope(pixels, 32.0, lit=lit), np.array([[44.5, 40.0]]), SHAPE)
    assert not crop[:, :, :5].any()
    assert (crop[:, :, 5:] != 0).mean() > 0.9


def test_no_cell_gives_no_crop() -> None:
    pixels = picture()
    assert cut_cells(pixels, Window(0, 0, 90, 78), on_slope(pixels, 32.0), np.zeros((0, 2)), SHAPE).shape == (
        0, 3, 10, 10,
    )  # fmt: skip


PLAIN = (230, 215, 222)


def on_plain_ground(side: int = 60) -> Array:
    """A picture with one cell in the middle of empty background."""
    pixels = np.full((side, side, 3), PLAIN, np.uint8)
    pixels[disc(side, side, ((side - 1) / 2, (side - 1) / 2), side / 6)] = (200, 140, 150)
    return pixels


def against_plain_ground(pixels: Array) -> Array:
    ground = linear_light(np.array(PLAIN))
    return np.asarray(-np.log10(linear_light(pixels) / ground).transpose(2, 0, 1))


def test_a_crop_is_shown_at_its_stated_scale() -> None:
    pixels = on_plain_ground(60)
    shown = crop_density(pixels, CropShape(30, 20.0), rbc_diameter_px=20.0)
    assert shown.dtype == np.float32
    np.testing.assert_allclose(shown, against_plain_ground(pixels)[:, 15:45, 15:45], rtol=0, atol=1e-4)
    half = crop_density(pixels, CropShape(30, 20.0), rbc_diameter_px=40.0)
    light = linear_light(pixels).reshape(30, 2, 30, 2, 3).mean(axis=(1, 3)) / linear_light(np.array(PLAIN))
    np.testing.assert_allclose(half, -np.log10(light).transpose(2, 0, 1), rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [(60, 60), (60, 100), (76, 60)])
def test_a_crop_without_a_scale_fills_what_the_network_looks_at(size: tuple[int, int]) -> None:
    """The shorter side of the crop fills the view."""
    height, width = size
    pixels = np.full((height, width, 3), PLAIN, np.uint8)
    top, left = (height - 60) // 2, (width - 60) // 2
    pixels[top : top + 60, left : left + 60] = on_plain_ground(60)
    light = linear_light(on_plain_ground(60)).reshape(30, 2, 30, 2, 3).mean(axis=(1, 3)) / linear_light(np.array(PLAIN))
    shown = crop_density(pixels, CropShape(30, 20.0))
    np.testing.assert_allclose(shown, -np.log10(light).transpose(2, 0, 1), rtol=0, atol=1e-4)


def test_a_crop_stands_on_black_when_most_of_its_border_is() -> None:
    pixels = np.full((10, 10, 3), 200, np.uint8)
    assert not stands_on_black(pixels)
    pixels[:, :5] = BLACK
    assert not stands_on_black(pixels)
    pixels[0, 5] = pixels[9, 5] = (BLACK, 0, 0)
    assert stands_on_black(pixels)
    pixels[:, 0, 2] = BLACK + 1
    assert not stands_on_black(pixels)


def largest_filled(bright: Array) -> Array:
    """The first largest part by flood fill, with all that the outside cannot reach; by four neighbours."""
    parts = label(bright, connectivity=1)
    if not bright.any():
        return np.zeros(bright.shape, bool)
    cell = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    outside = flood(np.pad(cell, 1), (0, 0), connectivity=1)
    return np.asarray(~outside[1:-1, 1:-1])


@LAW
@given(arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))), st.integers(BLACK + 1, 255))
def test_the_cell_is_the_largest_part_without_holes(bright: Array, value: int) -> None:
    crop = np.full((*bright.shape, 3), BLACK, np.uint8)
    crop[bright, 1] = value
    np.testing.assert_array_equal(cell_on_black(crop), largest_filled(bright))


def cut_out(radius: float = 30.0, middle: tuple[float, float] = (52.0, 47.0), exposure: float = 1.0) -> Array:
    """A cell on black with a spot of a third of its light, a quarter of a diameter to the right."""
    light = np.zeros((100, 100, 3))
    light[disc(100, 100, middle, radius)] = np.array([0.6, 0.4, 0.45]) * exposure
    light[disc(100, 100, (middle[0] + radius / 2, middle[1]), radius / 5)] /= 3
    return stored_light(light)


def test_a_cell_on_black_is_shown_as_a_red_cell_on_background() -> None:
    shape = CropShape(48, 36.0)
    shown = crop_density(cut_out(), shape)
    assert shown.shape == (3, 48, 48)
    assert shown.dtype == np.float32
    cell = shown[1] > 0.5 * TYPICAL_RED_CELL[1]
    assert np.count_nonzero(cell) == pytest.approx(np.pi / 4 * 36.0**2, rel=0.05)
    assert np.abs(np.mean(np.nonzero(cell), axis=1) - 23.5).max() < 0.6
    np.testing.assert_allclose(np.median(shown[:, cell], axis=1), TYPICAL_RED_CELL, atol=0.01)
    rows, columns = np.indices((48, 48))
    assert not shown[:, np.hypot(columns - 23.5, rows - 23.5) > 21].any()
    spot = shown[:, 23:25, 32:34].mean(axis=(1, 2)) - TYPICAL_RED_CELL
    np.testing.assert_allclose(spot, np.log10(3), atol=0.03)


def test_a_cell_on_black_is_shown_alike_at_any_exposure_and_place() -> None:
    shape = CropShape(48, 36.0)
    shown = crop_density(cut_out(), shape)
    np.testing.assert_allclose(crop_density(cut_out(exposure=0.7), shape), shown, atol=0.02)
    np.testing.assert_allclose(crop_density(cut_out(middle=(45.0, 50.0)), shape), shown, atol=1e-6)


def test_the_stated_scale_of_a_cell_on_black_is_kept() -> None:
    shape = CropShape(48, 36.0)
    half = crop_density(cut_out(), shape, rbc_diameter_px=120.0)
    assert np.count_nonzero(half[1] > 0.5 * TYPICAL_RED_CELL[1]) == pytest.approx(np.pi / 4 * 18.0**2, rel=0.1)


def test_a_black_crop_shows_nothing() -> None:
    shown = crop_density(np.zeros((20, 20, 3), np.uint8), SHAPE)
    assert shown.shape == (3, 10, 10)
    assert not shown.any()
