"""Studies: who sees them, what closes them, and in which order their images are read."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from hemato_lab.twin import accounts, jobs, studies
from hemato_lab.twin.database import transaction
from hemato_lab.twin.refusals import Refusal
from hemato_lab.twin.studies import StudyFile
from hemato_lab.twin.tokens import Bearer
from tests.twin.conftest import NOW

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    Make = Callable[..., studies.Study]


def test_a_study_is_absent_for_another_organisation(connection: sqlite3.Connection, make_study: Make) -> None:
    study = make_study()
    assert studies.study_of(connection, study.organisation_id, study.study_id) == study
    for organisation, study_id in (("another", study.study_id), (study.organisation_id, str(uuid.uuid4()))):
        with pytest.raises(Refusal, match="not_found"):
            studies.study_of(connection, organisation, study_id)


def test_the_same_key_makes_one_study(connection: sqlite3.Connection, bearer: Bearer) -> None:
    def create(key: str, request: str, who: Bearer = bearer) -> str:
        with transaction(connection):
            return studies.create(
                connection, who, str(uuid.uuid4()), now=NOW, tags={}, idempotency_key=key, request_sha256=request
            )

    first = create("key", "a")
    assert create("key", "a") == first
    assert create("another", "a") != first
    assert create("", "a") != create("", "a")
    with pytest.raises(Refusal, match="idempotency_key_reused"):
        create("key", "b")
    with transaction(connection):
        other = accounts.add_organisation(connection, "other.example.org", "Other", NOW)
    assert create("key", "b", Bearer(other, "u", "user")) != first  # keys of others are not ours


def test_a_file_counts_once(connection: sqlite3.Connection, make_study: Make) -> None:
    study = make_study()
    one = StudyFile("sha224-i-1", "a.png", "png", 3)
    for name in ("a.png", "b.png"):
        with transaction(connection):
            studies.add_files(connection, study, [StudyFile(one.file_id, name, "png", 3)])
    assert studies.images_of(connection, study.study_id) == [one]


def test_images_come_in_the_natural_order_of_their_names(connection: sqlite3.Connection, make_study: Make) -> None:
    study = make_study()
    names = ["img10.png", "img2.png", "Img1.png", "", ""]
    with transaction(connection):
        studies.add_files(connection, study, [StudyFile(f"id-{9 - n}", name, "png", 1) for n, name in enumerate(names)])
        studies.add_files(connection, study, [StudyFile("id-zip", "a.zip", "zip", 1)])
    found = [(one.name, one.file_id) for one in studies.images_of(connection, study.study_id)]
    assert found == [("", "id-5"), ("", "id-6"), ("Img1.png", "id-7"), ("img2.png", "id-8"), ("img10.png", "id-9")]


def test_tasks_close_a_study_and_make_one_job(connection: sqlite3.Connection, make_study: Make) -> None:
    study = make_study(2, tasks=("pbs_v1",))
    assert (study.state, study.report_status, study.tasks) == ("queued", "queued", ("pbs_v1",))
    with pytest.raises(Refusal, match="study_closed"), transaction(connection):
        studies.add_files(connection, study, [StudyFile("x", "", "png", 1)])
    with pytest.raises(Refusal, match="study_closed"), transaction(connection):
        studies.request_tasks(connection, study, ("pbs_v1",), "", NOW)
    assert jobs.counts(connection)["queued"] == 1


def test_there_are_no_tasks_without_images(connection: sqlite3.Connection, make_study: Make) -> None:
    study = make_study()
    with pytest.raises(Refusal, match="no_files"), transaction(connection):
        studies.request_tasks(connection, study, ("pbs_v1",), "", NOW)
    assert studies.study_by_id(connection, study.study_id) == study


def test_a_limit_of_files(connection: sqlite3.Connection, make_study: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studies, "MOST_FILES", 2)
    study = make_study(2)
    with pytest.raises(Refusal, match="too_many_files"), transaction(connection):
        studies.add_files(connection, study, [StudyFile("x", "", "png", 1)])
    assert len(studies.images_of(connection, study.study_id)) == 2


def test_studies_are_found_by_all_their_tags(connection: sqlite3.Connection, make_study: Make) -> None:
    first = make_study(tags={"batch": "7", "site": "a"})
    second = make_study(tags={"batch": "7", "site": "b"})

    def found(**tags: str) -> set[str]:
        return {one.study_id for one in studies.search(connection, first.organisation_id, tags)}

    assert found(batch="7") == {first.study_id, second.study_id}
    assert found(batch="7", site="b") == {second.study_id}
    assert found(batch="8") == set()
    assert studies.search(connection, "another", {"batch": "7"}) == []


def test_tags_and_addresses_stay_out_of_representations(make_study: Make) -> None:
    study = make_study(tags={"patient": "canary-tag"}, callback_url="https://example.org/canary-url")
    assert "canary" not in repr(study)
    assert study.tags == {"patient": "canary-tag"}


def test_only_a_study_that_ended_is_analysed_again(connection: sqlite3.Connection, leased: jobs.Job) -> None:
    with pytest.raises(Refusal, match="report_not_ready"), transaction(connection):
        studies.analyse_again(connection, leased.study_id, {}, NOW)
    with pytest.raises(Refusal, match="not_found"), transaction(connection):
        studies.analyse_again(connection, "none", {}, NOW)
    with transaction(connection):
        jobs.finish(connection, leased, "{}", {}, NOW)
        studies.analyse_again(connection, leased.study_id, {"detector": "classical"}, NOW)
        again = jobs.lease(connection, "analyse", "w", NOW)
    assert again is not None
    assert again.parameters == {"detector": "classical"}
    with transaction(connection):
        assert jobs.finish(connection, again, "{}", {}, NOW) == 2
    assert studies.newest_report(connection, leased.study_id) == 2


def test_a_study_has_one_scale(connection: sqlite3.Connection, make_study: Make) -> None:
    study = make_study()

    def add(file_id: str, diameter: float | None) -> float | None:
        with transaction(connection):
            studies.add_files(connection, study, [StudyFile(file_id, "", "png", 1)], diameter)
        found = studies.study_by_id(connection, study.study_id)
        assert found is not None
        return found.rbc_diameter

    assert add("a", 70.0) == 70.0
    assert add("b", 70.0) == 70.0
    assert add("c", None) == 70.0
    assert add("a", 35.0) == 70.0  # what was submitted cannot be changed
    with pytest.raises(Refusal, match="bad_rbc_diameter"):
        add("d", 35.0)
    assert [one.file_id for one in studies.images_of(connection, study.study_id)] == ["a", "b", "c"]


def test_tags_of_a_list_are_added(connection: sqlite3.Connection, make_study: Make) -> None:
    study = make_study(tags={"a": "request"})
    with transaction(connection):
        studies.add_tags(connection, study.study_id, {"a": "list", "b": "list"})
    for wanted in ({"a": "request"}, {"b": "list"}):
        (found,) = studies.search(connection, study.organisation_id, wanted)
        assert found.tags == {"a": "request", "b": "list"}
