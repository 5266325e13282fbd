from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hemato_lab.api import RemoteStudy
from hemato_lab.api.study_document import read_study
from hemato_lab.batch.entries import SmearEntry
from hemato_lab.batch.folders import JOURNAL_FILE, LOG_FILE, REMOTE_FILE, smear_folder
from hemato_lab.batch.inputs import register
from hemato_lab.batch.journal import Journal
from hemato_lab.batch.remote import REMOTE_STAGE, RemoteReading
from hemato_lab.batch.run import Run
from hemato_lab.errors import InputChangedError, StudyFailedError, UnauthorizedError
from hemato_lab.report import Report
from hemato_lab.report.document import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Entries = tuple[SmearEntry, ...]


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
            return self._answer(f"made of {Path(source[0]).name}", rbc_diameter)
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


def an_entry(folder: Path, name: str, content: bytes = b"", **known: Any) -> SmearEntry:
    path = folder / f"{name}.png"
    path.write_bytes(content or name.encode())
    return SmearEntry(name, (str(path),), **known)


@pytest.fixture
def entries(tmp_path: Path) -> Entries:
    return an_entry(tmp_path, "a"), an_entry(tmp_path, "b", remote_study_id="study-b", rbc_diameter_px=50.0)


@pytest.fixture
def journal(tmp_path: Path, entries: Entries) -> Iterator[Journal]:
    with Journal(tmp_path / JOURNAL_FILE) as opened:
        registered(opened, entries)
        yield opened


def registered(journal: Journal, entries: Entries) -> None:
    journal.add(entries)
    for entry in entries:
        journal.register(entry.smear_id, register(entry))


def a_run(journal: Journal, tmp_path: Path, entries: Entries, *, retry: bool = False) -> Run:
    return Run(tmp_path, entries, journal, retry_failed=retry)


def test_a_smear_that_names_a_study_gets_its_report(journal: Journal, tmp_path: Path, entries: Entries) -> None:
    service, run = Service(), a_run(journal, tmp_path, entries)
    reading = RemoteReading(service)
    assert [reading.applies_to(entry) for entry in entries] == [False, True]
    reading.carry_out(run)
    assert service.asked == [("study-b", "report")]
    kept = read_study(parse((smear_folder(tmp_path, "b") / REMOTE_FILE).read_bytes()))
    assert (kept.pbs_study_id, kept.service, kept.report.file_ids) == ("study-b", Service.address, ("f",))


def test_all_the_others_are_sent_when_that_is_wanted(journal: Journal, tmp_path: Path, entries: Entries) -> None:
    service = Service()
    RemoteReading(service, every_smear=True, rbc_diameter_px=70.0).carry_out(a_run(journal, tmp_path, entries))
    assert sorted(service.asked, key=str) == [("made of a.png", 70.0), ("study-b", "report")]


def test_what_is_there_is_not_fetched_again(journal: Journal, tmp_path: Path, entries: Entries) -> None:
    service = Service()
    for _ in range(2):
        RemoteReading(service, every_smear=True).carry_out(a_run(journal, tmp_path, entries))
    assert len(service.asked) == 2
    (smear_folder(tmp_path, "b") / REMOTE_FILE).write_text("changed")
    RemoteReading(service, every_smear=True).carry_out(a_run(journal, tmp_path, entries))
    assert service.asked[2:] == [("study-b", "report")]


def test_another_study_or_service_is_fetched_anew(journal: Journal, tmp_path: Path, entries: Entries) -> None:
    service = Service()
    RemoteReading(service).carry_out(a_run(journal, tmp_path, entries))
    other = (entries[0], replace(entries[1], remote_study_id="study-c"))
    RemoteReading(service).carry_out(a_run(journal, tmp_path, other))
    elsewhere = Service()
    elsewhere.address = "https://elsewhere.example.org"
    RemoteReading(elsewhere).carry_out(a_run(journal, tmp_path, other))
    assert [study for study, _ in service.asked] == ["study-b", "study-c"]
    assert [study for study, _ in elsewhere.asked] == ["study-c"]


def test_a_study_that_fails_fails_its_smear_alone(journal: Journal, tmp_path: Path, entries: Entries) -> None:
    failing = Service({"study-b": StudyFailedError("the service says so", subject="study-b")})
    run = a_run(journal, tmp_path, entries)
    RemoteReading(failing, every_smear=True).carry_out(run)
    assert run.is_done(REMOTE_STAGE, "a")
    record = run.record(REMOTE_STAGE, "b")
    assert (record.state, record.error_code) == ("failed", StudyFailedError.code)
    assert "the service says so" in record.error
    again = Service()
    RemoteReading(again, every_smear=True).carry_out(a_run(journal, tmp_path, entries))
    assert again.asked == []
    RemoteReading(again, every_smear=True).carry_out(a_run(journal, tmp_path, entries, retry=True))
    assert again.asked == [("study-b", "report")]


def test_what_would_stop_every_study_stops_the_run(journal: Journal, tmp_path: Path, entries: Entries) -> None:
    run = a_run(journal, tmp_path, entries)
    with pytest.raises(UnauthorizedError):
        RemoteReading(Service({"study-b": UnauthorizedError("no")})).carry_out(run)
    assert run.record(REMOTE_STAGE, "b").state == "pending"


def test_no_more_studies_are_under_way_than_allowed(tmp_path: Path) -> None:
    many = tuple(an_entry(tmp_path, str(number)) for number in range(30))
    service = Service()
    with Journal(tmp_path / JOURNAL_FILE) as journal:
        registered(journal, many)
        run = a_run(journal, tmp_path, many)
        RemoteReading(service, every_smear=True, at_a_time=3).carry_out(run)
        assert all(run.is_done(REMOTE_STAGE, entry.smear_id) for entry in many)
    assert len(service.asked) == 30
    assert service.most_at_a_time <= 3


def test_images_that_changed_since_they_were_registered_are_not_sent(
    journal: Journal, tmp_path: Path, entries: Entries
) -> None:
    service, run, path = Service(), a_run(journal, tmp_path, entries), Path(entries[0].paths[0])
    path.write_bytes(b"changed")
    RemoteReading(service, every_smear=True).carry_out(run)
    assert [study for study, _ in service.asked] == ["study-b"]
    assert run.record(REMOTE_STAGE, "a").error_code == InputChangedError.code
    path.write_bytes(b"a")
    RemoteReading(service, every_smear=True).carry_out(a_run(journal, tmp_path, entries))
    assert [study for study, _ in service.asked] == ["study-b", "made of a.png"]


def test_images_that_change_while_they_are_sent_make_no_result(
    journal: Journal, tmp_path: Path, entries: Entries
) -> None:
    class Slow(Service):
        def run(self, source: Sequence[str], *, rbc_diameter: float | None = None) -> RemoteStudy:
            Path(source[0]).write_bytes(b"changed meanwhile")
            return super().run(source, rbc_diameter=rbc_diameter)

    run = a_run(journal, tmp_path, entries)
    RemoteReading(Slow(), every_smear=True).carry_out(run)
    assert run.record(REMOTE_STAGE, "a").error_code == InputChangedError.code
    assert not (smear_folder(tmp_path, "a") / REMOTE_FILE).exists()


def test_another_scale_is_another_study(journal: Journal, tmp_path: Path, entries: Entries) -> None:
    service = Service()
    for diameter in (70.0, 70.0, 71.0):
        RemoteReading(service, every_smear=True, rbc_diameter_px=diameter).carry_out(a_run(journal, tmp_path, entries))
    assert [detail for study, detail in service.asked if study == "made of a.png"] == [70.0, 71.0]


def test_a_smear_whose_files_could_not_be_registered_is_passed_over(tmp_path: Path) -> None:
    missing = (SmearEntry("gone", (str(tmp_path / "gone.png"),)),)
    service = Service()
    with Journal(tmp_path / JOURNAL_FILE) as journal:
        journal.add(missing)
        RemoteReading(service, every_smear=True).carry_out(a_run(journal, tmp_path, missing))
    assert service.asked == []


def test_a_mistake_of_ours_fails_its_smear_alone_and_names_no_patient(
    journal: Journal, tmp_path: Path, entries: Entries
) -> None:
    run = a_run(journal, tmp_path, entries)
    failing = Service({"made of a.png": KeyError("MUSTERMANN")})
    RemoteReading(failing, every_smear=True).carry_out(run)
    assert run.record(REMOTE_STAGE, "a").error_code == "internal"
    assert run.is_done(REMOTE_STAGE, "b")
    log = (tmp_path / LOG_FILE).read_text()
    assert "_answer" in log
    assert "MUSTERMANN" not in log


def test_the_same_images_are_not_sent_twice_at_a_time(tmp_path: Path) -> None:
    twins = tuple(an_entry(tmp_path, name, b"the same") for name in ("x", "y", "z"))
    service = Service()
    with Journal(tmp_path / JOURNAL_FILE) as journal:
        registered(journal, twins)
        RemoteReading(service, every_smear=True).carry_out(a_run(journal, tmp_path, twins))
    assert len(service.asked) == 3
    assert service.most_at_a_time == 1


def test_whoever_stops_does_not_wait_for_studies_under_way(journal: Journal, tmp_path: Path, entries: Entries) -> None:
    ended = threading.Event()

    class Hanging(Service):
        def run(self, source: Sequence[str], *, rbc_diameter: float | None = None) -> RemoteStudy:
            assert ended.wait(60)
            return super().run(source, rbc_diameter=rbc_diameter)

    service = Hanging({"study-b": UnauthorizedError("no")})
    with pytest.raises(UnauthorizedError):
        RemoteReading(service, every_smear=True).carry_out(a_run(journal, tmp_path, entries))
    assert not ended.is_set()
    ended.set()
