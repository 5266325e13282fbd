"""Fit the platelet probability of the classical detector on annotated training and validation splits.

Usage: ``python models/training/fit_platelets.py FOLDER_OF_DATASETS`` with the detection sets bccd, deepbionet and
txl_pbc_cells in it, to which phantoms are added; needs scikit-learn (extra ``benchmark``). Prints the intercept and the
weights of `hemato_lab.detectors.platelets.platelet_probability`, and the F1 on each set when it is left out.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hemato_lab.detectors.platelets import EVIDENCE, find_platelets
from hemato_lab.detectors.white_cells import find_white_cells
from hemato_lab.evaluation.dataset import DetectionSet, read_dataset
from hemato_lab.formats import open_smear
from hemato_lab.imaging.calibration import calibrate
from hemato_lab.imaging.working import working_tile
from hemato_lab.phantom import RECIPES, phantom_smear
from hemato_lab.smear import RED_CELL_DIAMETER_UM, Scale
from hemato_lab.vocabulary import PLATELET, detector_class

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from hemato_lab.detections import Detections
    from hemato_lab.smear import Field

SETS = ("bccd", "deepbionet", "txl_pbc_cells")
RECIPES_ADDED = ("normal", "malaria")
SEEDS_ADDED = range(9000, 9030)
SHARE_ADDED = 0.2
"""Weight of the phantoms beside that of one set: parasites are no platelets, and no set has both annotated."""


def candidates_of(field: Field, scale: Scale, truth: Detections) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the evidence of every candidate body of a field, and whether its centre lies in a platelet's box."""
    calibration = calibrate(field, scale)
    levels, grid = calibration.levels, calibration.grid
    if not levels.has_cells:
        return np.empty((0, len(EVIDENCE))), np.empty(0, np.bool_)
    tile = working_tile(field.read(), field.window, grid, calibration.illumination)
    nuclear = levels.smooth_nuclear_density(tile)
    bodies = find_platelets(tile, levels, nuclear, find_white_cells(tile, levels, nuclear).labels > 0)
    possible = bodies.possible
    x, y = grid.to_pixels(bodies.table.x[possible]), grid.to_pixels(bodies.table.y[possible])
    hit = [
        bool(np.any((truth["x_min"] <= a) & (a <= truth["x_max"]) & (truth["y_min"] <= b) & (b <= truth["y_max"])))
        for a, b in zip(x, y, strict=True)
    ]
    return bodies.evidence[possible], np.array(hit, np.bool_)


def annotated_fields(folder: Path, name: str) -> Iterator[tuple[Field, Scale, Detections]]:
    """Yield the training and validation fields of a set with their platelets."""
    dataset = read_dataset(folder / name)
    if not isinstance(dataset, DetectionSet):
        sys.exit(f"{name} is no detection set")
    for image in dataset.images:
        diameter = dataset.cell_diameter_px(image) or dataset.rbc_diameter_by_threshold_px
        if diameter is None:
            sys.exit(f"{name} states no red-cell diameter")
        if image.split in {"train", "val"}:
            platelets = image.truth.select(image.truth["name"] == PLATELET)
            yield open_smear(image.path).fields[0], Scale.from_rbc_diameter_px(diameter), platelets


def phantom_fields() -> Iterator[tuple[Field, Scale, Detections]]:
    """Yield phantoms of five magnifications with their platelets."""
    for name in RECIPES_ADDED:
        for seed in SEEDS_ADDED:
            recipe = replace(RECIPES[name], um_per_px=RED_CELL_DIAMETER_UM / (30 + seed % 5 * 8))
            smear, truth = phantom_smear(recipe, seed, 1, 800, 600)
            is_platelet = [detector_class(one) == PLATELET for one in truth["name"].tolist()]
            yield smear.fields[0], Scale.from_um_per_px(recipe.um_per_px), truth.select(np.array(is_platelet, np.bool_))


def main() -> None:
    """Fit on all sets with equal weight, and once without each."""
    from sklearn.linear_model import LogisticRegression

    folder = Path(sys.argv[1])
    evidence: list[NDArray[np.float64]] = []
    is_platelet: list[NDArray[np.bool_]] = []
    origin: list[NDArray[np.int_]] = []
    for number, fields in enumerate([*(annotated_fields(folder, name) for name in SETS), phantom_fields()]):
        for field, scale, platelets in fields:
            found, hit = candidates_of(field, scale, platelets)
            evidence.append(found)
            is_platelet.append(hit)
            origin.append(np.full(len(hit), number))
    x, y, group = np.concatenate(evidence), np.concatenate(is_platelet), np.concatenate(origin)
    share = np.array([1.0] * len(SETS) + [SHARE_ADDED]) / np.bincount(group)
    weight = share[group]
    weight *= len(weight) / weight.sum()
    for number, name in enumerate(SETS):
        rest = group != number
        model = LogisticRegression(C=3, max_iter=5000).fit(x[rest], y[rest], sample_weight=weight[rest])
        said = model.predict(x[~rest])
        hits = np.count_nonzero(said & y[~rest])
        print(f"{name} left out: F1 {2 * hits / (np.count_nonzero(said) + np.count_nonzero(y[~rest])):.3f}")
    model = LogisticRegression(C=3, max_iter=5000).fit(x, y, sample_weight=weight)
    print("intercept", np.round(model.intercept_, 3), "weights", np.round(model.coef_, 3))


if __name__ == "__main__":
    main()
