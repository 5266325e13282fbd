from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from hemato_lab.api import RemoteStudy
from hemato_lab.api.study_document import read_study
from hemato_lab.batch.entries import SmearEntry
from hemato_lab.batch.folders import JOURNAL_FILE, REMOTE_FILE, smear_folder
from hemato_lab.batch.journal import Journal
from hemato_lab.batch.remote import REMOTE_STAGE, RemoteReading
from hemato_lab.batch.run import Run
from hemato_lab.errors import StudyFailedError, UnauthorizedError
from hemato_lab.report import Report
from hemato_lab.report.document import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

ENTRIES = (SmearEntry("a", ("/a.png",)), SmearEntry("b", ("/b.png",), remote_study_id="study-b", rbc_diameter_px=50.0))


class Service:
    """Answers at once, and notes what it was asked and how much at a time."""

    address = "https://service.example.org"

    def __init__(self, failures: dict[str, Exception] | None = None) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.failures = failures or {}
        self.most_at_a_time = 0
        self._inside = 0
        self._lock = threading.Lock()

    def run(self, source: Sequence[str], *, rbc_diameter: float | None = None) -> RemoteStudy:
        with self._lock:
            self._inside += 1
            self.most_at_a_time = max(self.most_at_a_time, self._inside)
        try:
            return self._answer(f"made of {source[0]}", rbc_diameter)
        finally:
            with self._lock:
                self._inside -= 1

    def report(self, pbs_study_id: str) -> Report:
        return self._answer(pbs_study_id, "report").report

    def _answer(self, study: str, detail: Any) -> RemoteStudy:
        self.asked.append((study, detail))
        if study in self.failures:
            raise self.failures[study]
        return RemoteStudy(study, self.address, Report(study, ("f",)), (), ("pbs_v1",))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / JOURNAL_FILE) as opened:
        opened.add(ENTRIES)
        yield opened


def a_run(journal: Journal, tmp_path: Path, entries: tuple[SmearEntry, ...] = ENTRIES, *, retry: bool = False) -> Run:
    return Run(tmp_path, entries, journal, retry_failed=retry)


def test_a_smear_that_names_a_study_gets_its_report(journal: Journal, tmp_path: Path) -> None:
    service, run = Service(), a_run(journal, tmp_path)
    reading = RemoteReading(service)
    assert [reading.applies_to(entry) for entry in ENTRIES] == [False, True]
    reading.carry_out(run)
    assert service.asked == [("study-b", "report")]
    kept = read_study(parse((smear_folder(tmp_path, "b") / REMOTE_FILE).read_bytes()))
    assert (kept.pbs_study_id, kept.service, kept.report.file_ids) == ("study-b", Service.address, ("f",))


def test_all_the_others_are_sent_when_that_is_wanted(journal: Journal, tmp_path: Path) -> None:
    service = Service()
    RemoteReading(service, every_smear=True, rbc_diameter_px=70.0).carry_out(a_run(journal, tmp_path))
    assert sorted(service.asked, key=str) == [("made of /a.png", 70.0), ("study-b", "report")]


def test_what_is_there_is_not_fetched_again(journal: Journal, tmp_path: Path) -> None:
    service = Service()
    for _ in range(2):
        RemoteReading(service, every_smear=True).carry_out(a_run(journal, tmp_path))
    assert len(service.asked) == 2
    (smear_folder(tmp_path, "b") / REMOTE_FILE).write_text("changed")
    RemoteReading(service, every_smear=True).carry_out(a_run(journal, tmp_path))
    assert service.asked[2:] == [("study-b", "report")]


def test_another_study_or_service_is_fetched_anew(journal: Journal, tmp_path: Path) -> None:
    service = Service()
    RemoteReading(service).carry_out(a_run(journal, tmp_path))
    other = (ENTRIES[0], SmearEntry("b", ("/b.png",), remote_study_id="study-c"))
    RemoteReading(service).carry_out(a_run(journal, tmp_path, other))
    elsewhere = Service()
    elsewhere.address = "https://elsewhere.example.org"
    RemoteReading(elsewhere).carry_out(a_run(journal, tmp_path, other))
    assert [study for study, _ in service.asked] == ["study-b", "study-c"]
    assert [study for study, _ in elsewhere.asked] == ["study-c"]


def test_a_study_that_fails_fails_its_smear_alone(journal: Journal, tmp_path: Path) -> None:
    failing = Service({"study-b": StudyFailedError("the service says so", subject="study-b")})
    run = a_run(journal, tmp_path)
    RemoteReading(failing, every_smear=True).carry_out(run)
    assert run.is_done(REMOTE_STAGE, "a")
    record = run.record(REMOTE_STAGE, "b")
    assert (record.state, record.error_code) == ("failed", StudyFailedError.code)
    assert "the service says so" in record.error
    again = Service()
    RemoteReading(again, every_smear=True).carry_out(a_run(journal, tmp_path))
    assert again.asked == []
    RemoteReading(again, every_smear=True).carry_out(a_run(journal, tmp_path, retry=True))
    assert again.asked == [("study-b", "report")]


def test_what_would_stop_every_study_stops_the_run(journal: Journal, tmp_path: Path) -> None:
    run = a_run(journal, tmp_path)
    with pytest.raises(UnauthorizedError):
        RemoteReading(Service({"study-b": UnauthorizedError("no")})).carry_out(run)
    assert run.record(REMOTE_STAGE, "b").state == "pending"


def test_no_more_studies_are_under_way_than_allowed(tmp_path: Path) -> None:
    many = tuple(SmearEntry(str(number), (f"/{number}.png",)) for number in range(30))
    service = Service()
    with Journal(tmp_path / JOURNAL_FILE) as journal:
        journal.add(many)
        run = a_run(journal, tmp_path, many)
        RemoteReading(service, every_smear=True, at_a_time=3).carry_out(run)
        assert all(run.is_done(REMOTE_STAGE, entry.smear_id) for entry in many)
    assert len(service.asked) == 30
    assert service.most_at_a_time <= 3
