"""The joint score of the map of parasites and the malaria classifier, fitted on validation fields.

It is written into the classifier.

Usage: ``python -m models.training.finish_malaria DATASETS OUT`` from the project's folder, after detector, map and
classifier have been written to OUT.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
from scipy import special

from hemato_lab.classifiers.network import NetworkClassifier
from hemato_lab.detectors.parasite_map import ParasiteMap
from hemato_lab.networks import read_network
from hemato_lab.pipeline.naming import SUREST, UNINFECTED, classified, joint_score
from hemato_lab.vocabulary import RBC
from models.training.calibration import fitted_plane
from models.training.export import ship, with_metadata
from models.training.finish_parasites import OTHERS_WEIGHT, SETS
from models.training.validation_fields import parasitised, red_cells, see_validation_fields

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MOST_FALSE: Final = 1e-3
"""False parasites a red cell at the operating threshold, at most."""
LEAST: Final = 1e-3
"""Score in the map from which on a red cell is worth a closer look: on validation fields no parasite is below."""


def main() -> None:
    """Fit from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    path = options.out / "malaria.onnx"
    plane = joint(options.datasets, options.out)
    model = onnx.load(path)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    ship(with_metadata(model, metadata | {"with_map": plane}), options.out, "malaria")
    print(json.dumps(plane))


def joint(datasets: Path, models: Path) -> dict[str, float]:
    """Return the plane over the log-odds, the score from which on a parasite is called, and the least in the map."""
    detector = read_network(models / "detector.onnx")
    drawn = read_network(models / "parasites.onnx")
    classifier = NetworkClassifier("malaria", read_network(models / "malaria.onnx"))
    least = detector.card.thresholds[RBC]
    first, second, infected, weight = [], [], [], []
    for name in SETS:
        for field in see_validation_fields(detector, datasets / name).fields:
            red = red_cells(field, least)
            in_map = ParasiteMap(field.calibration, drawn)(field.tile, red)
            truth = parasitised(red, field, name)
            seen = classified(classifier, field.calibration, field.tile, red)
            print(name, field.image.file_name, "parasites not looked at:", np.sum(truth & (in_map < LEAST)))
            first.append(in_map)
            second.append(1 - seen.probabilities[:, seen.classes.index(UNINFECTED)])
            infected.append(truth)
            weight.append(np.full(len(red), 1.0 if name == "iml_malaria" else OTHERS_WEIGHT))
    return fitted(*(np.concatenate(part) for part in (first, second, infected, weight)))


def fitted(in_map: Floats, classifier: Floats, infected: NDArray[np.bool_], weight: Floats) -> dict[str, float]:
    """Fit the plane to the cells that the classifier is asked for, and choose the threshold over all."""
    asked = in_map >= LEAST
    features = np.stack([special.logit(np.clip(score, SUREST, 1 - SUREST)) for score in (in_map, classifier)], axis=1)
    slopes = fitted_plane(features[asked], infected[asked], weight[asked])
    plane: dict[str, Any] = dict(zip(("map", "classifier", "intercept"), slopes, strict=True))
    score = np.where(asked, joint_score(in_map, classifier, plane), in_map)
    return plane | {"threshold": operating_threshold(score, infected), "least": LEAST}


def operating_threshold(score: Floats, infected: NDArray[np.bool_]) -> float:
    """Return the score with the highest F1 among those with few enough false parasites."""
    levels = np.round(np.arange(0.05, 0.991, 0.01), 2)
    best, threshold = -1.0, 1.0
    for level in levels:
        called = score >= level
        right, wrong = np.sum(called & infected), np.sum(called & ~infected)
        f1 = 2 * right / max(np.sum(called) + np.sum(infected), 1)
        if wrong / len(score) <= MOST_FALSE and f1 > best:
            best, threshold = float(f1), float(level)
    if best < 0:
        raise ValueError(f"no threshold calls fewer than {MOST_FALSE:g} of the red cells parasitised wrongly")
    return threshold


if __name__ == "__main__":
    main()
