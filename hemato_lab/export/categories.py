"""Numbers of names for formats that store numbers: the same in every file, so that files can be put together."""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from hemato_lab.errors import ConfigError
from hemato_lab.vocabulary import TERMS

if TYPE_CHECKING:
    from collections.abc import Mapping


@lru_cache(maxsize=1)
def category_ids() -> Mapping[str, int]:
    """Return a number from 1 for every name of a cell: those of the packaged data sets, then the names they lack."""
    from hemato_lab.phantom.dataset import CATEGORY_IDS

    others = [name for name, term in TERMS.items() if term.kind == "cell" and name not in CATEGORY_IDS]
    following = enumerate(others, start=max(CATEGORY_IDS.values()) + 1)
    return MappingProxyType({**CATEGORY_IDS, **{name: number for number, name in following}})


def category_of(name: str) -> int:
    """Return the number of a name.

    Raises
    ------
    ConfigError
        If it is no name of a cell.
    """
    try:
        return category_ids()[name]
    except KeyError:
        raise ConfigError(
            f"{name!r} is no name of a cell", hint="hemato_lab.vocabulary.TERMS lists every name"
        ) from None
