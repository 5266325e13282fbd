"""Train the detector.

Usage: ``python -m models.training.train_detector DATASETS RUN [--steps N] [--without SET] [--threads N]`` from the
project's folder, with the extra ``train``. DATASETS is the folder of the annotated sets, RUN where checkpoint, log and
cache lie; a stopped run goes on when started again.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from models.training.detector_crops import cut
from models.training.marked_fields import CHANNELS, load_fields
from models.training.network import CentreNetwork
from models.training.options import settle, training_options
from models.training.schedule import Training

if TYPE_CHECKING:
    from torch import Tensor

    from models.training.marked_fields import MarkedField

SHARES: Final = {
    "bccd": 0.22,
    "deepbionet": 0.25,
    "txl_pbc_cells": 0.13,
    "iml_malaria": 0.19,
    "chula_rbc12": 0.09,
    "sickle_uganda": 0.04,
    "phantom": 0.08,
}
"""Share of the training crops that each set gives."""
BATCH: Final = 12
RATE: Final = 2e-3
SEED: Final = 20
CLASS_WEIGHTS: Final = (1.0, 3.0, 3.0, 3.0)


def main() -> None:
    """Train from the command line."""
    parser = training_options(__doc__, steps=9000, rate=RATE, check_every=500)
    parser.add_argument("--without", default="", help="leave one set out")
    parser.add_argument("--start", type=Path, help="checkpoint whose averaged weights to start from")
    options = parser.parse_args()
    settle(options.threads, SEED)
    shares = {name: share for name, share in SHARES.items() if name != options.without}
    cache = options.run.parent / "cache"
    fields = {name: load_fields(options.datasets, cache, [name], ["train"]) for name in shares}
    kept = {name: load_fields(options.datasets, cache, [name], ["val"]) for name in shares}
    checked = _batches({name: found for name, found in kept.items() if found}, shares, 6)
    network = CentreNetwork(len(CHANNELS)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if options.start:
        network.load_state_dict(torch.load(options.start, weights_only=True)["averaged"])
    training = Training(network, options.run, options.steps, options.rate)

    def loss_of(step: int) -> dict[str, Tensor]:
        return losses(network(*(batch := _batch(fields, shares, (SEED, step), 1.0))[:1]), *batch[1:])

    @torch.no_grad()
    def check() -> dict[str, float]:
        found = [losses(training.averaged(batch[0]), *batch[1:]) for batch in checked]
        return {f"val_{name}": float(np.mean([float(one[name]) for one in found])) for name in found[0]}

    training.run(loss_of, check, options.check_every)


def _batches(fields: dict[str, list[MarkedField]], shares: dict[str, float], count: int) -> list[tuple[Tensor, ...]]:
    return [_batch(fields, shares, (SEED, 10**9 + index), 0.3) for index in range(count)]


def _batch(
    fields: dict[str, list[MarkedField]], shares: dict[str, float], seed: tuple[int, int], strength: float
) -> tuple[Tensor, ...]:
    """Cut the crops of one step: densities, heat, weight, box and box weight."""
    random = np.random.default_rng(seed)
    names = [name for name in shares if fields.get(name)]
    chance = np.array([shares[name] for name in names])
    crops = []
    for name in random.choice(names, BATCH, p=chance / chance.sum()):
        field = fields[name][random.integers(len(fields[name]))]
        crops.append(cut(field, random, strength))
    columns = ("density", "heat", "weight", "box", "box_weight")
    return tuple(torch.from_numpy(np.stack([getattr(crop, column) for crop in crops])) for column in columns)


def losses(output: Tensor, heat: Tensor, weight: Tensor, box: Tensor, box_weight: Tensor) -> dict[str, Tensor]:
    """Return the loss of the heat maps (penalty-reduced focal) and of the boxes (negative logarithm of overlap).

    Zhou et al., Objects as Points, arXiv:1904.07850; Yu et al., UnitBox, arXiv:1608.01471.
    """
    logits, sides = output[:, : len(CHANNELS)], output[:, len(CHANNELS) :]
    probability = torch.sigmoid(logits).clamp(1e-5, 1 - 1e-5)
    is_peak = heat > 0.99
    positive = -((1 - probability) ** 2) * torch.log(probability) * is_peak
    negative = -((1 - heat) ** 4) * probability**2 * torch.log(1 - probability) * ~is_peak
    of_class = torch.tensor(CLASS_WEIGHTS)[None, :, None, None]
    heat_loss = ((positive + negative) * weight * of_class).sum() / (is_peak * weight).sum().clamp(min=8)
    common_width = torch.minimum(sides[:, 0], box[:, 0]) + torch.minimum(sides[:, 2], box[:, 2])
    common_height = torch.minimum(sides[:, 1], box[:, 1]) + torch.minimum(sides[:, 3], box[:, 3])
    common = common_width.clamp(min=0) * common_height.clamp(min=0)
    area = (sides[:, 0] + sides[:, 2]) * (sides[:, 1] + sides[:, 3])
    true_area = (box[:, 0] + box[:, 2]) * (box[:, 1] + box[:, 3])
    overlap = (common + 1) / (area + true_area - common + 1)
    # Every object counts alike, whatever the number of its output cells.
    share = box_weight / true_area.clamp(min=4)
    box_loss = -(torch.log(overlap) * share).sum() / share.sum().clamp(min=1e-3)
    return {"heat": heat_loss, "box": 2 * box_loss}


if __name__ == "__main__":
    main()
