"""Which image of one side is which image of the other."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemato_lab.comparison.sides import SideFile

PairBy = Literal["content", "name", "order"]
PAIR_BY: Final[tuple[PairBy, ...]] = ("content", "name", "order")
_CONTENT_ID: Final = "sha224-i-"


@dataclass(frozen=True, slots=True)
class FilePair:
    """An image of both sides: its index in either, and how it was recognised."""

    first: int
    second: int
    by: PairBy


@dataclass(frozen=True, slots=True)
class FilePairing:
    """All pairs in the order of the first side, and the indices of what has no partner."""

    pairs: tuple[FilePair, ...]
    first_only: tuple[int, ...]
    second_only: tuple[int, ...]


def pair_files(first: Sequence[SideFile], second: Sequence[SideFile], by: PairBy = "content") -> FilePairing:
    """Pair the images of two sides.

    Parameters
    ----------
    first, second : sequence of SideFile
        Of either side.
    by : {"content", "name", "order"}
        ``content`` pairs images with the same id, which is a hash of their bytes here and may be another word at a
        service, and by name those of which one side knows no such hash. ``name`` pairs by file name whatever the bytes
        are, as for an image that was stored anew. ``order`` pairs the first with the first and so on.

    Raises
    ------
    ConfigError
        If `by` is another word, or the order is to decide between unlike numbers of images.
    """
    if by not in PAIR_BY:
        raise ConfigError(f"files cannot be paired by {by!r}", hint=f"use one of {', '.join(PAIR_BY)}")
    if by == "order":
        if len(first) != len(second):
            problem = f"{len(first)} and {len(second)} images cannot be paired by their order"
            raise ConfigError(problem, hint="pair them by content or name")
        found = {index: FilePair(index, index, "order") for index in range(len(first))}
    else:
        found = _by_id(first, second) if by == "content" else {}
        found |= _by_name(first, second, found, whatever_the_bytes=by == "name")
    taken = {pair.second for pair in found.values()}
    return FilePairing(
        tuple(found[index] for index in sorted(found)),
        tuple(index for index in range(len(first)) if index not in found),
        tuple(index for index in range(len(second)) if index not in taken),
    )


def _by_id(first: Sequence[SideFile], second: Sequence[SideFile]) -> dict[int, FilePair]:
    """Pair images that share an id which belongs to one image alone on either side."""
    owners = [Counter(file_id for one in side for file_id in one.ids) for side in (first, second)]
    home = {file_id: index for index, one in enumerate(second) for file_id in one.ids if owners[1][file_id] == 1}
    found: dict[int, FilePair] = {}
    taken: set[int] = set()
    for index, one in enumerate(first):
        partners = {home[file_id] for file_id in one.ids if file_id in home and owners[0][file_id] == 1} - taken
        if len(partners) == 1:
            partner = partners.pop()
            found[index] = FilePair(index, partner, "content")
            taken.add(partner)
    return found


def _by_name(
    first: Sequence[SideFile], second: Sequence[SideFile], found: dict[int, FilePair], *, whatever_the_bytes: bool
) -> dict[int, FilePair]:
    taken = {pair.second for pair in found.values()}
    left = [index for index in range(len(first)) if index not in found and first[index].name]
    right = [index for index in range(len(second)) if index not in taken and second[index].name]
    names = [Counter(_base(first[index]) for index in left), Counter(_base(second[index]) for index in right)]
    home = {_base(second[index]): index for index in right}
    return {
        index: FilePair(index, home[name], "name")
        for index in left
        if names[0][name := _base(first[index])] == 1
        and names[1][name] == 1
        and (whatever_the_bytes or not (_has_hash(first[index]) and _has_hash(second[home[name]])))
    }


def _base(one: SideFile) -> str:
    return one.name.replace("\\", "/").rpartition("/")[2]


def _has_hash(one: SideFile) -> bool:
    return any(file_id.startswith(_CONTENT_ID) for file_id in one.ids)
