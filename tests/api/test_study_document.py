from __future__ import annotations

import json

import pytest

from hemato_lab.api import RemoteStudy
from hemato_lab.api.running import RemoteFile
from hemato_lab.api.study_document import is_study_document, read_study, study_bytes, study_document
from hemato_lab.errors import ReportFormatError
from hemato_lab.report import HeatMapEntry, MorphologicalFinding, Report

REPORT = Report(
    "study", ("f-1",), morphological_findings={"blast": MorphologicalFinding.of((HeatMapEntry.at(1, 2, 3),))}
)
STUDY = RemoteStudy(
    "study", "https://qa.api.hemato.ai", REPORT, (RemoteFile("a.jpg", "here", ("f-1", "f-2")),), ("pbs_v1",)
)


def test_what_is_kept_is_read_again() -> None:
    document = json.loads(study_bytes(STUDY))
    assert is_study_document(document)
    again = read_study(document)
    assert (again.pbs_study_id, again.service, again.files, again.tasks) == (
        STUDY.pbs_study_id,
        STUDY.service,
        STUDY.files,
        STUDY.tasks,
    )
    assert again.report == STUDY.report


def test_a_bare_report_is_no_kept_study() -> None:
    assert not is_study_document(STUDY.report.to_dict())
    assert not is_study_document([])


@pytest.mark.parametrize("files", [None, [{}], [{"name": "a", "file_id": "b", "remote_ids": None}]])
def test_damage_is_told(files: object) -> None:
    with pytest.raises(ReportFormatError, match="no kept study"):
        read_study({**study_document(STUDY), "files": files})
