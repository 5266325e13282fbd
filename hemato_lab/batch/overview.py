"""What lies beside the smears in the results folder: the summary, the table of all cells, and the page."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hemato_lab.batch.agreeing import TABLE_FILES, agreements
from hemato_lab.batch.cells_table import write_cells
from hemato_lab.batch.folders import (
    CELLS_PARQUET,
    NOTICE_FILE,
    PAGE_FILE,
    REPORT_FILE,
    SMEARS_FOLDER,
    SUMMARY_CSV,
    SUMMARY_PARQUET,
    safe_name,
)
from hemato_lab.batch.notes import remarks_on
from hemato_lab.batch.page import of_earlier_runs, render_page
from hemato_lab.batch.summary import Summary, is_analysed, summarise, to_arrow
from hemato_lab.batch.writing import remove_files, storage_errors, unfinished, write_file
from hemato_lab.errors import MissingDependencyError
from hemato_lab.export.parquet import arrow
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from pathlib import Path

    from hemato_lab.batch.model import BatchResult


@dataclass(frozen=True)
class Overview:
    """What was written about a whole batch.

    Attributes
    ----------
    summary : Summary
        The table with one row a smear.
    files : tuple of Path
        Every file written.
    left_out : tuple of str
        What could not be written, and what to install for it.
    remarks : tuple of str
        Sentences on what the figures do not show: images left out or counted twice, smears of earlier runs.
    """

    summary: Summary
    files: tuple[Path, ...]
    left_out: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def write_overview(result: BatchResult, *, cells_table: bool = False) -> Overview:
    """Write the summary as CSV and Parquet, the page, the notice, figures of agreement, and where wanted all cells.

    The bytes follow from the smears and their results alone, but for the page's line on how many smears of earlier runs
    lie in the folder. Each file is whole or not there; one of an earlier run
    that is not written now is removed, as it may be of other smears.

    Parameters
    ----------
    result : BatchResult
        What the batch came to.
    cells_table : bool
        Write the cells of all smears as one Parquet file too.

    Raises
    ------
    MissingDependencyError
        If the table of all cells is wanted and pyarrow is not installed; the summary in Parquet is then only left out.
    JournalError
        If results that are noted as done are missing.
    StorageFullError, BatchError
        If a file cannot be written.
    """
    if cells_table:
        arrow()
    summary = summarise(result.outcomes, result.out)
    agreed = agreements(result.outcomes, result.out)
    earlier = _earlier_smears(result)
    contents = {
        NOTICE_FILE: f"{RESEARCH_USE_NOTICE}\n".encode(),
        SUMMARY_CSV: summary.to_csv(),
        PAGE_FILE: render_page(result.outcomes, summary, agreed, earlier),
        **{one.table_file: one.to_csv() for one in agreed},
    }
    left_out = []
    try:
        contents[SUMMARY_PARQUET] = _parquet(summary)
    except MissingDependencyError as error:
        left_out.append(f"{SUMMARY_PARQUET}: {error}")
    for name, content in contents.items():
        write_file(result.out / name, content)
    files = [result.out / name for name in contents]
    if cells_table:
        files.append(_write_cells(result))
    remove_files(result.out, {SUMMARY_PARQUET, CELLS_PARQUET, *TABLE_FILES.values()} - {path.name for path in files})
    remarks = (*remarks_on(summary.notes), *filter(None, [of_earlier_runs(earlier)]))
    return Overview(summary, tuple(files), tuple(left_out), remarks)


def _earlier_smears(result: BatchResult) -> int:
    """Count the smears whose results lie in the folder and that are none of this batch."""
    ours = {safe_name(outcome.entry.smear_id) for outcome in result.outcomes}
    folders = (result.out / SMEARS_FOLDER).glob(f"*/{REPORT_FILE}")
    return sum(path.parent.name not in ours for path in folders)


def _parquet(summary: Summary) -> bytes:
    stream = io.BytesIO()
    table = to_arrow(summary)
    arrow().parquet.write_table(table, stream, compression="zstd")
    return stream.getvalue()


def _write_cells(result: BatchResult) -> Path:
    """Write the table of all cells, which may be larger than memory."""
    path = result.out / CELLS_PARQUET
    part = unfinished(path)
    analysed = [outcome.entry.smear_id for outcome in result.outcomes if is_analysed(outcome)]
    try:
        with storage_errors(path):
            with part.open("wb") as stream:
                write_cells(stream, analysed, result.out)
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
