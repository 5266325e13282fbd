"""Fields that turn out to be unreadable while they are analysed: the others go on without them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hemato_lab.errors import InputError
from hemato_lab.smear import PyramidSource, SkippedFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from hemato_lab.analysis import Analysis
    from hemato_lab.smear import RGB, PixelSource, Smear, Window


class _FieldFailedError(Exception):
    """Carries the index of a field and why its pixels could not be read."""

    def __init__(self, index: int, reason: InputError) -> None:
        super().__init__(index, reason)
        self.index = index
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Watched:
    """A source whose failures name the field they belong to."""

    source: PixelSource
    index: int

    @property
    def width(self) -> int:
        return self.source.width

    @property
    def height(self) -> int:
        return self.source.height

    @property
    def levels(self) -> tuple[PixelSource, ...]:
        smaller = self.source.levels if isinstance(self.source, PyramidSource) else ()
        return tuple(_Watched(level, self.index) for level in smaller)

    def read(self, window: Window) -> RGB:
        try:
            return self.source.read(window)
        except InputError as error:
            raise _FieldFailedError(self.index, error) from error


def without_unreadable(smear: Smear, analyse: Callable[[Smear], Analysis]) -> Analysis:
    """Analyse a smear; a field whose pixels fail at any step is moved to the skipped files and the rest done again.

    Raises
    ------
    InputError
        The first failure, when no field is left.
    """
    first: InputError | None = None
    while True:
        watched = [replace(field, source=_Watched(field.source, index)) for index, field in enumerate(smear.fields)]
        try:
            analysis = analyse(replace(smear, fields=tuple(watched)))
        except _FieldFailedError as failure:
            first = first or failure.reason
            if len(smear) == 1:
                raise first from None
            smear = _without(smear, failure)
        else:
            return replace(analysis, smear=replace(analysis.smear, fields=smear.fields))


def _without(smear: Smear, failure: _FieldFailedError) -> Smear:
    field = smear.fields[failure.index]
    skipped = SkippedFile(field.name, failure.reason.code, str(failure.reason))
    kept = (*smear.fields[: failure.index], *smear.fields[failure.index + 1 :])
    return replace(smear, fields=kept, skipped=(*smear.skipped, skipped))
