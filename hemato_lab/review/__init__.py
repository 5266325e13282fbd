"""What a reader decides about single cells: kept for ever, found again by place, carried into the report.

For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hemato_lab.review.decision import Decision
from hemato_lab.review.log import DecisionLog

if TYPE_CHECKING:
    from hemato_lab.review.correcting import correct
    from hemato_lab.review.reviewing import Review
    from hemato_lab.review.second_reading import SecondReading, read_twice

__all__ = ["Decision", "DecisionLog", "Review", "SecondReading", "correct", "read_twice"]

_HOME_OF: Final = {
    "Review": "hemato_lab.review.reviewing",
    "SecondReading": "hemato_lab.review.second_reading",
    "correct": "hemato_lab.review.correcting",
    "read_twice": "hemato_lab.review.second_reading",
}
"""Loaded on first use: they know the whole pipeline."""


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value
