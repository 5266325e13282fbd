"""A comparison as JSON: every figure, none of the single cells."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hemato_lab import __version__
from hemato_lab.agreement.confusion import share
from hemato_lab.agreement.estimate import Estimate
from hemato_lab.agreement.kappa import cohen_kappa, gwet_ac1
from hemato_lab.comparison.accuracy import accuracy_of
from hemato_lab.comparison.cells import STATES
from hemato_lab.comparison.model import MOST_NAMES
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from hemato_lab.comparison.cells import CellComparison
    from hemato_lab.comparison.model import Comparison
    from hemato_lab.comparison.sides import Side


def to_dict(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison JSON-ready; what is undefined is None.

    ``summary`` holds the figures of one row of a table of smears: how many places in each state, ``kappa``, and where
    one side is an annotation ``precision``, ``recall`` and ``f1``.
    """
    return {
        "notice": RESEARCH_USE_NOTICE,
        "hemato_lab": __version__,
        "first": _side(comparison.first),
        "second": _side(comparison.second),
        "equal": comparison.equal,
        "differing": list(comparison.differing),
        "summary": summary(comparison),
        "images": _images(comparison),
        "cells": _cells(comparison),
        "statistics": [one.to_dict() for one in comparison.statistics],
        "findings": [one.to_dict() for one in comparison.findings],
        "diagnoses": comparison.diagnoses.to_dict(),
        "narrative": comparison.narrative.to_dict(),
        "remarks": list(comparison.remarks),
    }


def summary(comparison: Comparison) -> dict[str, float | None]:
    """Return the figures of one row of a table of smears."""
    cells = comparison.cells
    counts: dict[str, float | None] = {state.replace(" ", "_"): cells.count(state) for state in STATES}
    accuracy = accuracy_of(comparison)
    return counts | {
        "kappa": _number(agreement_of_names(comparison).kappa.value),
        "precision": None if accuracy is None else _number(accuracy.precision.value),
        "recall": None if accuracy is None else _number(accuracy.recall.value),
        "f1": None if accuracy is None else _number(accuracy.f1),
    }


def name_pairs(cells: CellComparison) -> list[tuple[str, str, int]]:
    """Return how many places have a name of the first and a name of the second side, most first."""
    coded = [np.unique(cells[f"{side}_common"], return_inverse=True) for side in ("first", "second")]
    (ours, first), (theirs, second) = coded
    if not len(cells):
        return []
    found, counts = np.unique(first.astype(np.int64) * len(theirs) + second, return_counts=True)
    listed = [
        (str(ours[pair // len(theirs)]), str(theirs[pair % len(theirs)]), count)
        for pair, count in zip(found.tolist(), counts.tolist(), strict=True)
    ]
    return sorted(listed, key=lambda each: (-each[2], each[:2]))


class NameAgreement(NamedTuple):
    """How far the names of the cells that both sides list agree."""

    same: Estimate
    kappa: Estimate
    ac1: Estimate


def agreement_of_names(comparison: Comparison) -> NameAgreement:
    """Return the figures of the names; of more than `MOST_NAMES` only the share of the same ones."""
    cells = comparison.cells
    paired = np.isin(cells["state"], ("matched", "reclassified"))
    first, second = (cells[f"{side}_common"][paired] for side in ("first", "second"))
    same = share(int(np.count_nonzero(first == second)), len(first), 0.95)
    if len({*first.tolist(), *second.tolist()}) > MOST_NAMES:
        undefined = Estimate(math.nan, method=f"more than {MOST_NAMES} names")
        return NameAgreement(same, undefined, undefined)
    table = comparison.confusion()
    return NameAgreement(same, cohen_kappa(table).value, gwet_ac1(table).value)


def _side(side: Side) -> dict[str, Any]:
    return {"label": side.label, "kind": side.kind, "images": len(side.files)}


def _images(comparison: Comparison) -> dict[str, Any]:
    pairing, cells = comparison.pairing, comparison.cells
    ours, theirs = comparison.first.files, comparison.second.files
    return {
        "both": [
            {
                "name": name,
                "first": ours[pair.first].name,
                "second": theirs[pair.second].name,
                "recognised_by": pair.by,
                "rbc_diameter_px": _number(diameter),
            }
            for pair, name, diameter in zip(pairing.pairs, cells.files, cells.rbc_diameter_px, strict=True)
        ],
        "first_only": [ours[index].name or min(ours[index].ids, default="") for index in pairing.first_only],
        "second_only": [theirs[index].name or min(theirs[index].ids, default="") for index in pairing.second_only],
    }


def _cells(comparison: Comparison) -> dict[str, Any]:
    cells = comparison.cells
    accuracy = accuracy_of(comparison)
    names = agreement_of_names(comparison)
    return {
        "gate_in_red_cell_radii": cells.gate,
        "class_aware": cells.class_aware,
        "findings_only": cells.findings_only,
        "same_name": _estimate(names.same),
        "kappa": _estimate(names.kappa),
        "ac1": _estimate(names.ac1),
        "precision": None if accuracy is None else _estimate(accuracy.precision),
        "recall": None if accuracy is None else _estimate(accuracy.recall),
        "place_precision": None if accuracy is None else _estimate(accuracy.place_precision),
        "place_recall": None if accuracy is None else _estimate(accuracy.place_recall),
        "names": [{"first": one, "second": other, "cells": count} for one, other, count in name_pairs(cells)],
        "counts_only": {name: list(counts) for name, counts in cells.counts_only.items()},
        "left_out": dict(cells.left_out),
    }


def _estimate(one: Estimate) -> dict[str, Any]:
    return {"value": _number(one.value), "low": _number(one.low), "high": _number(one.high), "method": one.method}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
