"""Whole pictures of white cells: blasts or not, by the mean over their white cells.

For sets of pictures with one label each. What holds for a picture of a leukaemia film need not hold for one cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import special

from hemato_lab.classifiers.base import Classification
from hemato_lab.detectors import make_detector
from hemato_lab.errors import ScaleNotCredibleError
from hemato_lab.imaging.calibration import calibrate
from hemato_lab.imaging.illumination import fit_illumination
from hemato_lab.imaging.scale import read_scale
from hemato_lab.imaging.tiling import read_tile
from hemato_lab.networks import model_sha256
from hemato_lab.pipeline.naming import classified, load_classifiers
from hemato_lab.smear import ArraySource, Field, Scale, Smear
from hemato_lab.vocabulary import WBC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemato_lab.smear import RGB

BLAST: Final = "blast"
BENIGN: Final = "benign"
SLOPE, INTERCEPT = 1.2433, -0.6851
"""From the log-odds of the mean blast probability over a picture's white cells to those of a picture with blasts:
fitted on the 44 validation pictures of taleqani_all, both classes counting alike (`fitted_line` in
models/training/calibration.py)."""
_SUREST: Final = 1e-3


class BlastReader:
    """Tells pictures with blasts from others; one object may be used from several threads."""

    name = "blasts"
    classes = (BENIGN, BLAST)

    def __init__(self) -> None:
        self._classifiers = load_classifiers()

    @property
    def model_sha256(self) -> str:
        """SHA-256 of the model that names the white cells."""
        return model_sha256("white-cells")

    def classify(self, crops: Sequence[RGB], *, rbc_diameter_px: float | None = None) -> Classification:
        """Classify pictures.

        Parameters
        ----------
        crops : sequence of uint8 arrays of shape (height, width, 3)
            Whole fields.
        rbc_diameter_px : float or None
            Diameter of a red cell in them; None reads it from each picture.

        Returns
        -------
        Classification
            A picture without white cells, or without any scale, has even probabilities and is unknown.
        """
        shares = [self._blast_share(crop, rbc_diameter_px) for crop in crops]
        unknown = np.array([share is None for share in shares], np.bool_)
        share = np.array([0.5 if share is None else share for share in shares], np.float64).reshape(len(crops))
        line = SLOPE * special.logit(np.clip(share, _SUREST, 1 - _SUREST)) + INTERCEPT
        blast = np.where(unknown, 0.5, special.expit(line))
        return Classification(self.classes, np.stack([1 - blast, blast], axis=1), unknown)

    def _blast_share(self, pixels: RGB, rbc_diameter_px: float | None) -> float | None:
        """Return the mean probability of a blast over the white cells, None without any."""
        field = Field("picture", ArraySource(np.ascontiguousarray(pixels)), "")
        illumination = fit_illumination(field)
        try:
            scale = (
                read_scale(Smear("picture", (field,)), {0: illumination}).scale
                if rbc_diameter_px is None
                else Scale.from_rbc_diameter_px(rbc_diameter_px)
            )
        except ScaleNotCredibleError:
            return None
        calibration = calibrate(field, scale, illumination)
        tile = read_tile(field, 0, field.window, 0)
        detector = make_detector("onnx", calibration, measured=False)
        cells = detector(tile)
        white = cells.select((cells["name"] == WBC) & (cells["score"] >= detector.operating_scores[WBC]))
        if len(white) == 0:
            return None
        seen = classified(self._classifiers["white-cells"], calibration, tile, white)
        return float(np.mean(seen.probabilities[:, seen.classes.index(BLAST)]))
