"""What the commands print and write: tables on the terminal, files in a folder."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from itertools import zip_longest
from textwrap import fill
from textwrap import wrap as fold
from typing import TYPE_CHECKING, Final

import typer

from hemato_lab.agreement.gate.plain import plain
from hemato_lab.cli.places import NOTICE_FILE, RESULT_FILES
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hemato_lab.analysis import Analysis

_COLUMN: Final = 65
"""Characters; a file id fits in, longer remarks are folded."""
_LINE: Final = 120


def write_files(analysis: Analysis, folder: Path) -> list[Path]:
    """Write report.json, cells.csv, picture.png, heatmap.png, report.html and the notice.

    Raises
    ------
    ConfigError
        If one cannot be written.
    """
    from hemato_lab.export import write

    notice = folder / NOTICE_FILE
    try:
        notice.write_text(f"{RESEARCH_USE_NOTICE}\n", encoding="utf-8")
    except OSError as error:
        problem = f"cannot be written: {error.strerror}"
        raise ConfigError(problem, subject=str(notice), hint="choose another folder with --out") from error
    return [*(write(analysis, folder / name, file_format) for name, file_format in RESULT_FILES.items()), notice]


def print_text(text: str, end: str = "\n") -> None:
    """Print, without characters that would act on the terminal.

    When the reader of our output has left (``| head``), the work goes on and nothing more is printed.
    """
    try:
        typer.echo(plain(f"{text}{end}"), nl=False)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_tables(analysis: Analysis) -> None:
    """Print the report as tables for a terminal."""
    from hemato_lab.analysis import conclusions, tables

    shown = (
        tables.overview(analysis),
        tables.fields(analysis),
        tables.cautions(analysis),
        tables.statistics(analysis.report),
        conclusions.findings(analysis.report),
        conclusions.considerations(analysis.report),
        conclusions.review(analysis.report),
        conclusions.not_assessed(analysis.report),
        tables.quality(analysis),
        tables.skipped(analysis.smear),
    )
    for table in shown:
        if table.rows:
            print_table(table.caption, table.head, table.rows)
            print_text(f"{fill(table.note, _LINE)}\n" if table.note else "")


def print_table(caption: str, head: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> None:
    """Print one table for a terminal."""
    lines = tuple(tuple(re.sub(r"[\t\n]", " ", plain(cell)) for cell in row) for row in rows)
    print_text(_as_text(caption, head, lines))


def _as_text(caption: str, head: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> str:
    """Lay a table out in columns; a table wider than it is long is turned on its side."""
    if len(head) > 8:
        turned = tuple(tuple(row[column] for row in (head, *rows)) for column in range(len(head)))
        head, rows = turned[0], turned[1:]
    widths = [min(max(len(row[column]) for row in (head, *rows)), _COLUMN) for column in range(len(head))]
    rule = "  ".join("-" * width for width in widths)
    body = [line for row in rows for line in _lines(row, widths)]
    return "\n".join([caption, *_lines(head, widths), rule, *body])


def _lines(row: tuple[str, ...], widths: list[int]) -> list[str]:
    """Lay out one row; cells wider than their column go on in the next line."""
    folded = [fold(cell, width) if len(cell) > width else [cell] for cell, width in zip(row, widths, strict=True)]
    return [
        "  ".join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()
        for parts in zip_longest(*folded, fillvalue="")
    ]


@contextmanager
def progress_bar(label: str, unit: str, *, shown: bool = True) -> Iterator[Callable[[int, int], None]]:
    """Draw a bar on standard error when that is a terminal; gives a callback that takes what is done and the total."""
    from tqdm import tqdm

    with tqdm(
        desc=label,
        unit=unit,
        unit_scale=unit in {"px", "B"},
        disable=None if shown else True,
        leave=False,
        file=sys.stderr,
        ncols=_columns(),
        nrows=24,  # one bar needs no more; a terminal that states no height would get none
    ) as bar:

        def advance(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield advance


def _columns() -> int:
    """Return the width of the terminal; some state none, and no bar would be drawn in it."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def print_notice() -> None:
    """Print the research-use notice."""
    print_text(RESEARCH_USE_NOTICE)
