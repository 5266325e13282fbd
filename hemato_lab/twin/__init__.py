"""The twin: the Hemato.AI Diagnostic API on your own machine, answered by our own analysis.

Needs the extra ``twin``. For Research Use Only; a twin's report says that the twin made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hemato_lab.twin.local import Twin

__all__ = ["Twin"]


def __getattr__(name: str) -> Any:
    if name != "Twin":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from hemato_lab.twin.local import Twin

    globals()[name] = Twin
    return Twin
