"""Parasitised cells in whole fields, from the picture to the stage: what a parasite count rests on.

The result is one JSON object::

    dataset, split, detector     names
    models                       {name: SHA-256} of every model that took part
    images                       number evaluated
    red_cells                    red cells reported
    parasites                    parasitised cells that are marked
    threshold                    score of a parasite from which on a cell is called parasitised
    recall, precision            of parasitised cells at that score
    false_per_1000               cells called parasitised that are not, per 1,000 red cells reported, at that score
    recall_at_1_per_1000         highest recall at a score with at most one such cell per 1,000
    score_at_1_per_1000          that score
    stages                       {name: {truth, precision, recall, f1, limits}}: found, called parasitised and named so
    stage_macro_f1               mean F1 over the stages that occur
    stage_macro_f1_found         the same over marked cells that were called parasitised: what naming alone is worth
    limits                       {figure: [low, high]}
    match, scale, refused, skipped, groups, resamples, version, notice
                                 as in `hemato_lab.evaluation.detection`

A cell called parasitised that lies on no marked one counts as false: only images in which all stages are exhaustively
annotated take part. A figure without any evidence is null.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from hemato_lab import __version__
from hemato_lab.agreement.bootstrap import RESAMPLES, draw_groups, group_index, percentile_limits
from hemato_lab.errors import ConfigError
from hemato_lab.evaluation.evidence import agreement_of, by_falling_score, of_class
from hemato_lab.evaluation.fields import detect_fields, readable
from hemato_lab.evaluation.matching import UNMATCHED, match_greedily
from hemato_lab.evaluation.ratio import ratio
from hemato_lab.evaluation.rounding import rounded, rounded_limits
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.vocabulary import RBC, lineage_path, term

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hemato_lab.evaluation.dataset import AnnotatedImage, DetectionSet
    from hemato_lab.evaluation.fields import Detect, FieldOutcome, Progress, ScaleSource
    from hemato_lab.evaluation.matching import MatchRule

Floats = NDArray[np.float64]
MOST_FALSE: Final = 1e-3
"""Cells falsely called parasitised for each red cell, at most, for ``recall_at_1_per_1000``."""
STAGE_FIGURES: Final = ("precision", "recall", "f1")
FIGURES: Final = (
    "recall",
    "precision",
    "false_per_1000",
    "recall_at_1_per_1000",
    "stage_macro_f1",
    "stage_macro_f1_found",
)


@dataclass(frozen=True, slots=True)
class Reader:
    """Which detector and models found and named the cells, and from which score on one is called parasitised."""

    detector: str
    models: Mapping[str, str]
    threshold: float


@dataclass(frozen=True, slots=True)
class ParasiteEvidence:
    """Every red cell that was reported, and every parasite that is marked, over all images.

    Attributes
    ----------
    score : array of shape (n,)
        Of a parasite, falling. Cells on ignored marks are left out.
    called : array of int, shape (n,)
        Index of the stage that the cell was given, -1 for a cell that was not called parasitised. A stage that the set
        does not mark, nor anything wider, has the number of stages as its index.
    truth : array of int, shape (n,)
        Index of the marked stage, -1 where no parasite is marked.
    image : array of int, shape (n,)
    marked : array of shape (images, stages)
        Number of marked parasites.
    red_cells : array of shape (images,)
        Number of red cells reported.
    """

    score: Floats
    called: NDArray[np.intp]
    truth: NDArray[np.intp]
    image: NDArray[np.intp]
    marked: Floats
    red_cells: Floats


def evaluate_parasites(
    dataset: DetectionSet,
    detect: Detect,
    reader: Reader,
    *,
    split: str,
    match: MatchRule = "iou",
    scale: ScaleSource = "estimated",
    limit: int | None = None,
    jobs: int = 1,
    progress: Progress = iter,
) -> dict[str, Any]:
    """Find and name the cells of a split and score its parasites.

    Parameters
    ----------
    dataset : DetectionSet
        From `hemato_lab.evaluation.dataset.read_dataset`.
    detect : Detect
        Finds and names the cells of one image: red cells with the column ``parasite_score``.
    reader : Reader
        What `detect` uses.
    split, match, scale, limit, jobs, progress
        As in `hemato_lab.evaluation.detection.evaluate_detection`.

    Raises
    ------
    ConfigError
        If the split does not exist, no parasite is marked in it, or its images are not exhaustively annotated.
    InputError
        If no image can be read.
    """
    listed = dataset.in_split(split)[:limit]
    stages = tuple(name for name in dataset.names if is_parasite(name))
    if not stages or not all(set(stages) <= image.complete for image in listed):
        raise ConfigError("has no exhaustively marked parasites", subject=dataset.name, hint="leave --parasites out")
    looked_at = detect_fields(dataset, listed, detect, scale=scale, jobs=jobs, progress=progress)
    images, outcomes, skipped = readable(listed, looked_at)
    evidence = gather_parasites(dataset, images, outcomes, stages, match)
    groups, group_count = group_index([image.group for image in images])
    weights = draw_groups(group_count)[:, groups]
    exact = parasite_figures(evidence, stages, np.ones((1, len(images))))
    limits = percentile_limits(parasite_figures(evidence, stages, weights), group_count)
    values = {name: None if np.isnan(value[0]) else float(value[0]) for name, value in exact.items()}
    return {
        "dataset": dataset.name,
        "split": split,
        "detector": reader.detector,
        "models": dict(reader.models),
        "images": len(images),
        "red_cells": int(evidence.red_cells.sum()),
        "parasites": int(evidence.marked.sum()),
        "threshold": rounded(reader.threshold),
        **{name: rounded(values[name]) for name in (*FIGURES, "score_at_1_per_1000")},
        "stages": {
            name: {
                "truth": int(evidence.marked[:, index].sum()),
                **{figure: rounded(values[f"{figure} {name}"]) for figure in STAGE_FIGURES},
                "limits": rounded_limits({figure: limits[f"{figure} {name}"] for figure in STAGE_FIGURES}),
            }
            for index, name in enumerate(stages)
        },
        "limits": rounded_limits({name: limits[name] for name in FIGURES}),
        "match": match,
        "scale": scale,
        "refused": [image.file_name for image, outcome in zip(images, outcomes, strict=True) if outcome.refused],
        "skipped": [one.to_json() for one in skipped],
        "groups": group_count,
        "resamples": RESAMPLES,
        "version": __version__,
        "notice": RESEARCH_USE_NOTICE,
    }


def gather_parasites(
    dataset: DetectionSet,
    images: Sequence[AnnotatedImage],
    outcomes: Sequence[FieldOutcome],
    stages: Sequence[str],
    match: MatchRule,
) -> ParasiteEvidence:
    """Match the red cells of every image, parasitised or not, with the marked ones."""
    parts: list[tuple[Floats, NDArray[np.intp], NDArray[np.intp]]] = []
    marked = np.zeros((len(images), len(stages)))
    for index, (image, outcome) in enumerate(zip(images, outcomes, strict=True)):
        found, truth = by_falling_score(of_class(outcome.detections, RBC)), of_class(image.truth, RBC)
        ignored, stage = truth["ignored"] > 0, _stage_index(truth["name"], stages)
        matched = match_greedily(agreement_of(dataset, image, found, truth, match), ignored)
        hit = matched != UNMATCHED
        true_stage = np.full(len(found), -1)
        true_stage[hit] = stage[matched[hit]]
        counted = np.ones(len(found), np.bool_)
        counted[hit] = ~ignored[matched[hit]]
        score = np.nan_to_num(found.columns.get("parasite_score", np.zeros(len(found))))
        parts.append((score[counted], _stage_index(found["name"], stages)[counted], true_stage[counted]))
        marked[index] = np.bincount(stage[~ignored & (stage >= 0)], minlength=len(stages))[: len(stages)]
    sizes = [len(score) for score, _, _ in parts]
    score = np.concatenate([part[0] for part in parts])
    order = np.argsort(-score, kind="stable")
    return ParasiteEvidence(
        score=score[order],
        called=np.concatenate([part[1] for part in parts])[order],
        truth=np.concatenate([part[2] for part in parts])[order],
        image=np.repeat(np.arange(len(images)), sizes)[order],
        marked=marked,
        red_cells=np.array(sizes, np.float64),
    )


def is_parasite(name: str) -> bool:
    """Tell whether a name is that of a red cell with a parasite."""
    return term(name).lineage == "parasite"


def _stage_index(names: NDArray[np.str_], stages: Sequence[str]) -> NDArray[np.intp]:
    """Return for each name the index of the nearest stage that it is a kind of; -1 for what is no parasite."""
    place = {name: index for index, name in enumerate(stages)}

    def index_of(name: str) -> int:
        known = next((place[wider] for wider in lineage_path(name) if wider in place), None)
        return known if known is not None else len(stages) if is_parasite(name) else -1

    return np.array([index_of(str(name)) for name in names], np.intp)


def parasite_figures(evidence: ParasiteEvidence, stages: Sequence[str], weight: Floats) -> dict[str, Floats]:
    """Return every figure for each weighting of the images.

    Parameters
    ----------
    evidence : ParasiteEvidence
    stages : sequence of str
        In the order of the evidence.
    weight : array of shape (resamples, images)
        How often each image occurs.

    Returns
    -------
    dict of str to array of shape (resamples,)
        NaN where undefined.
    """
    called, infected = evidence.called >= 0, evidence.truth >= 0
    parasites, red_cells = weight @ evidence.marked.sum(axis=1), weight @ evidence.red_cells

    def count(rows: NDArray[np.bool_]) -> Floats:
        return weight @ np.bincount(evidence.image[rows], minlength=len(evidence.red_cells)).astype(np.float64)

    hits, false = count(called & infected), count(called & ~infected)
    figures = {
        "recall": ratio(hits, parasites),
        "precision": ratio(hits, hits + false),
        "false_per_1000": 1000 * ratio(false, red_cells),
    }
    figures["recall_at_1_per_1000"], figures["score_at_1_per_1000"] = _best_recall(
        evidence, weight, parasites, red_cells
    )
    whole, found = [], []
    for index, name in enumerate(stages):
        named, is_stage = evidence.called == index, evidence.truth == index
        right, truths = count(named & is_stage), weight @ evidence.marked[:, index]
        figures[f"precision {name}"] = ratio(right, count(named))
        figures[f"recall {name}"] = ratio(right, truths)
        figures[f"f1 {name}"] = ratio(2 * right, count(named) + truths)
        if evidence.marked[:, index].any():
            whole.append(figures[f"f1 {name}"])
            found.append(ratio(2 * right, count(named & infected) + count(called & is_stage)))
    figures["stage_macro_f1"] = _mean_defined(whole, len(weight))
    figures["stage_macro_f1_found"] = _mean_defined(found, len(weight))
    return figures


def _mean_defined(values: Sequence[Floats], count: int) -> Floats:
    """Return the mean over what is not NaN, NaN where all is; shape (count,)."""
    table = np.array(values).reshape(len(values), count)
    defined = ~np.isnan(table)
    return ratio(np.where(defined, table, 0.0).sum(axis=0), defined.sum(axis=0))


def _best_recall(
    evidence: ParasiteEvidence, weight: Floats, parasites: Floats, red_cells: Floats
) -> tuple[Floats, Floats]:
    """Return the highest recall with few enough false calls, and the score from which on it is reached."""
    asked = evidence.score > 0
    score, image, infected = evidence.score[asked], evidence.image[asked], evidence.truth[asked] >= 0
    recall, lowest = np.zeros(len(weight)), np.ones(len(weight))
    if not len(score):
        return np.where(parasites > 0, recall, np.nan), lowest
    last_of_its_score = np.append(score[1:] != score[:-1], True)
    for row, (one, marked, cells) in enumerate(zip(weight, parasites, red_cells, strict=True)):
        hits, false = np.cumsum(one[image] * infected), np.cumsum(one[image] * ~infected)
        allowed = np.flatnonzero((false <= MOST_FALSE * cells) & last_of_its_score)
        if len(allowed):
            recall[row] = hits[allowed[-1]] / marked if marked else np.nan
            lowest[row] = score[allowed[-1]]
    return np.where(parasites > 0, recall, np.nan), lowest
