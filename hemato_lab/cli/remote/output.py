"""What the remote commands print: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hemato_lab.cli.output import print_notice, print_table, print_text
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hemato_lab.api import JournalledStudy, PossibleOrphan, TaskReport
    from hemato_lab.report import Report


def print_json(document: Any) -> None:
    """Print an object as JSON, and the notice where it does not come between the two."""
    print_text(json.dumps(document, indent=2))
    print(RESEARCH_USE_NOTICE, file=sys.stderr)


def print_pairs(caption: str, pairs: Mapping[str, object]) -> None:
    """Print names and values as a table; empty values are left out."""
    shown = {name: str(value) for name, value in pairs.items() if value not in ("", None, ())}
    if not shown:
        return
    width = max(map(len, shown))
    print_text("\n".join([caption, *(f"  {name.ljust(width)}  {value}" for name, value in shown.items())]))


def print_report(report: Report) -> None:
    """Print a report as tables, whoever made it."""
    from hemato_lab.analysis import conclusions, tables

    print_pairs("Report", {"study": report.pbs_study_id, "files": len(report.file_ids)})
    for table in (tables.statistics(report), conclusions.findings(report), conclusions.considerations(report)):
        if table.rows:
            filled = [column for column in range(len(table.head)) if any(row[column] for row in table.rows)]
            head = tuple(table.head[column] for column in filled)
            rows = tuple(tuple(row[column] for column in filled) for row in table.rows)
            print_text("")
            print_table(table.caption, head, rows)
    print_text("")
    if report.pathology_report:
        print_text(f"{report.pathology_report}\n")
    print_notice()


def print_task_report(task: str, report: TaskReport) -> None:
    """Print what a task of the later dialect came to."""
    counts = {"positive": f"{report.positive_count:g}", "negative": f"{report.negative_count:g}"}
    print_pairs(task, {"conclusion": report.conclusion, **counts})
    print_notice()


def print_studies(studies: Iterable[JournalledStudy]) -> None:
    """Print studies of the journal as a table."""
    rows = tuple(
        (
            one.study_id,
            one.state,
            moment(one.created_at),
            ", ".join(one.tasks),
            ", ".join(f"{key}={value}" for key, value in one.tags.items()),
        )
        for one in studies
    )
    head = ("study", "state", "made", "tasks", "tags")
    _print_rows("Studies made from this machine", head, rows)


def print_orphans(orphans: Iterable[PossibleOrphan]) -> None:
    """Print calls that may have made a study whose id never came back."""
    rows = tuple((one.request_id, moment(one.begun_at), str(one.workflow)) for one in orphans)
    caption = "Calls that may have made a study without our knowing its id"
    _print_rows(caption, ("X-Request-Id", "at", "workflow"), rows)


def _print_rows(caption: str, head: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> None:
    if rows:
        print_table(caption, head, rows)
    else:
        print_text(f"{caption}: none")


def moment(seconds: float) -> str:
    """Return a Unix time for people, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
