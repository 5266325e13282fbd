"""From a smear to its analysis; the only package that knows all the steps.

`analyze` loads its libraries on first use, so that the command line can say what it needs without them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hemato_lab.pipeline.interpretation import Interpretation

if TYPE_CHECKING:
    from hemato_lab.pipeline.steps import analyze

__all__ = ["Interpretation", "analyze"]


def __getattr__(name: str) -> Any:
    if name != "analyze":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from hemato_lab.pipeline.steps import analyze

    globals()[name] = analyze
    return analyze
