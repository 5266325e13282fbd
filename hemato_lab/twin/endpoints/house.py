"""What is ours and outside the vendor's surface: search, overview, the page, and the description of the API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from hemato_lab import __version__
from hemato_lab.twin import callbacks, jobs, openapi, page, studies
from hemato_lab.twin.bodies import MOST_TAGS
from hemato_lab.twin.exchange import Answer, host_of
from hemato_lab.twin.permissions import refuse_search
from hemato_lab.twin.refusals import Refusal
from hemato_lab.twin.service import LOOPBACK_NAMES, VERSION

if TYPE_CHECKING:
    from hemato_lab.twin.exchange import Call
    from hemato_lab.twin.service import Service
    from hemato_lab.twin.studies import Study

_MOST_SHOWN: Final = 100
_TAG: Final = "tag."


async def search(service: Service, call: Call) -> Answer:
    """Find an organisation's studies by their tags (api/DECISIONS.md row 28)."""
    refuse_search(call.caller)
    wanted = {key.removeprefix(_TAG): value for key, value in call.query.items() if key.startswith(_TAG)}
    if len(wanted) > MOST_TAGS:
        raise Refusal("bad_tags", {"most": MOST_TAGS})
    listed = studies.search(service.reader, call.caller.organisation_id, wanted)
    return Answer(200, {"studies": [_described(service, study) | {"tags": dict(study.tags)} for study in listed]})


def _described(service: Service, study: Study) -> dict[str, Any]:
    counted = service.reader.execute(
        "SELECT count(*) FROM files WHERE study_id = ? AND kind != 'zip'", (study.study_id,)
    ).fetchone()
    return {
        "pbs_study_id": study.study_id,
        "report_status": study.report_status,
        "progress": round(study.progress, 4),
        "progress_message": study.progress_message,
        "created": study.created,
        "files": counted[0],
        "tasks": list(study.tasks),
        "versions": studies.newest_report(service.reader, study.study_id),
        "callbacks": callbacks.states(service.reader, study.study_id),
    }


async def overview(service: Service, call: Call) -> Answer:
    """Tell how all studies are, to someone at this machine; neither tags nor names of files."""
    _refuse_others(call)
    rows = service.reader.execute("SELECT study_id FROM studies ORDER BY created DESC LIMIT ?", (_MOST_SHOWN,))
    listed = (studies.study_by_id(service.reader, row["study_id"]) for row in rows.fetchall())
    document = {
        "version": VERSION,
        "region": service.settings.region,
        "workers": service.worker_count,
        "jobs": jobs.counts(service.reader),
        "studies": [_described(service, study) for study in listed if study is not None],
    }
    return Answer.plain(document)


async def show_page(service: Service, call: Call) -> Answer:
    """Show the page of live studies, to someone at this machine."""
    del service
    _refuse_others(call)
    content_type = "text/html; charset=utf-8"
    return Answer(content=page.page().encode(), content_type=content_type, headers=dict(page.HEADERS))


async def describe(service: Service, call: Call) -> Answer:
    """Return the OpenAPI document."""
    del call
    document = openapi.document(version=__version__, servers=[service.base_url] if service.base_url else [])
    return Answer(content=json.dumps(document).encode())


def _refuse_others(call: Call) -> None:
    """Refuse all but this machine; the host's name is checked too, as a page elsewhere may lead a browser here."""
    if call.peer not in LOOPBACK_NAMES or host_of(call.headers) not in LOOPBACK_NAMES:
        raise Refusal("not_found")
