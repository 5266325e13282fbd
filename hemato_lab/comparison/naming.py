"""Whether two names of one cell disagree, when one reading tells finer kinds apart than the other.

A lymphocyte is a white cell too: a reader who says only that has not contradicted. It is decided pair by pair, so that
no name depends on what was called elsewhere. But annotations that mark a finer kind wherever it is, and call this cell
by the wider name alone, do contradict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.vocabulary import TERMS, is_a

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from numpy.typing import NDArray

LEFT_OPEN: Final = ("uncategorised RBC", "unclassified WBC")
"""Names of cells of which a reading does not say what kind they are."""
Marked = frozenset[str] | None
"""Names that one side marks wherever they are in an image; None where that is not known."""


def common_name(first: str, second: str, *, first_marks: Marked = None, second_marks: Marked = None) -> str:
    """Return the name that both names of a cell agree on: the same one or the wider one; empty where they disagree.

    Parameters
    ----------
    first, second : str
        What either side calls the cell; foreign names agree with themselves alone.
    first_marks, second_marks : frozenset of str or None
        What either side would have marked.
    """
    if first == second:
        return first
    if first not in TERMS or second not in TERMS:
        return ""
    if is_a(first, second):
        return "" if _denies(second, first, second_marks) else second
    if is_a(second, first):
        return "" if _denies(first, second, first_marks) else first
    return ""


def _denies(wider: str, finer: str, marks: Marked) -> bool:
    """Tell whether the finer kind, or one between, would have been marked and was not."""
    return marks is not None and any(_lies_between(name, finer, wider) for name in _known(marks))


def _lies_between(name: str, finer: str, wider: str) -> bool:
    return name != wider and is_a(finer, name) and is_a(name, wider)


def _known(names: Collection[str]) -> list[str]:
    return [name for name in names if name in TERMS]


def left_open(columns: Mapping[str, NDArray[Any]]) -> Iterator[str]:
    """Yield how many of the places that are called differently one side does not name at all."""
    different = columns["state"] == "reclassified"
    unnamed = different & (np.isin(columns["first_name"], LEFT_OPEN) ^ np.isin(columns["second_name"], LEFT_OPEN))
    if unnamed.any():
        count = int(np.count_nonzero(unnamed))
        yield (
            f"of {int(np.count_nonzero(different))} cells that are called differently, one side leaves {count} open "
            f"({', '.join(LEFT_OPEN)}), as of cells cut by the border or lying on each other"
        )
