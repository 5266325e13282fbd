"""What holds of a log now: decisions follow each other, are taken back and made again, and the last one counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hemato_lab.review.decision import UNKNOWN_TIME, new_id

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from hemato_lab.review.decision import Decision


@dataclass(frozen=True, slots=True)
class Hand:
    """Whose decisions are undone and made again together: one reader, with eyes open or blind."""

    reader: str
    blind: bool

    @classmethod
    def of(cls, decision: Decision) -> Hand:
        """Return the hand that made a decision."""
        return cls(decision.reader, decision.blind)


@dataclass(slots=True)
class _Hands:
    done: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)


class Standing:
    """What holds after decisions, one after the other.

    An act is what was decided at once. Undo takes back the last act of a hand that holds; redo makes the last one that
    was taken back again, as long as the hand has decided nothing new since. What comes last is told by the times of
    decisions, of equal ones by their order: a log may hold decisions that were made elsewhere and taken in later.

    Parameters
    ----------
    decisions : iterable of Decision
        In the order of the log.
    """

    def __init__(self, decisions: Iterable[Decision] = ()) -> None:
        self._all: list[Decision] = []
        self._moments: dict[str, datetime] = {}
        self._latest = UNKNOWN_TIME
        self._clear()
        self.extend(decisions)

    def _clear(self) -> None:
        self._by_id: dict[str, Decision] = {}
        self._of_act: dict[str, list[Decision]] = {}
        self._chains: dict[tuple[Hand, str], list[Decision]] = {}
        self._hands: dict[Hand, _Hands] = {}

    def extend(self, decisions: Iterable[Decision]) -> None:
        """Go on with more decisions of the same log."""
        new, in_order = list(decisions), True
        for one in new:
            # Whatever the clocks say, nothing is taken back before it was decided.
            moment = max(one.moment, self._moments.get(one.of, UNKNOWN_TIME))
            self._moments[one.id] = moment
            in_order = in_order and moment >= self._latest
            self._latest = max(self._latest, moment)
        self._all += new
        if not in_order:
            self._clear()
            new = sorted(self._all, key=lambda one: self._moments[one.id])
        self._replay(new)

    def _replay(self, decisions: Iterable[Decision]) -> None:
        for decision in decisions:
            self._by_id[decision.id] = decision
            if decision.action == "withdraw":
                self._withdraw(decision)
            else:
                self._decide(decision)

    def held(self) -> list[Decision]:
        """Return the decision that holds about each cell, of every hand, in the order in which they were made."""
        last = [chain[-1] for chain in self._chains.values() if chain]
        places = {known: place for place, known in enumerate(self._by_id)}
        return sorted(last, key=lambda one: places[one.id])

    def to_undo(self, hand: Hand) -> list[Decision]:
        """Return the decisions of the last act of a hand that holds; empty when there is none."""
        acts = self._hands.get(hand, _Hands()).done
        return self._holding(acts[-1]) if acts else []

    def to_redo(self, hand: Hand) -> list[Decision]:
        """Return the decisions of the act that a hand took back last; empty when there is none."""
        acts = self._hands.get(hand, _Hands()).undone
        return list(self._of_act[acts[-1]]) if acts else []

    def undo(self, hand: Hand) -> list[Decision]:
        """Return the new decisions that take back what `to_undo` says."""
        act = new_id()
        return [one.withdrawn(act) for one in self.to_undo(hand)]

    def redo(self, hand: Hand) -> list[Decision]:
        """Return the new decisions that make again what `to_redo` says."""
        act = new_id()
        return [one.repeated(act) for one in self.to_redo(hand)]

    def _holding(self, act: str) -> list[Decision]:
        hand_of = [(Hand.of(one), one) for one in self._of_act[act]]
        return [one for hand, one in hand_of if one in self._chains[hand, one.cell]]

    def _decide(self, decision: Decision) -> None:
        hand = Hand.of(decision)
        hands = self._hands.setdefault(hand, _Hands())
        self._chains.setdefault((hand, decision.cell), []).append(decision)
        is_new_act = decision.act not in self._of_act
        self._of_act.setdefault(decision.act, []).append(decision)
        if not is_new_act:
            return
        hands.done.append(decision.act)
        repeated = self._by_id.get(decision.of)
        if repeated is not None and hands.undone and repeated.act == hands.undone[-1]:
            hands.undone.pop()
        else:
            hands.undone.clear()

    def _withdraw(self, withdrawal: Decision) -> None:
        taken = self._by_id.get(withdrawal.of)
        if taken is None or taken.action == "withdraw":
            return
        hand = Hand.of(taken)
        chain = self._chains[hand, taken.cell]
        if taken in chain:
            chain.remove(taken)
        hands = self._hands[hand]
        if taken.act in hands.done:
            hands.done.remove(taken.act)
            hands.undone.append(taken.act)
