"""Names that no network gives, from what was measured over a whole smear: polychromatic cells, smudges, big platelets.

A network sees one cell; whether a red cell is bluer or a platelet larger than the others of its smear, only the smear
can tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from hemato_lab.findings.red_cells import FEWEST_FOR_MEDIAN, POLYCHROMATIC, measured, measured_shapes
from hemato_lab.vocabulary import PLATELET

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hemato_lab.detections import Detections
    from hemato_lab.reference.model import MeasuredRules, PlateletSizeRule
    from hemato_lab.smear import Scale

    Mask = NDArray[np.bool_]

SMUDGE: Final = "smudge cell"
LARGE_PLATELET: Final = "large platelet"
GIANT_PLATELET: Final = "giant platelet"
WITHOUT_A_NAME: Final = ("unclassified WBC", "artefact")
MEASURED_NAMES: Final = (POLYCHROMATIC, SMUDGE, LARGE_PLATELET, GIANT_PLATELET)


def with_measured_names(detections: Detections, rules: MeasuredRules, scale: Scale) -> Detections:
    """Return the cells with the names that only a whole smear can give.

    Parameters
    ----------
    detections : Detections
        Named by classifiers.
    rules : MeasuredRules
        Thresholds.
    scale : Scale
        Sizes are judged in micrometres where it is independent of the red cells, else against these.

    Returns
    -------
    Detections
        The same cells in the same order; a cell that was renamed has no ``name_confidence``, and one that is a platelet
        after all no ``parasite_score``.
    """
    names = detections["name"].astype(object)
    names[platelets_taken_for_red_cells(detections, rules)] = PLATELET
    recoloured = detections.with_columns(name=names.astype(str))
    for name, mask in _measured_masks(recoloured, rules, scale).items():
        names[mask] = name
    changed = names != detections["name"]
    if not changed.any():
        return detections
    columns = {"name": names.astype(str)}
    for column in ("name_confidence", "parasite_score"):
        if column in detections.features:
            lost = changed if column == "name_confidence" else changed & recoloured.of_kind(PLATELET)
            columns[column] = np.where(lost, np.nan, detections[column])
    return detections.with_columns(**columns)


def platelets_taken_for_red_cells(detections: Detections, rules: MeasuredRules) -> Mask:
    """Tell which red cells hold no haemoglobin, so that they are big platelets, shape (n,).

    A network that looks for parasites calls such a body a schizont.
    """
    rows, rule = measured(detections), rules.platelet_without_haemoglobin
    if np.count_nonzero(rows) < FEWEST_FOR_MEDIAN or "od_blue" not in detections.features:
        return np.zeros(len(detections), np.bool_)
    green = np.maximum(detections["od_green"], 1e-6)
    red, blue = detections["od_red"] / green, detections["od_blue"] / green
    return np.asarray(
        rows
        & (red >= rule.least_red_ratio * np.median(red[rows]))
        & (blue <= rule.largest_blue_ratio * np.median(blue[rows]))
        & (green <= rule.largest_density_ratio * np.median(green[rows]))
    )


def _measured_masks(detections: Detections, rules: MeasuredRules, scale: Scale) -> dict[str, Mask]:
    shapes = measured_shapes(detections, rules)
    masks = {POLYCHROMATIC: shapes[POLYCHROMATIC]} if shapes else {}
    red_cell_um = median_diameter_um(detections)
    if red_cell_um is None:
        return masks
    if {"solidity", "od_green"} <= set(detections.features):
        masks[SMUDGE] = _smudges(detections, rules, red_cell_um)
    return masks | _big_platelets(detections, rules, scale, red_cell_um)


def median_diameter_um(detections: Detections) -> float | None:
    """Return the median diameter of the red cells that were measured, None where none was."""
    rows = measured(detections)
    return float(np.median(detections["equivalent_diameter_um"][rows])) if rows.any() else None


def _smudges(detections: Detections, rules: MeasuredRules, red_cell_um: float) -> Mask:
    rule, rows = rules.smudge_cell, measured(detections)
    density = float(np.median(detections["od_green"][rows]))
    return np.asarray(
        np.isin(detections["name"], WITHOUT_A_NAME)
        & (detections["equivalent_diameter_um"] >= rule.least_diameter_ratio * red_cell_um)
        & (detections["od_green"] <= rule.most_green_density_ratio * density)
        & (detections["solidity"] <= rule.largest_solidity)
    )


def _big_platelets(detections: Detections, rules: MeasuredRules, scale: Scale, red_cell_um: float) -> dict[str, Mask]:
    platelet = detections["name"] == PLATELET
    diameter = 2 * detections["radius"] * scale.um_per_px
    masks = {}
    # The giant ones are large too: they come last and keep their name.
    for name, rule in ((LARGE_PLATELET, rules.large_platelet), (GIANT_PLATELET, rules.giant_platelet)):
        masks[name] = np.asarray(platelet & (diameter >= _least_um(rule, scale, red_cell_um)))
    ragged = ragged_platelets(detections, rules, scale, red_cell_um)
    return {name: mask & ~ragged for name, mask in masks.items()}


def ragged_platelets(detections: Detections, rules: MeasuredRules, scale: Scale, red_cell_um: float) -> Mask:
    """Tell which platelets are as large as a giant one but ragged, so that they are a clump of many, shape (n,)."""
    if "circularity" not in detections.features:
        return np.zeros(len(detections), np.bool_)
    giant = 2 * detections["radius"] * scale.um_per_px >= _least_um(rules.giant_platelet, scale, red_cell_um)
    uneven = np.nan_to_num(detections["circularity"], nan=1.0) <= rules.platelet_clump.largest_circularity
    return np.asarray(detections.of_kind(PLATELET) & giant & uneven)


def _least_um(rule: PlateletSizeRule, scale: Scale, red_cell_um: float) -> float:
    least = rule.least_ratio_to_red_cell * red_cell_um
    return min(least, rule.least_diameter_um) if scale.is_independent else least
