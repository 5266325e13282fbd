"""From a classifier's checkpoint to the file that ships: calibrate on validation crops, export, write the checksum.

Usage: ``python -m models.training.finish_classifier NAME DATASETS RUN OUT`` from the project's folder.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from scipy import special

from models.training.calibration import fitted_temperature
from models.training.cells import TASKS, load_cells
from models.training.export import ship, to_onnx
from models.training.network import CellNetwork, MirroredViews
from models.training.train_classifier import SEED, middle

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from models.training.cells import Cells, Task

MIRRORED: Final = ("white-cells", "malaria")
"""Classifiers of few cells a field, which can afford to look at each four times."""
LOOK_AGAIN_BELOW: Final = {"red-cell-shape": 0.8}
"""Probability below which others do so: on validation crops a fifth of the cells give all that four looks bring."""
ADJUSTMENT: Final = {"red-cell-shape": 0.2}
"""By this times the logarithm of how common a class is in training its logit is lowered (Menon et al., Long-tail
learning via logit adjustment, ICLR 2021): few patients have the mixture of the training patients. Chosen on validation
crops."""
KNOWN_SHARE: Final = 0.005
"""Share of the validation crops whose evidence may lie below the line from which on a crop is known."""
LEAST_CONFIDENCE: Final = {"white-cells": 0.5, "red-cell-shape": 0.5, "malaria": 0.0}
"""Probability below which a name is not given; a parasite's presence has its own threshold."""


def main() -> None:
    """Finish from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=list(TASKS))
    parser.add_argument("datasets", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    task = TASKS[options.name]
    network = CellNetwork(len(task.classes), task.widths)
    network.load_state_dict(torch.load(options.run / "checkpoint.pt", weights_only=True)["averaged"])
    if task.name in ADJUSTMENT:
        trained = load_cells(task, options.datasets, options.run.parent / "cache", "train")
        with torch.no_grad():
            network.classes.bias -= ADJUSTMENT[task.name] * torch.from_numpy(np.log(shares(trained))).float()
    seen: nn.Module = MirroredViews(network) if task.name in MIRRORED else network
    seen.eval()
    kept = load_cells(task, options.datasets, options.run.parent / "cache", "val")
    logits = logits_of(seen, kept, task)
    if task.name in LOOK_AGAIN_BELOW:
        unsure = special.softmax(logits, axis=1).max(axis=1) < LOOK_AGAIN_BELOW[task.name]
        logits[unsure] = logits_of(MirroredViews(network).eval(), kept, task)[unsure]
    trained_on = sorted(set(load_cells(task, options.datasets, options.run.parent / "cache", "train").source.tolist()))
    metadata = metadata_of(task, trained_on) | calibrated(logits, kept, task)
    side = task.shape.side
    data = to_onnx(seen, (side, side), {"logits": False, "features": False}, metadata)
    path = ship(data, options.out, task.name)
    print(json.dumps({key: metadata[key] for key in ("calibration", "unknown")}), path)


def shares(cells: Cells) -> NDArray[np.float64]:
    """Return how common each class is, counted in the real set that has most of it; shape (classes,)."""
    single = cells.allowed.sum(axis=1) == 1
    sources = [source for source in np.unique(cells.source) if source != "phantom"]
    counts = np.max([cells.allowed[single & (cells.source == source)].sum(axis=0) for source in sources], axis=0)
    return np.asarray(np.maximum(counts, 1) / np.maximum(counts, 1).sum())


@torch.no_grad()
def logits_of(network: nn.Module, cells: Cells, task: Task) -> NDArray[np.float64]:
    """Return the logits of all crops, shape (n, classes)."""
    parts = [
        network(torch.from_numpy(np.stack([middle(patch, task) for patch in cells.patches[start : start + 128]])))[0]
        for start in range(0, len(cells.patches), 128)
    ]
    return torch.cat(parts).numpy().astype(np.float64)


def calibrated(logits: NDArray[np.float64], cells: Cells, task: Task) -> dict[str, Any]:
    """Return temperature and the limits of what is known; every set counts alike, rendered cells do not."""
    real = cells.source != "phantom"
    sources, place, sizes = np.unique(cells.source[real], return_inverse=True, return_counts=True)
    temperature = fitted_temperature(logits[real], cells.allowed[real], 1 / sizes[place])
    evidence = special.logsumexp(logits[real], axis=1)
    lowest = [np.quantile(evidence[place == index], KNOWN_SHARE) for index in range(len(sources))]
    return {
        "calibration": {"temperature": temperature},
        "unknown": {
            "least_confidence": LEAST_CONFIDENCE[task.name],
            "least_evidence": round(float(np.min(lowest)), 3),
        },
    }


def metadata_of(task: Task, trained_on: list[str]) -> dict[str, Any]:
    """Return the metadata that does not depend on validation data."""
    return {
        "hemato_lab_format": "1",
        "task": "classify",
        "name": task.name,
        "classes": list(task.classes),
        "rbc_diameter_px": task.shape.rbc_diameter_px,
        "crop_px": task.shape.side,
        "input": "optical density",
        "gain": 1.0,
        "thresholds": {},
        **({"look_again_below": LOOK_AGAIN_BELOW[task.name]} if task.name in LOOK_AGAIN_BELOW else {}),
        "trained_on": trained_on,
        "seed": SEED,
    }


if __name__ == "__main__":
    main()
