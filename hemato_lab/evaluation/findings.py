"""Findings against annotation: how many cells of each type, how much parasitaemia, which white cells.

The result is one JSON object:

    dataset, split, detector, models, images, groups, resamples, refused, skipped, scale, version, notice
                                 as in `hemato_lab.evaluation.detection`
    types                        {name: {truth, counted, bias, limits}}: over marked cells that were found, how many are
                                 marked as, and how many were called, of this type; bias is their difference over truth,
                                 null for sizes, which are not judged without a stated pixel size
    marked, found                marked cells, and those of them that were found
    parasitaemia                 null where parasites are not exhaustively marked, else
        truth_percent, percent   parasitised red cells for 100 red cells, all images together
        bias, agreement          mean difference of images in percent of red cells, and its 95 % limits of agreement
                                 (mean +- 1.96 standard deviations; Bland and Altman, Lancet 1986;327:307)
        images                   with red cells in both
    differential                 null where the set marks no white cells, else
        truth                    white cells marked, where they are exhaustively marked
        types                    {name: {count, value, limits_95}} of the white cells that were found, in percent
        n, insufficient_count

Marked cells are compared one by one because no set marks every red cell: counts of whole fields would compare
annotators' diligence. Ratios of parasites to red cells depend on it still: where red cells in clumps are not marked the
annotated parasitaemia is too high.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hemato_lab import __version__
from hemato_lab.agreement.bootstrap import RESAMPLES, draw_groups, group_index, percentile_limits
from hemato_lab.detections import Detections
from hemato_lab.evaluation.fields import FieldOutcome, detect_fields, readable
from hemato_lab.evaluation.parasites import is_parasite
from hemato_lab.evaluation.ratio import ratio
from hemato_lab.evaluation.rounding import rounded, rounded_limits
from hemato_lab.findings.assessing import SIZE_CLASSES
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.statistics.differential import differential, white_cells
from hemato_lab.vocabulary import RBC, WBC, detector_class, is_a

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemato_lab.evaluation.dataset import AnnotatedImage, DetectionSet
    from hemato_lab.evaluation.fields import Detect, Progress, ScaleSource
    from hemato_lab.evaluation.parasites import Reader

Floats = NDArray[np.float64]
WITHIN: Final = 0.5
"""A marked cell is found when a cell's centre lies nearer than this share of a red cell's diameter."""
PARASITISED: Final = "parasitised RBC"
NO_TYPES: Final = (RBC, WBC, "platelet")
"""Names that say no type."""


@dataclass(frozen=True, slots=True)
class _Fields:
    """Images that were read and what was found in them."""

    images: Sequence[AnnotatedImage]
    outcomes: Sequence[FieldOutcome]

    @property
    def pairs(self) -> list[tuple[AnnotatedImage, FieldOutcome]]:
        """Those that were not refused."""
        return [(one, two) for one, two in zip(self.images, self.outcomes, strict=True) if not two.refused]


def evaluate_findings(
    dataset: DetectionSet,
    detect: Detect,
    reader: Reader,
    *,
    split: str,
    scale: ScaleSource = "estimated",
    limit: int | None = None,
    jobs: int = 1,
    progress: Progress = iter,
) -> dict[str, Any]:
    """Find and name the cells of a split and compare what is counted with what is marked.

    Parameters
    ----------
    dataset : DetectionSet
        From `hemato_lab.evaluation.dataset.read_dataset`.
    detect : Detect
        Finds and names the cells of one image as users get them.
    reader : Reader
        What `detect` uses.
    split, scale, limit, jobs, progress
        As in `hemato_lab.evaluation.detection.evaluate_detection`.

    Raises
    ------
    ConfigError
        If the split does not exist.
    InputError
        If no image can be read.
    """
    listed = dataset.in_split(split)[:limit]
    looked_at = detect_fields(dataset, listed, detect, scale=scale, jobs=jobs, progress=progress)
    images, outcomes, skipped = readable(listed, looked_at)
    seen = _Fields(images, outcomes)
    groups, group_count = group_index([image.group for image in images])
    return {
        "dataset": dataset.name,
        "split": split,
        "detector": reader.detector,
        "models": dict(reader.models),
        "images": len(images),
        **_types(seen, groups, group_count),
        "parasitaemia": _parasitaemia(dataset, seen),
        "differential": _differential(dataset, seen),
        "scale": scale,
        "refused": [image.file_name for image, outcome in zip(images, outcomes, strict=True) if outcome.refused],
        "skipped": [one.to_json() for one in skipped],
        "groups": group_count,
        "resamples": RESAMPLES,
        "version": __version__,
        "notice": RESEARCH_USE_NOTICE,
    }


def called_at_marks(image: AnnotatedImage, outcome: FieldOutcome) -> tuple[list[str], list[str]]:
    """Return the marked and the called name of every marked cell with a type that was found, in the order of marks."""
    truth = image.truth.select(_has_type(image.truth))
    kinds = [detector_class(str(name)) for name in truth["name"]]
    marked: list[str] = []
    called: list[str] = []
    for kind in dict.fromkeys(kinds):
        cells = outcome.detections if kind is None else outcome.detections.select(outcome.detections.of_kind(kind))
        rows = [row for row, one in enumerate(kinds) if one == kind]
        if kind is None or not len(cells):
            continue
        reach = WITHIN * float(outcome.rbc_diameter_px or 0.0)
        tree = cKDTree(np.stack([cells["x"], cells["y"]], axis=1))
        answer = tree.query(np.stack([truth["x"][rows], truth["y"][rows]], axis=1))
        near, nearest = np.asarray(answer[0]) <= reach, np.asarray(answer[1])
        marked += truth["name"][rows][near].tolist()
        called += cells["name"][nearest[near]].tolist()
    return marked, called


def _has_type(truth: Detections) -> NDArray[np.bool_]:
    """Tell which marks count and say a type."""
    return np.asarray((truth["ignored"] == 0) & ~np.isin(truth["name"], NO_TYPES))


def _types(seen: _Fields, groups: NDArray[np.intp], group_count: int) -> dict[str, Any]:
    """Count the types that are marked, and those that were called at the same marks."""
    at_marks = [
        ([], []) if outcome.refused else called_at_marks(image, outcome)
        for image, outcome in zip(seen.images, seen.outcomes, strict=True)
    ]
    names = sorted({name for marked, _ in at_marks for name in marked})
    shape = (len(at_marks), len(names))
    truth = np.array([[marked.count(name) for name in names] for marked, _ in at_marks], float).reshape(shape)
    found = np.array([[called.count(name) for name in names] for _, called in at_marks], float).reshape(shape)
    weights = draw_groups(group_count)[:, groups]
    biases = {name: _bias(weights @ truth[:, index], weights @ found[:, index]) for index, name in enumerate(names)}
    limits = rounded_limits(percentile_limits(biases, group_count))
    return {
        "types": {
            name: {
                "truth": int(truth[:, index].sum()),
                "counted": int(found[:, index].sum()),
                "bias": None
                if name in SIZE_CLASSES
                else rounded(float(_bias(truth[:, index].sum(), found[:, index].sum()))),
                "limits": None if name in SIZE_CLASSES else limits[name],
            }
            for index, name in enumerate(names)
        },
        "marked": sum(int(_has_type(image.truth).sum()) for image in seen.images),
        "found": sum(len(marked) for marked, _ in at_marks),
    }


def _bias(truth: Any, found: Any) -> Any:
    return ratio(np.asarray(found, float) - truth, np.asarray(truth, float))


def _parasitaemia(dataset: DetectionSet, seen: _Fields) -> dict[str, Any] | None:
    stages = {name for name in dataset.names if is_parasite(name)}
    if not stages or not all(stages <= image.complete for image in seen.images):
        return None
    rows = np.array(
        [(*_infected(image.truth), *_infected(outcome.detections)) for image, outcome in seen.pairs], float
    ).reshape(-1, 4)
    rows = rows[(rows[:, 1] > 0) & (rows[:, 3] > 0)]
    if len(rows) < 2:
        return None
    truth, found = 100 * rows[:, 0] / rows[:, 1], 100 * rows[:, 2] / rows[:, 3]
    difference = found - truth
    mean, spread = float(difference.mean()), 1.96 * float(difference.std(ddof=1))
    return {
        "truth_percent": rounded(100 * float(rows[:, 0].sum() / rows[:, 1].sum())),
        "percent": rounded(100 * float(rows[:, 2].sum() / rows[:, 3].sum())),
        "bias": rounded(mean),
        "agreement": [rounded(mean - spread), rounded(mean + spread)],
        "images": len(rows),
    }


def _infected(cells: Detections) -> tuple[int, int]:
    """Return how many of the red cells are parasitised, and how many there are."""
    red = cells.of_kind(RBC) & (cells["name"] != "nucleated RBC")
    if "ignored" in cells.features:
        red &= cells["ignored"] == 0
    return int((red & cells.of_kind(PARASITISED)).sum()), int(red.sum())


def _differential(dataset: DetectionSet, seen: _Fields) -> dict[str, Any] | None:
    marks = [name for name in dataset.names if is_a(name, WBC)]
    if not marks:
        return None
    tables = [outcome.detections for _, outcome in seen.pairs]
    numbered = [cells.with_columns(field=np.full(len(cells), index)) for index, cells in enumerate(tables)]
    counted = differential(Detections.concatenate(numbered), len(numbered)).to_dict()
    complete = all(set(marks) <= image.complete for image in seen.images)
    truth = sum(int((white_cells(image.truth) & (image.truth["ignored"] == 0)).sum()) for image, _ in seen.pairs)
    return {"truth": truth if complete else None, **counted}
