"""The table of cells: one row a cell, one array a column, never changed in place."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.errors import ConfigError
from hemato_lab.vocabulary import TERMS, is_a

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pandas as pd
    from numpy.typing import NDArray

BASE_COLUMNS: Final = ("field", "x", "y", "radius", "name", "score")
"""Columns that every table has; measured features follow them."""
BOX_COLUMNS: Final = ("x_min", "y_min", "x_max", "y_max")
OPERATING_SCORE: Final = 0.5
"""Cells below this score are not reported unless asked for."""
REVIEWED: Final = "reviewed"
"""Column of tables that a reader has corrected: `ACCEPTED` or `RENAMED`, 0 where no decision was made."""
ACCEPTED: Final = 1
RENAMED: Final = 3
NAME_DTYPE: Final = np.dtype("<U32")
_BASE_DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "field": np.dtype(np.int32),
    "x": np.dtype(np.float64),
    "y": np.dtype(np.float64),
    "radius": np.dtype(np.float64),
    "name": NAME_DTYPE,
    "score": np.dtype(np.float64),
}


def _frozen(column: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only array that nobody else can write to: the same one where it is that already."""
    if column.flags.writeable or column.base is not None:
        column = column.copy()
        column.flags.writeable = False
    return column


@dataclass(frozen=True)
class Detections:
    """Cells with their place, name, score and measured features.

    ``field`` is the index of the field, ``x`` and ``y`` the centre and ``radius`` the equivalent radius in pixels of
    that field, ``name`` a term of the vocabulary, ``score`` a confidence in [0, 1]. All further columns are measured
    features with one value a cell, NaN where not measured. Columns are read-only arrays of equal length; an empty
    table has length 0 and the base columns.
    """

    columns: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        missing = [name for name in BASE_COLUMNS if name not in self.columns]
        if missing:
            raise ConfigError(f"detections lack the columns {', '.join(missing)}")
        frozen: dict[str, NDArray[Any]] = {}
        ordered = [*BASE_COLUMNS, *(name for name in self.columns if name not in BASE_COLUMNS)]
        for name in ordered:
            frozen[name] = _frozen(np.asarray(self.columns[name], dtype=_BASE_DTYPES.get(name)))
        if any(column.ndim != 1 for column in frozen.values()) or len({len(c) for c in frozen.values()}) != 1:
            raise ConfigError("all columns of detections are one-dimensional and of the same length")
        object.__setattr__(self, "columns", MappingProxyType(frozen))

    @classmethod
    def empty(cls, features: Iterable[str] = ()) -> Detections:
        """Return a table without cells, with the given feature columns as float64."""
        columns: dict[str, NDArray[Any]] = {name: np.empty(0, dtype) for name, dtype in _BASE_DTYPES.items()}
        columns.update({name: np.empty(0) for name in features})
        return cls(columns)

    @classmethod
    def concatenate(cls, tables: Iterable[Detections]) -> Detections:
        """Join tables below each other; a feature that one of them lacks becomes NaN there."""
        parts = list(tables)
        if not parts:
            return cls.empty()
        if len(parts) == 1:
            return parts[0]
        names = list(dict.fromkeys(name for part in parts for name in part.columns))
        return cls(
            {
                name: np.concatenate([part.columns.get(name, np.full(len(part), np.nan)) for part in parts])
                for name in names
            }
        )

    def __len__(self) -> int:
        return len(self.columns["x"])

    def __getitem__(self, column: str) -> NDArray[Any]:
        return self.columns[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Detections):
            return NotImplemented
        return list(self) == list(other) and all(
            np.array_equal(self[name], other[name], equal_nan=self[name].dtype.kind == "f") for name in self
        )

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return Detections, (dict(self.columns),)

    def __repr__(self) -> str:
        names, counts = np.unique(self["name"], return_counts=True)
        listed = ", ".join(f"{count} {name}" for name, count in zip(names, counts, strict=True))
        return f"Detections({len(self)} cells{': ' + listed if listed else ''})"

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the measured columns."""
        return tuple(name for name in self.columns if name not in BASE_COLUMNS)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Detections:
        """Return the rows of a mask or an index array, in its order."""
        picked = {name: column[rows] for name, column in self.columns.items()}
        for column in picked.values():
            column.flags.writeable = False
        return Detections(picked)

    def named(self, *names: str) -> Detections:
        """Return the rows with one of the given names (exactly these, kinds of them not included)."""
        return self.select(np.isin(self["name"], names))

    @property
    def boxes(self) -> NDArray[np.float64]:
        """Corners x_min, y_min, x_max, y_max, shape (n, 4); the squares around the circles where no boxes are known."""
        if all(name in self.columns for name in BOX_COLUMNS):
            return np.stack([self[name] for name in BOX_COLUMNS], axis=1).astype(np.float64)
        x, y, radius = self["x"], self["y"], self["radius"]
        return np.stack([x - radius, y - radius, x + radius, y + radius], axis=1)

    def of_kind(self, *names: str) -> NDArray[np.bool_]:
        """Tell which rows have one of the given names or a kind of it, shape (n,)."""
        kinds = [name for name in np.unique(self["name"]) if name in TERMS and any(is_a(name, one) for one in names)]
        return np.asarray(np.isin(self["name"], kinds))

    def with_columns(self, **columns: NDArray[Any]) -> Detections:
        """Return a table with columns added or replaced."""
        return Detections({**self.columns, **columns})

    def sorted(self) -> Detections:
        """Return the rows in canonical order: by field, then y, then x, then name."""
        order = np.lexsort((self["name"], self["x"], self["y"], self["field"]))
        return self if np.array_equal(order, np.arange(len(self))) else self.select(order)

    def count(self, name: str) -> int:
        """Return the number of cells with exactly this name."""
        return int(np.count_nonzero(self["name"] == name))

    def to_frame(self) -> pd.DataFrame:
        """Return a pandas table, one row a cell."""
        import pandas as pd

        return pd.DataFrame({name: column.copy() for name, column in self.columns.items()})
