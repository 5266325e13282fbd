"""Train the network that tells the size of red cells.

Usage: ``python -m models.training.train_ruler DATASETS RUN [--steps N] [--threads N]`` from the project's folder, with
the extra ``train``. A stopped run goes on when started again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from models.training.marked_fields import load_fields
from models.training.network import SizeNetwork
from models.training.options import settle, training_options
from models.training.ruler_crops import OTHER_THINGS_SHARE, SIZES, load_pictures, other_thing, sized_crop
from models.training.schedule import Training

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from models.training.marked_fields import MarkedField

SHARES: Final = {
    "bccd": 0.18,
    "deepbionet": 0.18,
    "txl_pbc_cells": 0.14,
    "iml_malaria": 0.15,
    "chula_rbc12": 0.15,
    "sickle_uganda": 0.08,
    "phantom": 0.12,
}
"""Share of the training crops that each set gives."""
BATCH: Final = 48
RATE: Final = 3e-3
SEED: Final = 27


def main() -> None:
    """Train from the command line."""
    parser = training_options(__doc__, steps=4000, rate=RATE, check_every=250)
    parser.add_argument("--without", nargs="*", default=[], help="sets to leave out")
    options = parser.parse_args()
    settle(options.threads, SEED)
    cache = options.run.parent / "cache"
    shares = {name: share for name, share in SHARES.items() if name not in options.without}
    fields = {name: load_fields(options.datasets, cache, [name], ["train"]) for name in shares}
    kept = {name: load_fields(options.datasets, cache, [name], ["val"]) for name in shares}
    pictures = load_pictures()
    checked = [
        batch({name: found for name, found in kept.items() if found}, pictures, (SEED, 10**9 + index), 0.5)
        for index in range(6)
    ]
    network = SizeNetwork(len(SIZES)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    training = Training(network, options.run, options.steps, options.rate, average_over=300)

    def loss_of(step: int) -> dict[str, Tensor]:
        crops, chance = batch(fields, pictures, (SEED, step), 1.0)
        return {"loss": size_loss(network(crops), chance)}

    @torch.no_grad()
    def check() -> dict[str, float]:
        seen = [(training.averaged(crops), chance) for crops, chance in checked]
        losses = [float(size_loss(logits, chance)) for logits, chance in seen]
        logits, chance = (torch.cat([one[part] for one in seen]).numpy() for part in (0, 1))
        return {"val_loss": float(np.mean(losses)), **errors(logits, chance)}

    training.run(loss_of, check, options.check_every)


def batch(
    fields: dict[str, list[MarkedField]], pictures: list[NDArray[np.float32]], seed: tuple[int, int], strength: float
) -> tuple[Tensor, Tensor]:
    """Cut the crops of one step: densities and chances of the sizes."""
    random = np.random.default_rng(seed)
    names = list(fields)
    share = np.array([SHARES[name] for name in names])
    crops = []
    for name in random.choice(names, BATCH, p=share / share.sum()):
        if random.random() < OTHER_THINGS_SHARE:
            crops.append(other_thing(pictures, random))
        else:
            crops.append(sized_crop(fields[name][random.integers(len(fields[name]))], random, strength))
    density, chance = (
        torch.from_numpy(np.stack([getattr(crop, part) for crop in crops])) for part in ("density", "chance")
    )
    return density, chance


def size_loss(logits: Tensor, chance: Tensor) -> Tensor:
    """Return the cross-entropy against the chances of all sizes."""
    return -(torch.log_softmax(logits, dim=1) * chance).sum(dim=1).mean()


def errors(logits: NDArray[np.float32], chance: NDArray[np.float32]) -> dict[str, float]:
    """Return the share of crops rightly told to show a size, and the median relative error of the likeliest size."""
    has_size = chance[:, -1] < 0.5
    says_size = logits.argmax(axis=1) < len(SIZES)
    both = has_size & says_size
    sizes = np.log(np.array(SIZES))
    found, truth = (sizes[part[both, :-1].argmax(axis=1)] for part in (logits, chance))
    return {
        "told": float(np.mean(has_size == says_size)),
        "median_error": float(np.median(np.abs(found - truth))),
        "within_15": float(np.mean(np.abs(found - truth) < 0.15)),
    }


if __name__ == "__main__":
    main()
