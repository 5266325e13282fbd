"""Synthetic smears made from physics, with exact ground truth.

A `Recipe` says what a smear contains and how it is photographed. Cells are placed on an endless film (`layout`), each
is drawn as amounts of dye over a grid of pixels (`red_cells`, `white_cells`, `platelets`, `parasites`), amounts add up
where cells overlap, and a microscope turns them into light, sensor counts and sRGB (`optics`). Everything is a
function of the seed and the place alone, so any window of a field or slide of any size can be made by itself.

For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from hemato_lab.phantom.dataset import phantom_smear, write_dataset
    from hemato_lab.phantom.recipe import Recipe
    from hemato_lab.phantom.recipes import RECIPES
    from hemato_lab.phantom.render import render_field
    from hemato_lab.phantom.slide import write_slide

_HOME_OF: Final = {
    "RECIPES": "hemato_lab.phantom.recipes",
    "Recipe": "hemato_lab.phantom.recipe",
    "phantom_smear": "hemato_lab.phantom.dataset",
    "render_field": "hemato_lab.phantom.render",
    "write_dataset": "hemato_lab.phantom.dataset",
    "write_slide": "hemato_lab.phantom.slide",
}

__all__ = ["RECIPES", "Recipe", "phantom_smear", "render_field", "write_dataset", "write_slide"]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOME_OF))
