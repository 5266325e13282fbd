"""Calibrations that are known exactly, so that the densities of a picture can be computed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from hemato_lab.imaging.calibration import FieldCalibration
from hemato_lab.imaging.illumination import Illumination
from hemato_lab.imaging.working import WorkingGrid
from hemato_lab.smear import ArraySource, Field, Scale

Array = np.ndarray[Any, Any]

WHITE = np.zeros((6, 3))
"""Background of full white everywhere, whose density is 0."""


def calibrated(
    pixels: Array, scale: Scale | float, *, background: Array = WHITE, lit: Array | None = None, name: str = "field"
) -> FieldCalibration:
    """Calibration of an array of pixels; a number is the diameter of a red cell in pixels."""
    height, width = pixels.shape[:2]
    light = Illumination(background, width, height, np.ones((4, 4), np.bool_) if lit is None else lit, 0.0)
    known = scale if isinstance(scale, Scale) else Scale.from_rbc_diameter_px(scale)
    field = Field(name, ArraySource(np.ascontiguousarray(pixels)), "sha224-i-00")
    return FieldCalibration(field, known, light, WorkingGrid.of(width, height, known.rbc_diameter_px))


def linear_light(pixels: Array) -> Array:
    """The light of sRGB bytes by IEC 61966-2-1."""
    stored = pixels / 255.0
    return np.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4)


def stored_light(light: Array) -> Array:
    """The sRGB bytes of light."""
    stored = np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light)
    return np.asarray(np.rint(255 * stored), np.uint8)
