"""Cell by cell: what both readings list at one place, what only one does, and what they call differently."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from hemato_lab.errors import ConfigError
from hemato_lab.vocabulary import TERMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

State = Literal["matched", "reclassified", "first only", "second only"]
STATES: Final[tuple[State, ...]] = ("matched", "reclassified", "first only", "second only")
NOT_LISTED: Final = "not listed"
"""Stands for the name that a reading gives where it lists nothing."""


@dataclass(frozen=True, repr=False)
class CellComparison:
    """Every place that at least one of two readings lists.

    Attributes
    ----------
    columns : mapping of str to array
        One row a place, by image, then from top to bottom. ``file`` (index in `files`), ``state`` (one of `STATES`),
        ``distance`` (between the centres in red-cell radii; NaN without a partner), and for either side, with
        ``first_`` or ``second_`` before it: ``name`` (empty where it lists nothing), ``common`` (that name, or the
        wider one that the other side gave and that does not contradict it; `NOT_LISTED`), ``x``, ``y``, ``radius``
        (pixels), ``score``, ``row`` (in the side's listing; -1).
    files : tuple of str
        Names of the images of both sides.
    rbc_diameter_px : tuple of float
        Of each image: what the gate was measured by.
    gate : float
        In red-cell radii.
    class_aware : bool
        Whether only cells of one name were paired.
    findings_only : bool
        Whether what the reports list was compared, not every cell.
    counts_only : mapping of str to pair of int
        By name, what could be compared by number only, because a report does not say in which image it lies.
    left_out : mapping of str to int
        By reason, rows that were not compared.
    remarks : tuple of str
        What to know before reading it.
    """

    columns: Mapping[str, NDArray[Any]]
    files: tuple[str, ...]
    rbc_diameter_px: tuple[float, ...]
    gate: float
    class_aware: bool
    findings_only: bool
    counts_only: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.columns["state"])

    def __getitem__(self, column: str) -> NDArray[Any]:
        return self.columns[column]

    def count(self, state: State) -> int:
        """Return the number of places in a state.

        Raises
        ------
        ConfigError
            If there is no such state.
        """
        if state not in STATES:
            raise ConfigError(f"there is no state {state!r}", hint=f"use one of {', '.join(STATES)}")
        return int(np.count_nonzero(self.columns["state"] == state))

    def __repr__(self) -> str:
        counts = ", ".join(f"{self.count(state)} {state}" for state in STATES)
        return f"CellComparison({len(self)} places: {counts})"

    @property
    def agree(self) -> bool:
        """Whether both list the same, name by name and place by place."""
        return self.count("matched") == len(self) and all(one == other for one, other in self.counts_only.values())

    def names(self) -> tuple[str, ...]:
        """Return every common name of either side, those of the vocabulary in its order, then others by alphabet."""
        found = set(self.columns["first_common"].tolist()) | set(self.columns["second_common"].tolist())
        found.discard(NOT_LISTED)
        return (*(name for name in TERMS if name in found), *sorted(found - set(TERMS)))

    def to_frame(self) -> pd.DataFrame:
        """Return a pandas table, one row a place, with the name of its image."""
        import pandas as pd

        frame = pd.DataFrame({name: column.copy() for name, column in self.columns.items()})
        frame.insert(0, "file_name", [self.files[index] for index in self.columns["file"]])
        return frame
