"""From the checkpoint of the ruler's network to the file that ships: export, and a look at validation fields.

Usage: ``python -m models.training.finish_ruler DATASETS RUN OUT [--without SET ...]`` from the project's folder. Prints
how far sizes are off on validation fields, with the evidence for the wrong ones, by which `LEAST` was chosen.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from hemato_lab.evaluation.dataset import DetectionSet, read_dataset
from hemato_lab.formats import open_smear
from hemato_lab.imaging.cell_size import CellSize, read_cell_size
from hemato_lab.imaging.illumination import fit_illumination
from hemato_lab.networks import read_network
from models.training.export import ship, to_onnx
from models.training.network import SizeNetwork
from models.training.ruler_crops import NOMINAL_PX, SIDE, SIZES
from models.training.train_ruler import SEED, SHARES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.networks import Network

LEAST: Final = 0.5
"""Evidence from which on a size is believed: right sizes have more on validation fields, other pictures below 0.1."""
WRONG: Final = 0.15
MOST_IMAGES: Final = 60


def main() -> None:
    """Finish from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--without", nargs="*", default=[], help="sets that the training left out")
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = SizeNetwork(len(SIZES))
    network.load_state_dict(torch.load(options.run / "checkpoint.pt", weights_only=True)["averaged"])
    network.eval()
    data = to_onnx(network, (SIDE, SIDE), {"logits": False}, metadata(options.without))
    plain = options.run / "plain.onnx"
    plain.write_bytes(data)
    report(read_network(plain), options.datasets)
    print(ship(data, options.out, "ruler"))


def metadata(without: list[str]) -> dict[str, Any]:
    """Return all that the package must know."""
    return {
        "hemato_lab_format": "1",
        "task": "size",
        "name": "ruler",
        "sizes_px": list(SIZES),
        "rbc_diameter_px": NOMINAL_PX,
        "crop_px": SIDE,
        "input": "optical density",
        "gain": 1.0,
        "thresholds": {"size": LEAST},
        "calibration": {"temperature": 1.0},
        "trained_on": [*(name for name in SHARES if name not in without), "pictures of scikit-image"],
        "seed": SEED,
    }


def answers(network: Network, folder: Path) -> Iterator[tuple[CellSize, float]]:
    """Yield what the network says of a set's validation fields, with the annotated diameter."""
    dataset = read_dataset(folder)
    if not isinstance(dataset, DetectionSet):
        raise TypeError(f"{folder} holds no fields")
    images = [image for image in dataset.images if image.split == "val" and image.rbc_diameter_px is not None]
    for image in images[:MOST_IMAGES]:
        field = open_smear(image.path).fields[0]
        annotated = dataset.cell_diameter_px(image)
        if annotated is not None:
            yield read_cell_size(field, fit_illumination(field), network), annotated


def report(network: Network, datasets: Path) -> None:
    """Print errors and evidence, by set."""
    for name in SHARES:
        if name == "phantom":
            continue
        found = list(answers(network, datasets / name))
        error = np.array([size.diameter_px / annotated - 1 for size, annotated in found])
        evidence = np.array([size.evidence for size, _ in found])
        right = np.abs(error) <= WRONG
        wrong = "".join(f" {e:+.2f}@{v:.2f}" for e, v in zip(error[~right], evidence[~right], strict=True))
        print(
            json.dumps(
                {
                    "set": name,
                    "fields": len(error),
                    "median absolute error": round(float(np.median(np.abs(error))), 3),
                    "median error": round(float(np.median(error)), 3),
                    "within 15 %": round(float(right.mean()), 3),
                    "least evidence of the right ones": np.round(np.sort(evidence[right])[:4], 2).tolist(),
                }
            ),
            "wrong:" + wrong,
            flush=True,
        )


if __name__ == "__main__":
    main()
