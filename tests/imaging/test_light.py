from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb2xyz

from hemato_lab.imaging.light import DARKEST_LIGHT, DENSITY, LINEAR_LIGHT


def test_linear_light_is_the_luminance_that_skimage_gives_a_grey() -> None:
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    luminance = rgb2xyz(greys)[:, 1]
    assert LINEAR_LIGHT.shape == (256,)
    np.testing.assert_allclose(LINEAR_LIGHT, luminance / luminance[255], atol=1e-12)


@pytest.mark.parametrize(
    ("stored", "light"), [(0, 0.0), (10, 10 / 255 / 12.92), (128, 0.21586), (188, 0.50289), (255, 1.0)]
)
def test_known_values_of_the_transfer_curve(stored: int, light: float) -> None:
    assert LINEAR_LIGHT[stored] == pytest.approx(light, abs=1e-5)


def test_density_is_the_negative_decimal_logarithm_and_finite_for_black() -> None:
    np.testing.assert_allclose(10 ** -DENSITY[1:], LINEAR_LIGHT[1:])
    assert DENSITY[255] == 0
    assert (np.diff(DENSITY) < 0).all()
    assert np.isfinite(DENSITY).all()
    assert 0 < DARKEST_LIGHT < LINEAR_LIGHT[1]
