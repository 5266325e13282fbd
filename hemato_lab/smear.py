"""What is read: a smear of ordered fields, windows into them, tiles, and the scale.

Pixel (0, 0) is the top-left pixel's CENTRE, so pixel i covers [i - 0.5, i + 0.5). Windows are half open and count whole
pixels. Coordinates are (x, y) in this order everywhere; arrays are indexed [y, x].
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hemato_lab.errors import ConfigError, ScaleNotCredibleError

if TYPE_CHECKING:
    from collections.abc import Mapping

RGB = NDArray[np.uint8]
"""Pixels outside the imaging layer: shape (height, width, 3), sRGB, uint8."""

RED_CELL_DIAMETER_UM: Final = 7.5
"""Diameter of a red cell on a dried stained film, the ruler's length (DOMAIN.md 2.3, marked as our choice)."""
RED_CELL_DIAMETER_UNCERTAINTY_UM: Final = 0.5
"""Systematic uncertainty of the ruler: published means span 6.7-8.0 um (DOMAIN.md 2.3)."""
CREDIBLE_UM_PER_PX: Final = (0.02, 0.5)
"""Pixel sizes outside these limits cannot be smear microscopy (DOMAIN.md 2.3)."""


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A half-open rectangle of whole pixels: x0 <= x < x1, y0 <= y < y1."""

    x0: int
    y0: int
    x1: int
    y1: int

    def __post_init__(self) -> None:
        if self.x1 < self.x0 or self.y1 < self.y0:
            raise ConfigError(f"window {self.x0, self.y0, self.x1, self.y1} ends before it begins")

    @property
    def width(self) -> int:
        """Columns."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """Rows."""
        return self.y1 - self.y0

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.width * self.height

    def expand(self, margin: int) -> Window:
        """Return the window grown by `margin` pixels on every side."""
        return Window(self.x0 - margin, self.y0 - margin, self.x1 + margin, self.y1 + margin)

    def intersect(self, other: Window) -> Window:
        """Return the common part; an empty window at the nearer corner when there is none."""
        x0, y0 = max(self.x0, other.x0), max(self.y0, other.y0)
        return Window(x0, y0, max(x0, min(self.x1, other.x1)), max(y0, min(self.y1, other.y1)))

    def owns(self, x: float, y: float) -> bool:
        """Tell whether the point (x, y) lies on one of the window's pixels."""
        return self.x0 - 0.5 <= x < self.x1 - 0.5 and self.y0 - 0.5 <= y < self.y1 - 0.5

    def owns_each(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell the same of many points, arrays of shape (n,)."""
        across = (self.x0 - 0.5 <= x) & (x < self.x1 - 0.5)
        return np.asarray(across & (self.y0 - 0.5 <= y) & (y < self.y1 - 0.5))

    def slices(self) -> tuple[slice, slice]:
        """Return ``(rows, columns)`` to index an array with."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)


class PixelSource(Protocol):
    """Where the pixels of one field come from; readers in `formats` provide it. Must be safe to use from threads."""

    @property
    def width(self) -> int:
        """Columns of the image."""
        ...

    @property
    def height(self) -> int:
        """Rows of the image."""
        ...

    def read(self, window: Window) -> RGB:
        """Return the pixels of a window that lies inside the image, shape (window.height, window.width, 3)."""
        ...


@runtime_checkable
class PyramidSource(PixelSource, Protocol):
    """A source whose file also holds smaller copies of the picture."""

    @property
    def levels(self) -> tuple[PixelSource, ...]:
        """The smaller copies, the largest first, without the picture itself."""
        ...


@dataclass(frozen=True, slots=True)
class ArraySource:
    """Pixels already in memory, shape (height, width, 3), uint8 sRGB."""

    pixels: RGB

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != np.uint8:
            raise ConfigError(
                f"an image array has shape (height, width, 3) and dtype uint8, not {self.pixels.shape} "
                f"{self.pixels.dtype}",
                hint="convert it first, for example with skimage.util.img_as_ubyte",
            )

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])

    def read(self, window: Window) -> RGB:
        """Return a view of the window's pixels."""
        return self.pixels[window.slices()]


@dataclass(frozen=True, slots=True)
class Field:
    """One image of a smear.

    Attributes
    ----------
    name : str
        Path below the smear, or the file's name.
    source : PixelSource
        Where its pixels come from.
    file_id : str
        ``sha224-i-`` and the SHA-224 of the raw file bytes in hex (api/DECISIONS.md row 14); of the pixel bytes for
        arrays that came from no file.
    um_per_px : float or None
        Pixel size stated by the file itself, None when it states none.
    """

    name: str
    source: PixelSource
    file_id: str
    um_per_px: float | None = None

    @property
    def width(self) -> int:
        """Columns."""
        return self.source.width

    @property
    def height(self) -> int:
        """Rows."""
        return self.source.height

    @property
    def window(self) -> Window:
        """The whole field."""
        return Window(0, 0, self.width, self.height)

    @property
    def levels(self) -> tuple[PixelSource, ...]:
        """Smaller copies of the picture that its file holds, the largest first; often none."""
        return self.source.levels if isinstance(self.source, PyramidSource) else ()

    def read(self, window: Window | None = None) -> RGB:
        """Return the pixels of a window (default: the whole field), cut to the field's borders."""
        return self.source.read(self.window if window is None else window.intersect(self.window))


ScaleOrigin = Literal["stated um/px", "stated red-cell diameter", "estimated from red cells"]


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a red cell appears, and what a pixel measures.

    Attributes
    ----------
    rbc_diameter_px : float
        Diameter of a normal red cell in pixels.
    um_per_px : float
        Pixel size.
    origin : ScaleOrigin
        Where the scale comes from. Only "stated um/px" is independent of the cells themselves: size findings
        (macrocyte, microcyte) need it (DOMAIN.md 2.3).
    relative_uncertainty : float
        Standard uncertainty of a length, as a share of it.
    """

    rbc_diameter_px: float
    um_per_px: float
    origin: ScaleOrigin
    relative_uncertainty: float

    def __post_init__(self) -> None:
        low, high = CREDIBLE_UM_PER_PX
        if not (math.isfinite(self.um_per_px) and low <= self.um_per_px <= high):
            raise ScaleNotCredibleError(
                f"{self.um_per_px:.4g} um per pixel is outside {low}-{high}",
                hint="state another pixel size (um_per_px) or diameter of a red cell in pixels (rbc_diameter_px)",
            )

    @classmethod
    def from_um_per_px(cls, um_per_px: float) -> Scale:
        """Scale of a stated pixel size, taken as exact to 1 %."""
        diameter = RED_CELL_DIAMETER_UM / um_per_px if um_per_px > 0 else math.inf
        return cls(diameter, um_per_px, "stated um/px", 0.01)

    @classmethod
    def from_rbc_diameter_px(
        cls,
        diameter_px: float,
        *,
        origin: ScaleOrigin = "stated red-cell diameter",
        relative_uncertainty: float = 0.0,
    ) -> Scale:
        """Scale of a red-cell diameter in pixels; the ruler's own uncertainty is added in quadrature."""
        um_per_px = RED_CELL_DIAMETER_UM / diameter_px if diameter_px > 0 else math.inf
        ruler = RED_CELL_DIAMETER_UNCERTAINTY_UM / RED_CELL_DIAMETER_UM
        return cls(diameter_px, um_per_px, origin, math.hypot(ruler, relative_uncertainty))

    @property
    def is_independent(self) -> bool:
        """Whether the scale was known without looking at the red cells."""
        return self.origin == "stated um/px"

    def area_mm2(self, pixels: float) -> float:
        """Return the area of a number of pixels in mm2."""
        return pixels * self.um_per_px**2 * 1e-6


@dataclass(frozen=True, slots=True)
class Tile:
    """Pixels to look at and the core whose cells the tile owns.

    The tile is read with a margin around its core; a cell belongs to the tile whose core owns the cell's centre.

    Attributes
    ----------
    field : int
        Index of the field in its smear.
    window : Window
        What was read, in pixels of the field.
    core : Window
        The part it owns; the cores of a field's tiles cover the field without overlap.
    pixels : RGB
        Pixels of `window`.
    """

    field: int
    window: Window
    core: Window
    pixels: RGB


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that was given but could not be read, with the error's code and one-line reason."""

    name: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Smear:
    """The fields of one sample, in order.

    Attributes
    ----------
    name : str
        Shown to people; the folder's or file's name.
    fields : tuple of Field
        At least one.
    tags : mapping of str to str
        Free labels, never of a patient.
    scale : Scale or None
        The stated scale; None means that it will be estimated from the red cells.
    skipped : tuple of SkippedFile
        Files that belong to the smear and could not be read.
    """

    name: str
    fields: tuple[Field, ...]
    tags: Mapping[str, str] = field(default_factory=dict)
    scale: Scale | None = None
    skipped: tuple[SkippedFile, ...] = ()

    def __post_init__(self) -> None:
        if not self.fields:
            raise ConfigError("a smear has at least one field", subject=self.name, hint="add an image to it")
        seen: set[str] = set()
        for one in self.fields:
            if one.name in seen:
                raise ConfigError("two fields have this name", subject=one.name, hint="give each its own")
            seen.add(one.name)

    def __len__(self) -> int:
        return len(self.fields)

    def __repr__(self) -> str:
        fields = "1 field" if len(self) == 1 else f"{len(self)} fields"
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        scale = "no stated scale" if self.scale is None else f"{self.scale.um_per_px:.4g} um per pixel"
        return f"Smear({self.name!r}, {fields}{skipped}, {scale})"

    @property
    def known_scale(self) -> Scale | None:
        """The scale, or where there is none the pixel size that all files state alike; None if they do not."""
        sizes = {one.um_per_px for one in self.fields}
        if self.scale is not None or len(sizes) != 1 or (size := sizes.pop()) is None:
            return self.scale
        return Scale.from_um_per_px(size)

    @property
    def pixels(self) -> int:
        """Number of pixels in all fields."""
        return sum(one.window.area for one in self.fields)
