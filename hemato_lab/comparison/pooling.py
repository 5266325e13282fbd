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

from hemato_lab.agreement.bootstrap import RESAMPLES, SEED, draw_groups, group_index, percentile_limits
from hemato_lab.agreement.confusion import confusion_of
from hemato_lab.agreement.correlation import Concordance, lin_concordance
from hemato_lab.agreement.deming import Deming, deming
from hemato_lab.agreement.differences import BlandAltman, bland_altman
from hemato_lab.agreement.estimate import Estimate
from hemato_lab.agreement.passing_bablok import MOST_SAMPLES, PassingBablok, passing_bablok
from hemato_lab.agreement.units import factor
from hemato_lab.errors import ConfigError, UnlikeUnitsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from hemato_lab.agreement.confusion import Confusion
    from hemato_lab.agreement.tabulated import Row
    from hemato_lab.comparison.model import Comparison

_BY_PATIENT: Final = "2.5th and 97.5th percentiles of patients drawn with replacement"
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
    """Agreement of two readers on the names of all cells; where one lists nothing, that is a name of its own.

    Attributes
    ----------
    names : tuple of str
        Every name that either reader gave, sorted.
    table : array of int, shape (names, names)
        Places by the first reader's name (rows) and the second's (columns).
    kappa : Estimate
        Cohen's kappa with limits over patients; NaN where only one name was given.
    agreement : Estimate
        Share of places with the same name in both, with limits over patients.
    """

    names: tuple[str, ...]
    table: NDArray[np.int64]
    kappa: Estimate
    agreement: Estimate

    def confusion(self) -> Confusion:
        """Return the table for everything that can be asked of one: agreement on each name, AC1, a picture."""
        return confusion_of(self.table, self.names)


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
        If there are not as many patients as comparisons.
    """
    if patients is not None and len(patients) != len(comparisons):
        problem = f"{len(comparisons)} comparisons have {len(patients)} patients"
        raise ConfigError(problem, hint="name the patient of every smear, or of none")
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
    """Return the table of all cells, and kappa from the tables of patients drawn with replacement."""
    names = tuple(sorted({name for one in smears for pair in one.names for name in pair}))
    place = {name: index for index, name in enumerate(names)}
    index, count = group_index(groups)
    tables = np.zeros((count, len(names), len(names)))
    for group, one in zip(index, smears, strict=True):
        for (first, second), cells in Counter(one.names).items():
            tables[group, place[first], place[second]] += cells
    whole = tables.sum(axis=0)
    observed, kappa = (float(figure) for figure in _kappa(whole))
    if count:
        drawn = np.tensordot(draw_groups(count, resamples=resamples, seed=seed), tables, axes=1)
        shares, kappas = _kappa(drawn)
        limits = percentile_limits({"kappa": kappas, "agreement": shares}, count)
    else:
        limits = {"kappa": None, "agreement": None}
    return PooledNames(
        names, whole.astype(np.int64), _limited(kappa, limits["kappa"]), _limited(observed, limits["agreement"])
    )


def _limited(value: float, limits: tuple[float, float] | None) -> Estimate:
    return Estimate(value, method=_ONE_PATIENT) if limits is None else Estimate(value, *limits, method=_BY_PATIENT)


def _kappa(tables: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the share on the diagonal and Cohen's kappa of tables, shape (..., names, names); NaN where undefined."""
    total = tables.sum(axis=(-2, -1))
    safe = np.where(total > 0, total, math.nan)
    observed = np.trace(tables, axis1=-2, axis2=-1) / safe
    expected = (tables.sum(axis=-1) * tables.sum(axis=-2)).sum(axis=-1) / safe**2
    room = np.where(expected < 1, 1 - expected, math.nan)
    return observed, (observed - expected) / room
