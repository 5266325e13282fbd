"""What is evaluated: the package's own detectors and classifiers, as the evaluations call them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hemato_lab.detections import OPERATING_SCORE
from hemato_lab.detectors import DEFAULT_DETECTOR, SHIPPED_MODEL
from hemato_lab.errors import ConfigError
from hemato_lab.evaluation.detection import DetectorCard
from hemato_lab.evaluation.fields import FieldOutcome
from hemato_lab.evaluation.naming import common_names
from hemato_lab.evaluation.parasites import Reader
from hemato_lab.formats import open_smear
from hemato_lab.networks import load_network, read_network
from hemato_lab.vocabulary import DETECTOR_CLASSES

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from hemato_lab.classifiers.base import Classification, Classifier
    from hemato_lab.evaluation.dataset import CropSet
    from hemato_lab.evaluation.fields import Detect
    from hemato_lab.evaluation.marked_cells import ClassifyAt


def first_that_fits(dataset: CropSet) -> Classifier:
    """Return the first classifier or reader of pictures, in the order of their registry, with a name for every label.

    Raises
    ------
    ConfigError
        If there is none.
    """
    from hemato_lab.pipeline.classification import readers

    for make in readers().values():
        classifier = make()
        try:
            common_names(dataset.labels, classifier.classes, dataset=dataset.name, classifier=classifier.name)
        except ConfigError:
            continue
        return classifier
    raise ConfigError(
        f"no classifier has a name for each of {', '.join(dataset.labels)}",
        subject=dataset.name,
        hint=f"there are: {', '.join(readers())}",
    )


def detector_card(detector: str, model: str | None = None) -> DetectorCard:
    """Return name, operating scores and model of a detector.

    Raises
    ------
    ConfigError
        If the model is no detector.
    ModelError
        If the model is missing or damaged.
    """
    if detector != DEFAULT_DETECTOR:
        return DetectorCard(detector, dict.fromkeys(DETECTOR_CLASSES, OPERATING_SCORE))
    from hemato_lab.detectors.onnx import check_network

    card = (load_network(SHIPPED_MODEL) if model is None else read_network(model)).card
    check_network(card)
    return DetectorCard(detector, {name: card.thresholds[name] for name in DETECTOR_CLASSES}, card.sha256)


def pipeline_detect(detector: str, model: str | None = None) -> Detect:
    """Return a function that finds every candidate in one image, those below the operating score too."""
    return _pipeline(detector, model, names=False, minimum_score=0.0)


def pipeline_name(detector: str, model: str | None = None) -> Detect:
    """Return a function that finds and names the cells of one image as users get them."""
    return _pipeline(detector, model, names=True, minimum_score=None)


def pipeline_read(detector: str, model: str | None = None) -> Detect:
    """Return a function that finds, measures and names the cells of one image as users get them."""
    return _pipeline(detector, model, names=True, minimum_score=None, measured=True)


def _pipeline(
    detector: str, model: str | None, *, names: bool, minimum_score: float | None, measured: bool = False
) -> Detect:
    from hemato_lab.pipeline import Interpretation, analyze

    def detect(path: Path, rbc_diameter_px: float | None) -> FieldOutcome:
        analysis = analyze(
            open_smear(path, rbc_diameter_px=rbc_diameter_px),
            detector=detector,
            model=model,
            names=names,
            minimum_score=minimum_score,
            measured=measured,
            interpretation=Interpretation(level="morphological_findings"),
        )
        scale = analysis.smear.scale
        return FieldOutcome(analysis.detections, None if scale is None else scale.rbc_diameter_px)

    return detect


def parasite_reader(detector: str, model: str | None = None) -> Reader:
    """Return what finds and names parasites in fields, with the score from which on one is called."""
    from hemato_lab.classifiers.network import NetworkClassifier
    from hemato_lab.pipeline.finding import make_finder

    finder = make_finder(detector, model=model, names=True)
    return Reader(detector, finder.models(), NetworkClassifier("malaria").with_map["threshold"])


def reader_named(name: str) -> Classifier:
    """Return a classifier or reader of pictures by its name; raises `ConfigError` if there is none."""
    from hemato_lab.pipeline.classification import make_reader

    return make_reader(name)


def classify_with(name: str) -> ClassifyAt:
    """Return a function that names the cells at places of one image."""
    from hemato_lab.pipeline.classification import classify_at

    def classify(path: Path, centres: NDArray[np.float64], rbc_diameter_px: float | None) -> Classification:
        return classify_at(path, name, centres, rbc_diameter_px)

    return classify
