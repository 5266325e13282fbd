"""From the checkpoint of the map of parasites to the file that ships: calibrate on validation fields, export.

Usage: ``python -m models.training.finish_parasites DATASETS RUN OUT`` from the project's folder, after the detector has
been written to OUT; ``finish_malaria`` comes next.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from scipy import special
from torch import nn

from hemato_lab.detectors.parasite_map import PARASITE, ParasiteMap
from hemato_lab.networks import read_network
from hemato_lab.vocabulary import RBC
from models.training.calibration import best_threshold, fitted_line
from models.training.detector_crops import PARASITE_VIEW, STRIDE
from models.training.export import ship, to_onnx
from models.training.marked_fields import CHANNELS
from models.training.network import ParasiteNetwork
from models.training.train_parasites import SEED, SHARES
from models.training.validation_fields import parasitised, red_cells, see_validation_fields

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.networks import Network

SETS: Final = ("iml_malaria", "bccd", "chula_rbc12", "deepbionet", "txl_pbc_cells")
OTHERS_WEIGHT: Final = 0.3
"""Of a red cell from a set without malaria, against 1."""


def main() -> None:
    """Finish from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = ParasiteNetwork(len(CHANNELS))
    network.load_state_dict(torch.load(options.run / "checkpoint.pt", weights_only=True)["averaged"])
    network.heat = only_channel(network.heat, CHANNELS.index(PARASITE))
    metadata = plain_metadata()
    plain = options.run / "plain.onnx"
    plain.write_bytes(to_onnx(network.eval(), (64, 96), {"heat": True}, metadata))
    metadata |= calibrated(plain, options.out / "detector.onnx", options.datasets)
    path = ship(to_onnx(network, (64, 96), {"heat": True}, metadata), options.out, "parasites")
    print(json.dumps({key: metadata[key] for key in ("calibration", "thresholds")}), path)


def only_channel(heat: nn.Conv2d, channel: int) -> nn.Conv2d:
    """Return the part of the last layer that draws one heat map."""
    part = nn.Conv2d(heat.in_channels, 1, 1)
    with torch.no_grad():
        part.weight.copy_(heat.weight[channel : channel + 1])
        part.bias.copy_(heat.bias[channel : channel + 1])  # type: ignore[index,union-attr]
    return part


def plain_metadata() -> dict[str, Any]:
    """Return the metadata of a map that is not calibrated yet."""
    return {
        "hemato_lab_format": "1",
        "task": "map",
        "name": "parasites",
        "classes": [PARASITE],
        "rbc_diameter_px": PARASITE_VIEW.red_cell_px,
        "stride": STRIDE,
        "input": "optical density",
        "gain": 1.0,
        "thresholds": {PARASITE: 0.5},
        "calibration": {PARASITE: [1.0, 0.0]},
        "trained_on": [*SHARES, "nih_malaria_cells"],
        "seed": SEED,
    }


@dataclass(frozen=True)
class MapScores:
    """What a map says of the red cells of the validation fields, arrays of shape (n,).

    Attributes
    ----------
    score : array
        In [0, 1].
    infected : array of bool
        Whether the cell is marked as parasitised.
    weight : array
        Of the cell, by its set.
    """

    score: NDArray[np.float64]
    infected: NDArray[np.bool_]
    weight: NDArray[np.float64]


def map_scores(network: Network, detector: Network, folder: Path) -> MapScores:
    """Ask a map for the red cells that a detector finds in validation fields at their annotated scale."""
    score, infected, weight = [], [], []
    for name in SETS:
        for field in see_validation_fields(detector, folder / name).fields:
            red = red_cells(field, detector.card.thresholds[RBC])
            score.append(ParasiteMap(field.calibration, network)(field.tile, red))
            infected.append(parasitised(red, field, name))
            weight.append(np.full(len(red), 1.0 if name == "iml_malaria" else OTHERS_WEIGHT))
    return MapScores(np.concatenate(score), np.concatenate(infected), np.concatenate(weight))


def calibrated(plain: Path, detector: Path, folder: Path) -> dict[str, Any]:
    """Return calibration and threshold of a plain map."""
    seen = map_scores(read_network(plain), read_network(detector), folder)
    logit = special.logit(np.clip(seen.score, 1e-4, 1 - 1e-4))
    line = fitted_line(logit, seen.infected, seen.weight)
    score = special.expit(line[0] * logit + line[1])
    threshold = best_threshold([score], [seen.infected], [float(seen.infected.sum())])
    return {"calibration": {PARASITE: list(line)}, "thresholds": {PARASITE: threshold}}


if __name__ == "__main__":
    main()
