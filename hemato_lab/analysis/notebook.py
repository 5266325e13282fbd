"""The analysis in a notebook: tables, no script, every text escaped."""

from __future__ import annotations

from html import escape
from itertools import zip_longest
from typing import TYPE_CHECKING

from hemato_lab.analysis import conclusions, tables
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from hemato_lab.analysis.model import Analysis
    from hemato_lab.analysis.tables import Table


def to_html(analysis: Analysis) -> str:
    """Return the tables of an analysis as an HTML fragment that ends with the research-use notice."""
    shown = (
        tables.overview(analysis),
        conclusions.decisions(analysis.report),
        tables.cautions(analysis),
        tables.statistics(analysis.report),
        conclusions.findings(analysis.report),
        conclusions.considerations(analysis.report),
        conclusions.review(analysis.report),
        conclusions.not_assessed(analysis.report),
        tables.quality(analysis),
        tables.skipped(analysis.smear),
    )
    body = "".join(table_html(table) for table in shown if table.rows)
    return f"<div>{body}<p><small>{escape(RESEARCH_USE_NOTICE)}</small></p></div>"


def table_html(table: Table) -> str:
    """Return one table as HTML, every text escaped."""
    head = "".join(
        f'<th title="{escape(explanation)}">{escape(cell)}</th>' if explanation else f"<th>{escape(cell)}</th>"
        for cell, explanation in zip_longest(table.head, table.explanations, fillvalue="")
    )
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    note = f"<p><small>{escape(table.note)}</small></p>" if table.note else ""
    return (
        f"<table><caption>{escape(table.caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table>{note}"
    )
