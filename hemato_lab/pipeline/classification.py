"""Classifiers at places in images, and everything that can name a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hemato_lab.classifiers import CLASSIFIERS
from hemato_lab.classifiers.crops import cut_cells
from hemato_lab.classifiers.network import NetworkClassifier
from hemato_lab.errors import ConfigError
from hemato_lab.formats import open_smear
from hemato_lab.imaging.calibration import calibrate
from hemato_lab.imaging.illumination import fit_illumination
from hemato_lab.imaging.scale import read_scale
from hemato_lab.pipeline.blasts import BlastReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from hemato_lab.classifiers.base import Classification, Classifier


def readers() -> dict[str, Callable[[], Classifier]]:
    """Return what makes classifiers of single cells and readers of whole pictures, by name, in their order."""
    return {**CLASSIFIERS, "blasts": BlastReader}


def make_reader(name: str) -> Classifier:
    """Return a new classifier of cells or reader of whole pictures by its name.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    known = readers()
    if name not in known:
        raise ConfigError(f"unknown classifier {name!r}", hint=f"choose one of {', '.join(sorted(known))}")
    return known[name]()


def classify_at(
    path: Path, classifier_name: str, centres: NDArray[np.float64], rbc_diameter_px: float | None = None
) -> Classification:
    """Classify the cells at given places of an image.

    Parameters
    ----------
    path : Path
        An image.
    classifier_name : str
        Of a classifier that looks at cells in their surroundings.
    centres : array of shape (n, 2)
        x and y in pixels.
    rbc_diameter_px : float or None
        Diameter of a red cell; None reads it from the red cells of the image.

    Raises
    ------
    ConfigError
        If there is no such classifier, or it looks at whole crops only.
    InputError
        If the image cannot be read.
    ScaleNotCredibleError
        If the scale is not stated and cannot be read from the image.
    """
    classifier = make_reader(classifier_name)
    if not isinstance(classifier, NetworkClassifier):
        raise ConfigError(
            f"the classifier {classifier_name!r} cannot look at places in an image", hint="choose another classifier"
        )
    smear = open_smear(path, rbc_diameter_px=rbc_diameter_px)
    field = smear.fields[0]
    illumination = fit_illumination(field)
    scale = read_scale(smear, {0: illumination}).scale
    calibration = calibrate(field, scale, illumination)
    return classifier.classify_densities(cut_cells(field.read(), field.window, calibration, centres, classifier.shape))
