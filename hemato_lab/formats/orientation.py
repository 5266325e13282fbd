"""The eight ways a camera may be held: EXIF (and TIFF) tag 274, Orientation.

Values 1-8 as in the EXIF 2.32 standard, section 4.6.4: first the stored image is mirrored in x, in y or both, then
values 5-8 exchange rows and columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hemato_lab.smear import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

UPRIGHT: Final = 1
_MIRRORED_IN_X: Final = frozenset({2, 3, 7, 8})
_MIRRORED_IN_Y: Final = frozenset({3, 4, 6, 7})
_EXCHANGED: Final = frozenset({5, 6, 7, 8})


def known(value: int) -> int:
    """Return the value if it is one of 1-8, else 1: writers that do not know put 0 there."""
    return value if 1 <= value <= 8 else UPRIGHT


def upright(stored: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return a view of a stored image, shape (height, width, ...), the right way up."""
    turned = stored
    if orientation in _MIRRORED_IN_X:
        turned = turned[:, ::-1]
    if orientation in _MIRRORED_IN_Y:
        turned = turned[::-1]
    return turned.swapaxes(0, 1) if orientation in _EXCHANGED else turned


def upright_size(width: int, height: int, orientation: int) -> tuple[int, int]:
    """Return (width, height) of a stored size after turning."""
    return (height, width) if orientation in _EXCHANGED else (width, height)


def stored_window(window: Window, width: int, height: int, orientation: int) -> Window:
    """Return which part of the stored image, of size (`width`, `height`), a window of the upright image shows."""
    x0, y0, x1, y1 = window.x0, window.y0, window.x1, window.y1
    if orientation in _EXCHANGED:
        x0, y0, x1, y1 = y0, x0, y1, x1
    if orientation in _MIRRORED_IN_X:
        x0, x1 = width - x1, width - x0
    if orientation in _MIRRORED_IN_Y:
        y0, y1 = height - y1, height - y0
    return Window(x0, y0, x1, y1)
