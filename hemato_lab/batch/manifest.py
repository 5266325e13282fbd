"""A table that lists the smears of a batch, one row a file, as CSV or Parquet."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.batch.entries import SmearEntry
from hemato_lab.errors import ConfigError, InputError, ScaleNotCredibleError
from hemato_lab.formats.failures import cannot_open
from hemato_lab.formats.listing import images_in_folder, is_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MANIFEST_SUFFIXES: Final = (".csv", ".tsv", ".parquet")
"""Endings of the names of manifests."""
PATH: Final = "path"
SMEAR_ID: Final = "smear_id"
REFERENCE: Final = "reference"
NUMBERS: Final = ("um_per_px", "rbc_diameter_px")
TEXTS: Final = ("patient", "remote_study_id", REFERENCE)
COLUMNS: Final = (PATH, SMEAR_ID, *TEXTS, *NUMBERS)
"""The columns that a manifest may have beside tags; only the first must be there."""
TAG_MARKS: Final = ("tag:", "tags.")
"""How the name of a column with tags begins; the rest is the tag's key."""
_SEPARATORS: Final = (",", ";", "\t")


@dataclass(slots=True)
class _Listed:
    """One smear while its rows are read."""

    line: str
    paths: dict[str, None] = field(default_factory=dict)
    """Those of its files, in their order."""
    values: dict[str, str] = field(default_factory=dict)


def read_manifest(path: Path) -> tuple[SmearEntry, ...]:
    """Return the smears that a manifest lists, in the order in which it names them.

    Parameters
    ----------
    path : Path
        A CSV file (UTF-8, separated by comma, semicolon or tab) or a Parquet file. Its columns are ``path``, and where
        wanted ``smear_id`` (without it each path is a smear of that name), ``patient``, ``um_per_px``,
        ``rbc_diameter_px``, ``remote_study_id``, ``reference``, and tags in columns named ``tag:KEY`` or ``tags.KEY``.
        Paths are relative to the manifest; a folder stands for the images in it. Rows with the same ``smear_id`` are
        fields of one smear.

    Raises
    ------
    ConfigError
        If a column is unknown, a value cannot be read, or two rows of a smear contradict each other; names the line.
        A file that is missing is no error here: its smear fails alone.
    UnreadableInputError
        If the manifest cannot be read.
    """
    head, rows = _rows(path)
    _check_head(path, head)
    listed: dict[str, _Listed] = {}
    for line, cells in rows:
        row = dict(zip(head, cells, strict=True))
        stated = row.pop(PATH)
        if not stated:
            raise _wrong(line, "names no path", "write the path of an image, a slide, a ZIP or a folder")
        smear = listed.setdefault(row.pop(SMEAR_ID, "") or stated, _Listed(line))
        _add_files(smear, _files(path.parent / stated), line)
        _add_values(smear, row, line)
    return tuple(_entry(smear_id, smear, path.parent) for smear_id, smear in listed.items())


def _rows(path: Path) -> tuple[tuple[str, ...], Iterator[tuple[str, tuple[str, ...]]]]:
    """Return the head, and (place in the file, cells) of every row that is not empty."""
    if path.suffix.lower() == ".parquet":
        from hemato_lab.batch.parquet import read_rows

        head, rows = read_rows(path)
        numbered = ((f"{path}, row {number}", _texts(row)) for number, row in enumerate(rows, 1))
        return head, ((line, row) for line, row in numbered if any(row))
    text = _text(path)
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(_SEPARATORS, key=first.count), strict=True)
    head = tuple(name.strip() for name in next(_parsed(reader, path), []))
    return head, _checked(_parsed(reader, path), reader, path, len(head))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise cannot_open(str(path), error) from error
    except UnicodeDecodeError as error:
        raise ConfigError("is no text in UTF-8", subject=str(path), hint="save the table as CSV in UTF-8") from error


def _parsed(reader: Iterator[list[str]], path: Path) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise ConfigError(f"is no CSV: {error}", subject=f"{path}, line {reader.line_num}") from error  # type: ignore[attr-defined]


def _checked(rows: Iterable[list[str]], reader: Any, path: Path, columns: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    for row in rows:
        cells = tuple(cell.strip() for cell in row)
        line = f"{path}, line {reader.line_num}"
        if not any(cells):
            continue
        if len(cells) != columns:
            raise _wrong(line, f"has {len(cells)} cells, the head has {columns}", "put text with separators in quotes")
        yield line, cells


def _texts(row: Sequence[Any]) -> tuple[str, ...]:
    return tuple("" if value is None or value != value else str(value).strip() for value in row)  # noqa: PLR0124 (NaN)


def _check_head(path: Path, head: Sequence[str]) -> None:
    line = f"{path}, line 1"
    for name in head:
        if head.count(name) > 1:
            raise _wrong(line, f"has the column {name!r} twice", "keep one")
        if name not in COLUMNS and not (_tag_of(name) or "").strip():
            hint = f"columns are {', '.join(COLUMNS)}, and tags as tag:KEY"
            raise _wrong(line, f"has an unknown column {name!r}", hint)
    if PATH not in head:
        raise _wrong(line, f"has no column {PATH!r}", "the first line names the columns")
    keys = [key for key in map(_tag_of, head) if key is not None]
    if len(set(keys)) < len(keys):
        raise _wrong(line, "has two columns for one tag", "keep one")


def _tag_of(column: str) -> str | None:
    return next((column.removeprefix(mark) for mark in TAG_MARKS if column.startswith(mark)), None)


def _files(path: Path) -> list[str]:
    """Return the images of a folder, and anything else as it is: what cannot be read fails when it is its turn."""
    if not is_folder(path):
        return [str(path.absolute())]
    try:
        images = [str(image.absolute()) for image, _ in images_in_folder(path, str(path))]
    except InputError:
        images = []
    return images or [str(path.absolute())]


def _add_files(smear: _Listed, files: list[str], line: str) -> None:
    twice = next((file for file in files if file in smear.paths), None)
    if twice is not None:
        raise _wrong(line, f"{Path(twice).name} is listed twice and would be counted twice", "list each file once")
    smear.paths.update(dict.fromkeys(files))


def _add_values(smear: _Listed, row: dict[str, str], line: str) -> None:
    for column, text in row.items():
        before = smear.values.get(column, "")
        if text and before and text != before:
            problem = f"says {column} {text!r}, an earlier row of the same smear ({smear.line}) says {before!r}"
            raise _wrong(line, problem, "give each smear an id of its own, or one value")
        if text:
            smear.values[column] = _number_text(column, text, line) if column in NUMBERS else text


def _number_text(column: str, text: str, line: str) -> str:
    try:
        finite = math.isfinite(float(text)) and "_" not in text
    except ValueError:
        finite = False
    if not finite:
        raise _wrong(line, f"{column} {text!r} is no number", "write it as 0.25, or leave it empty")
    return text


def _entry(smear_id: str, smear: _Listed, folder: Path) -> SmearEntry:
    from hemato_lab.formats.opening import stated_scale

    numbers = {name: float(smear.values[name]) for name in NUMBERS if name in smear.values}
    texts = {name: smear.values[name] for name in TEXTS if name in smear.values}
    if REFERENCE in texts:
        texts[REFERENCE] = str((folder / texts[REFERENCE]).absolute())
    tags = {key: text for column, text in smear.values.items() if (key := _tag_of(column)) is not None}
    try:
        stated_scale(numbers.get("um_per_px"), numbers.get("rbc_diameter_px"))
        return SmearEntry(smear_id, tuple(smear.paths), tags, **numbers, **texts)  # type: ignore[arg-type]
    except ScaleNotCredibleError as error:
        raise _wrong(smear.line, error.problem, error.hint) from error
    except ConfigError as error:
        raise _wrong(smear.line, error.problem, error.hint) from error


def _wrong(line: str, problem: str, hint: str) -> ConfigError:
    return ConfigError(problem, subject=line, hint=hint)
