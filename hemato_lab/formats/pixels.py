"""Samples of every kind -> RGB, uint8.

Conventions, each the plainest that is right for a bright field:

* 16-bit samples keep their high byte (v >> 8): the full range of the type is white, whatever the sensor used of it.
* Floating-point samples are taken as 0 (black) to 1 (white); anything outside is refused, not clipped.
* Transparent pixels are laid over white, the colour of empty glass.
* CMYK without its printing profile becomes (1 - ink)(1 - black), as Pillow does.
* Colour profiles and gamma statements are not applied: values are taken as sRGB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.errors import UnsupportedFormatError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.smear import RGB

_FLOAT_TOLERANCE: Final = 1e-6


def eight_bit(samples: NDArray[Any], label: str) -> NDArray[np.uint8]:
    """Return uint8, uint16 or floating-point samples as uint8.

    Raises
    ------
    UnsupportedFormatError
        For another type, and for floating-point values that are not from 0 to 1.
    """
    if samples.dtype == np.uint8:
        return samples
    if samples.dtype == np.uint16:
        return (samples >> 8).astype(np.uint8)
    if samples.dtype.kind == "f":
        return _from_unit_range(samples, label)
    raise UnsupportedFormatError(
        f"has {samples.dtype} samples; 8-bit, 16-bit and floating-point ones are read",
        subject=label,
        hint="convert the image to 8-bit or 16-bit",
    )


def _from_unit_range(samples: NDArray[Any], label: str) -> NDArray[np.uint8]:
    inside = (samples >= -_FLOAT_TOLERANCE) & (samples <= 1 + _FLOAT_TOLERANCE)
    if not inside.all():
        raise UnsupportedFormatError(
            "has floating-point samples outside 0-1, so black and white are unknown",
            subject=label,
            hint="rescale the samples to 0-1, or convert the image to 16-bit",
        )
    stretched: NDArray[np.float64] = np.rint(np.clip(samples, 0, 1).astype(np.float64) * 255)
    return stretched.astype(np.uint8)


def grey_to_rgb(grey: NDArray[np.uint8]) -> RGB:
    """Return a grey image, shape (height, width), as three equal channels."""
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2)


def over_white(colour: NDArray[np.uint8], alpha: NDArray[np.uint8], *, premultiplied: bool = False) -> RGB:
    """Lay a partly transparent image over white.

    Parameters
    ----------
    colour : array, shape (height, width, 3), uint8
    alpha : array, shape (height, width), uint8
        255 is opaque.
    premultiplied : bool
        Whether the colour was multiplied by alpha when it was stored (TIFF "associated alpha").
    """
    opacity = alpha[:, :, np.newaxis].astype(np.uint32)
    if premultiplied:
        laid: NDArray[np.uint32] = np.minimum(colour + (255 - opacity), np.uint32(255))
    else:
        laid = (colour * opacity + 255 * (255 - opacity) + 127) // 255
    return laid.astype(np.uint8)


def inks_to_rgb(inks: NDArray[np.uint8]) -> RGB:
    """Return cyan, magenta, yellow and black amounts, shape (height, width, 4), 255 = full ink, as RGB."""
    light = 255 - inks.astype(np.uint32)
    return ((light[:, :, :3] * light[:, :, 3:] + 127) // 255).astype(np.uint8)
