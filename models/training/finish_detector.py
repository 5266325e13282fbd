"""From a detector's checkpoint to the file that ships: calibrate on validation fields, export, write the checksum.

The heat of parasites, which was learned besides, stays behind: the map of parasites is drawn finer.

Usage: ``python -m models.training.finish_detector DATASETS RUN OUT [--without SET]`` from the project's folder.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from scipy import special
from torch import nn

from hemato_lab.evaluation.evidence import gather_evidence
from hemato_lab.networks import read_network
from hemato_lab.vocabulary import DETECTOR_CLASSES
from models.training.calibration import best_threshold, fitted_line
from models.training.detector_crops import DETECTOR_VIEW, STRIDE
from models.training.export import ship, to_onnx
from models.training.marked_fields import CHANNELS
from models.training.network import CentreNetwork
from models.training.train_detector import SEED, SHARES
from models.training.validation_fields import see_validation_fields

if TYPE_CHECKING:
    from hemato_lab.networks import Network

MARKED: Final = {
    "RBC": ("bccd", "deepbionet", "txl_pbc_cells", "iml_malaria"),
    "WBC": ("bccd", "deepbionet", "txl_pbc_cells"),
    "platelet": ("bccd", "txl_pbc_cells"),
}
"""Sets whose marks a class is calibrated on; a validation image of deepbionet has red cells marked as platelets."""


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
    network.heat = first_channels(network.heat, len(DETECTOR_CLASSES))
    metadata = plain_metadata([name for name in SHARES if name != options.without])
    (options.run / "plain.onnx").write_bytes(as_onnx(network.eval(), metadata))
    metadata |= calibrated(read_network(options.run / "plain.onnx"), options.datasets, options.without)
    path = ship(as_onnx(network, metadata), options.out, "detector")
    print(json.dumps({key: metadata[key] for key in ("calibration", "thresholds")}, indent=1), path)


def first_channels(heat: nn.Conv2d, channels: int) -> nn.Conv2d:
    """Return the part of a detector's last layer that draws the first heat maps, four places for each of its own."""
    part = nn.Conv2d(heat.in_channels, 4 * channels, 1)
    with torch.no_grad():
        part.weight.copy_(heat.weight[: 4 * channels])
        part.bias.copy_(heat.bias[: 4 * channels])  # type: ignore[index,union-attr]
    return part


def as_onnx(network: CentreNetwork, metadata: dict[str, Any]) -> bytes:
    """Return the detector's file."""
    return to_onnx(network, (64, 96), {"heat_and_sides": True}, metadata)


def plain_metadata(trained_on: list[str]) -> dict[str, Any]:
    """Return the metadata of a detector that is not calibrated yet."""
    return {
        "hemato_lab_format": "1",
        "task": "detect",
        "name": "detector",
        "classes": list(DETECTOR_CLASSES),
        "rbc_diameter_px": DETECTOR_VIEW.red_cell_px,
        "stride": STRIDE,
        "input": "optical density",
        "gain": 1.0,
        "thresholds": dict.fromkeys(DETECTOR_CLASSES, 0.5),
        "calibration": {name: [1.0, 0.0] for name in DETECTOR_CLASSES},
        "trained_on": trained_on,
        "seed": SEED,
    }


def calibrated(network: Network, folder: Path, without: str) -> dict[str, Any]:
    """Return calibration and thresholds of a plain network, from validation fields at their annotated scale."""
    lines: dict[str, list[float]] = {}
    thresholds: dict[str, float] = {}
    names = sorted({name for sets in MARKED.values() for name in sets})
    seen = {name: see_validation_fields(network, folder / name) for name in names if name != without}
    for name in DETECTOR_CLASSES:
        found = [
            gather_evidence(one.dataset, one.images, one.outcomes, name, match="iou", ignore_incomplete=False)
            for one in (seen[key] for key in MARKED[name] if key in seen)
        ]
        logits = [special.logit(np.clip(one.score, 1e-4, 1 - 1e-4)) for one in found]
        weight = [np.full(len(one.score), 1 / max(one.truth.sum(), 1)) for one in found]
        right = [one.is_true for one in found]
        line = fitted_line(np.concatenate(logits), np.concatenate(right), np.concatenate(weight))
        lines[name] = list(line)
        scores = [special.expit(line[0] * logit + line[1]) for logit in logits]
        thresholds[name] = best_threshold(scores, right, [float(one.truth.sum()) for one in found])
    return {"calibration": lines, "thresholds": thresholds}


if __name__ == "__main__":
    main()
