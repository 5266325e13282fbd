"""An annotated folder and the package's own detectors or classifiers -> the evaluation's JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hemato_lab.classifiers import make_classifier
from hemato_lab.detections import OPERATING_SCORE
from hemato_lab.errors import ConfigError
from hemato_lab.evaluation.classification import evaluate_crops
from hemato_lab.evaluation.dataset import CropSet, DetectionSet, read_dataset
from hemato_lab.evaluation.detection import DetectorCard, evaluate_detection
from hemato_lab.evaluation.fields import Detect, FieldOutcome
from hemato_lab.formats import open_smear
from hemato_lab.vocabulary import DETECTOR_CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from hemato_lab.evaluation.fields import ScaleSource
    from hemato_lab.evaluation.matching import MatchRule
    from hemato_lab.smear import RGB

DEFAULT_DETECTOR: Final = "classical"
DEFAULT_CLASSIFIER: Final = "classical"


def run_evaluation(
    folder: Path,
    *,
    split: str,
    detector: str | None = None,
    classifier: str | None = None,
    match: MatchRule = "iou",
    ignore_incomplete: bool = False,
    scale: ScaleSource = "estimated",
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
    detector, classifier : str or None
        Name in the registry, None for the default; only the one that fits the kind of set may be given.
    match, ignore_incomplete, scale, limit, jobs
        See `hemato_lab.evaluation.detection.evaluate_detection`; only ``limit`` concerns crop sets.
    show_progress : bool
        Draw a progress bar on standard error when that is a terminal.

    Returns
    -------
    dict
        As documented in `hemato_lab.evaluation.detection` or `hemato_lab.evaluation.classification`.

    Raises
    ------
    DatasetError
        If the folder does not follow the format.
    ConfigError
        If a name, the split or an option does not fit the set.
    InputError
        If no image can be read; one of several that cannot is listed under ``skipped``.
    """
    dataset = read_dataset(folder)
    if isinstance(dataset, CropSet):
        _refuse(dataset, "detector", detector)
        made = make_classifier(classifier or DEFAULT_CLASSIFIER)
        batches = _progress("batches", shown=show_progress)
        return evaluate_crops(dataset, made, read_crop, split=split, limit=limit, progress=batches).to_json()
    _refuse(dataset, "classifier", classifier)
    name = detector or DEFAULT_DETECTOR
    return evaluate_detection(
        dataset,
        pipeline_detect(name),
        DetectorCard(name, dict.fromkeys(DETECTOR_CLASSES, OPERATING_SCORE)),
        split=split,
        match=match,
        ignore_incomplete=ignore_incomplete,
        scale=scale,
        limit=limit,
        jobs=jobs,
        progress=_progress("images", shown=show_progress, total=len(dataset.in_split(split)[:limit])),
    ).to_json()


def pipeline_detect(detector: str) -> Detect:
    """Return a function that analyses one image with a detector of the package."""
    from hemato_lab.pipeline import analyze

    def detect(path: Path, rbc_diameter_px: float | None) -> FieldOutcome:
        # Average precision ranks every candidate, those below the operating score too.
        analysis = analyze(open_smear(path, rbc_diameter_px=rbc_diameter_px), detector=detector, minimum_score=0.0)
        scale = analysis.smear.scale
        return FieldOutcome(analysis.detections, None if scale is None else scale.rbc_diameter_px)

    return detect


def read_crop(path: Path) -> RGB:
    """Return the pixels of a crop's file, shape (height, width, 3), uint8 sRGB."""
    return open_smear(path).fields[0].read()


def _refuse(dataset: DetectionSet | CropSet, option: str, value: str | None) -> None:
    if value is not None:
        holds = "single-cell crops" if isinstance(dataset, CropSet) else "whole fields"
        raise ConfigError(f"holds {holds}, to which --{option} does not apply", subject=dataset.name)


def _progress(unit: str, *, shown: bool, total: int | None = None) -> Any:
    from tqdm import tqdm

    def follow(items: Iterable[Any]) -> Iterable[Any]:
        return tqdm(items, unit=f" {unit}", total=total, disable=None if shown else True, leave=False)

    return follow
