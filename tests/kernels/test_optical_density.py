from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.color import hed_from_rgb, rgb2hed

from hemato_lab.kernels.optical_density import (
    LEVEL_TOLERANCE,
    background_levels,
    channel_histogram,
    density_lookup,
    optical_density,
    stain_table,
    unmix,
)

LAW = settings(deadline=None, max_examples=60)
IMAGES = arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(3)))


def scikit_lookup() -> np.ndarray:
    """Densities as ``skimage.color.separate_stains`` takes them."""
    return np.tile(np.log(np.maximum(np.arange(256) / 255, 1e-6)) / np.log(1e-6), (3, 1))


def counted(planes: np.ndarray) -> np.ndarray:
    return np.stack([np.bincount(plane.ravel(), minlength=256) for plane in planes])


@LAW
@given(image=IMAGES, high=st.sampled_from([0.25, 0.3, 1.0, 2.0]))
def test_unmixing_is_that_of_scikit_image(image: np.ndarray, high: float) -> None:
    table = stain_table(scikit_lookup(), hed_from_rgb, low=0.0, high=high)
    stains = unmix(image, table)
    exact = np.clip(np.moveaxis(rgb2hed(image), 2, 0) / high * 255, 0, 255)
    assert np.abs(stains.levels - exact).max() <= 0.5 + LEVEL_TOLERANCE + 1e-9
    np.testing.assert_array_equal(stains.histogram, counted(stains.levels))


def test_most_levels_are_rounded_like_scikit_image() -> None:
    image = np.random.default_rng(0).integers(40, 256, (60, 71, 3), dtype=np.uint8)
    exact = np.clip(np.moveaxis(rgb2hed(image), 2, 0) * 255, 0, 255)
    stains = unmix(image, stain_table(scikit_lookup(), hed_from_rgb, high=1.0))
    assert LEVEL_TOLERANCE < 0.1
    assert (np.rint(exact) == stains.levels).mean() > 0.95


@LAW
@given(image=IMAGES, seed=st.integers(0, 2**32 - 1))
def test_any_matrix_and_a_range_for_each_stain(image: np.ndarray, seed: int) -> None:
    random = np.random.default_rng(seed)
    lookup = random.uniform(-1, 1, (3, 256))
    matrix = random.uniform(-2, 2, (3, 3))
    low, width = random.normal(size=3), random.uniform(1, 4, 3)
    table = stain_table(lookup, matrix, low=low, high=low + width)
    density = np.stack([lookup[channel][image[..., channel]] for channel in range(3)], axis=-1)
    exact = np.clip((density @ matrix - low) / width * 255, 0, 255)
    assert np.abs(np.moveaxis(unmix(image, table).levels, 0, 2) - exact).max() <= 0.5 + LEVEL_TOLERANCE + 1e-9


@LAW
@given(image=IMAGES)
def test_density_and_histogram(image: np.ndarray) -> None:
    lookup = density_lookup(np.arange(256.0), np.array([250.0, 240.5, 255.0]))
    density, histogram = optical_density(image, lookup)
    expected = np.log10(np.array([250.0, 240.5, 255.0]) / np.maximum(image, 0.5))
    np.testing.assert_allclose(density, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(histogram, counted(np.moveaxis(image, 2, 0)))
    np.testing.assert_array_equal(channel_histogram(image), histogram)


def test_densities_add_up_with_the_srgb_curve_undone() -> None:
    levels = np.arange(256) / 255
    light = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    lookup = density_lookup(light, np.full(3, 255.0))
    # sRGB level 188 is half the light of level 255.
    np.testing.assert_allclose(lookup[:, 188], np.log10(2), atol=0.004)
    assert np.isfinite(lookup).all()
    assert (np.diff(lookup, axis=1) <= 0).all()


def test_background_is_the_mode_of_the_bright_pixels() -> None:
    random = np.random.default_rng(5)
    background, cell = np.array([221.3, 214.0, 240.6]), np.array([150.0, 90.0, 160.0])
    covered = random.random((200, 200, 1)) < 0.6
    image = np.rint(np.where(covered, cell, background) + random.normal(0, 3, (200, 200, 3))).clip(0, 255)
    np.testing.assert_allclose(background_levels(channel_histogram(image.astype(np.uint8))), background, atol=0.8)


@pytest.mark.parametrize("level", [0, 1, 128, 254, 255])
def test_background_of_an_image_of_one_level(level: int) -> None:
    image = np.full((4, 5, 3), level, np.uint8)
    np.testing.assert_allclose(background_levels(channel_histogram(image)), level, atol=0.5)


def test_background_of_no_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="without pixels"):
        background_levels(np.zeros((3, 256), np.int64))


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0), (1, 1)])
def test_degenerate_images(shape: tuple[int, int]) -> None:
    image = np.zeros((*shape, 3), np.uint8)
    stains = unmix(image, stain_table(scikit_lookup(), hed_from_rgb))
    assert stains.levels.shape == (3, *shape)
    assert stains.histogram.sum() == 3 * shape[0] * shape[1]
    assert optical_density(image, scikit_lookup().astype(np.float32)).density.shape == image.shape


def test_any_memory_layout() -> None:
    image = np.random.default_rng(1).integers(0, 256, (30, 41, 3), dtype=np.uint8)
    table = stain_table(scikit_lookup(), hed_from_rgb)
    for view in (image[::2, ::-1], image[..., ::-1], image.transpose(1, 0, 2)):
        one, other = unmix(view, table), unmix(view.copy(), table)
        np.testing.assert_array_equal(one.levels, other.levels)
        np.testing.assert_array_equal(one.histogram, other.histogram)


def test_what_cannot_be_unmixed_is_refused() -> None:
    with pytest.raises(ValueError, match="too narrow"):
        stain_table(scikit_lookup(), hed_from_rgb, high=1e-3)
    with pytest.raises(ValueError, match="ends above"):
        stain_table(scikit_lookup(), hed_from_rgb, low=1.0, high=1.0)
    for image in (np.zeros((3, 3), np.uint8), np.zeros((3, 3, 4), np.uint8), np.zeros((3, 3, 3))):
        with pytest.raises(ValueError, match="an image has shape"):
            channel_histogram(image)
