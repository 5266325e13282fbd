"""Uploads: streamed to disk, checked, and answered when nothing can lose them any more."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from hemato_lab.twin import studies
from hemato_lab.twin.bodies import diameter_of
from hemato_lab.twin.endpoints.studies import found
from hemato_lab.twin.exchange import Answer
from hemato_lab.twin.file_types import stated_type
from hemato_lab.twin.receiving import receive
from hemato_lab.twin.refusals import Refusal

if TYPE_CHECKING:
    from hemato_lab.twin.exchange import Call
    from hemato_lab.twin.service import Service
    from hemato_lab.twin.store import Incoming

_LONGEST_NAME = 500


async def upload(service: Service, call: Call) -> Answer:
    """Take one file; the same bytes again are the same file."""
    study = found(service, call)
    if study.state != studies.OPEN:
        raise Refusal("study_closed")
    diameter = diameter_of(call.query.get("rbc_diameter"))
    kind = stated_type(call.headers.get("content-type"), call.query)
    name = call.query.get("file_name", "")[:_LONGEST_NAME]
    with service.store.incoming() as incoming:
        await _write_body(service, call, incoming)
        files = await asyncio.to_thread(receive, service.store, incoming, kind, name)
    await service.write(partial(studies.add_files, study=study, files=files, rbc_diameter=diameter))
    results: dict[str, object] = {"pbs_study_id": study.study_id, "file_id": files[0].file_id}
    if kind == "zip":
        results["file_ids"] = [one.file_id for one in files[1:]]
    return Answer(202 if call.is_later else 201, results)


async def _write_body(service: Service, call: Call, incoming: Incoming) -> None:
    most = service.settings.most_upload_bytes
    if int(call.headers.get("content-length") or 0) > most:
        raise Refusal("body_too_large", {"most_bytes": most})
    async for piece in call.stream():
        if incoming.size + len(piece) > most:
            raise Refusal("body_too_large", {"most_bytes": most})
        incoming.write(piece)
    if incoming.size == 0:
        raise Refusal("empty_file")
