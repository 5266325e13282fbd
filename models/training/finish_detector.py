"""From a detector's checkpoint to the file that ships: calibrate on validation fields, export, write the checksum.

Usage: ``python -m models.training.finish_detector DATASETS RUN OUT [--without SET]`` from the project's folder.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from scipy import special

from hemato_lab.detectors.onnx import PARASITE, NetworkDetector
from hemato_lab.evaluation.dataset import DetectionSet, read_dataset
from hemato_lab.evaluation.evidence import gather_evidence
from hemato_lab.evaluation.fields import FieldOutcome
from hemato_lab.evaluation.matching import match_greedily
from hemato_lab.formats import open_smear
from hemato_lab.imaging.calibration import calibrate
from hemato_lab.imaging.tiling import read_tile
from hemato_lab.networks import Network, read_network
from hemato_lab.smear import Scale
from hemato_lab.vocabulary import DETECTOR_CLASSES, RBC, is_a
from models.training.calibration import best_threshold, fitted_line
from models.training.detector_crops import RED_CELL_PX, STRIDE
from models.training.export import ship, to_onnx
from models.training.marked_fields import CHANNELS, MALARIA_FREE
from models.training.network import CentreNetwork
from models.training.train_detector import SEED, SHARES

if TYPE_CHECKING:
    from hemato_lab.evaluation.dataset import AnnotatedImage

MARKED: Final = {
    "RBC": ("bccd", "deepbionet", "txl_pbc_cells", "iml_malaria"),
    "WBC": ("bccd", "deepbionet", "txl_pbc_cells"),
    "platelet": ("bccd", "txl_pbc_cells"),
}
"""Sets whose marks a class is calibrated on; a validation image of deepbionet has red cells marked as platelets."""
MOST_IMAGES: Final = 40


def main() -> None:
    """Finish from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--without", default="", help="the set that was left out of training")
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = CentreNetwork(len(CHANNELS))
    network.load_state_dict(torch.load(options.run / "checkpoint.pt", weights_only=True)["averaged"])
    metadata = plain_metadata([name for name in SHARES if name != options.without])
    (options.run / "plain.onnx").write_bytes(as_onnx(network.eval(), metadata))
    metadata |= calibrated(read_network(options.run / "plain.onnx"), options.datasets, options.without)
    path = ship(as_onnx(network, metadata), options.out, "detector")
    print(json.dumps({key: metadata[key] for key in ("calibration", "thresholds")}, indent=1), path)


def as_onnx(network: CentreNetwork, metadata: dict[str, Any]) -> bytes:
    """Return the detector's file."""
    return to_onnx(network, (64, 96), {"heat_and_sides": True}, metadata)


def plain_metadata(trained_on: list[str]) -> dict[str, Any]:
    """Return the metadata of a detector that is not calibrated yet."""
    return {
        "hemato_lab_format": "1",
        "task": "detect",
        "name": "detector",
        "classes": list(CHANNELS),
        "rbc_diameter_px": RED_CELL_PX,
        "stride": STRIDE,
        "input": "optical density",
        "gain": 1.0,
        "thresholds": dict.fromkeys(CHANNELS, 0.5),
        "calibration": {name: [1.0, 0.0] for name in CHANNELS},
        "trained_on": trained_on,
        "seed": SEED,
    }


def calibrated(network: Network, folder: Path, without: str) -> dict[str, Any]:
    """Return calibration and thresholds of a plain network, from validation fields at their annotated scale."""
    lines: dict[str, list[float]] = {}
    thresholds: dict[str, float] = {}
    names = sorted({name for sets in MARKED.values() for name in sets} | set(MALARIA_FREE))
    seen = {name: _seen(network, folder / name) for name in names if name not in {without, "sickle_uganda"}}
    for name in DETECTOR_CLASSES:
        found = [
            gather_evidence(dataset, images, outcomes, name, match="iou", ignore_incomplete=False)
            for dataset, images, outcomes in (seen[key] for key in MARKED[name] if key in seen)
        ]
        logits = [special.logit(np.clip(one.score, 1e-4, 1 - 1e-4)) for one in found]
        weight = [np.full(len(one.score), 1 / max(one.truth.sum(), 1)) for one in found]
        right = [one.is_true for one in found]
        line = fitted_line(np.concatenate(logits), np.concatenate(right), np.concatenate(weight))
        lines[name] = list(line)
        scores = [special.expit(line[0] * logit + line[1]) for logit in logits]
        thresholds[name] = best_threshold(scores, right, [float(one.truth.sum()) for one in found])
    logit, right, weight = _parasites(seen)
    line = fitted_line(logit, right, weight)
    lines[PARASITE] = list(line)
    score = special.expit(line[0] * logit + line[1])
    thresholds[PARASITE] = best_threshold([score], [right], [float(right.sum())])
    return {"calibration": lines, "thresholds": thresholds}


def _seen(network: Network, folder: Path) -> tuple[DetectionSet, list[AnnotatedImage], list[FieldOutcome]]:
    """Run the network over a set's validation fields."""
    dataset = read_dataset(folder)
    if not isinstance(dataset, DetectionSet):
        raise TypeError(f"{folder} holds no fields")
    images = [image for image in dataset.images if image.split == "val"][:MOST_IMAGES]
    outcomes = []
    for image in images:
        diameter = dataset.cell_diameter_px(image)
        if diameter is None:
            raise ValueError(f"{image.file_name} has no annotated scale")
        field = open_smear(image.path).fields[0]
        calibration = calibrate(field, Scale.from_rbc_diameter_px(diameter))
        table = NetworkDetector(calibration, network, measured=False)(read_tile(field, 0, field.window, 0))
        outcomes.append(FieldOutcome(table, diameter))
    return replace(dataset, name=folder.name), images, outcomes


def _parasites(
    seen: dict[str, tuple[DetectionSet, list[AnnotatedImage], list[FieldOutcome]]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the parasite logits of likely red cells, whether they are parasitised, and their weights."""
    logits, right, weight = [], [], []
    for dataset, images, outcomes in seen.values():
        for image, outcome in zip(images, outcomes, strict=True):
            cells = outcome.detections
            red = cells.select((cells["name"] == RBC) & (cells["score"] >= 0.3))
            infected = np.zeros(len(red), bool)
            if dataset.name not in MALARIA_FREE:
                truth = image.truth
                apart = np.hypot(red["x"][:, None] - truth["x"], red["y"][:, None] - truth["y"])
                agreement = 1 - apart / np.maximum(2 * truth["radius"], 1)
                matched = match_greedily(agreement[np.argsort(-red["score"])], truth["ignored"] > 0)
                order = np.argsort(-red["score"])
                stage = np.array([is_a(str(name), RBC) and str(name) in _PARASITES for name in truth["name"]], bool)
                infected[order[matched >= 0]] = stage[matched[matched >= 0]]
            logits.append(special.logit(np.clip(red["parasite_score"], 1e-4, 1 - 1e-4)))
            right.append(infected)
            weight.append(np.full(len(red), 1.0 if dataset.name not in MALARIA_FREE else 0.3))
    return np.concatenate(logits), np.concatenate(right), np.concatenate(weight)


_PARASITES: Final = ("parasitised RBC", "ring trophozoite", "trophozoite", "schizont", "gametocyte")


if __name__ == "__main__":
    main()
