"""Two runs over the same smears, paired figure by figure, for the gate."""

from __future__ import annotations

import filecmp
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from hemato_lab.agreement.gate.model import PairedMetric, PairedMetrics
from hemato_lab.agreement.units import factor
from hemato_lab.batch.folders import REPORT_FILE
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
_WHOLES: Final = {"review_required": 1.0}
"""Figures that are a share of the smears, and what they are if all have it."""
_NAMED: Final = 10
"""Smears that a remark names at most."""

Progress = Callable[[int, int], None]
"""Called with the smears whose cells were matched, and all of them."""


def read_metrics(
    baseline: Path,
    current: Path,
    *,
    labels: tuple[str | None, str | None] = (None, None),
    progress: Progress | None = None,
) -> PairedMetrics:
    """Pair what two runs say of the same smears.

    The metrics are, in this order: `ANALYSED`, `STATED` and `CANDIDATE`, in per cent of what the baseline has; `KEPT`,
    `NEW` and `SAME_NAME`, in per cent of the cells, where the baseline has tables of cells; then every figure that both
    state, in the order and unit of the baseline.

    Parameters
    ----------
    baseline, current : Path
        Each as `hemato_lab.batch.metric_sources.read_figures` reads it.
    labels : pair of str or None
        What the two are called; default the name of the folder or file, without the folders that it lies in.
    progress : callable, optional

    Raises
    ------
    InputError, ReportFormatError
        If one of them cannot be read.
    ConfigError
        If they have no smear in common, or a figure is too large.
    """
    named = [label or _name(path) for label, path in zip(labels, (baseline, current), strict=True)]
    if named[0] == named[1]:
        named = [f"{named[0]} (baseline)", f"{named[1]} (current)"]
    paired = pair_figures(read_figures(baseline), read_figures(current), (named[0], named[1]), progress=progress)
    remarks = paired.remarks
    if baseline.is_file() or current.is_file():
        remarks = (f"Taken as metrics: {', '.join(metric.name for metric in paired.metrics)}.", *remarks)
    if baseline.samefile(current):
        remarks = ("Both runs are the same folder or file.", *remarks)
    return replace(paired, remarks=remarks)


def _name(path: Path) -> str:
    whole = path.resolve()
    return whole.parent.name if whole.name == REPORT_FILE else whole.name


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
        If they have no smear in common, or a figure is too large.
    """
    if not baseline.keys() & current.keys():
        raise ConfigError("the two runs have no smear in common", hint="compare runs over the same smears")
    runs = _Runs(baseline, current)
    made = _Made(runs)
    made.add(ANALYSED, "%", runs.analysed(), whole=100.0)
    made.add(STATED, "%", runs.stated(), whole=100.0)
    made.add_where_stated(CANDIDATE, "%", *runs.candidates(), whole=100.0)
    problems = made.add_cells(progress)
    for name in runs.names():
        made.add_figure(name)
    remarks = (*runs.coverage(), *problems, *runs.not_compared())
    return PairedMetrics(labels, tuple(made.metrics), made.unpaired, remarks, made.lost, runs.identical())


class _Pair(NamedTuple):
    """One smear in a metric."""

    smear: str
    baseline: float
    current: float
    weight: float = 1.0


@dataclass(slots=True)
class _Made:
    """Metrics as they come."""

    runs: _Runs
    metrics: list[PairedMetric] = field(default_factory=list)
    unpaired: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)

    def add(
        self, name: str, unit: str, pairs: Sequence[_Pair], missing: Sequence[str] = (), *, whole: float = 0.0
    ) -> None:
        before, after, weights = np.array([pair[1:] for pair in pairs], dtype=np.float64).reshape(-1, 3).T
        smears = tuple(pair.smear for pair in pairs)
        groups = tuple(map(self.runs.group, smears))
        self.metrics.append(PairedMetric(name, unit, smears, groups, before, after, weights, tuple(missing), whole))

    def add_where_stated(
        self, name: str, unit: str, pairs: Sequence[_Pair], missing: Sequence[str], *, whole: float
    ) -> None:
        """Add a metric; one that no smear states in both runs is lost where the baseline states it."""
        if pairs:
            self.add(name, unit, pairs, missing, whole=whole)
        elif missing:
            self.lost[name] = f"{_smears(len(missing))} of the baseline had it, and none of the current run states it"

    def add_figure(self, name: str) -> None:
        try:
            unit, pairs, missing = self.runs.values(name)
        except UnlikeUnitsError as error:
            self.unpaired[name] = f"{error.problem}; {error.hint}" if error.hint else error.problem
            return
        self.add_where_stated(name, unit, pairs, missing, whole=_WHOLES.get(name, 0.0))

    def add_cells(self, progress: Progress | None) -> list[str]:
        """Add the metrics of single cells, and return sentences on smears whose cells cannot be followed."""
        counted, problems = self.runs.matched_cells(progress)
        told = [f"the cells of {_smears(count)} cannot be followed: {text}" for text, count in problems.items()]
        before = len(self.metrics)
        for name, pairs in _shares(counted).items():
            if pairs:
                self.add(name, "%", pairs, whole=100.0)
        added = self.metrics[before:]
        self.metrics[before:] = [replace(metric, problem="; ".join(told)) for metric in added]
        if told and KEPT not in {metric.name for metric in added}:
            self.unpaired[KEPT] = "; ".join(told)
        return [f"{text[0].upper()}{text[1:]}." for text in told]


@dataclass(frozen=True, slots=True)
class _Runs:
    """The figures of two runs by smear."""

    baseline: Mapping[str, SmearFigures]
    current: Mapping[str, SmearFigures]

    def both(self) -> list[tuple[str, SmearFigures, SmearFigures]]:
        """Return the smears that both runs analysed, in the baseline's order."""
        common = ((one, figures, self.current[one]) for one, figures in self.baseline.items() if one in self.current)
        return [(one, before, after) for one, before, after in common if not before.problem and not after.problem]

    def identical(self) -> bool:
        """Tell whether nothing differs: no smear, no value, no byte of a table of cells; and something was analysed."""
        if self.baseline.keys() != self.current.keys() or not self.both():
            return False
        pairs = [(figures, self.current[one]) for one, figures in self.baseline.items()]
        return all(_told(before) == _told(after) for before, after in pairs) and all(
            _same_content(before.cells, after.cells) for before, after in pairs
        )

    def names(self) -> tuple[str, ...]:
        """Return the figures that the baseline states, in its order."""
        return tuple(dict.fromkeys(name for _, before, _ in self.both() for name in before.values))

    def group(self, smear: str) -> str:
        """Return the patient of a smear, or the smear itself."""
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

    def candidates(self) -> tuple[list[_Pair], list[str]]:
        """Return 100 to 0 for every smear whose first candidate is another now, and smears with one in one run only."""
        told = [(one, before.candidate, after.candidate) for one, before, after in self.both()]
        pairs = [
            _Pair(one, 100.0, 100.0 if before == after else 0.0)
            for one, before, after in told
            if before is not None and after is not None
        ]
        return pairs, [one for one, before, after in told if before is not None and after is None]

    def values(self, name: str) -> tuple[str, list[_Pair], list[str]]:
        """Return the unit of a figure, its values where both runs state it, and smears where only one does."""
        both = [(smear, name in smear[1].values, name in smear[2].values) for smear in self.both()]
        stated = [smear for smear, before, after in both if before and after]
        unit = next((before.units[name] for _, before, _ in stated if name in before.units), "")
        pairs = [_Pair(one, _in_unit(before, name, unit), _in_unit(after, name, unit)) for one, before, after in stated]
        return unit, pairs, [smear[0] for smear, before, after in both if before != after]

    def matched_cells(self, progress: Progress | None) -> tuple[dict[str, KeptCells], Counter[str]]:
        """Return which cells were found again, by smear, and why those of other smears cannot be followed."""
        counted: dict[str, KeptCells] = {}
        problems: Counter[str] = Counter()
        both = self.both()
        for number, (one, before, after) in enumerate(both):
            if before.cells is not None and after.cells is None:
                problems["the current run has no table of them"] += 1
            elif before.cells is not None and after.cells is not None:
                try:
                    counted[one] = count_kept(before.cells, after.cells, before.rbc_diameter_px)
                except HematoError as error:
                    problems[error.problem] += 1
            if progress is not None:
                progress(number + 1, len(both))
        return counted, problems

    def not_compared(self) -> Iterator[str]:
        """Yield sentences on what only the current run states, and on columns that hold no numbers."""
        stated = {name for _, before, _ in self.both() for name in before.values}
        new = dict.fromkeys(name for _, _, after in self.both() for name in after.values if name not in stated)
        if new:
            yield f"Only the current run states, so that it is not judged: {', '.join(new)}."
        texts = dict.fromkeys(
            name for run in (self.baseline, self.current) for figures in run.values() for name in figures.unread
        )
        if texts:
            yield f"Columns with text in them, which is no metric: {', '.join(texts)}."

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


def _told(figures: SmearFigures) -> SmearFigures:
    """Return what a run says of a smear, without whose it is and where its cells lie."""
    return replace(figures, patient="", cells=None)


def _same_content(one: Path | None, other: Path | None) -> bool:
    if one is None or other is None:
        return one is other
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


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
