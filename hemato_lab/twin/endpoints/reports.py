"""Reports: the documented one in its versions, and those of single tasks."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from hemato_lab.twin import studies
from hemato_lab.twin.bodies import version_of
from hemato_lab.twin.endpoints.studies import found, refuse_other_task
from hemato_lab.twin.exchange import Answer
from hemato_lab.twin.refusals import Refusal
from hemato_lab.twin.reporting import visible_results

if TYPE_CHECKING:
    import sqlite3

    from hemato_lab.twin.exchange import Call
    from hemato_lab.twin.service import Service
    from hemato_lab.twin.studies import Study


async def report(service: Service, call: Call) -> Answer:
    """Return the latest report of a study, or an earlier version of it."""
    study = found(service, call)
    row = _stored(service, study, version_of(call.query.get("version")))
    role, strict = call.caller.role, service.settings.strict
    results, omitted = await asyncio.to_thread(visible_results, row["results"], role, strict=strict)
    debug_info: dict[str, Any] = {"report_version": row["version"]}
    if omitted:
        debug_info["levels_omitted"] = omitted
    return Answer(200, results_text=results, debug_info=debug_info)


async def task_report(service: Service, call: Call) -> Answer:
    """Return the report of one task, in the later dialect."""
    study, task = found(service, call), call.path["task"]
    refuse_other_task(study, task)
    row = _stored(service, study, version_of(call.query.get("version")))
    text = await asyncio.to_thread(_of_task, row["task_results"], study.study_id, task)
    return Answer(200, results_text=text)


def _of_task(task_results: str, study_id: str, task: str) -> str:
    results = json.loads(task_results)
    if task not in results:
        raise Refusal("not_found")
    return json.dumps({"pbs_study_id": study_id, "report": {task: results[task]}})


def _stored(service: Service, study: Study, version: int | None) -> sqlite3.Row:
    """Return a report as it is stored."""
    newest = studies.newest_report(service.reader, study.study_id)
    if not newest:
        state = {"report_status": study.report_status, "progress": study.progress}
        raise Refusal("report_not_ready", {**state, "progress_message": study.progress_message})
    row: sqlite3.Row | None = service.reader.execute(
        "SELECT * FROM reports WHERE study_id = ? AND version = ?", (study.study_id, version or newest)
    ).fetchone()
    if row is None:
        raise Refusal("not_found", {"newest_version": newest})
    return row
