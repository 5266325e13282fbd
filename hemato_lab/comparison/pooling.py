"""Many smears that two readers read: agreement of each statistic over the smears, and of the names of all cells.

One smear says how near two reports are; only many say what to expect of the next. Smears of one patient resemble each
other, so the limits of what is pooled over cells are from whole patients drawn with replacement (DOMAIN.md section 7).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.agreement.bootstrap import RESAMPLES, SEED, draw_in_blocks, group_index, percentile_limits
from hemato_lab.agreement.confusion import confusion_of
from hemato_lab.agreement.correlation import Concordance, lin_concordance
from hemato_lab.agreement.deming import Deming, deming
from hemato_lab.agreement.differences import BlandAltman, bland_altman
from hemato_lab.agreement.estimate import Estimate
from hemato_lab.agreement.passing_bablok import MOST_SAMPLES, PassingBablok, passing_bablok
from hemato_lab.agreement.units import factor
from hemato_lab.comparison.cells import NOT_LISTED
from hemato_lab.comparison.model import MOST_NAMES
from hemato_lab.errors import ConfigError, UnlikeUnitsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from hemato_lab.agreement.confusion import Confusion
    from hemato_lab.agreement.tabulated import Row
    from hemato_lab.comparison.model import Comparison

_BY_PATIENT: Final = "2.5th and 97.5th percentiles of patients drawn with replacement"
_MOST_HELD: Final = 4_000_000
"""Figures held at once."""
_ONE_PATIENT: Final = "no limits from one patient"


@dataclass(frozen=True, slots=True)
class PairedSmear:
    """What pooling needs of one smear.

    Attributes
    ----------
    patient : str
        Whose smear it is; smears without a patient each count as one of their own.
    statistics : mapping of str to (first, second, unit)
        By key, of the statistics that could be compared.
    names : mapping of (str, str) to int
        How many places have a name in the first and a name in the second; what one side does not list has the name
        `hemato_lab.comparison.cells.NOT_LISTED` there.
    """

    patient: str
    statistics: Mapping[str, tuple[float, float, str]] = field(default_factory=dict)
    names: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], *, patient: str) -> PairedSmear:
        """Read it from the JSON that a comparison writes (``comparison.json``).

        Raises
        ------
        ConfigError
            If it is no comparison.
        """
        try:
            statistics = {
                str(row["statistic"]): (float(row["first"]), float(row["second"]), str(row["unit"]))
                for row in document["statistics"]
                if not row["problem"]
            }
            names = {(str(row["first"]), str(row["second"])): int(row["cells"]) for row in document["cells"]["names"]}
        except (KeyError, TypeError, ValueError) as error:
            problem = f"is no comparison: {error}"
            raise ConfigError(problem, subject="comparison.json", hint="make it with hemato-lab compare") from error
        return cls(patient, statistics, names)


@dataclass(frozen=True, slots=True, eq=False)
class PooledStatistic:
    """Agreement of two readers on one statistic over many smears.

    Attributes
    ----------
    key, unit : str
    smears : int
        That have it in both reports.
    left_out : int
        Smears whose units do not lead to ``unit``.
    difference : BlandAltman
    deming : Deming
        With equal errors of both readers.
    passing_bablok : PassingBablok or None
        None for more smears than its memory allows.
    concordance : Concordance
    """

    key: str
    unit: str
    smears: int
    left_out: int
    difference: BlandAltman
    deming: Deming
    passing_bablok: PassingBablok | None
    concordance: Concordance

    def rows(self) -> tuple[Row, ...]:
        """Return every figure with its limits."""
        methods = (self.difference, self.deming, self.passing_bablok, self.concordance)
        named = zip(("Bland-Altman", "Deming", "Passing-Bablok", "Lin"), methods, strict=True)
        return tuple(
            row._replace(figure=f"{name}: {row.figure}")
            for name, result in named
            if result is not None
            for row in result.rows()
        )


@dataclass(frozen=True, slots=True, eq=False)
class PooledNames:
    """Agreement of two readers on the names of the cells that both list.

    Attributes
    ----------
    pairs : mapping of (str, str) to int
        Cells by the first reader's name and the second's, sorted.
    kappa : Estimate
        Cohen's kappa with limits over patients; NaN where only one name was given.
    agreement : Estimate
        Share of cells with the same name in both, with limits over patients.
    """

    pairs: Mapping[tuple[str, str], int]
    kappa: Estimate
    agreement: Estimate

    @property
    def cells(self) -> int:
        """How many cells both list."""
        return sum(self.pairs.values())

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that either reader gave a cell that both list, sorted."""
        return tuple(sorted({name for pair in self.pairs for name in pair}))

    def confusion(self) -> Confusion:
        """Return the table for everything that can be asked of one: agreement on each name, AC1, a picture.

        Raises
        ------
        ConfigError
            If there are more than `hemato_lab.comparison.model.MOST_NAMES` names.
        """
        names = self.names
        if len(names) > MOST_NAMES:
            raise ConfigError(f"{len(names)} names are too many for a table", hint="see pairs for the single ones")
        place = {name: index for index, name in enumerate(names)}
        table = np.zeros((len(names), len(names)), dtype=np.int64)
        for (first, second), cells in self.pairs.items():
            table[place[first], place[second]] = cells
        return confusion_of(table, names)


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """Agreement of two readers over many smears.

    Attributes
    ----------
    smears, patients : int
    statistics : tuple of PooledStatistic
        In the order in which the smears list them.
    names : PooledNames
    """

    smears: int
    patients: int
    statistics: tuple[PooledStatistic, ...]
    names: PooledNames

    def to_frame(self) -> pd.DataFrame:
        """Return every figure as a row: statistic, figure, value, limits, unit, method, smears."""
        import pandas as pd

        rows = [
            {"statistic": one.key, **row._asdict(), "smears": one.smears, "left_out": one.left_out}
            for one in self.statistics
            for row in one.rows()
        ]
        of_names = (("Cohen's kappa", self.names.kappa), ("same name", self.names.agreement))
        rows += [
            {
                "statistic": "names of cells",
                "figure": figure,
                "value": one.value,
                "low": one.low,
                "high": one.high,
                "unit": "",
                "method": one.method,
                "smears": self.smears,
                "left_out": 0,
            }
            for figure, one in of_names
        ]
        head = ("statistic", "figure", "value", "low", "high", "unit", "method", "smears", "left_out")
        return pd.DataFrame(rows, columns=list(head))


def pool(
    comparisons: Sequence[Comparison | PairedSmear],
    patients: Sequence[str] | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Pooled:
    """Pool the comparisons of many smears.

    Parameters
    ----------
    comparisons : sequence of Comparison or PairedSmear
        One a smear; the first reader is the same in all.
    patients : sequence of str, optional
        The patient of each smear, for limits that respect that smears of one patient are alike. Empty texts, and no
        sequence at all, make every smear a patient of its own.
    resamples, seed : int
        Of the bootstrap over patients.

    Returns
    -------
    Pooled
        Figures that too few smears do not define are NaN, with the reason in their result.

    Raises
    ------
    ConfigError
        If there are not as many patients as comparisons, or no resample is asked for.
    """
    if patients is not None and len(patients) != len(comparisons):
        problem = f"{len(comparisons)} comparisons have {len(patients)} patients"
        raise ConfigError(problem, hint="name the patient of every smear, or of none")
    if resamples < 1:
        raise ConfigError(f"{resamples} resamples are impossible", hint=f"use {RESAMPLES}")
    smears = [_paired(one, "" if patients is None else patients[index]) for index, one in enumerate(comparisons)]
    groups = [f"patient {one.patient}" if one.patient else f"smear {index}" for index, one in enumerate(smears)]
    keys = dict.fromkeys(key for one in smears for key in one.statistics)
    statistics = tuple(_pooled_statistic(key, smears) for key in keys)
    names = _pooled_names(smears, groups, resamples, seed)
    return Pooled(len(smears), len(set(groups)), statistics, names)


def _paired(one: Comparison | PairedSmear, patient: str) -> PairedSmear:
    if isinstance(one, PairedSmear):
        return PairedSmear(patient, one.statistics, one.names) if patient else one
    return PairedSmear.from_dict(one.to_dict(), patient=patient)


def _pooled_statistic(key: str, smears: Sequence[PairedSmear]) -> PooledStatistic:
    stated = [one.statistics[key] for one in smears if key in one.statistics]
    unit = stated[0][2]
    pairs = []
    for first, second, own in stated:
        try:
            times = factor(own, unit)
        except UnlikeUnitsError:
            continue
        pairs.append((first * times, second * times))
    values = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    arguments: dict[str, Any] = {"unit": unit}
    ours, theirs = values[:, 0], values[:, 1]
    return PooledStatistic(
        key,
        unit,
        len(pairs),
        len(stated) - len(pairs),
        bland_altman(ours, theirs, **arguments),
        deming(ours, theirs, **arguments),
        passing_bablok(ours, theirs, **arguments) if len(pairs) <= MOST_SAMPLES else None,
        lin_concordance(ours, theirs, **arguments),
    )


def _pooled_names(smears: Sequence[PairedSmear], groups: Sequence[str], resamples: int, seed: int) -> PooledNames:
    """Return the pairs of names of all cells, and kappa from those of patients drawn with replacement."""
    whole: Counter[tuple[str, str]] = Counter()
    for one in smears:
        whole.update({pair: cells for pair, cells in one.names.items() if NOT_LISTED not in pair})
    pairs = sorted(whole)
    kappa_of = _Kappa(pairs)
    index, count = group_index(groups)
    by_patient = _cells_by_patient(smears, index, count, pairs)
    observed, kappa = (
        float(figure[0]) for figure in kappa_of(np.array([[whole[pair] for pair in pairs]], dtype=float))
    )
    limits: dict[str, tuple[float, float] | None] = {"kappa": None, "agreement": None}
    if count > 1 and pairs:
        # The blocks that are drawn are small enough for patients; for pairs and names they may have to be smaller.
        step = max(1, _MOST_HELD // max(len(pairs), len(kappa_of.names)))
        drawn = [
            kappa_of(np.asarray(block[start : start + step] @ by_patient))
            for block in draw_in_blocks(count, resamples=resamples, seed=seed)
            for start in range(0, len(block), step)
        ]
        shares, kappas = (np.concatenate(figures) for figures in zip(*drawn, strict=True))
        limits = percentile_limits({"kappa": kappas, "agreement": shares}, count)
    counts = {pair: whole[pair] for pair in pairs}
    return PooledNames(counts, _limited(kappa, limits["kappa"]), _limited(observed, limits["agreement"]))


def _cells_by_patient(
    smears: Sequence[PairedSmear], index: NDArray[np.intp], patients: int, pairs: Sequence[tuple[str, str]]
) -> csr_array:
    """Return how many cells each patient has of each pair of names: few of all pairs, so only these are held."""
    from scipy.sparse import csr_array

    place = {pair: number for number, pair in enumerate(pairs)}
    entries = [
        (cells, int(patient), place[pair])
        for patient, one in zip(index, smears, strict=True)
        for pair, cells in one.names.items()
        if pair in place
    ]
    cells, rows, columns = zip(*entries, strict=True) if entries else ((), (), ())
    found = np.array(cells, dtype=np.float64), (np.array(rows, dtype=np.intp), np.array(columns, dtype=np.intp))
    return csr_array(found, shape=(patients, len(pairs)))


def _limited(value: float, limits: tuple[float, float] | None) -> Estimate:
    return Estimate(value, method=_ONE_PATIENT) if limits is None else Estimate(value, *limits, method=_BY_PATIENT)


class _Kappa:
    """Cohen's kappa of many tables that share their pairs of names, without the tables."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        from scipy.sparse import csr_array

        self.names = sorted({name for pair in pairs for name in pair})
        place = {name: number for number, name in enumerate(self.names)}
        self._same = np.array([first == second for first, second in pairs], dtype=np.float64)
        rows = np.arange(len(pairs))
        self._sides = [
            csr_array(
                (np.ones(len(pairs)), (rows, np.array([place[pair[side]] for pair in pairs], dtype=np.intp))),
                shape=(len(pairs), len(self.names)),
            )
            for side in (0, 1)
        ]

    def __call__(self, counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the share of the same names and kappa of counts, shape (tables, pairs); NaN where undefined."""
        total = counts.sum(axis=1)
        safe = np.where(total > 0, total, math.nan)
        observed = counts @ self._same / safe
        first, second = (np.asarray(counts @ side) for side in self._sides)
        expected = (first * second).sum(axis=1) / safe**2
        room = np.where(expected < 1, 1 - expected, math.nan)
        return observed, (observed - expected) / room
