"""An annotated folder and the package's own detectors or classifiers -> the evaluation's JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hemato_lab.detectors import DEFAULT_DETECTOR
from hemato_lab.errors import ConfigError
from hemato_lab.evaluation.classification import evaluate_crops
from hemato_lab.evaluation.dataset import CropSet, DetectionSet, read_dataset
from hemato_lab.evaluation.detection import evaluate_detection
from hemato_lab.evaluation.findings import evaluate_findings
from hemato_lab.evaluation.marked_cells import evaluate_marked_cells
from hemato_lab.evaluation.parasites import evaluate_parasites
from hemato_lab.evaluation.subjects import (
    classify_with,
    detector_card,
    first_that_fits,
    parasite_reader,
    pipeline_detect,
    pipeline_name,
    pipeline_read,
    reader_named,
)
from hemato_lab.formats import open_smear

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hemato_lab.evaluation.fields import ScaleSource
    from hemato_lab.evaluation.matching import MatchRule
    from hemato_lab.smear import RGB


def run_evaluation(
    folder: Path,
    *,
    split: str,
    detector: str | None = None,
    model: str | None = None,
    classifier: str | None = None,
    parasites: bool = False,
    findings: bool = False,
    match: MatchRule = "iou",
    ignore_incomplete: bool = False,
    scale: ScaleSource = "estimated",
    rbc_diameter_px: float | None = None,
    limit: int | None = None,
    jobs: int = 1,
    show_progress: bool = False,
) -> dict[str, Any]:
    """Evaluate on a folder of either kind.

    Parameters
    ----------
    folder : Path
        A detection set or a crop set (`hemato_lab.evaluation.dataset`).
    split : str
        For example "val".
    detector : str or None
        Of whole fields; None for the default.
    model : str or None
        ONNX file of another detection network than the one that ships.
    classifier : str or None
        For crops, None for the first that has a name for every label. For whole fields, a classifier that names the
        marked cells, instead of a detector.
    parasites : bool
        Score the parasites that are found in whole fields instead of the cells.
    findings : bool
        Compare counts of types, parasitaemia and the differential with what is marked in whole fields.
    match, ignore_incomplete, scale, limit, jobs
        See `hemato_lab.evaluation.detection.evaluate_detection`; only ``limit`` concerns crop sets.
    rbc_diameter_px : float or None
        Of crops, None to read it from some of them.
    show_progress : bool
        Draw a progress bar on standard error when that is a terminal.

    Returns
    -------
    dict
        As documented in `hemato_lab.evaluation.detection`, `hemato_lab.evaluation.classification`,
        `hemato_lab.evaluation.parasites` or `hemato_lab.evaluation.findings`.

    Raises
    ------
    DatasetError
        If the folder does not follow the format.
    ConfigError
        If a name, the split or an option does not fit the set.
    InputError
        If no image can be read; one of several that cannot is listed under ``skipped``.
    ModelError
        If a model is missing or damaged.
    """
    dataset = read_dataset(folder)
    others: dict[str, Any] = {
        "detector": detector,
        "model": model,
        "parasites": parasites or None,
        "findings": findings or None,
    }
    if isinstance(dataset, CropSet):
        _refuse(dataset, **others)
        return evaluate_crops(
            dataset,
            first_that_fits(dataset) if classifier is None else reader_named(classifier),
            read_crop,
            split=split,
            rbc_diameter_px=rbc_diameter_px,
            limit=limit,
            progress=_progress("batches", shown=show_progress),
        ).to_json()
    _refuse(dataset, rbc_diameter_px=rbc_diameter_px)
    shared: dict[str, Any] = {
        "split": split,
        "scale": scale,
        "limit": limit,
        "jobs": jobs,
        "progress": _progress("images", shown=show_progress, total=len(dataset.in_split(split)[:limit])),
    }
    if classifier is not None:
        _refuse(dataset, to="with --classifier", **others)
        reader, place = reader_named(classifier), classify_with(classifier)
        return evaluate_marked_cells(dataset, reader, place, **shared).to_json()
    name = detector or DEFAULT_DETECTOR
    if findings:
        _refuse(dataset, to="with --findings", parasites=parasites or None)
        return evaluate_findings(dataset, pipeline_read(name, model), parasite_reader(name, model), **shared)
    if parasites:
        found_by = parasite_reader(name, model)
        return evaluate_parasites(dataset, pipeline_name(name, model), found_by, match=match, **shared)
    detect, card = pipeline_detect(name, model), detector_card(name, model)
    options: dict[str, Any] = {"match": match, "ignore_incomplete": ignore_incomplete}
    return evaluate_detection(dataset, detect, card, **options, **shared).to_json()


def read_crop(path: Path) -> RGB:
    """Return the pixels of a crop's file, shape (height, width, 3), uint8 sRGB."""
    return open_smear(path).fields[0].read()


def _refuse(dataset: DetectionSet | CropSet, *, to: str = "", **options: object) -> None:
    """Refuse the first option that was given and does not apply to the set."""
    for option, value in options.items():
        if value is not None:
            holds = "single-cell crops" if isinstance(dataset, CropSet) else "whole fields"
            named = f"--{option.replace('_', '-')}"
            problem = f"{named} does not go {to}" if to else f"holds {holds}, to which {named} does not apply"
            raise ConfigError(problem, subject=dataset.name)


def _progress(unit: str, *, shown: bool, total: int | None = None) -> Any:
    from tqdm import tqdm

    def follow(items: Iterable[Any]) -> Iterable[Any]:
        return tqdm(items, unit=f" {unit}", total=total, disable=None if shown else True, leave=False)

    return follow
