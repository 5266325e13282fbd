"""Reading tables in Parquet files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hemato_lab.errors import UnreadableInputError
from hemato_lab.export.parquet import arrow

if TYPE_CHECKING:
    from pathlib import Path


def read_rows(path: Path) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Return the names of the columns and the rows of a Parquet file.

    Raises
    ------
    MissingDependencyError
        If pyarrow is not installed.
    UnreadableInputError
        If the file is missing, or no Parquet file.
    """
    pa = arrow()
    try:
        # A file alone: of a path with "key=value" folders pyarrow would make columns.
        table = pa.parquet.ParquetFile(path).read()
    except (OSError, pa.ArrowException) as error:
        problem = "is no table in Parquet" if path.is_file() else "cannot be opened"
        raise UnreadableInputError(problem, subject=str(path), hint="write the table again") from error
    columns = [column.to_pylist() for column in table.columns]
    return tuple(table.column_names), list(zip(*columns, strict=True))
