"""``hemato-lab batch``: what it hands to the batch, what it prints, and how it ends."""

from __future__ import annotations

import csv
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hemato_lab.batch import running, sources
from hemato_lab.batch.comparing import with_reference
from hemato_lab.batch.model import BatchResult, Settings
from hemato_lab.cli.batch_progress import BatchProgress
from hemato_lab.pipeline.interpretation import Interpretation
from hemato_lab.reference.context import BloodCount, ClinicalContext
from hemato_lab.report import RESEARCH_USE_NOTICE
from tests.batch.inline import Inline
from tests.batch.made_up import entry, failed, report, with_extension, write_done

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTICE_LINE = f"{RESEARCH_USE_NOTICE}\n"


@pytest.fixture(autouse=True)
def quiet_again() -> Iterator[None]:
    """The log of the client is as it was before a command showed it."""
    logger = logging.getLogger("hemato_lab.api")
    before = (logger.handlers[:], logger.level, logger.propagate)
    yield
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.fixture
def tree(tmp_path, photograph) -> Path:
    """A folder with two smears of one field, of which one is damaged."""
    for name, content in (("good/f.jpg", photograph), ("bad/f.jpg", photograph[:300])):
        (tmp_path / "tree" / name).parent.mkdir(parents=True)
        (tmp_path / "tree" / name).write_bytes(content)
    return tmp_path / "tree"


@pytest.fixture
def asked(monkeypatch) -> dict[str, object]:
    """What a command asks of `run_batch`, which is not run."""
    arguments: dict[str, object] = {}

    def run_batch(entries, out, **others) -> BatchResult:
        arguments.update(others, entries=entries, out=out)
        return BatchResult(Path(out), ())

    monkeypatch.setattr(running, "run_batch", run_batch)
    return arguments


def test_a_batch_ends_tells_what_failed_and_is_not_done_twice(tree, command, tmp_path):
    out = tmp_path / "out"
    line = ("batch", tree, "--out", out, "--workers", 1, "--detector", "classical", "--rbc-diameter-px", 30)
    first = command(*line, "--cells-table")
    assert first.code == 11
    assert "damaged or cut short" in " ".join(first.out.split())
    assert "--retry-failed" in first.out
    assert first.out.endswith(NOTICE_LINE)
    with (out / "summary.csv").open(encoding="utf-8", newline="") as stream:
        rows = {row["smear_id"]: row for row in csv.DictReader(stream)}
    assert {smear_id: row["state"] for smear_id, row in rows.items()} == {"bad": "failed", "good": "done"}
    assert rows["good"]["scale_origin"] == "stated red-cell diameter"
    written = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path.suffix != ".sqlite"}
    assert {path.name for path in written} >= {"summary.csv", "summary.parquet", "cells.parquet", "report.html"}
    again = command(*line, "--cells-table")
    told = " ".join(again.out.split())
    assert again.code == 11
    assert "1 of 2 smears were done before" in told
    assert "1 of them failed in an earlier run; --retry-failed tries again" in told
    assert "done before" not in first.out
    assert "in an earlier run" not in first.out
    assert {path: path.read_bytes() for path in written} == written
    refused = command(*line, "--rbc-per-ul", 4e6)
    assert refused.code == 2
    assert "--fresh" in refused.err


def test_every_option_arrives(tree, asked, command, tmp_path):
    outcome = command(
        *("batch", tree, "--out", tmp_path / "out", "--workers", 3, "--window", 5, "--retry-failed", "--fresh"),
        *("--one-field-a-smear", "--pictures", "--pages", "--um-per-px", 0.25, "--detector", "classical"),
        *("--no-names", "--rbc-per-ul", 4e6, "--blood-count", "wbc=12.3", "--sex", "female", "--icd", "CM"),
        *("--level", "diagnostic_report", "--dask", "local:2", "--per-task", 4),
    )
    assert outcome.code == 0
    assert [entry.smear_id for entry in asked["entries"]] == ["bad/f.jpg", "good/f.jpg"]
    assert asked["settings"] == Settings(
        detector="classical",
        names=False,
        rbc_per_ul=4e6,
        interpretation=Interpretation(
            ClinicalContext(sex="female", blood_count=BloodCount.from_mapping({"wbc": 12.3})),
            level="diagnostic_report",
            code_system="CM",
        ),
        um_per_px=0.25,
        files=("report.json", "cells.csv", "picture.png", "report.html"),
    )
    expected = {"workers": 3, "window": 5, "retry_failed": True, "fresh": True, "engine": "local:2", "per_task": 4}
    assert {name: asked[name] for name in expected} == expected
    assert (asked["out"], asked["later"]) == (tmp_path / "out", [])


def test_without_a_terminal_every_tenth_is_a_line(tree, command, tmp_path, monkeypatch):
    def run_batch(entries, out, *, progress, **_) -> BatchResult:
        for done in range(1, 41):
            progress("local", done, 40)
        progress("comparison with the reference", 2, 2)
        return BatchResult(Path(out), ())

    monkeypatch.setattr(running, "run_batch", run_batch)
    monkeypatch.setattr(sources, "read_entries", lambda *_, **__: tuple(entry(f"s{one}") for one in range(40)))
    lines = command("batch", tree, "--out", tmp_path / "out").err.splitlines()
    assert lines[:2] == ["hemato-lab: analysis: 4 of 40 smears", "hemato-lab: analysis: 8 of 40 smears"]
    assert lines[9:] == [
        "hemato-lab: analysis: 40 of 40 smears",
        "hemato-lab: comparison with the reference: 2 of 2 smears",
    ]


def test_stages_of_few_smears_are_measured_by_these(tmp_path, capsys):
    entries = [entry(f"s{one}", reference="truth.json" if one < 2 else None) for one in range(40)]
    with BatchProgress(tmp_path, entries, [with_reference()]) as progress:
        progress("comparison with the reference", 1, 40)
    assert capsys.readouterr().err == "hemato-lab: comparison with the reference: 1 of 2 smears\n"


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo-terminals")
def test_a_terminal_has_a_bar_and_no_lines(tmp_path, monkeypatch):
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as screen:
        monkeypatch.setattr(sys, "stderr", screen)
        with BatchProgress(tmp_path, [entry("a"), entry("b")], []) as progress:
            progress("local", 1, 2)
        screen.write("end")
        screen.flush()
        drawn = ""
        while not drawn.endswith("end"):
            drawn += os.read(master, 10_000).decode()
    os.close(master)
    assert "analysis:" in drawn
    assert "hemato-lab" not in drawn


def test_an_interrupt_tells_how_far_it_came_and_how_to_go_on(tree, command, tmp_path, monkeypatch):
    def interrupted(entries, out, *, progress, **options) -> BatchResult:
        def stop_after_one(stage: str, done: int, total: int) -> None:
            progress(stage, done, total)
            raise KeyboardInterrupt

        return really_run(entries, out, progress=stop_after_one, **(options | {"engine": Inline()}))

    really_run = running.run_batch
    line = ("batch", tree, "--out", tmp_path / "out", "--workers", 1, "--detector", "classical")
    with monkeypatch.context() as patched:
        patched.setattr(running, "run_batch", interrupted)
        outcome = command(*line)
    assert outcome.code == 130
    assert outcome.out == ""
    expected = "done so far: analysis of 1 of 2 smears; run the same command again to go on from there"
    assert f"hemato-lab: {expected}" in outcome.err.splitlines()


def test_a_service_that_does_not_answer_is_heard_of(tree, command, tmp_path, monkeypatch):
    def run_batch(_, out, **__) -> BatchResult:
        logging.getLogger("hemato_lab.api.retrying").info("try 1 of 5 failed")
        return BatchResult(Path(out), ())

    monkeypatch.setenv("HEMATO_LAB_TOKEN", "made-up.token.value")
    monkeypatch.setattr(running, "run_batch", run_batch)
    outcome = command("batch", tree, "--out", tmp_path / "out", "--remote", "--base-url", "http://127.0.0.1:9")
    assert "hemato-lab: try 1 of 5 failed" in outcome.err.splitlines()


def test_what_the_figures_do_not_show_is_told(tree, command, tmp_path, monkeypatch):
    out = tmp_path / "out"
    provenance = {
        "inputs": [{"name": "a.jpg", "file_id": "the same"}],
        "skipped": [{"name": "b.jpg", "code": "copy", "reason": "b.jpg: same image as a.jpg"}],
    }
    first = write_done(out, entry("first"), with_extension(report(200, 2), provenance=provenance))
    provenance["skipped"] = []
    second = write_done(out, entry("second"), with_extension(report(200, 2), provenance=provenance))
    write_done(out, entry("earlier"), report(200, 2))
    monkeypatch.setattr(running, "run_batch", lambda *_, **__: BatchResult(out, (first, second)))
    told = command("batch", tree, "--out", out).out
    assert "1 image of 1 smear was left out" in told
    assert "1 image is in several smears and counted in each" in told
    assert "1 smear of earlier runs lies in smears/ too and is not part of this batch" in told


def test_stages_follow_where_they_are_wanted(tree, asked, command, tmp_path):
    (tmp_path / "truth.json").write_text("{}")
    line = ("batch", tree, "--out", tmp_path / "out")
    assert command(*line, "--compare-with", tmp_path / "truth.json").code == 0
    assert [stage.name for stage in asked["later"]] == ["comparison with the reference"]
    assert {entry.reference for entry in asked["entries"]} == {str(tmp_path / "truth.json")}
    service = ("--base-url", "http://127.0.0.1:9")
    assert command(*line, "--remote", *service).code == 2  # there are no credentials for it


def test_a_remote_reading_needs_a_service(tree, asked, command, tmp_path, monkeypatch):
    monkeypatch.setenv("HEMATO_LAB_TOKEN", "made-up.token.value")
    line = ("batch", tree, "--out", tmp_path / "out")
    assert command(*line, "--remote").code == 2
    assert command(*line, "--remote", "--base-url", "http://127.0.0.1:9").code == 0
    assert [stage.name for stage in asked["later"]] == ["remote", "comparison with the remote reading"]
    (entry, _) = asked["entries"]
    assert all(stage.applies_to(entry) for stage in asked["later"])
    assert command(*line, "--remote-listed", "--base-url", "http://127.0.0.1:9").code == 0
    assert not any(stage.applies_to(entry) for stage in asked["later"])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--um-per-px", 900), "--um-per-px 900 is impossible"),
        (("--workers", 0), "--workers"),
        (("--detector", "none"), "none"),
        (("--dask", "somewhere"), "somewhere"),
        (("--compare-with", "nowhere"), "nowhere: does not exist"),
    ],
)
def test_what_is_impossible_is_refused_before_anything_is_done(tree, command, tmp_path, options, told):
    outcome = command("batch", tree, "--out", tmp_path / "out", *options)
    assert outcome.code in {2, 3}
    assert outcome.out == ""
    assert told in outcome.err
    assert not list((tmp_path / "out").glob("**/*.json"))


@pytest.mark.parametrize("source", ["nowhere", "*.none"])
def test_a_source_without_smears_is_refused(command, tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    assert command("batch", source, "--out", "out").code == 3


def test_results_never_go_into_the_images(tree, command):
    outcome = command("batch", tree / "good", "--out", tree / "good")
    assert outcome.code == 2
    assert "is the folder that is analysed" in outcome.err


def test_out_must_be_named(tree, command):
    outcome = command("batch", tree)
    assert outcome.code == 2
    assert "--out" in outcome.err


def test_many_failures_are_cut_on_the_terminal(tree, command, tmp_path, monkeypatch):
    outcomes = [failed(entry(f"s{number}")) for number in range(25)]
    good = write_done(tmp_path / "out", entry("good"), report(200, 2))
    monkeypatch.setattr(running, "run_batch", lambda *_, **__: BatchResult(tmp_path / "out", (good, *outcomes)))
    outcome = command("batch", tree, "--out", tmp_path / "out")
    assert outcome.code == 11
    assert outcome.out.count("unreadable") == 20
    assert "5 more are in summary.csv." in outcome.out
