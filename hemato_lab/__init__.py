"""hemato_lab: an open, offline second reader for peripheral blood smears.

For Research Use Only. Not for use in diagnostic procedures.

Public names load their modules on first use, so that ``import hemato_lab`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis
    from hemato_lab.api import (
        AsyncClient,
        CallbackReceiver,
        CallbackSigner,
        Client,
        FileList,
        KeyAuth,
        PasswordAuth,
        RemoteStudy,
        TokenAuth,
    )
    from hemato_lab.comparison import Comparison, compare
    from hemato_lab.detections import Detections
    from hemato_lab.formats import open_smear
    from hemato_lab.pipeline import Interpretation, analyze
    from hemato_lab.reference import BloodCount, ClinicalContext
    from hemato_lab.report import Report
    from hemato_lab.smear import Field, Scale, Smear, Window
    from hemato_lab.twin import Twin
    from hemato_lab.widgets import app, view

__version__: Final = "0.1.0"

_HOME_OF: Final = {
    "Analysis": "hemato_lab.analysis",
    "AsyncClient": "hemato_lab.api",
    "BloodCount": "hemato_lab.reference",
    "CallbackReceiver": "hemato_lab.api",
    "CallbackSigner": "hemato_lab.api",
    "Client": "hemato_lab.api",
    "ClinicalContext": "hemato_lab.reference",
    "Comparison": "hemato_lab.comparison",
    "Detections": "hemato_lab.detections",
    "Field": "hemato_lab.smear",
    "FileList": "hemato_lab.api",
    "Interpretation": "hemato_lab.pipeline",
    "KeyAuth": "hemato_lab.api",
    "PasswordAuth": "hemato_lab.api",
    "RemoteStudy": "hemato_lab.api",
    "Report": "hemato_lab.report",
    "Scale": "hemato_lab.smear",
    "Smear": "hemato_lab.smear",
    "TokenAuth": "hemato_lab.api",
    "Twin": "hemato_lab.twin",
    "Window": "hemato_lab.smear",
    "analyze": "hemato_lab.pipeline",
    "app": "hemato_lab.widgets",
    "compare": "hemato_lab.comparison",
    "open_smear": "hemato_lab.formats",
    "view": "hemato_lab.widgets",
}

__all__ = [
    "Analysis",
    "AsyncClient",
    "BloodCount",
    "CallbackReceiver",
    "CallbackSigner",
    "Client",
    "ClinicalContext",
    "Comparison",
    "Detections",
    "Field",
    "FileList",
    "Interpretation",
    "KeyAuth",
    "PasswordAuth",
    "RemoteStudy",
    "Report",
    "Scale",
    "Smear",
    "TokenAuth",
    "Twin",
    "Window",
    "__version__",
    "analyze",
    "app",
    "compare",
    "open_smear",
    "view",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOME_OF))
