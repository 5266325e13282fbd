"""One entry of an annotation file, read with checks that name the file and the entry."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hemato_lab.errors import DatasetError
from hemato_lab.vocabulary import TERMS

if TYPE_CHECKING:
    from pathlib import Path


class Entry:
    """A JSON object or CSV line whose values are checked as they are read; every check raises `DatasetError`.

    Parameters
    ----------
    value : Any
        Anything; refused unless it is a mapping.
    source : str
        The file it comes from.
    place : str
        Where in the file, for example ``images[3]`` or ``line 7``; empty for the whole document.
    """

    def __init__(self, value: Any, source: str, place: str = "") -> None:
        self._source = source
        self._place = place or "the document"
        self._within = f"{place}." if place else ""
        if not isinstance(value, dict):
            raise self.error("is not an object with named values")
        self._value: dict[str, Any] = value

    def error(self, problem: str) -> DatasetError:
        """Return the error to raise for this entry."""
        return DatasetError(f"{self._place}: {problem}", subject=self._source)

    def has(self, key: str) -> bool:
        """Tell whether a value is there and not null."""
        return self._value.get(key) is not None

    def entry(self, key: str) -> Entry:
        """Return an object below this one."""
        return Entry(self._need(key), self._source, f"{self._within}{key}")

    def entries(self, key: str) -> list[Entry]:
        """Return a list of objects."""
        place = f"{self._within}{key}"
        return [Entry(item, self._source, f"{place}[{index}]") for index, item in enumerate(self._list(key))]

    def text(self, key: str) -> str:
        """Return a text that is not empty."""
        value = self._need(key)
        if not isinstance(value, str) or not value.strip():
            raise self.error(f"{key} is not a text")
        return value

    def texts(self, key: str) -> list[str]:
        """Return a list of texts."""
        values = self._list(key)
        if not all(isinstance(value, str) for value in values):
            raise self.error(f"{key} is not a list of texts")
        return values

    def integer(self, key: str) -> int:
        """Return a whole number."""
        value = self._need(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error(f"{key} is not a whole number")
        return value

    def positive_integer(self, key: str) -> int:
        """Return a whole number of at least one."""
        value = self.integer(key)
        if value < 1:
            raise self.error(f"{key} is not positive")
        return value

    def optional_length(self, key: str) -> float | None:
        """Return a positive number, None when it is absent or null."""
        if not self.has(key):
            return None
        value = self._number(self._value[key], key)
        if value <= 0:
            raise self.error(f"{key} is not positive")
        return value

    def numbers(self, key: str, count: int) -> list[float]:
        """Return a list of exactly `count` finite numbers."""
        values = self._list(key)
        if len(values) != count:
            raise self.error(f"{key} has {len(values)} values, not {count}")
        return [self._number(value, key) for value in values]

    def flag(self, key: str) -> bool:
        """Return true or false; an absent flag is false."""
        value = self._value.get(key, False)
        if not isinstance(value, bool):
            raise self.error(f"{key} is not true or false")
        return value

    def require_term(self, name: str) -> None:
        """Refuse a name that is not in the vocabulary."""
        if name not in TERMS:
            raise self.error(f"the name {name!r} is not in hemato_lab.vocabulary")

    def file_below(self, folder: Path, name: str) -> Path:
        """Return the path of a file inside a folder; refused when it leads out of the folder."""
        path = folder / name
        try:
            inside = path.resolve().is_relative_to(folder.resolve())
        except (OSError, RuntimeError, ValueError) as error:
            raise self.error(f"the file {name!r} cannot be looked for: {error}") from error
        if not inside:
            raise self.error(f"the file {name!r} lies outside the set's folder")
        return path

    def _need(self, key: str) -> Any:
        if not self.has(key):
            raise self.error(f"{key} is missing")
        return self._value[key]

    def _list(self, key: str) -> list[Any]:
        value = self._need(key)
        if not isinstance(value, list):
            raise self.error(f"{key} is not a list")
        return value

    def _number(self, value: Any, key: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.error(f"{key} holds something that is not a finite number")
        return float(value)
