"""Malaria in single red cells by measurement, without a model.

Parasite chromatin absorbs green light far more than the haemoglobin around it and hardly more blue (DOMAIN.md section
8), so a parasitised cell has a small spot of high green optical density whose contrast is not shared by the blue
channel. Four measurements of a segmented cell enter a logistic function. The green channel was taken because its spot
contrast alone separates the two classes better (area under the curve .983 on the training crops) than that of the red
channel (.967).

How the constants were made: `measure` on the 3,176 training crops of the NIH malaria cell images (Rajaraman et al.,
PeerJ 6 (2018) e4568; crops of segmented cells on black, 124 patients); square roots; standardised with the mean and
standard deviation over these crops (`_MEAN`, `_SPREAD`); the coefficients minimise the logistic loss plus half their
squared length, intercept free (scipy.optimize.minimize, L-BFGS-B). The measurements were chosen by five-fold
cross-validation over patients on the same crops.

Limits: cells must be cut out and stand on black; one source, one stain, Plasmodium falciparum. Stain precipitate and
platelets on a cell look like parasites to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

from hemato_lab.classifiers.base import Classification
from hemato_lab.classifiers.crops import cell_on_black
from hemato_lab.imaging.light import DENSITY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemato_lab.smear import RGB

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

MEASUREMENTS: Final = ("spot_contrast", "texture", "unevenness", "spot_colour")
PARASITISED: Final = "parasitised RBC"
UNINFECTED: Final = "uninfected RBC"

_SPOT_SIGMA: Final = 0.015
"""Blur that keeps chromatin, about 0.1 um, in cell diameters."""
_SURROUND_SIGMA: Final = 0.10
"""Blur that removes chromatin but keeps pallor and illumination, in cell diameters."""
_RIM: Final = 0.02
"""Rim left out of the measurements because the cut mixes it with black, in cell diameters."""
_SMALLEST_CELL_PX: Final = 20

_MEAN: Final = np.array([0.59929, 0.1311, 0.14635, 0.43734])
_SPREAD: Final = np.array([0.38238, 0.03956, 0.04747, 0.29898])
_COEFFICIENTS: Final = np.array([2.3654, -1.6121, 1.0108, 3.1291])
_INTERCEPT: Final = 1.3584


class MeasuredMalariaClassifier:
    """Tells parasitised from uninfected red cells by the colour and contrast of the darkest spot in each cell."""

    name = "classical"
    classes = (PARASITISED, UNINFECTED)
    model_sha256 = None

    def classify(self, crops: Sequence[RGB], *, rbc_diameter_px: float | None = None) -> Classification:
        """Classify cells that stand on black.

        Parameters
        ----------
        crops : sequence of uint8 arrays of shape (height, width, 3)
            One segmented red cell each.
        rbc_diameter_px : float or None
            Not needed: each cell is measured in its own diameters.

        Returns
        -------
        Classification
            A crop without a cell (all black) gets equal probabilities.
        """
        del rbc_diameter_px
        measured = np.array([measure(crop) for crop in crops]).reshape(len(crops), len(MEASUREMENTS))
        standardised = (np.sqrt(np.maximum(measured, 0.0)) - _MEAN) / _SPREAD
        parasitised = special.expit(np.sum(standardised * _COEFFICIENTS, axis=1) + _INTERCEPT)
        parasitised = np.where(np.isnan(measured).any(axis=1), 0.5, parasitised)
        return Classification(self.classes, np.stack([parasitised, 1.0 - parasitised], axis=1))


def measure(crop: RGB) -> Floats:
    """Measure one cell that stands on black.

    Parameters
    ----------
    crop : uint8 array of shape (height, width, 3)
        sRGB.

    Returns
    -------
    array of shape (4,)
        By the names of `MEASUREMENTS`, all in optical density: the highest local contrast in green; its median
        magnitude; the median magnitude of the difference to the cell's median; the 99.5th percentile of the local
        contrast in green minus that in blue. Local contrast is the difference between a fine and a coarse blur within
        the cell. All NaN when there is no cell.
    """
    cell = cell_on_black(crop)
    if np.count_nonzero(cell) < _SMALLEST_CELL_PX:
        return np.full(len(MEASUREMENTS), np.nan)
    diameter = 2.0 * np.sqrt(np.count_nonzero(cell) / np.pi)
    inner = ndimage.binary_erosion(cell, iterations=max(1, round(_RIM * diameter)))
    if np.count_nonzero(inner) < _SMALLEST_CELL_PX:
        inner = cell
    fine, contrast = {}, {}
    for channel in (1, 2):
        density = DENSITY[crop[..., channel]]
        density -= np.median(density[inner])
        fine[channel] = _blur_within(density, cell, _SPOT_SIGMA * diameter)
        contrast[channel] = (fine[channel] - _blur_within(density, cell, _SURROUND_SIGMA * diameter))[inner]
    return np.array(
        [
            contrast[1].max(),
            np.median(np.abs(contrast[1])),
            np.median(np.abs(fine[1][inner])),
            np.percentile(contrast[1] - contrast[2], 99.5),
        ]
    )


def _blur_within(values: Floats, cell: Mask, sigma: float) -> Floats:
    """Gaussian blur that takes nothing from outside the cell."""
    weight = ndimage.gaussian_filter(cell.astype(np.float64), sigma, truncate=3.0)
    blurred = ndimage.gaussian_filter(values * cell, sigma, truncate=3.0)
    return np.asarray(blurred / np.maximum(weight, 1e-3), dtype=np.float64)
