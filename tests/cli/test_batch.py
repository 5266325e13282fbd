"""``hemato-lab batch``: what it hands to the batch, what it prints, and how it ends."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from hemato_lab.batch import running
from hemato_lab.batch.model import BatchResult, Settings
from hemato_lab.pipeline.interpretation import Interpretation
from hemato_lab.reference.context import BloodCount, ClinicalContext
from hemato_lab.report import RESEARCH_USE_NOTICE
from tests.batch.made_up import failed, report, write_done

NOTICE_LINE = f"{RESEARCH_USE_NOTICE}\n"


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
    assert (again.code, again.out) == (11, first.out)
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
    from tests.batch.made_up import entry

    outcomes = [failed(entry(f"s{number}")) for number in range(25)]
    good = write_done(tmp_path / "out", entry("good"), report(200, 2))
    monkeypatch.setattr(running, "run_batch", lambda *_, **__: BatchResult(tmp_path / "out", (good, *outcomes)))
    outcome = command("batch", tree, "--out", tmp_path / "out")
    assert outcome.code == 11
    assert outcome.out.count("unreadable") == 20
    assert "5 more are in summary.csv." in outcome.out
