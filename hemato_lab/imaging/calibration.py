"""What is decided once for a field before any tile is cut: illumination, working grid and levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hemato_lab.imaging.illumination import Illumination, fit_illumination
from hemato_lab.imaging.levels import Levels, fit_levels
from hemato_lab.imaging.sampling import sample_windows
from hemato_lab.imaging.working import WorkingGrid, working_tile

if TYPE_CHECKING:
    from hemato_lab.smear import Field, Scale


@dataclass(frozen=True)
class FieldCalibration:
    """Everything that the tiles of one field share.

    Attributes
    ----------
    scale : Scale
        Of the smear.
    illumination : Illumination
        Background and lit part of the field.
    grid : WorkingGrid
        Where a red cell measures `working.RED_CELL_DIAMETER` grid cells.
    levels : Levels
        Densities of background and cells.
    """

    scale: Scale
    illumination: Illumination
    grid: WorkingGrid
    levels: Levels

    @property
    def lit_pixels(self) -> float:
        """Number of pixels of the field that can show cells."""
        return self.grid.width * self.grid.height * self.illumination.lit_share


def calibrate(field: Field, scale: Scale, illumination: Illumination | None = None) -> FieldCalibration:
    """Calibrate a field of known scale; an illumination that was fitted before is not fitted again."""
    fitted = fit_illumination(field) if illumination is None else illumination
    grid = WorkingGrid.of(field.width, field.height, scale.rbc_diameter_px)
    windows = sample_windows(field)
    levels = fit_levels([working_tile(field.read(window), window, grid, fitted) for window in windows])
    return FieldCalibration(scale, fitted, grid, levels)
