"""One plain page that needs nothing else: pictures inside, no script, nothing loaded from anywhere."""

from __future__ import annotations

import base64
import io
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.analysis import conclusions, tables
from hemato_lab.analysis.wording import RINGED
from hemato_lab.export import heatmap
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from PIL.Image import Image

    from hemato_lab.analysis import Analysis

MOST_PICTURES: Final = 8
"""Of a smear with more fields those with most cells are shown, in their order."""
_JPEG_QUALITY: Final = 90


def render(analysis: Analysis) -> bytes:
    """Return the page in UTF-8.

    In its order: smear and scale, decisions of readers, quality warnings, estimates with limits, findings, pictures,
    density, quality checks, fields, files left out, provenance, notice.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(files("hemato_lab.export").joinpath("page.html.jinja").read_text("utf-8"))
    report = analysis.report
    shown = fields_shown(analysis)
    page = template.render(
        name=analysis.smear.name,
        notice=RESEARCH_USE_NOTICE,
        pathology_report=report.pathology_report,
        overview=tables.overview(analysis),
        decisions=conclusions.decisions(report),
        cautions=tables.cautions(analysis),
        results=[tables.statistics(report), conclusions.findings(report)],
        considerations=[conclusions.considerations(report), conclusions.review(report)],
        rings=RINGED,
        pictures=[_picture(analysis, index) for index in shown],
        heat_map=_heat_map(analysis),
        not_shown=len(analysis.smear) - len(shown),
        nothing_found=len(analysis.detections) == 0,
        background=[
            conclusions.not_assessed(report),
            *tables.quality_by_kind(analysis),
            tables.fields(analysis),
            tables.skipped(analysis.smear),
        ],
        provenance=tables.provenance(analysis),
        disclaimer=conclusions.disclaimer(report),
    )
    # A file name may hold what UTF-8 cannot.
    return page.encode("utf-8", "backslashreplace")


def fields_shown(analysis: Analysis) -> list[int]:
    """Return the fields of which a picture is shown: those with most cells, in their order."""
    by_cells = sorted(range(len(analysis.smear)), key=lambda index: -len(analysis.cells_of(index)))
    return sorted(by_cells[:MOST_PICTURES])


def _picture(analysis: Analysis, index: int) -> dict[str, Any]:
    return _embedded(analysis.picture(index), analysis.smear.fields[index].name)


def _heat_map(analysis: Analysis) -> dict[str, Any] | None:
    """Return the density of the fullest field, None where there is no scale to give one in."""
    if analysis.smear.scale is None:
        return None
    index = analysis.fullest_field
    return _embedded(heatmap.picture(analysis, index), analysis.smear.fields[index].name)


def _embedded(picture: Image, name: str) -> dict[str, Any]:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return {
        "name": name,
        "uri": "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii"),
        "width": picture.width,
        "height": picture.height,
    }
