"""A study with its report as a JSON document, so that it can be kept and compared later."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.api.running import RemoteFile, RemoteStudy
from hemato_lab.errors import ReportFormatError
from hemato_lab.report import Report

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT: Final = "hemato_lab remote study"
"""Value of the document's member ``format``, by which it is told from a bare report."""


def study_document(study: RemoteStudy) -> dict[str, Any]:
    """Return a study as a JSON object: where it ran, its files here and there, and its report as the service wrote it.

    Reports of the later dialect by task are not part of it.
    """
    return {
        "format": FORMAT,
        "service": study.service,
        "pbs_study_id": study.pbs_study_id,
        "tasks": list(study.tasks),
        "files": [
            {"name": one.name, "file_id": one.file_id, "remote_ids": list(one.remote_ids)} for one in study.files
        ],
        "report": study.report.to_dict(),
    }


def study_bytes(study: RemoteStudy) -> bytes:
    """Return the document as the bytes of a file."""
    return f"{json.dumps(study_document(study), indent=2)}\n".encode()


def is_study_document(document: Any) -> bool:
    """Tell whether a JSON value was written by `study_document`."""
    return isinstance(document, dict) and document.get("format") == FORMAT


def read_study(document: Mapping[str, Any]) -> RemoteStudy:
    """Return the study that `study_document` wrote.

    Raises
    ------
    ReportFormatError
        If a part is missing or of the wrong kind.
    """
    try:
        files = tuple(
            RemoteFile(str(one["name"]), str(one["file_id"]), tuple(map(str, one["remote_ids"])))
            for one in document["files"]
        )
        report = Report.from_json(document["report"])
        tasks = tuple(map(str, document["tasks"]))
        return RemoteStudy(str(document["pbs_study_id"]), str(document["service"]), report, files, tasks)
    except (KeyError, TypeError) as error:
        problem = f"is no kept study: {error}"
        raise ReportFormatError(problem, hint="fetch it again with hemato-lab remote report") from error
