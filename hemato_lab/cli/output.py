"""What the commands print and write: tables on the terminal, files in a folder."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from pathlib import Path

    from hemato_lab.analysis import Analysis


def prepare_folder(folder: Path) -> Path:
    """Make a folder to write to.

    Raises
    ------
    ConfigError
        If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"cannot be made: {error.strerror}", subject=str(folder), hint="choose another folder with --out"
        ) from error
    return folder


def write_files(analysis: Analysis, folder: Path) -> list[Path]:
    """Write report.json, cells.csv, picture.png, heatmap.png and report.html."""
    from hemato_lab.export import write

    names = {
        "report.json": "json",
        "cells.csv": "csv",
        "picture.png": "png",
        "heatmap.png": "heatmap",
        "report.html": "html",
    }
    notice = folder / "NOTICE.txt"
    notice.write_text(f"{RESEARCH_USE_NOTICE}\n", encoding="utf-8")
    return [*(write(analysis, folder / name, file_format) for name, file_format in names.items()), notice]


def print_tables(analysis: Analysis) -> None:
    """Print the report as tables for a terminal."""
    from hemato_lab.analysis import tables

    shown = (
        tables.overview(analysis),
        tables.fields(analysis),
        tables.statistics(analysis.report),
        tables.quality(analysis),
        tables.skipped(analysis.smear),
    )
    for table in shown:
        if table.rows:
            typer.echo(_as_text(table.caption, table.head, table.rows))
            typer.echo("")


def _as_text(caption: str, head: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> str:
    """Lay a table out in columns; a table wider than it is long is turned on its side."""
    if len(head) > 8:
        turned = tuple(tuple(row[column] for row in (head, *rows)) for column in range(len(head)))
        head, rows = turned[0], turned[1:]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    ]
    rule = "  ".join("-" * width for width in widths)
    return "\n".join([caption, lines[0], rule, *lines[1:]])


def progress_bar(label: str, *, shown: bool) -> Any:
    """Return a callback for `hemato_lab.analyze` that draws a bar on standard error when that is a terminal."""
    from tqdm import tqdm

    bar = tqdm(desc=label, unit="tile", disable=None if shown else True, leave=False, file=sys.stderr)

    def advance(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)
        if done == total:
            bar.close()

    return advance


def print_notice() -> None:
    """Print the research-use notice."""
    typer.echo(RESEARCH_USE_NOTICE)
