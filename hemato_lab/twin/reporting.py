"""From an analysis to what the API returns of it: the documented report, marked as a twin's.

A twin's report can never be taken for the vendor's (RELIABILITY.md): the text says who made it at every level of
strictness, the extension names the producer, and so does ``debug_info`` of every answer.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from hemato_lab import __version__
from hemato_lab.pipeline.interpretation import LEVELS
from hemato_lab.report import RESEARCH_USE_NOTICE, Report

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from hemato_lab.analysis import Analysis

PRODUCER: Final = f"hemato_lab twin {__version__}"
"""Who made a report; the vendor's have no such key."""
WATERMARK: Final = (
    f"This report was made by a {PRODUCER}, a program that speaks the Hemato.AI API, and not by Hemato.AI. "
    f"{RESEARCH_USE_NOTICE}"
)
_LEVELS_OF_ROLE: Final = {"device": LEVELS[:2]}
"""What of a report a role may see; roles that are not here see all. The text is for people, not for devices (ours)."""


def documented_results(analysis: Analysis, study_id: str, file_ids: Sequence[str]) -> str:
    """Return ``results`` of the report of a study, as JSON text.

    Parameters
    ----------
    analysis : Analysis
        Of the study's images.
    study_id : str
        Takes the place of the local id.
    file_ids : sequence of str
        All images of the study in order, those that could not be read among them: the extension lists these.
    """
    report = analysis.report
    text = f"{report.pathology_report}\n\n{WATERMARK}".strip()
    extension = {"producer": PRODUCER, **report.extension}
    marked = replace(
        report, pbs_study_id=study_id, file_ids=tuple(file_ids), pathology_report=text, extension=extension
    )
    return marked.to_json()


def visible_results(results: str, role: str, *, strict: bool) -> tuple[str, list[str]]:
    """Return a stored report as a role may see it, as JSON text, and the levels that it may not see.

    Parameters
    ----------
    strict : bool
        Whether to leave out everything that the vendor's document does not have.
    """
    permitted = _LEVELS_OF_ROLE.get(role, LEVELS)
    omitted: list[str] = [level for level in LEVELS if level not in permitted]
    if not strict and not omitted:
        return results, omitted
    document = Report.from_json(results).to_dict(strict=strict) if strict else json.loads(results)
    return json.dumps(_without(document, omitted)), omitted


def _without(document: dict[str, Any], levels: Collection[str]) -> dict[str, Any]:
    """Leave levels out, and with them what our extension says of the same."""
    hidden = {"pathology_report": "narrative", "diagnostic_report": "diagnosis"}
    kept = {key: value for key, value in document.items() if key not in levels}
    extension = kept.get("hemato_lab")
    if extension is not None and levels:
        ours = {hidden.get(level) for level in levels}
        kept["hemato_lab"] = {key: value for key, value in extension.items() if key not in ours}
    return kept
