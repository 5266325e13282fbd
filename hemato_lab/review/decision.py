"""One decision of a reader about one cell, and the line of the log that keeps it."""

from __future__ import annotations

import json
import math
import secrets
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from hemato_lab.detections import NAME_DTYPE
from hemato_lab.errors import ConfigError
from hemato_lab.vocabulary import TERMS, term

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Action = Literal["accept", "reject", "reclassify", "withdraw"]
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
UNKNOWN_TIME: Final = datetime.min.replace(tzinfo=UTC)
"""Of decisions whose time cannot be read: before all others."""
LONGEST_READER: Final = 80
"""Characters of a reader's label."""
_LONGEST_ID: Final = 64
_LONGEST_NAME: Final = NAME_DTYPE.itemsize // 4


@dataclass(frozen=True, slots=True)
class Decision:
    """What a reader decided about a cell, in the place where it was seen.

    Attributes
    ----------
    id : str
        Of its own, 32 hexadecimal digits.
    act : str
        The same for all decisions that were made at once, and are taken back at once.
    cell : str
        Id of the first decision about this cell; later ones about the same cell repeat it.
    time : str
        UTC, ISO 8601 with microseconds; never before that of what the same log held already.
    reader : str
        A free label, empty by default; never looked up anywhere.
    action : str
        One of `ACTIONS`. ``withdraw`` takes back the decision that `of` names.
    of : str
        Id of the decision that is taken back, or made again after that; else empty.
    file_id : str
        Of the image (api/DECISIONS.md row 14).
    part : int
        Which of the fields with this ``file_id``, as the pages of one file have: 0 for the first.
    x, y, radius : float
        Where the cell was seen, in pixels of the field.
    name : str
        What the cell was called when the decision was made, before any decision.
    score : float
        Of the detection, NaN where there was none.
    new_name : str
        Of the vocabulary for ``reclassify``, else empty.
    models : tuple of str
        SHA-256 of the models that had found and named the cell.
    blind : bool
        Whether the reader saw neither name nor score nor anybody's decision.
    """

    id: str
    act: str
    cell: str
    time: str
    reader: str
    action: Action
    of: str
    file_id: str
    part: int
    x: float
    y: float
    radius: float
    name: str
    score: float
    new_name: str
    models: tuple[str, ...]
    blind: bool

    @property
    def moment(self) -> datetime:
        """The time, `UNKNOWN_TIME` where it cannot be read."""
        try:
            moment = datetime.fromisoformat(self.time)
        except ValueError:
            return UNKNOWN_TIME
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def line(self) -> str:
        """Return the decision as one line of JSON in ASCII, without its end."""
        plain = asdict(self) | {"score": self.score if math.isfinite(self.score) else None}
        return json.dumps(plain, ensure_ascii=True, allow_nan=False, separators=(",", ":"))

    def withdrawn(self, act: str) -> Decision:
        """Return the decision that takes this one back."""
        return replace(self, id=new_id(), act=act, time=now(), action="withdraw", of=self.id, new_name="")

    def repeated(self, act: str) -> Decision:
        """Return the decision that makes this one again after it was taken back."""
        return replace(self, id=new_id(), act=act, time=now(), of=self.id)


def new_id() -> str:
    """Return an id that nobody has used."""
    return secrets.token_hex(16)


def now() -> str:
    """Return the time as decisions carry it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def checked_name(name: str) -> str:
    """Return a name that a cell may be given.

    Raises
    ------
    ConfigError
        If it is none of the vocabulary, or not one of a single cell.
    """
    if term(name).kind != "cell":
        raise ConfigError(f"{name!r} is no name of a single cell", hint="choose a kind of cell")
    return name


def names_for_cells() -> tuple[str, ...]:
    """Return every name that a cell may be given, in the vocabulary's order."""
    return tuple(name for name, known in TERMS.items() if known.kind == "cell")


def checked_reader(label: str) -> str:
    """Return a reader's label that can be written.

    Raises
    ------
    ConfigError
        If it is too long, or has signs that are not shown.
    """
    if len(label) > LONGEST_READER or not label.isprintable():
        problem = f"a reader's label has at most {LONGEST_READER} characters that can be shown"
        raise ConfigError(problem, hint="use initials or a number")
    return label


def read_decision(members: Mapping[str, Any]) -> Decision:
    """Return the decision that a line of the log holds; keys that are not known are passed over.

    Raises
    ------
    ValueError
        If a member is missing or cannot be.
    """
    _require(all(one.name in members for one in fields(Decision)), "a member is missing")
    own, act, cell, time, of = (_text(members[key], key, _LONGEST_ID) for key in ("id", "act", "cell", "time", "of"))
    _require(all((own, act, cell, time)), "an id is empty")
    x, y, radius = (_number(members[key], key) for key in ("x", "y", "radius"))
    _require(radius > 0, "the radius is not positive")
    score, part, models = members["score"], members["part"], members["models"]
    _require(type(part) is int and part >= 0, "part is no whole number")
    _require(isinstance(members["blind"], bool), "blind is neither true nor false")
    _require(isinstance(models, list | tuple), "models is no list")
    action = members["action"]
    _require(action in ACTIONS, "the action is not known")
    new_name = _text(members["new_name"], "new_name", _LONGEST_NAME)
    _require((action == "reclassify") == bool(new_name), "a new name belongs to reclassify alone")
    _require(not new_name or new_name in names_for_cells(), "the new name is no name of a cell")
    _require(bool(of) or action != "withdraw", "it is not said what is withdrawn")
    return Decision(
        id=own,
        act=act,
        cell=cell,
        time=time,
        of=of,
        reader=_text(members["reader"], "reader", LONGEST_READER),
        action=action,
        file_id=_text(members["file_id"], "file_id", 2 * _LONGEST_ID),
        part=part,
        x=x,
        y=y,
        radius=radius,
        name=_text(members["name"], "name", _LONGEST_NAME),
        score=math.nan if score is None else _number(score, "score"),
        new_name=new_name,
        models=tuple(_text(model, "a model", _LONGEST_ID) for model in models),
        blind=members["blind"],
    )


def lines_of(decisions: Iterable[Decision]) -> bytes:
    """Return decisions as lines of the log."""
    return "".join(one.line() + "\n" for one in decisions).encode("ascii")


def _require(holds: bool, problem: str) -> None:  # noqa: FBT001
    if not holds:
        raise ValueError(problem)


def _text(value: object, what: str, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise ValueError(f"{what} is no text of at most {longest} characters")
    return value


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{what} is no number")
    return float(value)
