"""Stored pixel values to linear light and optical density.

Optical density is -log10(I / I0) of linear light (DOMAIN.md section 8): the sRGB transfer curve (IEC 61966-2-1) is
undone first, and I0 is the light of the empty background at the same place (`illumination`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _srgb_to_linear() -> NDArray[np.float64]:
    stored = np.arange(256) / 255.0
    return np.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4)


LINEAR_LIGHT: Final = _srgb_to_linear()
"""Linear light in [0, 1] of each stored 8-bit value, shape (256,) float64."""

DARKEST_LIGHT: Final = float(LINEAR_LIGHT[1]) / 2
"""Light taken for a stored zero, so that its density stays finite: half of the smallest step."""

DENSITY: Final = -np.log10(np.maximum(LINEAR_LIGHT, DARKEST_LIGHT))
"""Optical density of each stored 8-bit value against full white, shape (256,) float64."""
