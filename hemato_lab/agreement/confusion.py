"""Which name one reader gives where another gives which: the table that every measure of agreement starts from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from hemato_lab.agreement.estimate import Estimate
from hemato_lab.agreement.pairs import NAMES
from hemato_lab.agreement.tabulated import Row, Tabulated, row
from hemato_lab.errors import ConfigError
from hemato_lab.statistics.limits import clopper_pearson_limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

EXACT: Final = "Clopper-Pearson"


class ClassAgreement(NamedTuple):
    """How two readers agree on one class.

    Attributes
    ----------
    name : str
    both, first, second : int
        Cells that both, the first and the second reader give this name.
    specific : Estimate
        Share of their readings of this name that the other reader shares, ``2 both / (first + second)`` (Cicchetti and
        Feinstein, J. Clin. Epidemiol. 43 (1990) 551-558); NaN where neither gave the name.
    kept : Estimate
        Share of the first reader's cells of this name that the second gives it too.
    """

    name: str
    both: int
    first: int
    second: int
    specific: Estimate
    kept: Estimate


@dataclass(frozen=True, slots=True, eq=False)
class Confusion(Tabulated):
    """A square table of counts; made by `confusion` or `confusion_of`.

    Attributes
    ----------
    classes : tuple of str
        The names, of grades in their order.
    counts : array of int, shape (k, k)
        Read-only; row: what the first reader says, column: what the second says.
    names : pair of str
        What the readers are called.
    confidence : float
        Of the exact limits, which take the cells for independent; where they come from few patients, see
        `hemato_lab.agreement.bootstrap.cluster_bootstrap`.
    """

    classes: tuple[str, ...]
    counts: NDArray[np.int64]
    names: tuple[str, str] = NAMES
    confidence: float = 0.95

    def __len__(self) -> int:
        return int(self.counts.sum())

    @property
    def agreement(self) -> Estimate:
        """Share of the cells with the same name from both readers."""
        return share(int(np.trace(self.counts)), len(self), self.confidence)

    def within(self, steps: int = 1) -> Estimate:
        """Return the share of the cells whose two grades are at most so many steps apart.

        Only where the classes are grades in their order does this mean anything.
        """
        apart = np.abs(np.subtract.outer(np.arange(len(self.classes)), np.arange(len(self.classes))))
        return share(int(self.counts[apart <= steps].sum()), len(self), self.confidence)

    def per_class(self) -> tuple[ClassAgreement, ...]:
        """Return the agreement on each class, in their order."""
        firsts, seconds = self.counts.sum(axis=1), self.counts.sum(axis=0)
        return tuple(
            _of_class(name, int(self.counts[index, index]), int(firsts[index]), int(seconds[index]), self.confidence)
            for index, name in enumerate(self.classes)
        )

    def against(self, name: str) -> Confusion:
        """Return the table of one class and all others, in this order.

        Raises
        ------
        ConfigError
            If there is no such class.
        """
        if name not in self.classes:
            raise ConfigError(f"no class {name!r} was compared", hint=f"there are {', '.join(self.classes)}")
        chosen = np.array([one == name for one in self.classes])
        sides = np.stack([chosen, ~chosen]).astype(np.int64)
        return Confusion((name, "other"), _frozen(sides @ self.counts @ sides.T), self.names, self.confidence)

    def rows(self) -> tuple[Row, ...]:
        """Return the agreement on all classes and the specific agreement on each."""
        specific = (row(f"agreement on {one.name}", one.specific) for one in self.per_class())
        return row("agreement", self.agreement), *specific

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the table with counts, shaded by the share of the first reader's cells.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, optional
            Where to draw; default new axes of pyplot.
        """
        from hemato_lab.agreement.plots.confusion import draw

        return draw(self, axes)


def confusion(
    first: Sequence[str] | NDArray[np.str_],
    second: Sequence[str] | NDArray[np.str_],
    *,
    classes: Sequence[str] | None = None,
    names: tuple[str, str] = NAMES,
    confidence: float = 0.95,
) -> Confusion:
    """Count which names two readers give the same cells.

    Parameters
    ----------
    first, second : sequence of str
        Names of the cells, in the same order.
    classes : sequence of str, optional
        All names there may be, of grades in their order; default those that occur, sorted.
    names : pair of str
        What the readers are called.
    confidence : float

    Raises
    ------
    ConfigError
        If the lists are not equally long, or hold a name that is not among the classes.
    """
    if len(first) != len(second):
        problem = f"{names[0]} named {len(first)} cells and {names[1]} {len(second)}"
        raise ConfigError(problem, hint="give both names of every cell, in the same order")
    both = np.concatenate([np.asarray(first, dtype=np.str_), np.asarray(second, dtype=np.str_)])
    occurring, numbers = np.unique(both, return_inverse=True)
    listed = tuple(map(str, occurring if classes is None else classes))
    places = {name: place for place, name in enumerate(listed)}
    strange = next((str(name) for name in occurring if name not in places), None)
    if strange is not None:
        raise ConfigError(f"{strange!r} is none of the classes", hint=f"there are {', '.join(listed)}")
    codes = np.array([places[str(name)] for name in occurring], dtype=np.intp)[numbers]
    cells = codes[: len(first)] * len(listed) + codes[len(first) :]
    counts = np.bincount(cells, minlength=len(listed) ** 2).reshape(len(listed), len(listed))
    return confusion_of(counts, listed, names=names, confidence=confidence)


def confusion_of(
    counts: ArrayLike,
    classes: Sequence[str] | None = None,
    *,
    names: tuple[str, str] = NAMES,
    confidence: float = 0.95,
) -> Confusion:
    """Return a table of counts, checked.

    Parameters
    ----------
    counts : array of int, shape (k, k)
        Row: the first reader's name, column: the second's.
    classes : sequence of str, optional
        Default "1", "2" and so on.
    names, confidence
        See `confusion`.

    Raises
    ------
    ConfigError
        If it is no square table of counts, or there is not one distinct name a row.
    """
    table = np.asarray(counts)
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise ConfigError(f"a table of shape {table.shape} is not square", hint="give a row and a column a class")
    if table.dtype.kind not in "iuf" or not np.all((table >= 0) & (table == np.floor(table)) & (table < 2**53)):
        raise ConfigError("the table does not hold counts", hint="give whole numbers of at least 0")
    listed = tuple(str(number + 1) for number in range(len(table))) if classes is None else tuple(map(str, classes))
    if len(listed) != len(table) or len(set(listed)) != len(listed):
        raise ConfigError(f"{len(listed)} names for {len(table)} classes", hint="give a name of its own to every class")
    return Confusion(listed, _frozen(table.astype(np.int64)), names, confidence)


def share(part: int, whole: int, confidence: float) -> Estimate:
    """Return a proportion with exact limits; undefined of nothing."""
    if not whole:
        return Estimate(math.nan, method="none counted")
    return Estimate(part / whole, *clopper_pearson_limits(part, whole, confidence=confidence), EXACT)


def _of_class(name: str, both: int, first: int, second: int, confidence: float) -> ClassAgreement:
    # Agreement is 2 s / (1 + s) with s the share of cells that both name so among those that either does.
    shared = share(both, first + second - both, confidence)
    value, low, high = (2 * end / (1 + end) for end in (shared.value, shared.low, shared.high))
    specific = Estimate(value, low, high, shared.method)
    return ClassAgreement(name, both, first, second, specific, share(both, first, confidence))


def _frozen(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    held = counts.copy()
    held.setflags(write=False)
    return held
