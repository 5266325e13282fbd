"""What is decided once for a field and shared by its tiles: illumination, working grid and levels."""

from __future__ import annotations

import weakref
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from hemato_lab.imaging.illumination import Illumination, fit_illumination
from hemato_lab.imaging.levels import Levels, fit_levels
from hemato_lab.imaging.sampling import sample_windows
from hemato_lab.imaging.working import WorkingGrid, WorkingTile, working_tile

if TYPE_CHECKING:
    from hemato_lab.smear import RGB, Field, Scale, Window

LARGEST_KEPT: Final = 6_000_000
"""Pixels of a field whose densities are kept between the steps of an analysis."""
MOST_KEPT: Final = 4
"""Fields whose densities are kept at a time."""
_keepers: Final[deque[weakref.ref[FieldCalibration]]] = deque()


@dataclass(frozen=True)
class FieldCalibration:
    """Everything that the tiles of one field share.

    Attributes
    ----------
    field : Field
        The field itself.
    scale : Scale
        Of the smear.
    illumination : Illumination
        Background and lit part of the field.
    grid : WorkingGrid
        Where a red cell measures `working.RED_CELL_DIAMETER` grid cells.
    """

    field: Field
    scale: Scale
    illumination: Illumination
    grid: WorkingGrid

    @cached_property
    def levels(self) -> Levels:
        """Densities of background and cells, measured on first use; not every detector needs them."""
        windows = sample_windows(self.field)
        return fit_levels([self.working(self.field.read(window), window) for window in windows])

    def working(self, pixels: RGB, window: Window) -> WorkingTile:
        """Return the densities of a window of the field on the working grid.

        Those of a small field taken whole are kept for a while: one analysis needs them four times.

        Parameters
        ----------
        pixels : RGB, shape (window.height, window.width, 3)
            What was read.
        window : Window
            Where, in pixels of the field.
        """
        if window != self.field.window or window.area > LARGEST_KEPT:
            return working_tile(pixels, window, self.grid, self.illumination)
        kept: WorkingTile | None = self.__dict__.get("_kept")
        if kept is None:
            kept = working_tile(pixels, window, self.grid, self.illumination)
            kept.density.flags.writeable = kept.lit.flags.writeable = False
            self.__dict__["_kept"] = kept
            _keepers.append(weakref.ref(self))
            while len(_keepers) > MOST_KEPT:
                oldest = _keepers.popleft()()
                if oldest is not None:
                    oldest.__dict__.pop("_kept", None)
        return kept

    @property
    def lit_pixels(self) -> float:
        """Number of pixels of the field that can show cells."""
        return self.grid.width * self.grid.height * self.illumination.lit_share


def calibrate(field: Field, scale: Scale, illumination: Illumination | None = None) -> FieldCalibration:
    """Calibrate a field of known scale; an illumination that was fitted before is not fitted again."""
    fitted = fit_illumination(field) if illumination is None else illumination
    grid = WorkingGrid.of(field.width, field.height, scale.rbc_diameter_px)
    return FieldCalibration(field, scale, fitted, grid)
