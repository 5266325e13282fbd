"""A blind second reading: what a second reader calls cells, against the machine and against the first reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hemato_lab.agreement.confusion import Confusion, confusion
from hemato_lab.agreement.kappa import ChanceCorrected, Kappa, cohen_kappa, gwet_ac1
from hemato_lab.agreement.tabulated import Row, Tabulated
from hemato_lab.errors import ConfigError
from hemato_lab.review.attaching import REJECTED, attach, verdict_on
from hemato_lab.review.standing import Standing
from hemato_lab.vocabulary import TERMS, is_a

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hemato_lab.analysis import Analysis
    from hemato_lab.review.decision import Decision
    from hemato_lab.review.log import DecisionLog

NO_CELL: Final = "not a cell"
"""What a reader calls a cell that is rejected."""
MACHINE: Final = "analysis"
FIRST: Final = "first reader"
SECOND: Final = "second reader"


@dataclass(frozen=True, slots=True, eq=False)
class SecondReading(Tabulated):
    """Names that a second reader gave without knowing the first ones; made by `read_twice`.

    Where one side names a cell no finer than the other, as neutrophil and band neutrophil, both count by the wider
    name.

    Attributes
    ----------
    against_analysis : Confusion
        Of the cells that the second reader decided on.
    against_first : Confusion
        Of those that the first reader decided on too.
    unattached : int
        Decisions of either reader about cells that the analysis does not list; they are not compared.
    seen_before : int
        Cells of the blind reading on which the second reader has decided with eyes open too. What was decided so is not
        taken for the first reader's; the blind names of these cells may not have been given blind.
    """

    against_analysis: Confusion
    against_first: Confusion
    unattached: int
    seen_before: int = 0

    def __len__(self) -> int:
        return len(self.against_analysis)

    @property
    def kappas(self) -> tuple[Kappa, Kappa]:
        """Cohen's kappa against the analysis and against the first reader."""
        return cohen_kappa(self.against_analysis), cohen_kappa(self.against_first)

    @property
    def ac1s(self) -> tuple[ChanceCorrected, ChanceCorrected]:
        """Gwet's AC1 against the analysis and against the first reader."""
        return gwet_ac1(self.against_analysis), gwet_ac1(self.against_first)

    def rows(self) -> tuple[Row, ...]:
        """Return agreement, kappa and AC1 against the analysis, then against the first reader."""
        found = []
        tables = (self.against_analysis, self.against_first)
        for other, table, kappa, ac1 in zip((MACHINE, FIRST), tables, self.kappas, self.ac1s, strict=True):
            of_both = (table.rows()[0], kappa.rows()[0], ac1.rows()[0])
            found += [one._replace(figure=f"{one.figure} with the {other} ({len(table)} cells)") for one in of_both]
        return tuple(found)


def read_twice(analysis: Analysis, log: DecisionLog, *, second: str | None = None) -> SecondReading:
    """Compare the blind decisions of a second reader with the analysis and with the first reader's.

    Parameters
    ----------
    analysis : Analysis
        As it was detected, not corrected.
    log : DecisionLog
        Of the same smear. The first reader's decisions are those with eyes open of all but the second reader; of
        several the last counts. Readers are told apart by their labels alone.
    second : str or None
        Label of the second reader; None where only one has read blind.

    Raises
    ------
    ConfigError
        If several have read blind and none is chosen.
    """
    log.refresh()
    held = Standing(log.decisions).held()
    blind = [one for one in held if one.blind]
    readers = sorted({one.reader for one in blind})
    if second is None and len(readers) > 1:
        raise ConfigError(f"{len(readers)} readers have read blind", hint="give second= one of " + ", ".join(readers))
    label = readers[0] if second is None and readers else second
    chosen = [one for one in blind if one.reader == label]
    eyes_open = [one for one in held if not one.blind]
    found, first, own = (
        attach(decisions, analysis.detections, analysis.smear)
        for decisions in (
            chosen,
            [one for one in eyes_open if one.reader != label],
            [one for one in eyes_open if one.reader == label],
        )
    )
    detected = {row: str(analysis.detections["name"][row]) for row in found.by_row}
    said = {row: _name_by(one, detected[row]) for row, one in found.by_row.items()}
    both = [row for row in said if row in first.by_row]
    firsts = [_name_by(first.by_row[row], detected[row]) for row in both]
    return SecondReading(
        _table([detected[row] for row in said], said.values(), MACHINE),
        _table(firsts, [said[row] for row in both], FIRST),
        len(found.unattached) + len(first.unattached),
        len(said.keys() & own.by_row.keys()),
    )


def _name_by(decision: Decision, name: str) -> str:
    verdict, given = verdict_on(decision, name)
    return NO_CELL if verdict == REJECTED else given


def _table(firsts: Iterable[str], seconds: Iterable[str], first_is: str) -> Confusion:
    pairs = [_same_depth(first, second) for first, second in zip(firsts, seconds, strict=True)]
    return confusion([one for one, _ in pairs], [other for _, other in pairs], names=(first_is, SECOND))


def _same_depth(first: str, second: str) -> tuple[str, str]:
    """Return two names of a cell, both by the wider one where one is a kind of the other."""
    if first in TERMS and second in TERMS:
        if is_a(first, second):
            return second, second
        if is_a(second, first):
            return first, first
    return first, second
