"""The names that a reader can give by one key, and the keys that mean something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hemato_lab.errors import ConfigError
from hemato_lab.review.decision import checked_name

if TYPE_CHECKING:
    from collections.abc import Iterable

RESERVED: Final = "aruxnphmof"
"""Accept, reject, undo (``U``: redo), select, next, previous; and h, m, o, f, which mean something to the viewer beside
the gallery: a key that is pressed in the wrong place must rename nothing."""
DEFAULT_CHOICES: Final = (
    ("1", "neutrophil"),
    ("2", "lymphocyte"),
    ("3", "monocyte"),
    ("4", "eosinophil"),
    ("5", "basophil"),
    ("6", "immature granulocyte"),
    ("7", "blast"),
    ("8", "reactive lymphocyte"),
    ("9", "smudge cell"),
    ("0", "normal RBC"),
    ("y", "polychromatic cell"),
    ("w", "hypochromic cell"),
    ("s", "sickle cell"),
    ("t", "target cell"),
    ("g", "schistocyte"),
    ("b", "spherocyte"),
    ("e", "elliptocyte"),
    ("d", "teardrop cell"),
    ("c", "echinocyte"),
    ("k", "acanthocyte"),
    ("q", "nucleated RBC"),
    ("i", "ring trophozoite"),
    ("v", "trophozoite"),
    ("z", "schizont"),
    ("j", "gametocyte"),
    ("l", "platelet"),
)
"""White cells by digits, others by a letter of their own where one is free: b for ball, c for crenated, g for fragment,
w for washed out. There are fewer keys than names; the others are picked from a list."""
_FREE_KEYS: Final = "1234567890" + "".join(letter for letter in "bcdefghijklmnopqstvwyz" if letter not in RESERVED)


def checked_choices(choices: Iterable[str | tuple[str, str]] | None) -> list[list[str]]:
    """Return pairs of key and name.

    Parameters
    ----------
    choices : iterable, optional
        Pairs of a key and a name, or names alone, which get the free keys in their order; default `DEFAULT_CHOICES`.

    Raises
    ------
    ConfigError
        If a name is no name of a cell, a key is no single letter or digit, means something else or is used twice, or
        there are more names than keys.
    """
    if choices is None:
        return [list(pair) for pair in DEFAULT_CHOICES]
    given = list(choices)
    taken = {pair[0] for pair in given if not isinstance(pair, str)}
    free = iter([key for key in _FREE_KEYS if key not in taken])
    pairs = [[next(free, ""), one] if isinstance(one, str) else [str(one[0]), str(one[1])] for one in given]
    for key, name in pairs:
        checked_name(name)
        if len(key) != 1 or key not in _FREE_KEYS:
            known = f"use one of {' '.join(_FREE_KEYS)}"
            raise ConfigError(f"{key!r} cannot be the key of {name}", hint=f"{known}; others mean something already")
    if len({key for key, _ in pairs}) != len(pairs):
        raise ConfigError("two names have the same key", hint="give each its own")
    return pairs
