"""What stands in the PDF and in which order; this module loads reportlab and is imported when it is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reportlab.lib.units import mm
from reportlab.platypus import CondPageBreak, HRFlowable, KeepTogether, Spacer

from hemato_lab.analysis import conclusions, tables
from hemato_lab.analysis.wording import RINGED
from hemato_lab.export import heatmap
from hemato_lab.export.html import fields_shown
from hemato_lab.export.pdf_pages import bytes_of
from hemato_lab.export.pdf_parts import boxed, figure, heading, paragraph, shortened, styled_table
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.analysis import Analysis
    from hemato_lab.analysis.tables import Table


def build(analysis: Analysis) -> bytes:
    """Return the PDF of an analysis.

    In its order: smear and scale, decisions of readers, quality warnings, estimates with limits, findings, candidates,
    text, pictures, density, what was not assessed, quality checks, fields, files left out, provenance.
    """
    return bytes_of(list(_story(analysis)), analysis.smear.name)


def _story(analysis: Analysis) -> Iterator[Any]:
    report = analysis.report
    yield paragraph(f"Peripheral blood smear: {shortened(analysis.smear.name)}", "title")
    yield boxed([paragraph(RESEARCH_USE_NOTICE, "notice")], "#AA3377", "#F6F2F5")
    if not len(analysis.detections):
        yield paragraph("No candidate cell was found. Absence of a finding does not exclude disease.")
    yield from _section(tables.overview(analysis))
    yield from _section(conclusions.decisions(report))
    yield from _cautions(tables.cautions(analysis))
    for table in (
        tables.statistics(report),
        conclusions.findings(report),
        conclusions.considerations(report),
        conclusions.review(report),
    ):
        yield from _section(table)
    yield from _text(report.pathology_report)
    yield from _pictures(analysis)
    for table in (
        conclusions.not_assessed(report),
        *tables.quality_by_kind(analysis),
        tables.fields(analysis),
        tables.skipped(analysis.smear),
        tables.provenance(analysis),
    ):
        yield from _section(table)
    yield HRFlowable(width="100%", spaceBefore=5 * mm, spaceAfter=2 * mm, color="#BBBBBB")
    yield paragraph(conclusions.disclaimer(report), "note")


def _section(table: Table) -> Iterator[Any]:
    if not table.rows:
        return
    yield from heading(table.caption)
    yield from styled_table(table)
    explained = [f"{name}: {line}" for name, line in zip(table.head, table.explanations, strict=False) if line]
    for line in (*explained, *([table.note] if table.note else [])):
        yield paragraph(line, "note")


def _cautions(table: Table) -> Iterator[Any]:
    """Yield the quality warnings in a box that nobody overlooks."""
    if table.rows:
        lines = [paragraph(shortened(f"{check}: {wrong}. {spoilt}"), "caution") for check, wrong, spoilt in table.rows]
        yield Spacer(0, 3 * mm)
        yield boxed([paragraph(table.caption, "caution heading"), *lines], "#B35900", "#FDF4E7")


def _text(report_text: str) -> Iterator[Any]:
    """Yield the report's text, its lines filled again; a first line in capitals is a heading."""
    if not report_text.strip():
        return
    yield from heading("Report text")
    for block in report_text.split("\n\n"):
        lines = block.strip().splitlines()
        if lines and lines[0].isupper():
            yield CondPageBreak(15 * mm)
            yield paragraph(lines[0], "small heading")
            yield paragraph(" ".join(lines[1:]))
        elif lines:
            yield paragraph(" ".join(lines))


def _pictures(analysis: Analysis) -> Iterator[Any]:
    shown = fields_shown(analysis)
    pictures = [figure(analysis.picture(index), analysis.smear.fields[index].name) for index in shown]
    before = [paragraph("Pictures", "heading")]
    if len(analysis.detections):
        before.append(paragraph(RINGED, "note"))
    yield KeepTogether([*before, *pictures[0]])
    yield from map(KeepTogether, pictures[1:])
    if more := len(analysis.smear) - len(shown):
        are = "field is" if more == 1 else "fields are"
        yield paragraph(f"{more} further {are} not shown; all are in the estimates.", "note")
    if analysis.smear.scale is not None and len(analysis.detections):
        fullest = analysis.fullest_field
        density = figure(heatmap.picture(analysis, fullest), analysis.smear.fields[fullest].name)
        yield KeepTogether([paragraph("Density of red cells", "heading"), *density])
