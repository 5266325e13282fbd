"""Finding the cells again that decisions were made about: by image and place, whatever detected them since."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hemato_lab.agreement.circles import match_circles
from hemato_lab.detections import ACCEPTED, RENAMED, Detections
from hemato_lab.review.standing import Hand
from hemato_lab.vocabulary import TERMS, is_a

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hemato_lab.review.decision import Decision
    from hemato_lab.smear import Smear

REJECTED = 2
"""Beside `ACCEPTED` and `RENAMED`: the cell is none."""


@dataclass(frozen=True)
class Attached:
    """Decisions and the rows of a table of cells that they are about.

    Attributes
    ----------
    decisions : tuple of Decision
        In the order in which they were made.
    rows : array of int, shape (n,)
        -1 where the table lists no such cell.
    """

    decisions: tuple[Decision, ...]
    rows: NDArray[np.intp]

    @cached_property
    def by_row(self) -> dict[int, Decision]:
        """The decision that holds about each row: the last one, whoever made it."""
        pairs = zip(self.rows.tolist(), self.decisions, strict=True)
        return {row: decision for row, decision in pairs if row >= 0}

    @property
    def unattached(self) -> tuple[Decision, ...]:
        """Decisions about cells that the table does not list."""
        return tuple(one for row, one in zip(self.rows.tolist(), self.decisions, strict=True) if row < 0)

    @property
    def rows_in_dispute(self) -> int:
        """Number of rows of which not all readers say the same; what a reader said last is what he says."""
        said: dict[int, dict[str, tuple[str, str]]] = {}
        for row, one in zip(self.rows.tolist(), self.decisions, strict=True):
            if row >= 0:
                said.setdefault(row, {})[one.reader] = (one.action, one.new_name)
        return sum(len(set(opinions.values())) > 1 for opinions in said.values())


def attach(decisions: Sequence[Decision], detections: Detections, smear: Smear) -> Attached:
    """Find the cells that decisions are about.

    A decision belongs to the cell of its image whose circle is most alike in place and size
    (`hemato_lab.agreement.circles`); every cell has at most one decision of each reader and place.

    Parameters
    ----------
    decisions : sequence of Decision
        That hold (`hemato_lab.review.standing.Standing.held`).
    detections : Detections
        Cells of the smear.
    smear : Smear
        Whose fields are recognised by their ``file_id``.
    """
    fields = fields_by_image(smear)
    rows = np.full(len(decisions), -1, np.intp)
    hands: dict[Hand, list[int]] = {}
    for place, one in enumerate(decisions):
        if (one.file_id, one.part) in fields:
            hands.setdefault(Hand.of(one), []).append(place)
    for places in hands.values():
        own = [decisions[place] for place in places]
        rows[places] = _rows_of(own, [fields[one.file_id, one.part] for one in own], detections)
    return Attached(tuple(decisions), rows)


def fields_by_image(smear: Smear) -> dict[tuple[str, int], int]:
    """Return the index of each field by its ``file_id`` and its number among the fields that share it."""
    seen: dict[str, int] = {}
    found: dict[tuple[str, int], int] = {}
    for index, one in enumerate(smear.fields):
        part = seen.get(one.file_id, 0)
        found[one.file_id, part] = index
        seen[one.file_id] = part + 1
    return found


def verdict_on(decision: Decision, name: str) -> tuple[int, str]:
    """Return what a decision means for a cell that is called `name` now.

    To accept a cell was to accept its name of then. Where it is called something else now that is no kind of it, that
    name is given back to it.

    Returns
    -------
    pair of int and str
        `ACCEPTED`, `REJECTED` or `RENAMED`, and the name that the cell has by the decision.
    """
    if decision.action == "reject":
        return REJECTED, name
    if decision.action == "reclassify":
        return RENAMED, decision.new_name
    known = decision.name in TERMS and name in TERMS
    if name == decision.name or not known or is_a(name, decision.name):
        return ACCEPTED, name
    return RENAMED, decision.name


def _rows_of(decisions: Sequence[Decision], fields: Sequence[int], detections: Detections) -> NDArray[np.intp]:
    # Two processes may have decided about one cell without knowing of each other: one place is one cell.
    circles = [(field, one.x, one.y, one.radius) for field, one in zip(fields, decisions, strict=True)]
    places = {circle: number for number, circle in enumerate(dict.fromkeys(circles))}
    named = {circle: one.name for circle, one in zip(circles, decisions, strict=True)}
    field, x, y, radius = zip(*places, strict=True)
    columns = {"field": field, "x": x, "y": y, "radius": radius, "name": [named[circle] for circle in places]}
    table = Detections({name: np.array(column) for name, column in columns.items()} | {"score": np.ones(len(places))})
    matching = match_circles(table, detections)
    found = np.full(len(places), -1, np.intp)
    found[matching.first] = matching.second
    return found[[places[circle] for circle in circles]]
