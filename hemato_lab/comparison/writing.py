"""The files of a comparison: figures for programs, cells and statistics for spreadsheets, a page for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.comparison.page import render_page
from hemato_lab.comparison.pictures import difference_png
from hemato_lab.errors import ConfigError
from hemato_lab.export.csv import harmless
from hemato_lab.export.writing import write_whole
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    import pandas as pd

    from hemato_lab.comparison.model import Comparison


def write(comparison: Comparison, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Write every file of `FILES` into a folder, each whole or not at all.

    Returns
    -------
    tuple of Path
        In the order of `FILES`.

    Raises
    ------
    ConfigError
        If the folder cannot be made or a file not be written.
    """
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"cannot be made: {error.strerror}"
        raise ConfigError(problem, subject=str(target), hint="choose another folder") from error
    return tuple(write_whole(target / name, render(comparison)) for name, render in FILES.items())


def render_json(comparison: Comparison) -> bytes:
    """Return every figure as indented JSON in ASCII, the same bytes for the same comparison."""
    return (json.dumps(comparison.to_dict(), indent=2, allow_nan=False) + "\n").encode("ascii")


def render_cells(comparison: Comparison) -> bytes:
    """Return one row a place as UTF-8 CSV with four decimals, safe to open in a spreadsheet."""
    return _csv(comparison.to_frame(), float_format="%.4f")


def render_statistics(comparison: Comparison) -> bytes:
    """Return one row a statistic as UTF-8 CSV, safe to open in a spreadsheet."""
    import pandas as pd

    from hemato_lab.comparison.statistics import NOT_STATED, StatisticComparison

    head = list(StatisticComparison("", NOT_STATED, NOT_STATED).to_dict())
    return _csv(pd.DataFrame([one.to_dict() for one in comparison.statistics], columns=head))


def render_notice(_: Comparison) -> bytes:
    """Return the research-use notice, for the files that cannot hold it."""
    return f"{RESEARCH_USE_NOTICE}\n".encode()


def _csv(frame: pd.DataFrame, **options: Any) -> bytes:
    for column in frame.columns:
        frame[column] = [harmless(value) if isinstance(value, str) else value for value in frame[column]]
    text: str = frame.to_csv(index=False, lineterminator="\n", **options)
    return text.encode("utf-8", "backslashreplace")


FILES: Final[dict[str, Callable[[Comparison], bytes]]] = {
    "comparison.json": render_json,
    "cells.csv": render_cells,
    "statistics.csv": render_statistics,
    "difference.png": difference_png,
    "comparison.html": render_page,
    "NOTICE.txt": render_notice,
}
"""Name of each file and what makes its bytes."""
