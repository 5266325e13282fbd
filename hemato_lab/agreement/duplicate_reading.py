"""The layout of CLSI H20-A2: two examiners read so many cells of each film, their mean is the reference.

DOMAIN.md section 7: 400 cells a film, 200 by either of two trained examiners, against the method that is tested. Two
counts of one film differ by chance alone as Rümke's tables tell (Triangle 4 (1960) 154-158; CAP, 1979). Here the limits
are exact: given how many cells of a class were found by both together, the number that one of them found has a
hypergeometric distribution (Fisher), so the share it has by chance is known without knowing the film's true share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from scipy.special import gammaln

from hemato_lab.agreement.accuracy import Accuracy, accuracy
from hemato_lab.agreement.confusion import share
from hemato_lab.agreement.estimate import Estimate
from hemato_lab.agreement.student import t_estimate
from hemato_lab.agreement.tabulated import Row, Tabulated, row
from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from hemato_lab.agreement.pairs import Floats

READER_CELLS: Final = 200
"""What each examiner reads of a film (H20-A2)."""
KINDS: Final = ("distributional", "morphological", "either")


class ClassReading(NamedTuple):
    """One class over all films.

    Attributes
    ----------
    name : str
    reference, test : float
        Mean share of the films in per cent.
    bias : Estimate
        Mean of test minus reference, in percentage points, with t-based limits over the films.
    test_within : Estimate
        Share of the films in which counting alone explains how far the test is from the reference.
    readers_within : Estimate
        The same of the two examiners: what a perfect test can reach.
    """

    name: str
    reference: float
    test: float
    bias: Estimate
    test_within: Estimate
    readers_within: Estimate


@dataclass(frozen=True, slots=True, eq=False)
class DuplicateReading(Tabulated):
    """Films that two examiners and a test read; made by `duplicate_reading`.

    Attributes
    ----------
    classes, films : tuple of str
    first, second, tested : array of int, shape (films, classes)
        Cells that either examiner and the test named.
    confidence : float
    """

    classes: tuple[str, ...]
    films: tuple[str, ...]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    tested: NDArray[np.int64]
    confidence: float = 0.95

    def __len__(self) -> int:
        return len(self.films)

    @property
    def reference(self) -> Floats:
        """Mean of the two examiners' shares in per cent, shape (films, classes)."""
        return (percent(self.first) + percent(self.second)) / 2

    @property
    def test(self) -> Floats:
        """Shares of the test in per cent, shape (films, classes)."""
        return percent(self.tested)

    @property
    def readers_difference(self) -> Floats:
        """Second less first examiner in percentage points, shape (films, classes)."""
        return percent(self.second) - percent(self.first)

    @property
    def readers_limits(self) -> tuple[Floats, Floats]:
        """Least and largest difference of the examiners that counting alone explains, each (films, classes)."""
        return difference_limits(self.first, self.second, self.confidence)

    @property
    def test_limits(self) -> tuple[Floats, Floats]:
        """Least and largest difference of test and reference that counting alone explains, each (films, classes)."""
        return difference_limits(self.first + self.second, self.tested, self.confidence)

    @property
    def readers_agree(self) -> NDArray[np.bool_]:
        """Whether counting explains the examiners' difference, shape (films, classes); where not, a third decides."""
        return _inside(self.readers_difference, self.readers_limits)

    @property
    def test_within(self) -> NDArray[np.bool_]:
        """Whether counting explains how far the test is from the examiners, shape (films, classes)."""
        apart = percent(self.tested) - percent(self.first + self.second)
        return _inside(apart, self.test_limits)

    def per_class(self) -> tuple[ClassReading, ...]:
        """Return the figures of every class, in their order."""
        reference, test, size = self.reference, self.test, len(self)
        within, agree = self.test_within.sum(axis=0), self.readers_agree.sum(axis=0)
        return tuple(
            ClassReading(
                name,
                _mean(reference[:, index]),
                _mean(test[:, index]),
                _bias(test[:, index] - reference[:, index], self.confidence),
                share(int(within[index]), size, self.confidence),
                share(int(agree[index]), size, self.confidence),
            )
            for index, name in enumerate(self.classes)
        )

    def abnormality(
        self, usual: Mapping[str, tuple[float, float]], suspicious: Mapping[str, float]
    ) -> dict[str, Accuracy]:
        """Return how right the test is about abnormal films, the reference being the truth.

        Parameters
        ----------
        usual : mapping of str to (low, high)
            Reference range in per cent of the classes whose share makes a film abnormal (distributional).
        suspicious : mapping of str to float
            Share in per cent from which on a class makes a film abnormal by being there (morphological), for example
            1 for blasts.

        Returns
        -------
        dict of str to Accuracy
            By `KINDS`: distributional, morphological, and either of the two.

        Raises
        ------
        ConfigError
            If a class was not read.
        """
        sides = [self._abnormal(shares, usual, suspicious) for shares in (self.reference, self.test)]
        both = [{**side, KINDS[2]: side[KINDS[0]] | side[KINDS[1]]} for side in sides]
        return {
            kind: accuracy(both[0][kind], both[1][kind], confidence=self.confidence, label=f"{kind} abnormality")
            for kind in KINDS
        }

    def rows(self) -> tuple[Row, ...]:
        """Return bias and shares within the limits of counting of every class."""
        return tuple(
            one
            for found in self.per_class()
            for one in (
                row(f"{found.name}: reference", Estimate(found.reference), "%"),
                row(f"{found.name}: test", Estimate(found.test), "%"),
                row(f"{found.name}: bias", found.bias, "%"),
                row(f"{found.name}: films in which the test is within counting", found.test_within),
                row(f"{found.name}: films in which the readers are within counting", found.readers_within),
            )
        )

    def plot(self, axes: Axes | None = None, *, name: str | None = None) -> Axes:
        """Draw test against reference of one class, with what counting explains.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, optional
            Where to draw; default new axes of pyplot.
        name : str, optional
            Of the class; default the most frequent one.
        """
        from hemato_lab.agreement.plots.duplicate_reading import draw

        frequent = self.classes[int(np.argmax((self.first + self.second).sum(axis=0)))]
        return draw(self, self._number(frequent if name is None else name), axes)

    def _number(self, name: str) -> int:
        if name not in self.classes:
            raise ConfigError(f"no class {name!r} was read", hint=f"there are {', '.join(self.classes)}")
        return self.classes.index(name)

    def _abnormal(
        self, shares: Floats, usual: Mapping[str, tuple[float, float]], suspicious: Mapping[str, float]
    ) -> dict[str, NDArray[np.bool_]]:
        unusual = np.zeros(len(self), dtype=np.bool_)
        for name, (low, high) in usual.items():
            column = shares[:, self._number(name)]
            unusual |= (column < low) | (column > high)
        seen = np.zeros(len(self), dtype=np.bool_)
        for name, least in suspicious.items():
            seen |= shares[:, self._number(name)] >= least
        return {KINDS[0]: unusual, KINDS[1]: seen}


def duplicate_reading(
    first: ArrayLike,
    second: ArrayLike,
    test: ArrayLike,
    classes: Sequence[str],
    *,
    films: Sequence[str] | None = None,
    confidence: float = 0.95,
) -> DuplicateReading:
    """Compare a test with two examiners.

    Parameters
    ----------
    first, second, test : array of int, shape (films, classes)
        Cells of each class that either examiner and the test counted; as a rule `READER_CELLS` a film each.
    classes : sequence of str
    films : sequence of str, optional
        Default "1", "2" and so on.
    confidence : float
        Of all limits.

    Raises
    ------
    ConfigError
        If the tables do not hold counts of these classes and the same films, or a film has no cells.
    """
    one, other, tested = (_counts(table, len(classes)) for table in (first, second, test))
    listed = tuple(str(number + 1) for number in range(len(one))) if films is None else tuple(films)
    if not len(one) == len(other) == len(tested) == len(listed):
        problem = f"{len(listed)} films are named; {len(one)}, {len(other)} and {len(tested)} were read"
        raise ConfigError(problem, hint="give one row a film to each reading, in the same order")
    if len(set(classes)) != len(classes):
        raise ConfigError("a class is listed twice", hint="give each class one column")
    if not 0 < confidence < 1:
        raise ConfigError(f"a confidence of {confidence} is outside (0, 1)", hint="use 0.95 for 95 % limits")
    return DuplicateReading(tuple(classes), listed, one, other, tested, confidence)


def percent(counts: NDArray[np.int64]) -> Floats:
    """Return the shares of every film's cells in per cent, shape (films, classes)."""
    shares: Floats = 100.0 * counts / counts.sum(axis=1, keepdims=True)
    return shares


def difference_limits(
    first: NDArray[np.int64], second: NDArray[np.int64], confidence: float = 0.95
) -> tuple[Floats, Floats]:
    """Return by how much two counts of the same films may differ by chance.

    Parameters
    ----------
    first, second : array of int, shape (films, classes)
        Cells of each class in either count.
    confidence : float
        At least this share of the differences lies within, half of the rest on either side.

    Returns
    -------
    pair of array of float, shape (films, classes)
        Least and largest share of the second less that of the first, in percentage points.
    """
    sizes = first.sum(axis=1), second.sum(axis=1)
    low, high = np.empty(first.shape), np.empty(first.shape)
    known: dict[tuple[int, int, int], tuple[float, float]] = {}
    for film, name in np.ndindex(*first.shape):
        key = int(sizes[0][film]), int(sizes[1][film]), int(first[film, name] + second[film, name])
        if key not in known:
            known[key] = _chance_limits(*key, (1 - confidence) / 2)
        low[film, name], high[film, name] = known[key]
    return low, high


def _chance_limits(first: int, second: int, together: int, tail: float) -> tuple[float, float]:
    """Return least and largest difference of two shares, in percentage points, that are not in either tail."""
    in_second = np.arange(max(0, together - first), min(second, together) + 1)
    chances = np.exp(
        _log_choose(second, in_second)
        + _log_choose(first, together - in_second)
        - _log_choose(first + second, np.array([together]))
    )
    # Rounding must not push a value out whose tail is just as large as allowed.
    edge = tail * (1 - 1e-9)
    inside = in_second[(np.cumsum(chances) > edge) & (np.cumsum(chances[::-1])[::-1] > edge)]
    ends = 100.0 * inside[[0, -1]] / second - 100.0 * (together - inside[[0, -1]]) / first
    return float(ends[0]), float(ends[1])


def _log_choose(size: int, chosen: NDArray[np.intp]) -> Floats:
    ways: Floats = gammaln(size + 1) - gammaln(chosen + 1) - gammaln(size - chosen + 1)
    return ways


def _inside(apart: Floats, limits: tuple[Floats, Floats]) -> NDArray[np.bool_]:
    rounding = 1e-9
    return (apart >= limits[0] - rounding) & (apart <= limits[1] + rounding)


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan


def _bias(differences: Floats, confidence: float) -> Estimate:
    size = len(differences)
    if size < 2:
        return Estimate(_mean(differences), method="one film has no spread")
    error = float(differences.std(ddof=1)) / math.sqrt(size)
    return t_estimate(float(differences.mean()), error, size - 1, confidence, "t")


def _counts(table: ArrayLike, classes: int) -> NDArray[np.int64]:
    array = np.asarray(table)
    if array.ndim != 2 or array.shape[1] != classes:
        raise ConfigError(f"a table of shape {array.shape} has not {classes} classes", hint="give one row a film")
    if array.dtype.kind not in "iuf" or not np.all((array >= 0) & (array == np.floor(array)) & (array < 2**53)):
        raise ConfigError("the table does not hold counts", hint="give whole numbers of cells, not per cent")
    counts = array.astype(np.int64)
    if not np.all(counts.sum(axis=1) > 0):
        raise ConfigError("a film has no cells", hint="leave out films that were not read")
    counts.setflags(write=False)
    return counts
