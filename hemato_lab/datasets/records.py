"""What is known of each public annotated set, and the files that its packaged folder holds.

``pinned/records.toml`` describes the sets; ``pinned/<name>.csv.gz`` lists the files of one with their SHA-256, split
and group. Images and annotations are not ours to pass on and do not ship.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import tomllib
import zlib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from hemato_lab.errors import ConfigError, DatasetError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

COLUMNS: Final = ("file", "sha256", "split", "group")
_PINNED: Final = Path(__file__).resolve().parent / "pinned"
_SHA256: Final = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    """One public annotated set, as its source and its packaging describe it.

    Attributes
    ----------
    name : str
        Also the name of its folder.
    kind : str
        ``"detection"``: whole fields with marked cells; ``"crops"``: images with one label each.
    source : str
        Address of the page that the images come from.
    licence : str
        As stated by the source; many state none.
    citation : str
        The paper to cite, or where there is none, the collection.
    magnification, stain : str
        As far as they are stated.
    image_bytes : str
        How the pinned images relate to the files of the source: ``"original"``, ``"re-encoded"`` (reduced and
        stored anew: no file of the source has their SHA-256), or ``"unknown"``.
    notes : str
        What to know before the set is used: how complete the marks are, and known flaws.
    images : mapping of str to int
        Split -> number of images.
    labels : mapping of str to int
        Name -> number of marked objects (detection) or of images (crops).
    """

    name: str
    kind: Literal["detection", "crops"]
    source: str
    licence: str
    citation: str
    magnification: str
    stain: str
    image_bytes: Literal["original", "re-encoded", "unknown"]
    notes: str
    images: Mapping[str, int]
    labels: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """One file of a packaged set.

    Attributes
    ----------
    file : str
        Path below the set's folder, with forward slashes.
    sha256 : str
        Of its bytes, in hex.
    split : str
        For example "train"; empty for the file that holds the annotations or labels.
    group : str
        Images of one group are not independent of each other and never lie in two splits; empty as above.
    """

    file: str
    sha256: str
    split: str
    group: str


def names() -> tuple[str, ...]:
    """Return the name of every set, in alphabetical order."""
    return tuple(sorted(_records()))


def describe(name: str) -> DatasetRecord:
    """Return what is known of a set.

    Raises
    ------
    ConfigError
        If no set has this name; lists those there are.
    """
    try:
        return _records()[name]
    except KeyError:
        raise ConfigError(f"no data set is called {name!r}", hint=f"there are: {', '.join(names())}") from None


def pinned_files(name: str) -> tuple[PinnedFile, ...]:
    """Return the files of a packaged set with their hashes, splits and groups.

    The annotation file comes first. With this list the same splits can be made from the files of the source.

    Raises
    ------
    ConfigError
        If no set has this name.
    DatasetError
        If the list that ships is missing or damaged.
    """
    return _pinned_files(_PINNED / f"{describe(name).name}.csv.gz")


def encode(files: Iterable[PinnedFile]) -> bytes:
    """Return the bytes of a ``pinned/<name>.csv.gz``; the same list gives the same bytes."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((each.file, each.sha256, each.split, each.group) for each in files)
    return gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0)


@cache
def _records() -> dict[str, DatasetRecord]:
    path = _PINNED / "records.toml"
    try:
        tables: dict[str, dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))
        return {name: _record(name, table) for name, table in tables.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error


def _record(name: str, table: dict[str, Any]) -> DatasetRecord:
    counts: dict[str, Any] = {key: MappingProxyType(table[key]) for key in ("images", "labels")}
    return DatasetRecord(name=name, **{**table, **counts})


@cache
def _pinned_files(path: Path) -> tuple[PinnedFile, ...]:
    try:
        header, *rows = csv.reader(io.StringIO(gzip.decompress(path.read_bytes()).decode()))
        files = tuple(PinnedFile(*row) for row in rows)
    except (OSError, EOFError, ValueError, TypeError, csv.Error, zlib.error) as error:
        raise _damaged(path, error) from error
    twice = [file for file, count in Counter(each.file for each in files).items() if count > 1]
    whole = tuple(header) == COLUMNS and files and not twice
    if not whole or not all(_SHA256.fullmatch(each.sha256) for each in files):
        raise _damaged(path, "it has other columns, lists no file, one file twice, or something that is no SHA-256")
    return files


def _damaged(path: Path, reason: object) -> DatasetError:
    return DatasetError(
        f"the list that ships cannot be used: {reason}", subject=str(path), hint="install hemato-lab again"
    )
