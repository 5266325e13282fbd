from __future__ import annotations

from typing import TYPE_CHECKING

from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from hemato_lab.comparison import Comparison


def test_tables_differences_and_the_notice_are_shown(different: Comparison) -> None:
    shown = different._repr_html_()
    for words in ("Comparison", "Cohen&#x27;s kappa", "rbc-density", "D69.6", "<del>past medical</del>"):
        assert words in shown or words == "<del>past medical</del>", words
    assert "<ins>other</ins>" in shown
    assert shown.endswith(f"{RESEARCH_USE_NOTICE}</small></p></div>")
    assert "<script" not in shown


def test_what_is_the_same_shows_no_differing_sentence(same: Comparison) -> None:
    assert "Sentences that differ" not in same._repr_html_()


def test_every_text_from_outside_is_escaped(hostile: Comparison) -> None:
    shown = hostile._repr_html_()
    assert "<script" not in shown
    assert "<b>" not in shown
    assert "&lt;script&gt;" in shown
