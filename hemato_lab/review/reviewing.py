"""A reader at work on one smear: deciding, undoing, and what holds about every cell."""

from __future__ import annotations

import operator
import threading
import weakref
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from hemato_lab.detections import ACCEPTED, RENAMED, Detections
from hemato_lab.errors import ConfigError
from hemato_lab.review.attaching import REJECTED, Attached, attach, fields_by_image, verdict_on
from hemato_lab.review.correcting import correct
from hemato_lab.review.decision import Action, Decision, checked_name, checked_reader, new_id, now
from hemato_lab.review.log import DecisionLog
from hemato_lab.review.standing import Hand, Standing

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from hemato_lab.analysis import Analysis
    from hemato_lab.pipeline import Interpretation

UNNAMED: Final = "cell"
"""What every cell is called in a blind reading."""
MADE_BY_READERS: Final = ("accept", "reject", "reclassify")
_ACTIONS_IN_WORDS: Final = "use accept, reject (it is no cell), or reclassify with a name"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a review is.

    Attributes
    ----------
    cells, accepted, rejected, renamed : int
        Cells in all, and those decided on.
    unattached : int
        Decisions about cells that the analysis does not list.
    """

    cells: int
    accepted: int
    rejected: int
    renamed: int
    unattached: int

    @property
    def decided(self) -> int:
        """Cells decided on."""
        return self.accepted + self.rejected + self.renamed


def blinded(detections: Detections) -> Detections:
    """Return the same cells without what any model says about them: places and radii, `UNNAMED`, no score."""
    bare = {name: detections[name] for name in ("field", "x", "y", "radius")}
    unnamed, no_score = np.full(len(detections), UNNAMED), np.full(len(detections), np.nan)
    return Detections({**bare, "name": unnamed, "score": no_score})


class Review:
    """The decisions of readers about the cells of one analysis, as one of them sees and makes them.

    Safe for threads. What is decided is on the disk when the call returns.

    Parameters
    ----------
    analysis : Analysis
    decisions : DecisionLog, path or None
        Where decisions are kept; None for the user's own folder for data. Those of earlier sessions are found again
        by place, whatever has detected the cells since.
    reader : str
        A label for who decides; empty by default.
    blind : bool
        Whether this is a second reading without knowledge of the first: only this reader's own blind decisions are
        shown, and a cell can be named or rejected but not accepted.

    Raises
    ------
    DecisionLogError
        If the log cannot be read or is of another smear.
    ConfigError
        If the reader's label cannot be used.
    """

    def __init__(
        self,
        analysis: Analysis,
        decisions: DecisionLog | str | os.PathLike[str] | None = None,
        *,
        reader: str = "",
        blind: bool = False,
    ) -> None:
        self.analysis = analysis
        self.log = decisions if isinstance(decisions, DecisionLog) else DecisionLog.of_smear(analysis.smear, decisions)
        self._hand = Hand(checked_reader(reader), blind)
        self._guard = threading.RLock()
        self._listeners: list[weakref.WeakMethod[Callable[[], None]]] = []
        self._images = {index: image for image, index in fields_by_image(analysis.smear).items()}
        self._shown = blinded(analysis.detections) if blind else analysis.detections
        self._models = _models_of(analysis)
        self._attach_all()

    @property
    def reader(self) -> str:
        """Who decides."""
        return self._hand.reader

    @property
    def blind(self) -> bool:
        """Whether this is a blind reading."""
        return self._hand.blind

    @property
    def shown(self) -> Detections:
        """The cells as this reader may see them: in a blind reading places and sizes alone, all under one name."""
        return self._shown

    @property
    def attached(self) -> Attached:
        """The decisions that this reader may see, with their rows."""
        with self._guard:
            return self._attached

    @property
    def version(self) -> int:
        """Of what `states`, `names` and `attached` follow from: larger when any of them changed."""
        with self._guard:
            return self._read + self._rereads

    @property
    def own_decisions(self) -> tuple[Decision, ...]:
        """What this reader has decided and taken back, in the order of the log.

        In a blind reading names and scores that the models gave are left out of them.
        """
        own = (one for one in self.log.decisions if Hand.of(one) == self._hand)
        return tuple(replace(one, name=UNNAMED, score=np.nan) if self.blind else one for one in own)

    @property
    def states(self) -> NDArray[np.uint8]:
        """What holds of every cell, shape (n,): 0 open, 1 accepted, 2 rejected, 3 renamed."""
        with self._guard:
            return self._states

    @property
    def names(self) -> tuple[str, ...]:
        """The new name of every cell that was renamed, else empty."""
        with self._guard:
            return self._names

    @property
    def progress(self) -> Progress:
        """How far the review is."""
        with self._guard:
            counts = np.bincount(self._states, minlength=4).tolist()
            accepted, rejected, renamed = (counts[state] for state in (ACCEPTED, REJECTED, RENAMED))
            return Progress(len(self._states), accepted, rejected, renamed, len(self._attached.unattached))

    def decide(self, rows: Sequence[int], action: str, name: str = "") -> tuple[int, ...]:
        """Decide about cells at once.

        Parameters
        ----------
        rows : sequence of int
            Of the analysis's detections.
        action : str
            ``accept``, ``reject`` (it is no cell) or ``reclassify``. To accept a cell that shows a new name is to give
            it that name.
        name : str
            Of the vocabulary; for ``reclassify`` alone.

        Returns
        -------
        tuple of int
            Rows that were decided anew; those of which the same reader has said so already are passed over.

        Raises
        ------
        ConfigError
            If a row, the action or the name is impossible, or names are hidden and one is accepted.
        DecisionLogError
            If the decisions cannot be written; nothing was decided then.
        """
        with self._guard:
            wanted = self._checked(rows, action, name)
            # What the reader saw, and not what others have decided meanwhile.
            meant = {row: self._as_shown(row, action, name) for row in wanted}
            self._take_over()
            act, time = new_id(), now()
            chosen = {row: self._decision(row, *what, act, time) for row, what in meant.items()}
            made = {row: one for row, one in chosen.items() if not self._is_said(one)}
            self.log.append(list(made.values()))
            self._row_of |= {(self._hand, one.cell): row for row, one in made.items()}
            self._follow()
        self._tell()
        return tuple(sorted(made))

    def undo(self) -> tuple[int, ...]:
        """Take back what this reader decided last; return its rows, none where there is nothing to take back.

        Raises
        ------
        DecisionLogError
            If it cannot be written.
        """
        return self._go("undo")

    def redo(self) -> tuple[int, ...]:
        """Decide again what was taken back last; return its rows.

        Raises
        ------
        DecisionLogError
            If it cannot be written.
        """
        return self._go("redo")

    def refresh(self) -> bool:
        """Take over what other processes have decided; tell whether there was anything.

        Raises
        ------
        DecisionLogError
            If the log cannot be read any more.
        """
        with self._guard:
            is_new = self._take_over()
        if is_new:
            self._tell()
        return is_new

    def listen(self, listener: Callable[[], None]) -> None:
        """Let a method hear of every change, whoever makes it; it is forgotten when its object is.

        It is called after the change by the thread that made it, and may find later changes too.
        """
        with self._guard:
            self._listeners.append(weakref.WeakMethod(listener))

    def _tell(self) -> None:
        # Outside the guard: who listens may wait for what another thread keeps.
        with self._guard:
            self._listeners = [one for one in self._listeners if one() is not None]
            listeners = [one() for one in self._listeners]
        for listener in listeners:
            if listener is not None:
                listener()

    def _take_over(self) -> bool:
        self.log.refresh()
        if (len(self.log.decisions), self.log.rereads) == (self._read, self._rereads):
            return False
        self._attach_all()
        return True

    def corrected(self, interpretation: Interpretation | None = None) -> Analysis:
        """Return the analysis with all decisions carried out, those of blind readings left out; see `correct`."""
        return correct(self.analysis, self.log, interpretation=interpretation)

    def _go(self, way: str) -> tuple[int, ...]:
        with self._guard:
            self._take_over()
            made = self._standing.undo(self._hand) if way == "undo" else self._standing.redo(self._hand)
            self.log.append(made)
            self._follow()
            rows = self._rows_about(made)
        self._tell()
        return rows

    def _checked(self, rows: Sequence[int], action: str, name: str) -> list[int]:
        if action not in MADE_BY_READERS:
            raise ConfigError(f"unknown decision {action!r}", hint=_ACTIONS_IN_WORDS)
        if action == "accept" and self.blind:
            raise ConfigError("no name is shown that could be accepted", hint="name the cell, or reject it")
        if action == "reclassify":
            checked_name(name)
        elif name:
            raise ConfigError("only a cell that is reclassified gets a name", hint='use "reclassify"')
        cells = len(self.analysis.detections)
        chosen = _checked_rows(rows)
        wrong = next((row for row in chosen if not 0 <= row < cells), None)
        if wrong is not None:
            raise ConfigError(f"there is no cell {wrong}", hint=f"cells are numbered from 0 to {cells - 1}")
        return list(dict.fromkeys(chosen))

    def _as_shown(self, row: int, action: str, name: str) -> tuple[str, str]:
        """Return what is decided: to accept a cell that was renamed is to give it the name that it shows."""
        if action == "accept" and self._states[row] == RENAMED:
            return "reclassify", self._names[row]
        return action, name

    def _decision(self, row: int, action: str, name: str, act: str, time: str) -> Decision:
        cells, own = self.analysis.detections, new_id()
        seen = str(cells["name"][row])
        if action == "reclassify" and name == seen and not self.blind:
            action, name = "accept", ""
        file_id, part = self._images[int(cells["field"][row])]
        return Decision(
            own,
            act,
            self._cell_of.get(row, own),
            time,
            self.reader,
            cast("Action", action),
            "",
            file_id,
            part,
            float(cells["x"][row]),
            float(cells["y"][row]),
            float(cells["radius"][row]),
            seen,
            float(cells["score"][row]),
            name,
            self._models,
            self.blind,
        )

    def _is_said(self, decision: Decision) -> bool:
        """Tell whether what holds of the cell is this very thing, by the same reader and under the same name."""
        held = self._held_by_cell.get((self._hand, decision.cell))
        said = ("action", "new_name", "name")
        return held is not None and all(getattr(held, key) == getattr(decision, key) for key in said)

    def _attach_all(self) -> None:
        decisions, self._rereads = self.log.decisions, self.log.rereads
        self._standing, self._read = Standing(decisions), len(decisions)
        held = self._visible(self._standing.held())
        self._row_of: dict[tuple[Hand, str], int] = {}
        found = attach(held, self.analysis.detections, self.analysis.smear)
        for row, one in zip(found.rows.tolist(), held, strict=True):
            self._row_of[Hand.of(one), one.cell] = row
        self._show(held)

    def _follow(self) -> None:
        """Go on with what was just added; what another process added meanwhile is attached by place."""
        added = self.log.decisions[self._read :]
        is_known = all((Hand.of(one), one.cell) in self._row_of for one in added)
        if not is_known or self.log.rereads != self._rereads:
            self._attach_all()
            return
        self._standing.extend(added)
        self._read += len(added)
        self._show(self._visible(self._standing.held()))

    def _show(self, held: list[Decision]) -> None:
        rows = np.array([self._row_of[Hand.of(one), one.cell] for one in held], np.intp)
        self._attached = Attached(tuple(held), rows)
        self._held_by_cell = {(Hand.of(one), one.cell): one for one in held}
        self._cell_of = {
            row: one.cell for row, one in zip(rows.tolist(), held, strict=True) if Hand.of(one) == self._hand
        }
        states, names = np.zeros(len(self.analysis.detections), np.uint8), [""] * len(self.analysis.detections)
        for row, one in self._attached.by_row.items():
            states[row], name = verdict_on(one, str(self.analysis.detections["name"][row]))
            names[row] = name if states[row] == RENAMED else ""
        states.flags.writeable = False
        self._states, self._names = states, tuple(names)

    def _visible(self, held: Iterable[Decision]) -> list[Decision]:
        return [one for one in held if (Hand.of(one) == self._hand if self.blind else not one.blind)]

    def _rows_about(self, decisions: Sequence[Decision]) -> tuple[int, ...]:
        rows = {self._row_of.get((Hand.of(one), one.cell), -1) for one in decisions}
        return tuple(sorted(rows - {-1}))


def _models_of(analysis: Analysis) -> tuple[str, ...]:
    stated = (one.get("sha256") for one in analysis.provenance.get("models", {}).values())
    return tuple(sorted(one for one in stated if isinstance(one, str)))


def _checked_rows(rows: Sequence[int]) -> list[int]:
    try:
        return [operator.index(row) for row in rows]
    except TypeError:
        hint = 'list the numbers of the cells, as in decide([0], "accept")'
        raise ConfigError(f"{rows!r} is no list of rows", hint=hint) from None
