"""What every training shares: a warmed-up cosine rate, averaged weights, checkpoints that resume, and a log."""

from __future__ import annotations

import csv
import math
import time
from copy import deepcopy
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor, nn

WARM_UP = 0.04
"""Share of the steps with a rising rate."""
CHECKPOINT_EVERY = 250


class Training:
    """Optimises a network for a fixed number of steps; a stopped run goes on where it was.

    Parameters
    ----------
    network : nn.Module
    folder : Path
        Holds ``checkpoint.pt`` and ``log.csv``.
    steps : int
        In all.
    rate : float
        Highest learning rate.
    average_over : int
        Steps over which weights are averaged (exponentially).
    """

    def __init__(self, network: nn.Module, folder: Path, steps: int, rate: float, average_over: int = 600) -> None:
        self.network, self.folder, self.steps, self.rate = network, folder, steps, rate
        self.average_over = average_over
        self.averaged = deepcopy(network).eval()
        decayed = [p for p in network.parameters() if p.ndim > 1]
        plain = [p for p in network.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=rate)
        self.step = 0
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "checkpoint.pt").is_file():
            state = torch.load(folder / "checkpoint.pt", weights_only=True)
            self.network.load_state_dict(state["network"])
            self.averaged.load_state_dict(state["averaged"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.step = state["step"]

    def run(
        self, loss_of: Callable[[int], dict[str, Tensor]], check: Callable[[], dict[str, float]], check_every: int
    ) -> None:
        """Train to the last step.

        Parameters
        ----------
        loss_of : callable
            Given the step's number, which fixes its examples, returns the parts of the loss; their sum is minimised.
        check : callable
            Figures of the averaged network on validation data.
        check_every : int
            Steps.
        """
        sums: dict[str, float] = {}
        started, counted = time.monotonic(), 0
        while self.step < self.steps:
            for group in self.optimiser.param_groups:
                group["lr"] = self._rate_now()
            self.network.train()
            parts = loss_of(self.step)
            self.optimiser.zero_grad(set_to_none=True)
            torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
            self.optimiser.step()
            self._average()
            self.step += 1
            counted += 1
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach())
            if self.step % CHECKPOINT_EVERY == 0 or self.step == self.steps:
                self._save()
            if self.step % check_every == 0 or self.step == self.steps:
                means = {name: value / counted for name, value in sums.items()}
                seconds = (time.monotonic() - started) / counted
                self._log({"step": self.step, "seconds_a_step": seconds, **means, **check()})
                sums, started, counted = {}, time.monotonic(), 0

    def _rate_now(self) -> float:
        done = self.step / self.steps
        if done < WARM_UP:
            return self.rate * (done + 1 / self.steps) / WARM_UP
        return self.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP))))

    @torch.no_grad()
    def _average(self) -> None:
        share = 1 - 1 / min(self.average_over, self.step / 2 + 1)
        for mean, value in zip(self.averaged.state_dict().values(), self.network.state_dict().values(), strict=True):
            if mean.dtype.is_floating_point:
                mean.lerp_(value, 1 - share)
            else:
                mean.copy_(value)

    def _save(self) -> None:
        state = {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
        }
        torch.save(state, self.folder / "checkpoint.tmp")
        (self.folder / "checkpoint.tmp").replace(self.folder / "checkpoint.pt")

    def _log(self, row: dict[str, float]) -> None:
        path = self.folder / "log.csv"
        is_new = not path.is_file()
        with path.open("a", newline="") as stream:
            writer = csv.DictWriter(stream, list(row))
            if is_new:
                writer.writeheader()
            writer.writerow({name: round(value, 5) for name, value in row.items()})
        print(" ".join(f"{name}={value:.4g}" for name, value in row.items()), flush=True)
