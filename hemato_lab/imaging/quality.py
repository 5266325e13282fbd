"""Is a field fit to be read? Focus, exposure, background, stain and monolayer (DOMAIN.md sections 2.4 and 8).

Each check measures one thing, compares it with limits and says so; none of them stops the analysis. What was not
measured is never said to be "ok": the check says "not assessed" and why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import ndimage

from hemato_lab.imaging.sampling import sample_windows
from hemato_lab.imaging.scale import LARGEST_DISAGREEMENT
from hemato_lab.kernels.optical_density import background_levels, channel_histogram

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.imaging.calibration import FieldCalibration
    from hemato_lab.imaging.content import FieldContent
    from hemato_lab.smear import Field

WIDEST_EDGE_UM: Final = 1.6
"""A red cell's outline blurred over more than this is out of focus (our own limit)."""
DARKEST_BACKGROUND: Final = 180.0
"""Stored value of the background's brightest channel (DOMAIN.md section 8)."""
LARGEST_SATURATED_SHARE: Final = 0.01
"""Share of all pixels that is saturated in every channel (DOMAIN.md section 8 has 1 % of the background)."""
LARGEST_FALL_OFF: Final = 0.30
LARGEST_BACKGROUND_MISFIT: Final = 0.03
"""Residual of the background, as a share of light (DOMAIN.md section 8: below 3 %)."""
LEAST_RED_CELL_DENSITY: Final = 0.08
"""Red cells paler than this hardly differ from the background."""
CREDIBLE_BLUE_PER_GREEN: Final = (0.2, 1.3)
"""Colour of red cells in Romanowsky stains on our public training sets, with room."""
MONOLAYER_PER_MM2: Final = (2_000.0, 13_000.0)
"""Below: too thin; above: too thick (DOMAIN.md section 2.4)."""
LARGEST_OVERLAP_SHARE: Final = 0.20
FEWEST_FOR_MONOLAYER: Final = 10
NO_COLOUR: Final = "grey picture: without colour no cell is told from another"
"""What the stain check says where nothing can be counted."""


@dataclass(frozen=True, slots=True)
class FieldOptics:
    """What the optics of a field measure.

    Attributes
    ----------
    edge_width_um : float
        Width over which red cells' outlines rise; 0 when there is no outline.
    background_level : float
        Stored value of the background's brightest channel.
    background_colour : str
        Of the background in the middle of the field, as ``#rrggbb``.
    saturated_share : float
        Share of the pixels at 255, in the channel where there are fewest.
    fall_off : float
        Share of light lost from the brightest to the darkest background.
    misfit : float
        Scatter of the background about its surface, as a share of light.
    red_cell_density : float
        Foreground density of red cells.
    blue_per_green : float
        Their colour.
    has_colour : bool
        Whether cells can be told apart by their stain.
    lit_share : float
        Share of the field that can show cells.
    """

    edge_width_um: float
    background_level: float
    background_colour: str
    saturated_share: float
    fall_off: float
    misfit: float
    red_cell_density: float
    blue_per_green: float
    has_colour: bool
    lit_share: float


def measure_optics(field: Field, calibration: FieldCalibration) -> FieldOptics:
    """Measure the optics of a calibrated field on its sampled windows."""
    levels, illumination = calibration.levels, calibration.illumination
    widths: list[NDArray[np.floating]] = []
    counts = np.zeros((3, 256), np.int64)
    for window in sample_windows(field):
        pixels = field.read(window)
        counts += channel_histogram(pixels)
        if levels.has_cells:
            tile = calibration.working(pixels, window)
            smooth = ndimage.gaussian_filter(tile.foreground_density, 0.5, mode="nearest")
            slope = np.hypot(ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1)) / 8
            mask = levels.foreground(tile)
            outline = mask & ~ndimage.binary_erosion(mask, border_value=1)
            widths.append(levels.red_cell / np.maximum(slope[outline], 1e-3))
    um = calibration.scale.um_per_px / calibration.grid.step
    edges = np.concatenate(widths) if widths else np.empty(0)
    return FieldOptics(
        edge_width_um=float(np.median(edges)) * um if edges.size else 0.0,
        background_level=float(background_levels(counts).max()),
        background_colour="#" + "".join(f"{round(level):02x}" for level in illumination.white_level),
        saturated_share=float(counts[:, 255].min() / counts[0].sum()),
        fall_off=illumination.fall_off,
        misfit=1 - 10**-illumination.residual,
        red_cell_density=levels.red_cell,
        blue_per_green=levels.blue_per_green if levels.has_cells else 0.0,
        has_colour=levels.has_colour,
        lit_share=illumination.lit_share,
    )


def quality_gates(
    optics: FieldOptics,
    content: FieldContent,
    *,
    overlapped: int,
    area_mm2: float,
    scale_disagreement: float | None,
    overlap_measured: int | None = None,
) -> dict[str, Any]:
    """Judge a field.

    Parameters
    ----------
    optics : FieldOptics
        Measured before.
    content : FieldContent
        What was found.
    overlapped : int
        How many of the red cells found were split from groups.
    area_mm2 : float
        Lit area of the field.
    scale_disagreement : float or None
        Of the smear's scale and the ruler in this field, None where the ruler refused or did not look.
    overlap_measured : int or None
        Of how many of the red cells it was measured whether they were split; None: of all.

    Returns
    -------
    dict
        For each check ``"ok"``, what is wrong, or ``"not assessed: "`` and why; and the measured values, rounded, None
        where nothing was measured; JSON-ready.
    """
    red_cells = content.red_cells
    per_mm2 = red_cells / area_mm2 if area_mm2 > 0 else 0.0
    measured = red_cells if overlap_measured is None else overlap_measured
    overlap = overlapped / measured if measured else None
    return {
        "focus": _focus(optics),
        "exposure": _exposure(optics),
        "background": _background(optics),
        "stain": _stain(optics),
        "monolayer": _monolayer(red_cells, per_mm2, measured, overlap),
        "content": content.verdict,
        "scale": _scale(scale_disagreement),
        "edge_width_um": round(optics.edge_width_um, 2),
        "background_level": round(optics.background_level),
        "background_colour": optics.background_colour,
        "fall_off": round(optics.fall_off, 3),
        "red_cell_density": round(optics.red_cell_density, 3),
        "lit_share": round(optics.lit_share, 3),
        "red_cells_per_mm2": round(per_mm2),
        "overlap_share": None if overlap is None else round(overlap, 3),
        "explained_share": None if content.explained_share is None else round(content.explained_share, 3),
    }


def _focus(optics: FieldOptics) -> str:
    if optics.edge_width_um == 0:
        return "not assessed: no red cell outline"
    if optics.edge_width_um > WIDEST_EDGE_UM:
        return f"outlines blurred over {optics.edge_width_um:.1f} um"
    return "ok"


def _exposure(optics: FieldOptics) -> str:
    if optics.background_level < DARKEST_BACKGROUND:
        return f"dark: background at {optics.background_level:.0f} of 255"
    if optics.saturated_share > LARGEST_SATURATED_SHARE:
        return f"over-exposed: {100 * optics.saturated_share:.0f} % of the pixels saturated"
    return "ok"


def _background(optics: FieldOptics) -> str:
    if optics.fall_off > LARGEST_FALL_OFF:
        return f"light falls off by {100 * optics.fall_off:.0f} % across the field"
    if optics.misfit > LARGEST_BACKGROUND_MISFIT:
        return f"uneven background: {100 * optics.misfit:.1f} % residual"
    return "ok"


def _stain(optics: FieldOptics) -> str:
    if optics.red_cell_density == 0:
        return "not assessed: no cells"
    if not optics.has_colour:
        return NO_COLOUR
    if optics.red_cell_density < LEAST_RED_CELL_DENSITY:
        return "pale: red cells hardly differ from the background"
    low, high = CREDIBLE_BLUE_PER_GREEN
    if not low <= optics.blue_per_green <= high:
        return "unusual colour of red cells"
    return "ok"


def _monolayer(red_cells: int, per_mm2: float, measured: int, overlap: float | None) -> str:
    low, high = MONOLAYER_PER_MM2
    if red_cells < FEWEST_FOR_MONOLAYER:
        return "not assessed: too few red cells"
    if per_mm2 < low:
        return "too thin"
    if overlap is None or measured < FEWEST_FOR_MONOLAYER:
        # Density alone can tell that a film is too thick, but not that its cells lie side by side.
        if per_mm2 > high:
            return f"too thick: {per_mm2:.0f} red cells per mm2, overlap not assessed"
        return f"not assessed: overlap measured in {'too few' if measured else 'none'} of the red cells"
    if per_mm2 > high or overlap > LARGEST_OVERLAP_SHARE:
        return f"too thick: {100 * overlap:.0f} % of the red cells overlap or touch"
    return "ok"


def _scale(disagreement: float | None) -> str:
    if disagreement is None:
        return "not assessed: no red-cell size was read from this field"
    if abs(disagreement) > LARGEST_DISAGREEMENT:
        return f"red cells of this field differ from the scale by {100 * disagreement:+.0f} %"
    return "ok"
