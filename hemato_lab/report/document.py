"""Reading a JSON document with the path at hand, and writing it back as it was.

Every part of a report keeps the JSON object it was read from. Writing starts from that object, so that the order of
keys, unknown keys and the JSON type of an unchanged value survive.
"""

from __future__ import annotations

import json
import math
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from hemato_lab.errors import ReportFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

JsonObject = dict[str, Any]

_KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


class ExactFloat(float):
    """A number of a JSON document that remembers how it was spelled."""

    text: str

    def __new__(cls, text: str) -> Self:
        """Read the number from its text."""
        number = super().__new__(cls, text)
        if not math.isfinite(number):
            raise malformed("", f"holds the number {text[:20]}, which is too large")
        number.text = text
        return number

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.text,)


def malformed(path: str, problem: str) -> ReportFormatError:
    """Return the error for a place in a document."""
    return ReportFormatError(
        problem, subject=path or "the document", hint="see report.schema.json for the documented shape"
    )


def parse(text: str | bytes | bytearray) -> Any:
    """Parse JSON, refusing what is no JSON: NaN, Infinity, and a key given twice."""
    try:
        return json.loads(text, parse_float=ExactFloat, parse_constant=_refuse_constant, object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise malformed("", f"is not JSON: {error}") from error


def serialise(document: Mapping[str, Any], *, indent: int | None = None) -> str:
    """Return an object as JSON text in ASCII, so that no pipe or locale can garble it."""
    try:
        return json.dumps(document, indent=indent, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise malformed("", f"cannot be written as JSON: {error}") from error


def _refuse_constant(name: str) -> Any:
    raise malformed("", f"is not JSON: it holds the constant {name}")


def _unique_keys(pairs: list[tuple[str, Any]]) -> JsonObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise malformed("", f"has the key {twice!r} twice in one object")
    return members


@dataclass(frozen=True, slots=True)
class Cursor:
    """A value of a JSON document and the path that leads to it."""

    value: Any
    path: str = ""

    def expected(self, what: str) -> ReportFormatError:
        """Return the error that says what should stand here."""
        found = _KINDS.get(type(self.value), type(self.value).__name__)
        return malformed(self.path, f"should be {what}, is {found}")

    def members(self) -> JsonObject:
        """Return the object here."""
        if not isinstance(self.value, dict) or not all(isinstance(key, str) for key in self.value):
            raise self.expected("an object")
        return self.value

    def has(self, key: str) -> bool:
        """Tell whether the object here has a member."""
        return key in self.members()

    def member(self, key: str) -> Cursor:
        """Return a member that must be there."""
        path = _join(self.path, key)
        if not self.has(key):
            raise malformed(path, "is missing")
        return Cursor(self.value[key], path)

    def entries(self) -> Iterator[tuple[str, Cursor]]:
        """Yield every member of the object here."""
        for key in self.members():
            yield key, self.member(key)

    def items(self) -> list[Cursor]:
        """Return the elements of the list here."""
        if not isinstance(self.value, list):
            raise self.expected("a list")
        return [Cursor(item, f"{self.path}[{index}]") for index, item in enumerate(self.value)]

    def string(self) -> str:
        """Return the string here."""
        if not isinstance(self.value, str):
            raise self.expected("a string")
        return self.value

    def text(self) -> str:
        """Return a string, or a number as it was spelled (api/DECISIONS.md row 19)."""
        text = text_of(self.value)
        if text is None:
            raise self.expected("a string or a number")
        return text

    def number(self) -> float:
        """Return a finite number, also when it is written as a string; whole numbers as int."""
        number = number_of(self.value)
        if number is None:
            raise self.expected("a finite number")
        return number


def _join(path: str, key: str) -> str:
    if key.replace("_", "a").replace("-", "a").isalnum():
        return f"{path}.{key}" if path else key
    return f"{path}[{json.dumps(key)}]"


def text_of(value: Any) -> str | None:
    """Return a JSON string or number as text, None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, ExactFloat):
        return value.text
    return repr(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def number_of(value: Any) -> float | None:
    """Return a JSON number, or the number a string spells; None where there is no finite one."""
    text = text_of(value)
    if text is None or "_" in text:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and text.strip().lstrip("+-").isdecimal() else number


def keep_text(source: Mapping[str, Any] | None, key: str, current: str) -> Any:
    """Return what to write for a text: the value as it was read while it still says the same."""
    read = source.get(key) if source is not None else None
    return read if text_of(read) == current else current


def keep_number(source: Mapping[str, Any] | None, key: str, current: float) -> Any:
    """Return what to write for a number: the value as it was read while it still says the same."""
    read = source.get(key) if source is not None else None
    return read if number_of(read) == current else current


def written(source: Mapping[str, Any] | None, fields: JsonObject, *, omit: tuple[str, ...] = ()) -> JsonObject:
    """Return the object to write.

    Parameters
    ----------
    source : mapping or None
        The object as it was read; None for a part that was made here.
    fields : dict
        The documented members in their documented order, as they are now.
    omit : tuple of str
        Keys that are not written although they were read.

    Notes
    -----
    A documented member that was absent stays absent while it is empty, so a level that the server left out is not
    invented.
    """
    if source is None:
        return fields
    result = {key: fields[key] if key in fields else deepcopy(source[key]) for key in source if key not in omit}
    result.update({key: value for key, value in fields.items() if key not in source and value not in ("", [], {})})
    return result
