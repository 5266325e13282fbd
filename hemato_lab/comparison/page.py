"""One plain page that needs nothing else: pictures inside, no script, nothing loaded from anywhere."""

from __future__ import annotations

import base64
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab import __version__
from hemato_lab.comparison import pictures, tables
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from hemato_lab.comparison.model import Comparison

MOST_PICTURES: Final = 4
"""Of more images in which places differ those with most of them are drawn."""


def render_page(comparison: Comparison) -> bytes:
    """Return the page in UTF-8: what was compared, figures, names, estimates, findings, candidates, text, places."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files("hemato_lab.comparison").joinpath("page.html.jinja").read_text("utf-8"))
    labels = comparison.labels
    page = template.render(
        labels=labels,
        version=__version__,
        notice=RESEARCH_USE_NOTICE,
        overview=tables.overview(comparison),
        remarks=comparison.remarks,
        results=tables.levels(comparison),
        pictures=_pictures(comparison),
        narrative=tables.narratives(comparison.narrative, labels),
        # It escapes every text itself.
        sentences=Markup(comparison.narrative.to_html()),  # noqa: S704
        places=tables.places(comparison),
    )
    # A file name may hold what UTF-8 cannot.
    return page.encode("utf-8", "backslashreplace")


def _pictures(comparison: Comparison) -> list[dict[str, Any]]:
    """Return the maps of the images that differ most, the table of names, and the radii."""
    cells = comparison.cells
    differing = np.bincount(cells["file"][cells["state"] != "matched"], minlength=len(cells.files))
    most = [index for index in np.argsort(-differing, kind="stable").tolist() if differing[index]][:MOST_PICTURES]
    shown = [
        _embedded(pictures.difference_png(comparison, index), f"Where {cells.files[index]} differs")
        for index in sorted(most)
    ]
    if len(cells):
        shown.append(_embedded(pictures.names_png(comparison), "Names of both sides"))
    if len(comparison.radii().pairs):
        shown.append(_embedded(pictures.radii_png(comparison), "Radii of paired cells"))
    return shown


def _embedded(png: bytes, caption: str) -> dict[str, Any]:
    return {"caption": caption, "uri": "data:image/png;base64," + base64.b64encode(png).decode("ascii")}
