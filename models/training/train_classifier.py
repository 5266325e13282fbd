"""Train a classifier of single cells.

Usage: ``python -m models.training.train_classifier NAME DATASETS RUN [--steps N] [--threads N]`` from the project's
folder, with the extra ``train``; NAME is white-cells, red-cell-shape or malaria. A stopped run goes on when started
again.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
import torch

from models.training.augmentation import photographed_differently
from models.training.cells import TASKS, load_cells
from models.training.network import CellNetwork
from models.training.options import settle, training_options
from models.training.schedule import Training

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from models.training.cells import Cells, Task

BATCH: Final = 64
RATE: Final = 2e-3
SEED: Final = 30
BALANCE: Final = 0.45
"""A class with n cells of a source is drawn in proportion to n to this power."""
SMOOTHING: Final = 0.03
STRENGTH: Final = {"white-cells": 0.8, "red-cell-shape": 0.4, "malaria": 0.8}
"""How differently a cell is photographed each time; how much haemoglobin a cell holds must still be seen in its shape's
classes."""
BORROWED_STAIN: Final = {"white-cells": 0.35, "malaria": 0.35, "red-cell-shape": 0.0}
"""Share of the crops that take the dyes' strength from another crop, so that a stain does not give a class away; of red
cells the strength is a sign of its own."""
STAINED: Final = 0.08
"""Density from which on a pixel counts for the strength of the dyes."""
PHANTOM_SHARE: Final = 0.25
"""Weight of rendered cells against real ones."""


def main() -> None:
    """Train from the command line."""
    parser = training_options(__doc__, steps=2500, rate=RATE, check_every=250, names=list(TASKS))
    parser.add_argument("--start", type=Path, help="checkpoint whose averaged weights to start from")
    options = parser.parse_args()
    settle(options.threads, SEED)
    task = TASKS[options.name]
    cache = options.run.parent / "cache"
    cells = load_cells(task, options.datasets, cache, "train")
    kept = load_cells(task, options.datasets, cache, "val")
    chance = _chances(cells)
    for source in np.unique(cells.source):
        sure = cells.allowed[(cells.source == source)]
        print(source, len(sure), sure[sure.sum(axis=1) == 1].sum(axis=0).tolist(), flush=True)
    network = CellNetwork(len(task.classes), task.widths).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if options.start:
        network.load_state_dict(torch.load(options.start, weights_only=True)["averaged"])
    training = Training(network, options.run, options.steps, options.rate, average_over=300)
    checked = torch.from_numpy(np.stack([middle(patch, task) for patch in kept.patches]))

    def loss_of(step: int) -> dict[str, Tensor]:
        random = np.random.default_rng((SEED, step))
        chosen = random.choice(len(chance), BATCH, p=chance)
        crops = torch.from_numpy(_examples(cells, chosen, task, random))
        logits, _ = network(crops)
        return {"loss": partial_label_loss(logits, torch.from_numpy(cells.allowed[chosen]))}

    @torch.no_grad()
    def check() -> dict[str, float]:
        logits = torch.cat([training.averaged(part)[0] for part in checked.split(128)])
        return figures(torch.softmax(logits, dim=1).numpy(), kept, task)

    training.run(loss_of, check, options.check_every)


def _chances(cells: Cells) -> NDArray[np.float64]:
    """Chance of every cell to be drawn: balanced over sources and classes, but not wholly."""
    code = cells.allowed @ (1 << np.arange(cells.allowed.shape[1]))
    groups = np.unique(np.stack([code, np.unique(cells.source, return_inverse=True)[1]]), axis=1, return_inverse=True)[
        1
    ]
    groups = groups.reshape(-1)
    sizes = np.bincount(groups)[groups]
    chance = sizes.astype(np.float64) ** (BALANCE - 1)
    chance[cells.source == "phantom"] *= PHANTOM_SHARE
    # A label that leaves several classes open teaches less.
    chance[cells.allowed.sum(axis=1) > 4] *= 0.5
    return np.asarray(chance / chance.sum())


def _examples(cells: Cells, chosen: NDArray[np.intp], task: Task, random: np.random.Generator) -> NDArray[np.float32]:
    crops = [_moved(cells.patches[index].astype(np.float32), task, random) for index in chosen]
    strength = [_dye_strength(crop) for crop in crops]
    examples = []
    for index, crop in enumerate(crops):
        dyed = crop
        if random.random() < BORROWED_STAIN[task.name]:
            ratio = strength[random.integers(len(crops))] / strength[index]
            dyed = crop * np.clip(ratio, 0.4, 2.5).astype(np.float32)
        examples.append(photographed_differently(dyed, random, STRENGTH[task.name]).transpose(2, 0, 1))
    return np.ascontiguousarray(np.stack(examples))


def _dye_strength(crop: NDArray[np.float32]) -> NDArray[np.float64]:
    stained = crop[crop.max(axis=2) > STAINED]
    return np.maximum(stained.mean(axis=0), 0.03) if len(stained) > 20 else np.full(3, 0.3)


def _moved(patch: NDArray[np.float32], task: Task, random: np.random.Generator) -> NDArray[np.float32]:
    """Turn, mirror, enlarge and shift a patch, and cut what the network looks at."""
    side = task.shape.side
    angle = random.uniform(0, 2 * np.pi)
    zoom = np.exp(random.uniform(-task.size_jitter, task.size_jitter))
    stretch = np.exp(random.uniform(-0.05, 0.05))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag([zoom * stretch, zoom / stretch * random.choice([-1.0, 1.0])])
    shift = random.uniform(-0.06, 0.06, 2) * task.shape.rbc_diameter_px
    middle = np.full(2, (task.patch - 1) / 2)
    offset = np.full(2, (side - 1) / 2) + shift - matrix @ middle
    whole = np.concatenate([matrix, offset[:, None]], axis=1)
    return np.asarray(cv2.warpAffine(patch, whole, (side, side), flags=cv2.INTER_LINEAR), np.float32)


def middle(patch: NDArray[np.float16], task: Task) -> NDArray[np.float32]:
    """Return the part of a patch that the network looks at, shape (3, side, side)."""
    start = (task.patch - task.shape.side) // 2
    part = patch[start : start + task.shape.side, start : start + task.shape.side]
    return np.ascontiguousarray(part.transpose(2, 0, 1), np.float32)


def partial_label_loss(logits: Tensor, allowed: Tensor) -> Tensor:
    """Return minus the logarithm of the probability of the allowed classes, smoothed over all classes."""
    log_probability = torch.log_softmax(logits, dim=1)
    kept = log_probability.masked_fill(~allowed, -torch.inf).logsumexp(dim=1)
    return (-(1 - SMOOTHING) * kept - SMOOTHING * log_probability.mean(dim=1)).mean()


def figures(probability: NDArray[np.float32], cells: Cells, task: Task) -> dict[str, float]:
    """Return the share of allowed answers and the macro F1 over the classes present, over cells with one label."""
    answer = probability.argmax(axis=1)
    single = cells.allowed.sum(axis=1) == 1
    result = {}
    for source in np.unique(cells.source):
        here = cells.source == source
        result[f"allowed_{source}"] = float(cells.allowed[here, answer[here]].mean())
        sure = here & single
        truth = cells.allowed[sure].argmax(axis=1)
        scores = []
        for index in range(len(task.classes)):
            is_class, said = truth == index, answer[sure] == index
            if is_class.any():
                scores.append(2 * np.sum(is_class & said) / (is_class.sum() + said.sum()))
        result[f"f1_{source}"] = float(np.mean(scores)) if scores else float("nan")
    return result


if __name__ == "__main__":
    main()
