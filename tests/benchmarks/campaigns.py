"""Long runs that show how far the results can be trusted; each prints a table and exits with 1 when a goal is missed.

``python tests/benchmarks/campaigns.py phantom-counts``
    Counts and densities of synthetic fields against their exact truth, counted by the same border rule.
``python tests/benchmarks/campaigns.py determinism``
    One SHA-256 of the report for every tile size and number of threads.
``python tests/benchmarks/campaigns.py ruler --split test``
    Red-cell diameters told from real images alone against the annotated ones.

Real images are those of the detection sets in the folder that --datasets or HEMATO_LAB_DATASETS names.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.errors import HematoError, ScaleNotCredibleError
from hemato_lab.evaluation.dataset import DetectionSet, read_dataset
from hemato_lab.export import render
from hemato_lab.formats import open_smear
from hemato_lab.imaging.illumination import fit_illumination
from hemato_lab.imaging.scale import read_scale
from hemato_lab.phantom import RECIPES, phantom_smear
from hemato_lab.pipeline import analyze
from hemato_lab.smear import RED_CELL_DIAMETER_UM
from hemato_lab.statistics.counting import count_cells
from hemato_lab.vocabulary import PLATELET, RBC, WBC

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hemato_lab.phantom import Recipe
    from hemato_lab.smear import Smear

DENSITY_OF: Final = {RBC: "rbc-density", WBC: "wbc-density", PLATELET: "platelet-density"}
LEAST_COVERED: Final = 0.93
LARGEST_BIAS: Final = 0.02
CONFIGURATIONS: Final = tuple(product((None, 256, 512, 1024), (1, 2, 4)))
RULER_GOALS: Final = (0.05, 0.15, 0.95)
"""Median error, error that still serves, and the share of fields within it or refused."""


@dataclass
class CountRecord:
    """What the fields of a campaign say about one class."""

    recipe_density: float
    true_cells: list[int] = field(default_factory=list)
    found_cells: list[int] = field(default_factory=list)
    area_mm2: list[float] = field(default_factory=list)
    truth_covered: int = 0
    recipe_covered: int = 0

    def add(self, truth: Any, found: Any, limits: Sequence[float]) -> None:
        self.true_cells.append(truth.n)
        self.found_cells.append(found.n)
        self.area_mm2.append(truth.total_area_mm2)
        self.truth_covered += limits[0] <= truth.n / truth.total_area_mm2 <= limits[1]
        self.recipe_covered += limits[0] <= self.recipe_density <= limits[1]

    @property
    def bias(self) -> float:
        """Cells found beyond those there, as a share of these: the relative error of the mean density."""
        there = sum(self.true_cells)
        return (sum(self.found_cells) - there) / max(there, 1)

    @property
    def bias_error(self) -> float:
        """Standard error of the bias, from the scatter of the fields."""
        off = np.subtract(self.found_cells, self.true_cells)
        return float(np.sqrt(len(off)) * off.std() / max(sum(self.true_cells), 1))


def phantom_counts(recipe: Recipe, seeds: range, width: int, height: int) -> dict[str, CountRecord]:
    """Analyse one field a seed with stated scale and count both its cells and its truth."""
    densities = (recipe.red_cells_per_mm2, recipe.white_cells_per_mm2, recipe.platelets_per_mm2)
    records = dict(zip((RBC, WBC, PLATELET), map(CountRecord, densities), strict=True))
    for seed in seeds:
        smear, truth = phantom_smear(recipe, seed, 1, width, height)
        analysis = analyze(smear)
        details = analysis.report.extension["feature_statistics"]
        scale = analysis.smear.scale
        assert scale is not None
        for name, record in records.items():
            there = count_cells(truth, [(width, height)], scale, name)
            found = count_cells(analysis.detections, [(width, height)], scale, name)
            record.add(there, found, details[DENSITY_OF[name]]["limits_95"])
    return records


def run_phantom_counts(arguments: argparse.Namespace) -> int:
    missed = 0
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    print(
        f"{len(seeds)} fields a recipe, {arguments.width} x {arguments.height} px, red cells of {arguments.rbc_px:g} px"
    )
    print(f"{'recipe':<18}{'class':<10}{'there':>7}{'found':>7}{'bias':>9}{'+-':>7}{'truth in':>17}{'recipe in':>11}")
    for name in arguments.recipe:
        recipe = replace(RECIPES[name], um_per_px=RED_CELL_DIAMETER_UM / arguments.rbc_px)
        for kind, record in phantom_counts(recipe, seeds, arguments.width, arguments.height).items():
            covered = record.truth_covered / len(seeds)
            good = covered >= LEAST_COVERED and abs(record.bias) <= LARGEST_BIAS
            missed += not good
            print(
                f"{name:<18}{kind:<10}{sum(record.true_cells):7d}{sum(record.found_cells):7d}{100 * record.bias:+8.2f}%"
                f"{100 * record.bias_error:6.2f}%{record.truth_covered:11d}/{len(seeds)}{record.recipe_covered:8d}"
                f"/{len(seeds)}  {'met' if good else 'MISSED'}",
                flush=True,
            )
    return int(missed > 0)


def digests(smear: Smear) -> dict[tuple[int | None, int], str]:
    """Return the SHA-256 of the report for every configuration."""
    return {
        (tile_size, threads): hashlib.sha256(
            render(analyze(smear, tile_size=tile_size, threads=threads), "json")
        ).hexdigest()
        for tile_size, threads in CONFIGURATIONS
    }


def determinism_subjects(datasets: Path | None, images: int) -> Iterator[tuple[str, Smear]]:
    """Yield phantom fields, and real images spread evenly over every detection set."""
    for seed, (name, recipe) in enumerate(RECIPES.items()):
        for width, height, rbc_px in ((900, 700, 24.0), (1300, 1100, 60.0)):
            scaled = replace(recipe, um_per_px=RED_CELL_DIAMETER_UM / rbc_px)
            yield f"phantom {name} {width} x {height}", phantom_smear(scaled, seed, 1, width, height)[0]
    for found in detection_sets(datasets):
        step = max(1, len(found.images) // images)
        for image in found.images[::step][:images]:
            yield f"{found.name} {image.file_name}", open_smear(image.path)


def run_determinism(arguments: argparse.Namespace) -> int:
    differing = refused = same = 0
    for label, smear in determinism_subjects(arguments.datasets, arguments.images):
        try:
            found = digests(smear)
        except ScaleNotCredibleError:
            refused += 1
            print(f"{'refused':<12}{label}", flush=True)
            continue
        reference = found[None, 1]
        others = [f"tile {size} threads {threads}" for (size, threads), one in found.items() if one != reference]
        differing += bool(others)
        same += not others
        print(
            f"{'DIFFERS' if others else reference[:10]:<12}{label}{': ' if others else ''}{', '.join(others)}",
            flush=True,
        )
    print(
        f"{same} images with one report in {len(CONFIGURATIONS)} configurations, {differing} differ, {refused} refused"
    )
    return int(differing > 0)


def detection_sets(datasets: Path | None) -> Iterator[DetectionSet]:
    """Yield the sets of whole fields in a folder of data sets."""
    folders = sorted(datasets.iterdir()) if datasets is not None else []
    for folder in folders:
        if (folder / "annotations.json").is_file():
            found = read_dataset(folder)
            if isinstance(found, DetectionSet):
                yield found


def ruler_errors(dataset: DetectionSet, splits: Sequence[str]) -> list[float | None]:
    """Return the relative error of the diameter for every image that has an annotated one, None where refused."""
    errors: list[float | None] = []
    for image in dataset.images:
        annotated = dataset.cell_diameter_px(image)
        if image.split not in splits or image.rbc_diameter_px is None or annotated is None:
            continue
        smear = open_smear(image.path)
        try:
            scale = read_scale(smear, {0: fit_illumination(smear.fields[0])}).scale
        except ScaleNotCredibleError:
            errors.append(None)
        else:
            errors.append(scale.rbc_diameter_px / annotated - 1)
    return errors


def run_ruler(arguments: argparse.Namespace) -> int:
    if arguments.datasets is None:
        print("no data sets: name their folder with --datasets or HEMATO_LAB_DATASETS", file=sys.stderr)
        return 2
    missed = 0
    median_goal, tolerance, share_goal = RULER_GOALS
    print(
        f"{'set':<16}{'images':>7}{'refused':>9}{'median error':>14}{'signed':>9}{'within 15 %':>13}{'or refused':>12}"
    )
    for dataset in detection_sets(arguments.datasets):
        errors = ruler_errors(dataset, arguments.split)
        if not errors:
            continue
        read = np.array([error for error in errors if error is not None])
        within, refused = int(np.count_nonzero(np.abs(read) <= tolerance)), len(errors) - len(read)
        median = float(np.median(np.abs(read))) if len(read) else np.inf
        good = median <= median_goal and within + refused >= share_goal * len(errors)
        missed += not good
        print(
            f"{dataset.name:<16}{len(errors):7d}{refused:9d}{100 * median:13.1f}%{100 * np.median(read):+8.1f}%"
            f"{100 * within / max(len(read), 1):12.1f}%{100 * (within + refused) / len(errors):11.1f}%"
            f"  {'met' if good else 'MISSED'}",
            flush=True,
        )
    return int(missed > 0)


def parser() -> argparse.ArgumentParser:
    named = os.environ.get("HEMATO_LAB_DATASETS")
    result = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = result.add_subparsers(required=True)
    counts = commands.add_parser("phantom-counts")
    counts.add_argument("--seeds", type=int, default=100)
    counts.add_argument("--first-seed", type=int, default=0)
    counts.add_argument("--recipe", nargs="+", default=["normal"], choices=list(RECIPES))
    counts.add_argument("--width", type=int, default=960)
    counts.add_argument("--height", type=int, default=720)
    counts.add_argument("--rbc-px", type=float, default=60.0)
    counts.set_defaults(run=run_phantom_counts)
    same = commands.add_parser("determinism")
    same.add_argument("--images", type=int, default=15, help="real images a set")
    same.set_defaults(run=run_determinism)
    ruler = commands.add_parser("ruler")
    ruler.add_argument("--split", nargs="+", default=["train", "val"])
    ruler.set_defaults(run=run_ruler)
    for command in (same, ruler):
        command.add_argument("--datasets", type=Path, default=Path(named) if named else None)
    return result


def main() -> int:
    arguments = parser().parse_args()
    try:
        return int(arguments.run(arguments))
    except HematoError as error:
        print(f"campaigns: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
