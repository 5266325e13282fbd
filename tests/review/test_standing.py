"""Undo and redo against a plain model, and a log read again against the work that wrote it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hemato_lab.review.decision import new_id
from hemato_lab.review.standing import Hand, Standing
from tests.review.made_up import decision

HANDS = (Hand("", blind=False), Hand("B", blind=False), Hand("B", blind=True))
cells = st.lists(st.integers(0, 4), min_size=1, max_size=3, unique=True)
steps = st.tuples(st.sampled_from([0, 0, 0, 0, 1, 2]), cells | st.sampled_from(["undo", "redo"]))


class Model:
    """Each hand has snapshots of what it holds about every cell, as an editor keeps them."""

    def __init__(self):
        self.past, self.now, self.future = [], {}, []

    def decide(self, marks):
        self.past.append(self.now)
        self.now, self.future = {**self.now, **marks}, []

    def undo(self):
        if self.past:
            self.future.append(self.now)
            self.now = self.past.pop()

    def redo(self):
        if self.future:
            self.past.append(self.now)
            self.now = self.future.pop()


def held_by(standing, hand):
    return {one.cell: one.x for one in standing.held() if Hand.of(one) == hand}


@settings(max_examples=100)
@example([(0, [1]), (0, "undo"), (0, [2]), (0, "redo")])
@example([(0, [1]), (0, "undo"), (0, "redo"), (0, "redo"), (0, "undo")])
@given(st.lists(steps, max_size=25))
def test_any_sequence_is_what_an_editor_would_hold_and_replays_to_the_same(sequence):
    log, standing, models = [], Standing(), {hand: Model() for hand in HANDS}
    for number, (which, what) in enumerate(sequence):
        hand = HANDS[which]
        model = models[hand]
        if what == "undo":
            made = standing.undo(hand)
            model.undo()
        elif what == "redo":
            made = standing.redo(hand)
            model.redo()
        else:
            act = new_id()
            marks = {f"cell-{cell}": float(number) for cell in what}
            made = [
                decision(cell=cell, act=act, x=mark, reader=hand.reader, blind=hand.blind)
                for cell, mark in marks.items()
            ]
            model.decide(marks)
        standing.extend(made)
        log += made
        for one in HANDS:
            assert held_by(standing, one) == models[one].now
    replayed = Standing(log)
    assert [one.id for one in replayed.held()] == [one.id for one in standing.held()]
    for hand in HANDS:
        assert [one.id for one in replayed.to_undo(hand)] == [one.id for one in standing.to_undo(hand)]
        assert [one.id for one in replayed.to_redo(hand)] == [one.id for one in standing.to_redo(hand)]


def test_what_is_held_comes_in_the_order_of_the_log():
    early, late = decision(), decision()
    again = decision(cell=early.cell)
    assert Standing([early, late]).held() == [early, late]
    assert Standing([early, late, again]).held() == [late, again]


def test_a_withdrawal_of_what_is_not_there_does_nothing():
    made = decision()
    stray = decision().withdrawn("act")
    back = made.withdrawn("back")
    assert Standing([stray, made]).held() == [made]
    assert Standing([made, back, made.withdrawn("again"), back.withdrawn("of a withdrawal")]).held() == []
    hand = Hand("", blind=False)
    assert Standing().undo(hand) == Standing().redo(hand) == []


def at(second, **changed):
    return decision(time=f"2026-01-01T00:00:{second:02}.000000+00:00", **changed)


@given(st.lists(st.booleans(), min_size=6, max_size=6))
def test_two_logs_come_together_to_the_same_whatever_was_taken_in_when(first_goes):
    """Each log keeps its order; how they are interleaved in the file does not matter, the times do."""
    mine, mine_again = at(1, cell="c", x=1.0), at(5, cell="c", x=5.0)
    taken_back = replace(mine_again.withdrawn("u"), time=at(7).time)
    theirs, theirs_again = at(2, cell="c", x=2.0), at(6, cell="d", x=6.0)
    one, other = [mine, mine_again, taken_back], [theirs, theirs_again]
    file = []
    for first in first_goes:
        source = one if (first and one) or not other else other
        if source:
            file.append(source.pop(0))
    standing = Standing()
    for entry in file:
        standing.extend([entry])
    assert standing.held() == Standing(file).held() == [theirs, theirs_again]
    assert standing.to_undo(HANDS[0]) == [theirs_again]


def test_what_was_taken_back_stays_so_where_the_clock_was_set_back_or_is_no_clock():
    for time in ("2001-01-01T00:00:00.000000+00:00", "yesterday", "0001-01-01T00:00:00+14:00"):
        made = at(9)
        standing = Standing([made, replace(made.withdrawn("u"), time=time)])
        assert standing.held() == []
        assert standing.to_redo(HANDS[0]) == [made]
