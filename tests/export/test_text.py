from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hemato_lab.export import render
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis


def test_the_text_always_ends_with_the_notice(analysis: Analysis):
    for text, expected in (
        ("Many cells.", f"Many cells.\n\n{RESEARCH_USE_NOTICE}\n"),
        ("", f"{RESEARCH_USE_NOTICE}\n"),
        (f"Many.\n{RESEARCH_USE_NOTICE}", f"Many.\n{RESEARCH_USE_NOTICE}\n"),
        (f"Many.\n{RESEARCH_USE_NOTICE}\n\n ", f"Many.\n{RESEARCH_USE_NOTICE}\n"),
        (f"{RESEARCH_USE_NOTICE} Many.", f"{RESEARCH_USE_NOTICE} Many.\n\n{RESEARCH_USE_NOTICE}\n"),
        ("25 µm", f"25 µm\n\n{RESEARCH_USE_NOTICE}\n"),
    ):
        one = replace(analysis, report=replace(analysis.report, pathology_report=text))
        assert render(one, "txt").decode() == expected
