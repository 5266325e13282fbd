"""The decadic logarithm of light in single precision, many at a time.

A polynomial (S. L. Moshier, Cephes, logf) that the compiler turns into vector instructions, each value for itself: a
value has the same logarithm wherever it stands.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from hemato_lab.kernels._compiled import kernel

_F: Final = np.float32
_LEAST_LIGHT: Final = _F(1e-4)
_ROOT_OF_HALF: Final = np.int32(0x3F3504F3)
"""Bits of the square root of 1/2, where the mantissa's octave begins."""
_MANTISSA_BITS: Final = np.int32(23)
_PER_OCTAVE: Final = _F(math.log10(2))
_PER_NATURAL: Final = _F(math.log10(math.e))
_ONE, _HALF = _F(1), _F(0.5)
_TERMS: Final = (
    *(_F(7.0376836292e-2), _F(-1.1514610310e-1), _F(1.1676998740e-1), _F(-1.2420140846e-1), _F(1.4249322787e-1)),
    *(_F(-1.6668057665e-1), _F(2.0000714765e-1), _F(-2.4999993993e-1), _F(3.3333331174e-1)),
)
"""Of the logarithm of 1 + x over x cubed, highest power first."""


@kernel()
def to_logarithms(light, octaves, bits, mantissa):  # type: ignore[no-untyped-def]
    """Turn light into its decadic logarithm; `bits` and `mantissa` are one piece of memory."""
    for k in range(light.size):
        mantissa[k] = max(light[k], _LEAST_LIGHT)
    for k in range(light.size):
        octave = (bits[k] - _ROOT_OF_HALF) >> _MANTISSA_BITS
        bits[k] -= octave << _MANTISSA_BITS
        octaves[k] = octave
    for k in range(light.size):
        x = mantissa[k] - _ONE
        square = x * x
        series = _TERMS[0]
        for term in _TERMS[1:]:
            series = series * x + term
        light[k] = octaves[k] * _PER_OCTAVE + (x + (series * x * square - _HALF * square)) * _PER_NATURAL
