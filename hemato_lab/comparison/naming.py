"""Names that two readings can be compared by, when one tells finer kinds apart than the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hemato_lab.vocabulary import TERMS, lineage_path

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray


def common_name(name: str, others: Collection[str]) -> str:
    """Return the nearest of a name and its wider ones that the other reading uses too; the name itself if none is.

    So a lymphocyte counts as a WBC beside a reading that knows only WBC, and as itself beside one that knows other
    kinds of white cells.
    """
    if name not in TERMS:
        return name
    return next((wider for wider in lineage_path(name) if wider in others), name)


def common_names(first: NDArray[Any], second: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the `common_name` of every name of two readings, arrays of text of the same lengths."""
    used = set(first.tolist()), set(second.tolist())
    return _translated(first, used[1]), _translated(second, used[0])


def _translated(names: NDArray[Any], others: Collection[str]) -> NDArray[Any]:
    found, inverse = np.unique(names, return_inverse=True)
    common = np.array([common_name(name, others) for name in found.tolist()], dtype=np.str_)
    return np.asarray(common[inverse] if len(found) else names.astype(np.str_))
