"""All cells of all smears as one Parquet file, read and written a smear at a time."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from hemato_lab.batch.folders import CELLS_FILE, smear_folder
from hemato_lab.errors import JournalError
from hemato_lab.export.parquet import arrow
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_TEXTS: Final = ("field_name", "name")
_WHOLE: Final = "field"
_BLOCK: Final = 1 << 26
"""Bytes; a line must fit in."""


def write_cells(stream: BinaryIO, smear_ids: Sequence[str], out: Path) -> None:
    """Write the cells of smears, a row group a smear, in the smears' order.

    Columns are ``smear_id`` and those of the tables of cells in the order in which they first occur; where a smear
    lacks one its cells are empty. Numbers have the four decimals of ``cells.csv``.

    Parameters
    ----------
    stream : binary file
        Open for writing.
    smear_ids : sequence of str
        Smears whose results are there.
    out : Path
        Folder of the results.

    Raises
    ------
    MissingDependencyError
        If pyarrow is not installed.
    JournalError
        If a table of cells is missing or damaged.
    """
    pa = arrow()
    files = {smear_id: smear_folder(out, smear_id) / CELLS_FILE for smear_id in smear_ids}
    columns = tuple(dict.fromkeys(name for path in files.values() for name in _head(path)))
    fields = [pa.field("smear_id", pa.string()), *(pa.field(name, _type_of(pa, name)) for name in columns)]
    schema = pa.schema(fields, metadata={"notice": RESEARCH_USE_NOTICE})
    texts = [one.name for one in fields if one.type == pa.string()]
    # Measured numbers hardly repeat, and only by its smear is a row group looked up.
    encoding = {"use_dictionary": texts, "write_statistics": ["smear_id"]}
    with pa.parquet.ParquetWriter(stream, schema, compression="zstd", **encoding) as writer:
        for smear_id, path in files.items():
            cells = _read(pa, path)
            writer.write_table(_completed(pa, cells, smear_id, schema))


def _type_of(pa: Any, name: str) -> Any:
    if name in _TEXTS:
        return pa.string()
    return pa.int32() if name == _WHOLE else pa.float64()


def _head(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return next(csv.reader(stream), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _damaged(path) from error


def _read(pa: Any, path: Path) -> Any:
    types = {name: _type_of(pa, name) for name in _head(path)}
    try:
        return pa.csv.read_csv(
            path,
            read_options=pa.csv.ReadOptions(use_threads=False, block_size=_BLOCK),
            parse_options=pa.csv.ParseOptions(newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(column_types=types, strings_can_be_null=False),
        )
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path) from error


def _completed(pa: Any, cells: Any, smear_id: str, schema: Any) -> Any:
    """Return the cells with the smear's id, and nothing where they lack a column."""
    columns = {name: cells.column(name) for name in cells.column_names}
    columns["smear_id"] = pa.array([smear_id] * cells.num_rows, pa.string())
    arrays = [columns.get(one.name, pa.nulls(cells.num_rows, one.type)) for one in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _damaged(path: Path) -> JournalError:
    hint = "start the batch again, it makes what is missing"
    return JournalError("is noted as done and is no table of cells", subject=str(path), hint=hint)
