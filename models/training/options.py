"""The command line that every training shares."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence


def training_options(
    description: str | None, *, steps: int, rate: float, check_every: int, names: Sequence[str] = ()
) -> argparse.ArgumentParser:
    """Return a parser of what every training is told; a training adds its own.

    Parameters
    ----------
    description : str or None
        For the help.
    steps, rate, check_every
        Defaults: steps in all, highest learning rate, steps between looks at validation data.
    names : sequence of str
        What one script can train, where it is several things; the first argument then.
    """
    parser = argparse.ArgumentParser(description=description)
    if names:
        parser.add_argument("name", choices=names)
    parser.add_argument("datasets", type=Path, help="folder of the annotated sets")
    parser.add_argument("run", type=Path, help="folder of checkpoint and log; the cache lies beside it")
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--rate", type=float, default=rate)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--check-every", type=int, default=check_every)
    return parser


def settle(threads: int, seed: int) -> None:
    """Fix the number of threads and what is drawn at random."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(1)
    torch.manual_seed(seed)
