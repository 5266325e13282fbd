"""Looking and deciding: widgets for the notebook, and the same in a browser or in one file.

For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from hemato_lab.widgets.cell_gallery import CellGallery
    from hemato_lab.widgets.choosing import view
    from hemato_lab.widgets.comparison_viewer import ComparisonViewer
    from hemato_lab.widgets.dashboard import Dashboard, app
    from hemato_lab.widgets.smear_review import SmearReview
    from hemato_lab.widgets.smear_viewer import SmearViewer

__all__ = ["CellGallery", "ComparisonViewer", "Dashboard", "SmearReview", "SmearViewer", "app", "view"]

_HOME_OF: Final = {
    "CellGallery": "hemato_lab.widgets.cell_gallery",
    "ComparisonViewer": "hemato_lab.widgets.comparison_viewer",
    "Dashboard": "hemato_lab.widgets.dashboard",
    "SmearReview": "hemato_lab.widgets.smear_review",
    "SmearViewer": "hemato_lab.widgets.smear_viewer",
    "app": "hemato_lab.widgets.dashboard",
    "view": "hemato_lab.widgets.choosing",
}
"""Loaded on first use: ipywidgets alone takes a while."""


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value
