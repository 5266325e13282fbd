"""The values that two methods gave for the same samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Floats = NDArray[np.float64]

NAMES: Final = ("first", "second")
"""What the methods are called where nobody says."""
LARGEST: Final = 1e50
"""Powers of larger values overflow; no measurement is as large."""
SMALLEST: Final = 1e-50
"""Smaller values count as 0, because their reciprocals overflow."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Two methods' values of the same samples, checked once.

    Attributes
    ----------
    first : array of float, shape (n,)
        Values of the reference (x).
    second : array of float, shape (n,)
        Values of the method that is tested (y), in the same order and unit.
    names : pair of str
        What the two methods are called.
    unit : str
        Unit of both, for people; empty for pure numbers.

    Raises
    ------
    ConfigError
        If the two are not lists of equally many finite numbers. No pair at all is allowed.
    """

    first: Floats
    second: Floats
    names: tuple[str, str] = NAMES
    unit: str = ""

    def __post_init__(self) -> None:
        for key, name in zip(("first", "second"), self.names, strict=True):
            object.__setattr__(self, key, _checked(getattr(self, key), name))
        if len(self.first) != len(self.second):
            problem = f"{self.names[0]} has {len(self.first)} values and {self.names[1]} {len(self.second)}"
            raise ConfigError(problem, hint="give both values of every sample, in the same order")

    def __len__(self) -> int:
        return len(self.first)

    @property
    def differences(self) -> Floats:
        """Second minus first, shape (n,)."""
        return self.second - self.first

    @property
    def means(self) -> Floats:
        """Mean of both values of each sample, shape (n,): the best guess of its true value (Bland and Altman 1986)."""
        return (self.first + self.second) / 2


def make_pairs(first: ArrayLike, second: ArrayLike, *, names: tuple[str, str] = NAMES, unit: str = "") -> Pairs:
    """Return checked pairs from anything that numpy takes for two lists of numbers; see `Pairs`."""
    return Pairs(first, second, names, unit)  # type: ignore[arg-type]  # converted when it is made


def _checked(values: ArrayLike, name: str) -> Floats:
    try:
        masked = np.ma.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the values of {name} are not numbers", hint="give a list of numbers") from error
    array = np.array(masked.filled(np.nan), dtype=np.float64)
    if array.ndim != 1:
        raise ConfigError(f"the values of {name} have {array.ndim} dimensions", hint="give one value a sample")
    wrong = np.flatnonzero(~(np.abs(array) <= LARGEST))
    if len(wrong):
        problem = f"value {wrong[0] + 1} of {name} is missing or not finite"
        raise ConfigError(problem, hint="leave out samples that one of the methods has no value of")
    array[np.abs(array) < SMALLEST] = 0
    array.setflags(write=False)
    return array
