"""The logs of a training and a picture of its curves, kept beside the model.

Usage: ``python -m models.training.curves NAME OUT RUN [RUN ...]`` from the project's folder; several runs are those
that went on from each other, in their order. Writes OUT/NAME.csv and OUT/NAME.png.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import matplotlib.pyplot as plt


def main() -> None:
    """Draw from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("out", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    options = parser.parse_args()
    rows = joined([read_log(run / "log.csv") for run in options.runs])
    options.out.mkdir(parents=True, exist_ok=True)
    write_log(rows, options.out / f"{options.name}.csv")
    draw(rows, options.name, options.out / f"{options.name}.png")


def read_log(path: Path) -> list[dict[str, float]]:
    """Return the rows of one log; a step that was done again after an interruption counts once, as it was last."""
    with path.open(encoding="utf-8", newline="") as stream:
        by_step = {float(row["step"]): row for row in csv.DictReader(stream)}
    return [{name: float(value) for name, value in by_step[step].items() if value} for step in sorted(by_step)]


def joined(logs: list[list[dict[str, float]]]) -> list[dict[str, float]]:
    """Return the rows of runs that follow each other, their steps counted on."""
    rows: list[dict[str, float]] = []
    for log in logs:
        before = rows[-1]["step"] if rows else 0.0
        rows += [row | {"step": row["step"] + before} for row in log]
    return rows


def write_log(rows: list[dict[str, float]], path: Path) -> None:
    """Write the rows with every figure that any of them has, but for the speed, which tells about a machine."""
    names = list(dict.fromkeys(name for row in rows for name in row if name != "seconds_a_step"))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def draw(rows: list[dict[str, float]], name: str, path: Path) -> None:
    """Draw losses on the left and figures on validation cells on the right."""
    names = [one for one in dict.fromkeys(one for row in rows for one in row) if one not in {"step", "seconds_a_step"}]
    figures = [one for one in names if one.startswith(("allowed_", "f1_"))]
    losses = [one for one in names if one not in figures]
    figure, axes = plt.subplots(1, 2 if figures else 1, figsize=(11 if figures else 6, 4), squeeze=False)
    for axis, shown, title in zip(axes[0], (losses, figures), ("loss", "validation"), strict=False):
        for one in shown:
            points = [(row["step"], row[one]) for row in rows if one in row]
            axis.plot(*zip(*points, strict=True), label=one.replace("_", " "), linewidth=1)
        axis.set_xlabel("step")
        axis.set_title(f"{name}: {title}", fontsize=10)
        axis.legend(fontsize=6)
        axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)


if __name__ == "__main__":
    main()
