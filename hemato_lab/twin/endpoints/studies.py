"""Studies: made, closed by their tasks, and how far they are."""

from __future__ import annotations

import json
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.formats.stored import file_id_of
from hemato_lab.twin import studies
from hemato_lab.twin.bodies import TASK_KEYS, callback_url_of, checked_address, idempotency_key_of, tags_of, tasks_of
from hemato_lab.twin.exchange import Answer
from hemato_lab.twin.list_files import read_list
from hemato_lab.twin.permissions import refuse_downloads
from hemato_lab.twin.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hemato_lab.twin.exchange import Call
    from hemato_lab.twin.service import Service
    from hemato_lab.twin.studies import Study


_OF_LISTS: Final = frozenset({"list_url", "callback_url", *TASK_KEYS})
"""Members of a request for downloads that are no tags."""


async def create(service: Service, call: Call) -> Answer:
    """Make a study: an empty one with tags, or one of files that are downloaded from a list."""
    key = idempotency_key_of(call.headers)
    body = await call.document()
    wish, results = _downloads(service, body) if {"list_url", "files"} & set(body) else ({"tags": tags_of(body)}, {})
    if "source" in wish:
        refuse_downloads(call.caller)
    study_id = await service.write(
        partial(
            studies.create,
            bearer=call.caller,
            study_id=service.new_id(),
            now=service.now(),
            idempotency_key=key,
            request_sha256=sha256(json.dumps(body, sort_keys=True).encode()).hexdigest() if key else "",
            **wish,
        )
    )
    return Answer(201, {"pbs_study_id": study_id, **results})


def _downloads(service: Service, body: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what workflow 2 asks for, and what is answered; its file ids are provisional."""
    http = service.settings.fetch.allow_http
    if "list_url" in body:
        urls = [checked_address(body["list_url"], "bad_download_url", http_permitted=http)]
        source: dict[str, Any] = {"list_url": urls[0]}
        tasks, tags = tasks_of(body), tags_of({key: body[key] for key in body if key not in _OF_LISTS})
    else:
        listed = read_list(dict(body))
        urls = [checked_address(url, "bad_download_url", http_permitted=http) for url in listed.files]
        source = {"files": urls}
        tasks, tags = listed.tasks, dict(listed.tags)
    callback_url = callback_url_of(body, http_permitted=service.settings.http_callbacks)
    wish = {"tags": tags, "tasks": tasks, "callback_url": callback_url, "source": source}
    return wish, {"file_ids": list(dict.fromkeys(file_id_of(url.encode()) for url in urls))}


async def request_tasks(service: Service, call: Call) -> Answer:
    """Close a study for uploads and have it analysed."""
    study = found(service, call)
    body = await call.document()
    tasks = tasks_of(body)
    callback_url = callback_url_of(body, http_permitted=service.settings.http_callbacks)
    await service.write(
        partial(studies.request_tasks, study=study, tasks=tasks, callback_url=callback_url, now=service.now())
    )
    return Answer(202, {"pbs_study_id": study.study_id, "tasks": list(tasks)})


async def status(service: Service, call: Call) -> Answer:
    """Tell how far a study is."""
    study = found(service, call)
    results = {
        "pbs_study_id": study.study_id,
        "report_status": study.report_status,
        "progress": round(study.progress, 4),
        "progress_message": study.progress_message,
    }
    return Answer(200, results)


async def task_status(service: Service, call: Call) -> Answer:
    """Tell how far a task is, which is how far its study is."""
    refuse_other_task(found(service, call), call.path["task"])
    return await status(service, call)


def found(service: Service, call: Call) -> Study:
    """Return the study that a path names, if it is the caller's organisation's."""
    return studies.study_of(service.reader, call.caller.organisation_id, call.path["study_id"])


def refuse_other_task(study: Study, task: str) -> None:
    """Refuse a task that was not requested."""
    if task not in study.tasks:
        raise Refusal("not_found")
