"""Two runs over the same smears, paired figure by figure, for the gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from hemato_lab.agreement.gate.model import PairedMetric, PairedMetrics
from hemato_lab.agreement.units import factor
from hemato_lab.batch.kept_cells import KeptCells, count_kept
from hemato_lab.batch.metric_sources import SmearFigures, read_figures
from hemato_lab.errors import ConfigError, HematoError, UnlikeUnitsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

ANALYSED: Final = "smears analysed"
STATED: Final = "values stated"
KEPT: Final = "cells kept"
NEW: Final = "cells new"
SAME_NAME: Final = "names kept"
CANDIDATE: Final = "first candidate kept"
_NAMED: Final = 10
"""Smears that a remark names at most."""

Progress = Callable[[int, int], None]
"""Called with the smears whose cells were matched, and all of them."""


def read_metrics(baseline: Path, current: Path, *, progress: Progress | None = None) -> PairedMetrics:
    """Pair what two runs say of the same smears.

    The metrics are, in this order: `ANALYSED`, `STATED` and `CANDIDATE`, in per cent of what the baseline has; `KEPT`,
    `NEW` and `SAME_NAME`, in per cent of the cells, where both runs have tables of cells; then every figure that both
    state, in the order and unit of the baseline.

    Parameters
    ----------
    baseline, current : Path
        Each as `hemato_lab.batch.metric_sources.read_figures` reads it.
    progress : callable, optional

    Raises
    ------
    InputError, ReportFormatError
        If one of them cannot be read.
    ConfigError
        If they have no smear in common.
    """
    return pair_figures(read_figures(baseline), read_figures(current), (str(baseline), str(current)), progress=progress)


def pair_figures(
    baseline: Mapping[str, SmearFigures],
    current: Mapping[str, SmearFigures],
    labels: tuple[str, str] = ("baseline", "current"),
    *,
    progress: Progress | None = None,
) -> PairedMetrics:
    """Pair the figures of two runs; see `read_metrics`.

    Parameters
    ----------
    baseline, current : mapping of str to SmearFigures
        By smear.
    labels : pair of str
        What the two are called.
    progress : callable, optional

    Raises
    ------
    ConfigError
        If they have no smear in common.
    """
    if not baseline.keys() & current.keys():
        raise ConfigError("the two runs have no smear in common", hint="compare runs over the same smears")
    runs = _Runs(baseline, current)
    metrics = [runs.metric(ANALYSED, "%", runs.analysed()), runs.metric(STATED, "%", runs.stated())]
    if candidates := runs.candidates():
        metrics.append(runs.metric(CANDIDATE, "%", candidates))
    counted, problems = runs.matched_cells(progress)
    if counted:
        metrics += [runs.metric(name, "%", pairs) for name, pairs in _shares(counted).items()]
    unpaired: dict[str, str] = {}
    for name in runs.names():
        try:
            unit, pairs = runs.values(name)
        except UnlikeUnitsError as error:
            unpaired[name] = f"{error.problem}; {error.hint}" if error.hint else error.problem
            continue
        if pairs:
            metrics.append(runs.metric(name, unit, pairs))
    return PairedMetrics(labels, tuple(metrics), unpaired, (*runs.coverage(), *problems))


class _Pair(NamedTuple):
    """One smear in a metric."""

    smear: str
    baseline: float
    current: float
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class _Runs:
    """The figures of two runs by smear."""

    baseline: Mapping[str, SmearFigures]
    current: Mapping[str, SmearFigures]

    def both(self) -> list[tuple[str, SmearFigures, SmearFigures]]:
        """Return the smears that both runs analysed, in the baseline's order."""
        common = ((one, figures, self.current[one]) for one, figures in self.baseline.items() if one in self.current)
        return [(one, before, after) for one, before, after in common if not before.problem and not after.problem]

    def names(self) -> tuple[str, ...]:
        """Return the figures that the baseline states, in its order."""
        return tuple(dict.fromkeys(name for _, before, _ in self.both() for name in before.values))

    def metric(self, name: str, unit: str, pairs: Sequence[_Pair]) -> PairedMetric:
        columns = np.array([pair[1:] for pair in pairs], dtype=np.float64).reshape(-1, 3).T
        smears = tuple(pair.smear for pair in pairs)
        return PairedMetric(name, unit, smears, tuple(map(self._group, smears)), *columns)

    def _group(self, smear: str) -> str:
        named = (run[smear].patient for run in (self.baseline, self.current) if smear in run)
        patient = next(filter(None, named), "")
        return f"patient {patient}" if patient else f"smear {smear}"

    def analysed(self) -> list[_Pair]:
        """Return 100 to 0 for every smear that is lost, or that one run alone has; without what failed before."""
        kept = {one for one, _, _ in self.both()}
        before = [one for one, figures in self.baseline.items() if not figures.problem]
        added = [one for one in self.current if one not in self.baseline]
        return [_Pair(one, 100.0, 100.0 if one in kept else 0.0) for one in (*before, *added)]

    def stated(self) -> list[_Pair]:
        """Return what share of each smear's figures is still stated."""
        shares = ((one, before.values.keys(), after.values.keys()) for one, before, after in self.both())
        return [
            _Pair(one, 100.0, 100.0 * len(before & after) / len(before), len(before))
            for one, before, after in shares
            if before
        ]

    def candidates(self) -> list[_Pair]:
        """Return 100 to 0 for every smear whose first candidate is another now."""
        told = ((one, before.candidate, after.candidate) for one, before, after in self.both())
        return [
            _Pair(one, 100.0, 100.0 if before == after else 0.0)
            for one, before, after in told
            if before is not None and after is not None
        ]

    def values(self, name: str) -> tuple[str, list[_Pair]]:
        """Return the unit of a figure and its values in the smears that state it in both runs."""
        stated = [smear for smear in self.both() if name in smear[1].values and name in smear[2].values]
        unit = next((before.units[name] for _, before, _ in stated if name in before.units), "")
        pairs = [_Pair(one, _in_unit(before, name, unit), _in_unit(after, name, unit)) for one, before, after in stated]
        return unit, pairs

    def matched_cells(self, progress: Progress | None) -> tuple[dict[str, KeptCells], list[str]]:
        """Return which cells were found again, by smear, and sentences on smears where that cannot be told."""
        counted: dict[str, KeptCells] = {}
        problems: Counter[str] = Counter()
        both = self.both()
        for number, (one, before, after) in enumerate(both):
            if before.cells is not None and after.cells is not None:
                try:
                    counted[one] = count_kept(before.cells, after.cells, before.rbc_diameter_px)
                except HematoError as error:
                    problems[error.problem] += 1
            if progress is not None:
                progress(number + 1, len(both))
        told = [f"The cells of {_smears(count)} could not be matched: {text}." for text, count in problems.items()]
        return counted, told

    def coverage(self) -> Iterator[str]:
        """Yield sentences on the smears that are not in both runs, or failed."""
        yield from _sentence("in the baseline only", [one for one in self.baseline if one not in self.current])
        yield from _sentence("in the current run only", [one for one in self.current if one not in self.baseline])
        common = [(one, figures, self.current[one]) for one, figures in self.baseline.items() if one in self.current]
        for words, failed in (
            ("analysed in the baseline and failed now", (False, True)),
            ("failed in the baseline and analysed now", (True, False)),
            ("failed in both runs", (True, True)),
        ):
            named = [one for one, *runs in common if tuple(bool(run.problem) for run in runs) == failed]
            yield from _sentence(words, named)


def _in_unit(figures: SmearFigures, name: str, unit: str) -> float:
    own = figures.units.get(name, "")
    return figures.values[name] * (1.0 if own == unit else factor(own, unit, subject=name))


def _shares(counted: Mapping[str, KeptCells]) -> dict[str, list[_Pair]]:
    """Return the metrics of cells; a smear weighs as much as the cells that its share was taken of."""
    shares: dict[str, list[_Pair]] = {KEPT: [], NEW: [], SAME_NAME: []}
    for one, cells in counted.items():
        if cells.baseline:
            shares[KEPT].append(_Pair(one, 100.0, 100.0 * cells.kept / cells.baseline, cells.baseline))
        if cells.current:
            shares[NEW].append(_Pair(one, 0.0, 100.0 * (cells.current - cells.kept) / cells.current, cells.current))
        if cells.kept:
            shares[SAME_NAME].append(_Pair(one, 100.0, 100.0 * cells.same_name / cells.kept, cells.kept))
    return shares


def _sentence(words: str, smears: Sequence[str]) -> Iterator[str]:
    if smears:
        more = f" and {len(smears) - _NAMED} more" if len(smears) > _NAMED else ""
        yield f"{_smears(len(smears))} {words}: {', '.join(smears[:_NAMED])}{more}."


def _smears(count: int) -> str:
    return "1 smear" if count == 1 else f"{count} smears"
