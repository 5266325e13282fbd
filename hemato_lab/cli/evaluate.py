"""``hemato-lab evaluate``: a detector or classifier against annotated images."""

from __future__ import annotations

import json
import os
from pathlib import Path  # noqa: TC003 (typer reads the annotations)
from typing import Annotated, Any, Literal

import typer

from hemato_lab.classifiers import CLASSIFIERS
from hemato_lab.cli.output import print_text
from hemato_lab.cli.places import named_path
from hemato_lab.detectors import DEFAULT_DETECTOR, DETECTORS
from hemato_lab.errors import ConfigError


def evaluate(
    dataset_dir: Annotated[Path, typer.Argument(help="Folder with annotations.json (fields) or labels.csv (crops).")],
    *,
    split: Annotated[str, typer.Option(help="Which part of the set; test only for final figures.")],
    out: Annotated[str | None, typer.Option(help="Write the result there as JSON.")] = None,
    detector: Annotated[
        str | None,
        typer.Option(help=f"Detector, for fields: {', '.join(DETECTORS)}; without, {DEFAULT_DETECTOR}."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="ONNX file of another detection network, for --detector onnx.")
    ] = None,
    classifier: Annotated[
        str | None,
        typer.Option(
            help=f"Classifier of crops: {', '.join(CLASSIFIERS)}, blasts; without, the first with a name for every"
            " label. For fields: names the marked cells, nothing is detected."
        ),
    ] = None,
    parasites: Annotated[
        bool, typer.Option("--parasites", help="Score the parasites that are found in fields, and their stages.")
    ] = False,
    findings: Annotated[
        bool,
        typer.Option("--findings", help="Compare counts of types, parasitaemia and the differential with the marks."),
    ] = False,
    match: Annotated[Literal["iou", "center"], typer.Option(help="Overlap of boxes, or distance of centres.")] = "iou",
    ignore_incomplete: Annotated[
        bool, typer.Option("--ignore-incomplete", help="Leave out unmatched detections where not every cell is marked.")
    ] = False,
    scale: Annotated[
        Literal["estimated", "annotated"],
        typer.Option(help="Estimate the red-cell diameter from each image, or give the annotated one."),
    ] = "estimated",
    rbc_diameter_px: Annotated[
        float | None, typer.Option(help="Diameter of a red cell in crops, in pixels; without, read from some of them.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many images or crops.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Images that are analysed at a time.")] = 1,
) -> None:
    """Score a detector or classifier on an annotated set.

    Prints a table; --out writes every figure with its 95 % limits as JSON. For Research Use Only. Not for use in
    diagnostic procedures.
    """
    from hemato_lab.evaluation.runner import run_evaluation
    from hemato_lab.evaluation.table import table_of

    _check_names(detector, classifier)
    file = None if out is None else _result_file(named_path(out, "--out"))
    result = run_evaluation(
        dataset_dir,
        split=split,
        detector=detector,
        model=None if model is None else str(named_path(model, "--model")),
        classifier=classifier,
        parasites=parasites,
        findings=findings,
        match=match,
        ignore_incomplete=ignore_incomplete,
        scale=scale,
        rbc_diameter_px=rbc_diameter_px,
        limit=limit,
        jobs=jobs,
        show_progress=True,
    )
    if file is not None:
        _write_json(result, file)
    print_text(table_of(result))


def _check_names(detector: str | None, classifier: str | None) -> None:
    """Refuse names that are not known, before any file is read."""
    from hemato_lab.pipeline.classification import make_reader
    from hemato_lab.pipeline.steps import check_settings

    if detector is not None:
        check_settings(detector=detector)
    if classifier is not None:
        make_reader(classifier)


def _result_file(path: Path) -> Path:
    """Refuse a file that cannot be written, before any work is done."""
    if not path.absolute().parent.is_dir():
        raise ConfigError("the folder does not exist", subject=str(path), hint="make it first, or choose another --out")
    if path.exists() and not path.is_file():
        problem = "is a folder" if path.is_dir() else "is no ordinary file"
        raise ConfigError(problem, subject=str(path), hint="choose another --out")
    # Only writing tells: to some folders not even those may write who have the right.
    _write_whole("", path, replace=False)
    return path


def _write_json(result: dict[str, Any], path: Path) -> None:
    """Write the result in ASCII, because file names may hold what UTF-8 cannot."""
    _write_whole(json.dumps(result, indent=2, allow_nan=False) + "\n", path, replace=True)


def _write_whole(text: str, path: Path, *, replace: bool) -> None:
    """Write the whole file or none of it; without `replace` see only whether it could be written."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            unfinished.write_text(text, encoding="ascii")
            if replace:
                unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        problem = f"cannot be written: {error.strerror}"
        raise ConfigError(problem, subject=str(path), hint="choose another --out") from error
