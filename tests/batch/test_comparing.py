from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from hemato_lab import analyze, open_smear
from hemato_lab.api import RemoteStudy
from hemato_lab.api.study_document import study_bytes
from hemato_lab.batch.comparing import REFERENCE_COMPARISON, REMOTE_COMPARISON, with_reference, with_remote
from hemato_lab.batch.entries import SmearEntry
from hemato_lab.batch.folders import COMPARISON_FILE, JOURNAL_FILE, REFERENCE_FILE, REMOTE_FILE, smear_folder
from hemato_lab.batch.journal import Journal
from hemato_lab.batch.model import LOCAL_STAGE
from hemato_lab.batch.remote import REMOTE_STAGE
from hemato_lab.batch.run import Run
from hemato_lab.export import render
from hemato_lab.report import Report
from hemato_lab.resources import shipped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hemato_lab.analysis import Analysis

SMEAR = "malaria"


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    folder = shipped("sample_data") / SMEAR
    return analyze(open_smear(folder / "images" / "field_01.jpg"), detector="classical")


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    """The annotated set the field is from, in a place where it can be changed."""
    return shutil.copytree(shipped("sample_data") / SMEAR, tmp_path / "reference", copy_function=shutil.copy)


@pytest.fixture
def run(tmp_path: Path, analysis: Analysis, reference: Path) -> Iterator[Run]:
    """A run whose one smear is analysed."""
    entry = SmearEntry(SMEAR, ("/field_01.jpg",), reference=str(reference))
    with Journal(tmp_path / JOURNAL_FILE) as journal:
        journal.add([entry])
        run = Run(tmp_path, (entry,), journal)
        files = {"report.json": render(analysis, "json"), "cells.csv": render(analysis, "csv")}
        run.commit(LOCAL_STAGE, SMEAR, files, basis="")
        yield run


def written(run: Run, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((smear_folder(run.out, SMEAR) / name).read_bytes())
    return document


def test_beside_a_reference_only_the_smear_s_own_images_count(run: Run) -> None:
    with_reference().carry_out(run)
    document = written(run, REFERENCE_FILE)
    assert [one["name"] for one in document["images"]["both"]] == ["field_01.jpg"]
    assert document["images"]["second_only"] == []
    assert document["summary"]["recall"] > 0.8
    assert document["first"]["label"] == SMEAR


def test_nothing_is_compared_twice_unless_something_changed(run: Run, reference: Path, analysis: Analysis) -> None:
    told: list[Any] = []

    def compared_anew() -> bool:
        path = smear_folder(run.out, SMEAR) / REFERENCE_FILE
        before = path.stat().st_mtime_ns if path.exists() else 0
        with_reference().carry_out(run)
        return path.stat().st_mtime_ns != before

    run.progress = lambda *step: told.append(step)
    assert compared_anew()
    assert not compared_anew()
    annotations = reference / "annotations.json"
    annotations.write_text(annotations.read_text() + "\n")
    os.utime(annotations, ns=(1, 1))
    assert compared_anew()
    files = {"report.json": render(analysis, "json")}
    run.commit(LOCAL_STAGE, SMEAR, files, basis="other")
    assert compared_anew()
    assert told.count((REFERENCE_COMPARISON, 1, 1)) == 4


def test_a_reference_that_is_gone_fails_the_comparison_alone(run: Run, reference: Path) -> None:
    shutil.rmtree(reference)
    with_reference().carry_out(run)
    assert run.record(REFERENCE_COMPARISON, SMEAR).error_code == "unreadable"
    assert run.is_done(LOCAL_STAGE, SMEAR)
    (outcome,) = run.outcomes([with_reference()])
    assert outcome.state == "failed"
    assert str(reference) in outcome.error


def test_with_the_remote_reading_once_that_is_there(run: Run, analysis: Analysis) -> None:
    stage = with_remote(lambda _: True)
    stage.carry_out(run)
    assert run.record(REMOTE_COMPARISON, SMEAR).state == "pending"
    same = RemoteStudy("s", "https://x", Report.from_json(render(analysis, "json")), (), ("pbs_v1",))
    run.commit(REMOTE_STAGE, SMEAR, {REMOTE_FILE: study_bytes(same)}, basis="")
    stage.carry_out(run)
    document = written(run, COMPARISON_FILE)
    assert document["equal"]
    assert document["summary"]["first_only"] == 0
    assert document["second"]["kind"] == "remote study"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with a name")
def test_a_reference_that_is_no_file_is_refused_instead_of_waited_for(run: Run, reference: Path) -> None:
    shutil.rmtree(reference)
    os.mkfifo(reference)
    with_reference().carry_out(run)
    assert run.record(REFERENCE_COMPARISON, SMEAR).error_code == "unreadable"
