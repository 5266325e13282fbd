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

    from numpy.typing import NDArray

    from hemato_lab.imaging.calibration import FieldCalibration
    from hemato_lab.imaging.illumination import Illumination
    from hemato_lab.smear import RGB

BLAST: Final = "blast"
BENIGN: Final = "benign"
SLOPE, INTERCEPT = 1.2297, -0.7575
"""From the log-odds of the mean blast probability over a picture's white cells to those of a picture with blasts:
fitted on the 44 validation pictures of taleqani_all, both classes counting alike (models/training/fit_blasts.py)."""
BESIDE: Final = (0.93, 1.07)
"""Of the diameter of a red cell, read besides: no ruler knows it better, and so the shares at all are averaged."""
SUREST: Final = 1e-3
"""Shares nearer to 0 and 1 count as this far away."""


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

        Raises
        ------
        ScaleNotCredibleError
            If the stated diameter is impossible.
        """
        shares = self.shares(crops, rbc_diameter_px=rbc_diameter_px)
        unknown = np.array([share is None for share in shares], np.bool_)
        share = np.array([0.5 if share is None else share for share in shares], np.float64).reshape(len(crops))
        line = SLOPE * special.logit(np.clip(share, SUREST, 1 - SUREST)) + INTERCEPT
        blast = np.where(unknown, 0.5, special.expit(line))
        return Classification(self.classes, np.stack([1 - blast, blast], axis=1), unknown)

    def shares(self, crops: Sequence[RGB], *, rbc_diameter_px: float | None = None) -> list[float | None]:
        """Return the mean probability of a blast over each picture's white cells, None where there is none."""
        return [self._blast_share(crop, rbc_diameter_px) for crop in crops]

    def _blast_share(self, pixels: RGB, rbc_diameter_px: float | None) -> float | None:
        field = Field("picture", ArraySource(np.ascontiguousarray(pixels)), "")
        illumination = fit_illumination(field)
        scales = _scales(field, illumination) if rbc_diameter_px is None else _around(rbc_diameter_px)
        seen = [self._probabilities(calibrate(field, scale, illumination)) for scale in scales]
        shares = [float(np.mean(one)) for one in seen if len(one)]
        return float(np.mean(shares)) if shares else None

    def _probabilities(self, calibration: FieldCalibration) -> NDArray[np.float64]:
        """Return the probability of a blast for each white cell."""
        tile = read_tile(calibration.field, 0, calibration.field.window, 0)
        detector = make_detector("onnx", calibration, measured=False)
        cells = detector(tile)
        white = cells.select((cells["name"] == WBC) & (cells["score"] >= detector.operating_scores[WBC]))
        if len(white) == 0:
            return np.empty(0)
        seen = classified(self._classifiers["white-cells"], calibration, tile, white)
        return seen.probabilities[:, seen.classes.index(BLAST)]


def _scales(field: Field, illumination: Illumination) -> list[Scale]:
    """Return the scales that a picture is read at; none where its own is not credible."""
    try:
        return _around(read_scale(Smear("picture", (field,)), {0: illumination}).scale.rbc_diameter_px)
    except ScaleNotCredibleError:
        return []


def _around(rbc_diameter_px: float) -> list[Scale]:
    """Return a scale and those beside it that are credible."""
    scales = [Scale.from_rbc_diameter_px(rbc_diameter_px)]
    for ratio in BESIDE:
        try:
            beside = Scale.from_rbc_diameter_px(ratio * rbc_diameter_px)
        except ScaleNotCredibleError:  # at the edge of what is credible the scale itself must do
            continue
        scales.append(beside)
    return scales
