"""``hemato-lab export``: an analysis as a file that another program reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from hemato_lab.cli.output import print_notice, print_text
from hemato_lab.cli.places import RESULTS_FOLDER, folder_name, named_path, results_folder
from hemato_lab.cli.reading import (
    Images,
    RbcDiameterPx,
    Stated,
    Threads,
    UmPerPx,
    analysed,
    opened,
    read_results,
    results_of,
)
from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from hemato_lab.analysis import Analysis

FORMATS: Final = (
    "json, html, pdf, txt, png, pictures, heatmap, csv, parquet, geojson (QuPath), coco, yolo, voc, fhir, dicom"
)


def export(
    analysis: Annotated[
        list[str],
        typer.Argument(help="Folder of results, as hemato-lab analyze writes; or images, which are analysed first."),
    ],
    *,
    to: Annotated[str, typer.Option(help=f"Format: {FORMATS}.")],
    out: Annotated[
        str | None,
        typer.Option(
            help="File to write.", show_default=f"in the folder of results, else in {RESULTS_FOLDER}/<smear name>"
        ),
    ] = None,
    images: Images = None,
    with_images: Annotated[
        bool, typer.Option("--with-images", help="Put the images into the archive too: coco, yolo, voc.")
    ] = False,
    decisions: Annotated[
        str | None,
        typer.Option(
            help="Log of a reader's decisions, to write the analysis as they correct it; results need --images too."
        ),
    ] = None,
    um_per_px: UmPerPx = None,
    rbc_diameter_px: RbcDiameterPx = None,
    threads: Threads = None,
) -> None:
    """Write an analysis in the format of another program. For Research Use Only.

    A folder of results holds no pixels: formats with pictures (png, html, pdf, heatmap, dicom), and any format with
    --decisions, need --images beside it.
    """
    from hemato_lab.export import render, suffix_of
    from hemato_lab.export.writing import write_whole

    _check_format(to, with_images=with_images)
    log = None if decisions is None else _existing(named_path(decisions, "--decisions"))
    target = None if out is None else _file(named_path(out, "--out"))
    stated = Stated(um_per_px, rbc_diameter_px, threads)
    results = results_of(analysis)
    read = _of_images(analysis, images, stated) if results is None else read_results(results, images, stated)
    if log is not None:
        read = _corrected(read, log)
    content = render(read, to, include_images=with_images)
    if target is None:
        stem = folder_name(read.smear.name if results is None else results.absolute().name)
        folder = results or results_folder(RESULTS_FOLDER / stem, analysis)
        target = folder / _file_name(stem, to, suffix_of(read, to, include_images=with_images))
    print_text(f"wrote {write_whole(target, content)}")
    print_notice()


def _check_format(to: str, *, with_images: bool) -> None:
    from hemato_lab.export import EXPORTERS, WITH_IMAGES

    if to not in EXPORTERS:
        raise ConfigError(f"unknown format {to!r}", subject="--to", hint=f"use one of {', '.join(EXPORTERS)}")
    if with_images and to not in WITH_IMAGES:
        hint = f"use it with {', '.join(WITH_IMAGES)}"
        raise ConfigError(f"the format {to} takes no images along", subject="--with-images", hint=hint)


def _existing(path: Path) -> Path:
    """Refuse a log that is not there: an export corrected by no decisions would look like a corrected one."""
    if not path.is_file():
        raise ConfigError("is no file", subject=str(path), hint="name the log that hemato-lab view wrote")
    return path


def _corrected(analysis: Analysis, log: Path) -> Analysis:
    from hemato_lab.review import Review

    return Review(analysis, log).corrected()


def _file_name(stem: str, file_format: str, suffix: str) -> str:
    """Return a name that says the format also where the suffix does not, as ``smear.coco.json``."""
    return f"{stem}.{suffix}" if suffix == file_format else f"{stem}.{file_format}.{suffix}"


def _file(path: Path) -> Path:
    """Refuse what cannot become a file before any work is done."""
    if path.is_dir() or not path.absolute().parent.is_dir():
        problem = "is a folder" if path.is_dir() else "lies in a folder that does not exist"
        raise ConfigError(problem, subject=str(path), hint="name a file in a folder that exists with --out")
    return path


def _of_images(sources: list[str], images: list[str] | None, stated: Stated) -> Analysis:
    if images:
        problem = "are images of a folder of results, and none is named"
        raise ConfigError(problem, subject="--images", hint="name the folder of results, or the images alone")
    return analysed(opened(sources, stated), stated)
