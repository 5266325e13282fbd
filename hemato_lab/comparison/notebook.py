"""A comparison in a notebook: tables, no script, every text escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from hemato_lab.analysis.notebook import table_html
from hemato_lab.comparison import tables
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from hemato_lab.comparison.model import Comparison


def to_html(comparison: Comparison) -> str:
    """Return the tables of a comparison as an HTML fragment that ends with the research-use notice."""
    remarks = "".join(f"<li>{escape(remark)}</li>" for remark in comparison.remarks)
    text = comparison.narrative.to_html()
    parts = [
        table_html(tables.overview(comparison)),
        f"<ul>{remarks}</ul>" if remarks else "",
        *(table_html(table) for table in tables.levels(comparison) if table.rows),
        f"<p>Sentences that differ:</p>{text}" if text else "",
    ]
    return f"<div>{''.join(parts)}<p><small>{escape(RESEARCH_USE_NOTICE)}</small></p></div>"
