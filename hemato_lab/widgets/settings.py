"""Values of traits that a reader sets, checked wherever they come from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import traitlets

if TYPE_CHECKING:
    from collections.abc import Sequence


class FiniteFloat(traitlets.Float):  # type: ignore[type-arg]
    """A number within its bounds that is neither infinite nor NaN, which no JSON can carry."""

    info_text = "a finite number"

    def validate(self, obj: Any, value: Any) -> float:
        """Return the number; raises TraitError."""
        number: float = super().validate(obj, value)
        if not math.isfinite(number):
            self.error(obj, value)
        return number


def checked_viewport(value: Sequence[float], fields: int) -> list[float]:
    """Return a viewport that a view can show.

    Parameters
    ----------
    value : sequence of float
        Nothing; a field; or field, x, y and zoom.
    fields : int
        How many fields there are.

    Raises
    ------
    traitlets.TraitError
        If a number is missing or not finite, there is no such field, or the zoom is not above zero.
    """
    numbers = list(value)
    is_place = len(numbers) in {0, 1, 4} and all(map(math.isfinite, numbers))
    if not is_place or (numbers and numbers[0] not in range(fields)) or (len(numbers) == 4 and numbers[3] <= 0):
        problem = f"field (0 to {fields - 1}), x, y and a zoom above zero, the field alone, or nothing"
        raise traitlets.TraitError(f"a viewport is {problem}")
    return numbers


def checked_rows(value: Sequence[int], rows: int, of: str) -> list[int]:
    """Return selected rows, each once.

    Parameters
    ----------
    value : sequence of int
    rows : int
        How many there are.
    of : str
        What they are rows of, for people.

    Raises
    ------
    traitlets.TraitError
        If there is no such row.
    """
    chosen = list(dict.fromkeys(value))
    if chosen and not (min(chosen) >= 0 and max(chosen) < rows):
        raise traitlets.TraitError(f"selected holds rows of the {of}, 0 to {rows - 1}")
    return chosen
