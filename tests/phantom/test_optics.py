"""From dye to pixels: additivity, closed forms of the transfer curve and the noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemato_lab.phantom import optics
from hemato_lab.phantom.drawing import Dye
from hemato_lab.phantom.recipe import Camera, Illumination, Stain
from hemato_lab.smear import Window

IDEAL = Camera(blur_um=0, defocus_um=0, refraction=0, read_noise=0)


def amounts(seed, height=20, width=30):
    return np.random.default_rng(seed).random((len(Dye), height, width)).astype(np.float32)


def test_densities_of_cells_on_each_other_add_up():
    first, second = amounts(1), amounts(2)
    stain = Stain()
    both = optics.optical_density(first + second, stain)
    np.testing.assert_allclose(
        both, optics.optical_density(first, stain) + optics.optical_density(second, stain), rtol=1e-5
    )
    light = optics.transmitted(both, first + second, IDEAL, 0.1)
    np.testing.assert_allclose(light, 10.0 ** -both.astype(float), rtol=1e-5)


def test_one_unit_of_each_dye_has_the_stated_density():
    stain = Stain()
    for dye in Dye:
        unit = np.zeros((len(Dye), 1, 1), np.float32)
        unit[dye] = 1
        np.testing.assert_allclose(optics.optical_density(unit, stain)[:, 0, 0], stain.densities()[dye], rtol=1e-6)


@pytest.mark.parametrize(
    # Values of IEC 61966-2-1, from its formula by hand
    ("linear", "expected"),
    [(0.0, 0), (0.0031308, 10), (0.05, 63), (0.214041, 128), (0.5, 188), (0.8, 231), (1.0, 255), (2.0, 255)],
)
def test_transfer_curve(linear, expected):
    light = np.full((3, 1, 1), linear, np.float32)
    assert abs(int(optics.sensed(light, np.zeros_like(light), IDEAL)[0, 0, 0]) - expected) <= 1


def test_noise_is_shot_and_read_noise_in_electrons():
    camera = replace(IDEAL, full_well=5000.0, read_noise=20.0)
    light = np.full((3, 256, 256), 0.18, np.float32)
    pixels = optics.sensed(light, optics.sensor_noise(1, 0, Window(0, 0, 256, 256)), camera).astype(float) / 255
    linear = np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4)
    electrons = linear * 5000
    assert electrons.mean() == pytest.approx(900, rel=0.003)
    # 8-bit steps are 0.0034 of full scale wide there: their variance is added.
    steps = (0.0034 * 5000) ** 2 / 12
    assert electrons.var() == pytest.approx(900 + 400 + steps, rel=0.04)


windows = st.tuples(st.integers(0, 500), st.integers(0, 500), st.integers(1, 300), st.integers(1, 300))


@settings(max_examples=10, deadline=None)
@given(windows)
def test_noise_and_plasma_of_a_window_are_those_of_the_whole(box):
    x, y, width, height = box
    window, whole = Window(x, y, x + width, y + height), Window(0, 0, 800, 800)
    np.testing.assert_array_equal(
        optics.sensor_noise(3, 1, window), optics.sensor_noise(3, 1, whole)[:, *window.slices()]
    )
    np.testing.assert_array_equal(
        optics.plasma_density(3, 1, window, 0.1, 0.01), optics.plasma_density(3, 1, whole, 0.1, 0.01)[window.slices()]
    )


def test_noise_is_normal_and_channels_are_independent():
    noise = optics.sensor_noise(4, 0, Window(0, 0, 512, 512)).reshape(3, -1)
    np.testing.assert_allclose(noise.mean(axis=1), 0, atol=0.01)
    np.testing.assert_allclose(np.cov(noise), np.eye(3), atol=0.01)
    quarters = noise.reshape(3, 2, 256, 2, 256).transpose(1, 3, 0, 2, 4).reshape(4, -1)
    np.testing.assert_allclose(np.corrcoef(quarters), np.eye(4), atol=0.02)


def test_plasma_works_left_of_the_origin():
    film = optics.plasma_density(3, 0, Window(-40, -40, 40, 40), 0.1, 0.02)
    assert np.isfinite(film).all()
    assert 0 < film.std() < 0.04
    assert not optics.plasma_density(3, 0, Window(0, 0, 5, 5), 0.1, 0.0).any()


def test_lamp_falls_off_to_the_farthest_corner():
    illumination = Illumination(level=0.8, white_balance=(1.0, 0.9, 0.8), falloff=0.25, centre=(0.5, 0.5))
    light = optics.lamp(illumination, Window(0, 0, 101, 81), 101, 81)
    np.testing.assert_allclose(light[:, 40, 50], [0.8, 0.72, 0.64], rtol=1e-6)
    np.testing.assert_allclose(light[:, 0, 0], np.array([0.8, 0.72, 0.64]) * 0.75, rtol=1e-6)
    part = optics.lamp(illumination, Window(10, 20, 30, 50), 101, 81)
    np.testing.assert_array_equal(part, light[:, 20:50, 10:30])


def test_blur_has_the_stated_width_and_keeps_the_light():
    point = np.zeros((3, 61, 61), np.float32)
    point[:, 30, 30] = 1
    spread = optics.blurred(point, 2.0)[1].astype(float)
    x = np.arange(61) - 30
    assert spread.sum() == pytest.approx(1, rel=1e-5)
    # Cutting at 6 pixels takes little off the variance of 4.
    assert 3.85 < (spread.sum(axis=0) * x**2).sum() < 4
    np.testing.assert_array_equal(optics.blurred(point, 0.1), point)


def test_refraction_lightens_where_thickness_curves_up_and_can_be_turned_off():
    thickness = np.zeros((len(Dye), 21, 21), np.float32)
    thickness[Dye.HAEMOGLOBIN, :, 8:13] = 1
    density = np.zeros((3, 21, 21), np.float32)
    light = optics.transmitted(density, thickness, replace(IDEAL, refraction=0.002), 0.1)
    assert light[0, 10, 7] > 1.1
    assert light[0, 10, 8] < 0.9
    np.testing.assert_array_equal(optics.transmitted(density, thickness, IDEAL, 0.1), 1)
