"""Pictures of coloured dots, for networks whose answer to a dot can be worked by hand."""

from __future__ import annotations

import numpy as np

from tests.calibrated import Array, linear_light, stored_light
from tests.networks.graphs import DOT_BIAS, DOT_SLOPE

CELL = 24.0
"""Diameter of a red cell as the networks see it."""
INKS = {"RBC": (1, 0, 0), "WBC": (0, 1, 0), "platelet": (0, 0, 1), "parasite": (1, 0, 0)}
"""Share of the density of a dot in red, green and blue; the first three are for detectors, the last for maps."""

Dot = tuple[str, int, int, float]
"""Kind, column and row in pixels of the network, density."""


def dotted(dots: list[Dot], width: int = 240, height: int = 200, enlarged: int = 1) -> Array:
    """Dots of two by two of the network's pixels on white, at a number of pixels for each of these."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    for kind, x, y, density in dots:
        pixels[y : y + 2, x : x + 2] = stored_light(10 ** -(density * np.array(INKS[kind])))
    return np.asarray(pixels.repeat(enlarged, axis=0).repeat(enlarged, axis=1))


def score_of(density: float, line: tuple[float, float], gain: float = 1) -> float:
    """The calibrated score of a dot of one ink, with the density that its stored pixels have."""
    stored = linear_light(stored_light(np.array([10**-density])))
    logit = DOT_SLOPE * gain * -float(np.log10(stored)[0]) + DOT_BIAS
    return float(1 / (1 + np.exp(-(line[0] * logit + line[1]))))
