"""What a report says of the decisions that its cells rest on, over all corrections that were made one after another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_LONGEST: Final = 1000
"""Corrections that are followed back; a report comes from a file, which may hold anything."""


@dataclass(frozen=True, slots=True)
class Corrections:
    """Sums over the corrections of an analysis.

    Attributes
    ----------
    counts : mapping of str to int
        Cells that readers accepted, rejected and renamed, by these words.
    readers : tuple of str
        Labels, each once.
    logs : tuple of str
        SHA-256 of the logs, the last correction first.
    damaged_lines : int
        Lines of the logs that could not be read.
    blind_left_out : int
        Decisions of blind readings that were not carried out.
    readers_differ : int
        Cells on which readers differ.
    unattached : int
        Decisions about cells that the analysis did not list.
    taken_back : int
        Decisions that an earlier correction has carried out and that were taken back after it.
    """

    counts: Mapping[str, int]
    readers: tuple[str, ...]
    logs: tuple[str, ...]
    damaged_lines: int
    blind_left_out: int
    readers_differ: int
    unattached: int
    taken_back: int

    @property
    def cells(self) -> int:
        """Cells decided on."""
        return sum(self.counts.values())


def corrections_of(decisions: object) -> Corrections:
    """Sum up what a report says under ``review/decisions``, with the ``earlier`` ones; odd parts count as nothing."""
    chain = _chain(decisions)
    counts: dict[str, int] = {}
    for one in chain:
        stated = one.get("counts")
        for words, count in stated.items() if isinstance(stated, Mapping) else ():
            counts[str(words)] = counts.get(str(words), 0) + _whole(count)
    return Corrections(
        counts=counts,
        readers=tuple(dict.fromkeys(str(reader) for one in chain for reader in _listed(one, "readers"))),
        logs=tuple(str(one["log_sha256"]) for one in chain if "log_sha256" in one),
        damaged_lines=_sum(chain, "damaged_lines"),
        blind_left_out=_sum(chain, "blind_left_out"),
        readers_differ=_sum(chain, "readers_differ"),
        unattached=sum(len(_listed(one, "unattached")) for one in chain),
        taken_back=_sum(chain, "taken_back"),
    )


def _chain(decisions: object) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    while isinstance(decisions, Mapping) and decisions and len(found) < _LONGEST:
        found.append(decisions)
        decisions = decisions.get("earlier")
    return found


def _listed(said: Mapping[str, Any], key: str) -> tuple[Any, ...]:
    value = said.get(key)
    return tuple(value) if isinstance(value, list | tuple) else ()


def _sum(chain: list[Mapping[str, Any]], key: str) -> int:
    return sum(_whole(one.get(key)) for one in chain)


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
