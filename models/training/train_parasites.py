"""Train the map of parasites.

Usage: ``python -m models.training.train_parasites DATASETS RUN [--steps N] [--start CHECKPOINT] [--threads N]`` from
the project's folder, with the extra ``train``. A stopped run goes on when started again. The other cells are learned
besides, with little weight: what a parasite is not helps to tell what it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from models.training.detector_crops import PARASITE_VIEW, cut
from models.training.marked_fields import CHANNELS, load_fields
from models.training.network import ParasiteNetwork
from models.training.options import settle, training_options
from models.training.pasted_cells import load_spare_cells, with_pasted_cells
from models.training.schedule import Training

if TYPE_CHECKING:
    from torch import Tensor

    from models.training.marked_fields import MarkedField
    from models.training.pasted_cells import SpareCells

SHARES: Final = {
    "iml_malaria": 0.45,
    "bccd": 0.1,
    "deepbionet": 0.12,
    "txl_pbc_cells": 0.08,
    "chula_rbc12": 0.13,
    "phantom": 0.12,
}
"""Share of the training crops that each set gives."""
PASTED: Final = 0.5
"""Share of the crops with pasted cells."""
BATCH: Final = 12
RATE: Final = 1e-3
SEED: Final = 24
CLASS_WEIGHTS: Final = (0.2, 0.2, 0.2, 1.0)


def main() -> None:
    """Train from the command line."""
    parser = training_options(__doc__, steps=12000, rate=RATE, check_every=250)
    parser.add_argument("--start", type=Path, help="checkpoint whose averaged weights to start from")
    options = parser.parse_args()
    settle(options.threads, SEED)
    cache = options.run.parent / "cache"
    fields = {name: load_fields(options.datasets, cache, [name], ["train"]) for name in SHARES}
    kept = {name: load_fields(options.datasets, cache, [name], ["val"]) for name in SHARES}
    kept = {name: found for name, found in kept.items() if found}
    spare = load_spare_cells(options.datasets, cache)
    checked = [batch(kept, None, (SEED, 10**9 + index), 0.3) for index in range(8)]
    network = ParasiteNetwork(len(CHANNELS)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if options.start:
        weights = torch.load(options.start, weights_only=True)["averaged"]
        network.load_state_dict({name: value for name, value in weights.items() if name in network.state_dict()})
    training = Training(network, options.run, options.steps, options.rate, average_over=400)

    def loss_of(step: int) -> dict[str, Tensor]:
        density, heat, weight = batch(fields, spare, (SEED, step), 1.0)
        return losses(network(density), heat, weight)

    @torch.no_grad()
    def check() -> dict[str, float]:
        found = [losses(training.averaged(one[0]), *one[1:]) for one in checked]
        return {f"val_{name}": float(np.mean([float(one[name]) for one in found])) for name in found[0]}

    training.run(loss_of, check, options.check_every)


def batch(
    fields: dict[str, list[MarkedField]], spare: SpareCells | None, seed: tuple[int, int], strength: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Cut the crops of one step: densities, heat, and weight."""
    random = np.random.default_rng(seed)
    chance = np.array([SHARES[name] for name in fields])
    crops = []
    for name in random.choice(list(fields), BATCH, p=chance / chance.sum()):
        field = fields[name][random.integers(len(fields[name]))]
        if spare is not None and random.random() < PASTED:
            field = with_pasted_cells(field, spare, random)
        crops.append(cut(field, random, strength, PARASITE_VIEW))
    density, heat, weight = (
        torch.from_numpy(np.stack([getattr(crop, column) for crop in crops]))
        for column in ("density", "heat", "weight")
    )
    return density, heat, weight


def losses(logits: Tensor, heat: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """Return the penalty-reduced focal loss of the parasites and of the other cells (arXiv:1904.07850)."""
    probability = torch.sigmoid(logits).clamp(1e-5, 1 - 1e-5)
    is_peak = heat > 0.99
    positive = -((1 - probability) ** 2) * torch.log(probability) * is_peak
    negative = -((1 - heat) ** 4) * probability**2 * torch.log(1 - probability) * ~is_peak
    of_channel = ((positive + negative) * weight).sum(dim=(0, 2, 3))
    peaks = (is_peak * weight).sum(dim=(0, 2, 3)).clamp(min=6)
    found = of_channel / peaks * torch.tensor(CLASS_WEIGHTS)
    return {"parasites": found[-1], "others": found[:-1].sum()}


if __name__ == "__main__":
    main()
