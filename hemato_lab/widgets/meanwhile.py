"""What others decided about cells since a page showed them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hemato_lab.review import Decision

DONE: Final = {"accept": "accepted", "reject": "rejected", "reclassify": "renamed"}
"""What was done, by action."""


def in_words(decision: Decision) -> str:
    """Return what was decided of a cell: ``renamed as ring trophozoite``."""
    return f"{DONE[decision.action]}{f' as {decision.new_name}' if decision.new_name else ''}"


def said_meanwhile(shown: Mapping[int, Decision], now: Mapping[int, Decision], rows: Iterable[int]) -> str:
    """Return what a reader should know who has just decided about cells as they were shown.

    Parameters
    ----------
    shown, now : mapping of int to Decision
        What held of each row when it was shown, and before the reader's own decision was kept.
    rows : iterable of int
        Those that the reader decided about.

    Returns
    -------
    str
        Empty where nothing had changed.
    """
    before = {row: shown[row].id if row in shown else "" for row in rows}
    others = [now[row] for row, known in before.items() if row in now and now[row].id != known]
    if not others:
        return ""
    who = " and ".join(sorted({one.reader or "another window" for one in others}))
    if len(others) == 1:
        return f"meanwhile {who} had it {in_words(others[0])}"
    return f"meanwhile {who} had decided about {len(others)} of them"
