"""``hemato-lab evaluate``: a detector or classifier against annotated images."""

from __future__ import annotations

import json
import os
from pathlib import Path  # noqa: TC003 (typer reads the annotations)
from typing import Annotated, Any, Literal

import typer

from hemato_lab.errors import ConfigError


def evaluate(
    dataset_dir: Annotated[Path, typer.Argument(help="Folder with annotations.json (fields) or labels.csv (crops).")],
    *,
    split: Annotated[str, typer.Option(help="Which part of the set; test only for final figures.")],
    out: Annotated[Path | None, typer.Option(help="Write the result there as JSON.")] = None,
    detector: Annotated[str | None, typer.Option(help="Detector by name, for fields.")] = None,
    classifier: Annotated[str | None, typer.Option(help="Classifier by name, for crops.")] = None,
    match: Annotated[Literal["iou", "center"], typer.Option(help="Overlap of boxes, or distance of centres.")] = "iou",
    ignore_incomplete: Annotated[
        bool, typer.Option("--ignore-incomplete", help="Leave out unmatched detections where not every cell is marked.")
    ] = False,
    scale: Annotated[
        Literal["estimated", "annotated"],
        typer.Option(help="Estimate the red-cell diameter from each image, or give the annotated one."),
    ] = "estimated",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many images or crops.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Images looked at at the same time.")] = 1,
) -> None:
    """Score a detector or classifier on an annotated set.

    Prints a table; --out writes every figure with its 95 % limits as JSON. For Research Use Only. Not for use in
    diagnostic procedures.
    """
    from hemato_lab.evaluation.runner import run_evaluation
    from hemato_lab.evaluation.table import crop_table, detection_table

    if out is not None and not out.absolute().parent.is_dir():
        raise ConfigError("the folder does not exist", subject=str(out), hint="make it first, or choose another --out")
    result = run_evaluation(
        dataset_dir,
        split=split,
        detector=detector,
        classifier=classifier,
        match=match,
        ignore_incomplete=ignore_incomplete,
        scale=scale,
        limit=limit,
        jobs=jobs,
        show_progress=True,
    )
    typer.echo(crop_table(result) if "crops" in result else detection_table(result))
    if out is not None:
        _write_json(result, out)


def _write_json(result: dict[str, Any], path: Path) -> None:
    """Write the whole file or none of it."""
    text = json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        problem = f"cannot be written: {error.strerror}"
        raise ConfigError(problem, subject=str(path), hint="choose another --out") from error
