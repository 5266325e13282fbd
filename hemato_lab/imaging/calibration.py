"""What is decided once for a field and shared by its tiles: illumination, working grid and levels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
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
        return fit_levels(
            [working_tile(self.field.read(window), window, self.grid, self.illumination) for window in windows]
        )

    @property
    def lit_pixels(self) -> float:
        """Number of pixels of the field that can show cells."""
        return self.grid.width * self.grid.height * self.illumination.lit_share


def calibrate(field: Field, scale: Scale, illumination: Illumination | None = None) -> FieldCalibration:
    """Calibrate a field of known scale; an illumination that was fitted before is not fitted again."""
    fitted = fit_illumination(field) if illumination is None else illumination
    grid = WorkingGrid.of(field.width, field.height, scale.rbc_diameter_px)
    return FieldCalibration(field, scale, fitted, grid)
