"""``hemato-lab analyze``: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time

import jsonschema
import numpy as np
from PIL import Image

from hemato_lab import __version__, analyze, open_smear
from hemato_lab.cli.application import EXIT_CODES, exit_code
from hemato_lab.errors import (
    ConfigError,
    DatasetError,
    HematoError,
    MissingDependencyError,
    ReportFormatError,
    UnreadableInputError,
)
from hemato_lab.export import render
from hemato_lab.report import RESEARCH_USE_NOTICE, report_schema

SCALE = ("--rbc-diameter-px", "30")
FILES = {"report.json", "cells.csv", "picture.png", "report.html"}


def interpreter(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "hemato_lab", *map(str, arguments)]


def test_json_is_one_document_and_nothing_else(good, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = command("analyze", good, "--json", *SCALE)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.endswith("}\n")
    jsonschema.Draft202012Validator(report_schema()).validate(json.loads(outcome.out))
    assert outcome.out.encode() == render(analyze(open_smear(good, rbc_diameter_px=30.0)), "json")
    assert list(tmp_path.iterdir()) == [good], "no file is written beside it"


def test_tiles_and_threads_do_not_change_the_document(good, command):
    plain = command("analyze", good, "--json", *SCALE).out
    assert command("analyze", good, "--json", *SCALE, "--tile-size", 128, "--threads", 2).out == plain


def test_files_are_written_whole(good, command, tmp_path):
    out = tmp_path / "deep/er"
    outcome = command("analyze", good, "--out", out, *SCALE)
    assert outcome.code == 0
    written = {path.name for path in out.iterdir()}
    assert written >= FILES
    assert not [name for name in written if name.startswith(".") or name.endswith(".part")]
    analysis = analyze(open_smear(good, rbc_diameter_px=30.0))
    assert (out / "report.json").read_bytes() == render(analysis, "json")
    with (out / "cells.csv").open(newline="") as stream:
        assert sum(1 for _ in csv.reader(stream)) == len(analysis.detections) + 1
    with Image.open(out / "picture.png") as picture:
        picture.load()
    page = (out / "report.html").read_text(encoding="utf-8")
    for surface in (outcome.out, page, (out / "report.json").read_text()):
        assert RESEARCH_USE_NOTICE in surface
    for name in written:
        assert str(out / name) in outcome.out


def test_the_table_shows_the_densities(good, command, tmp_path):
    outcome = command("analyze", good, "--out", tmp_path / "out", *SCALE)
    statistics = json.loads((tmp_path / "out/report.json").read_text())["feature_statistics"]
    line = next(line for line in outcome.out.splitlines() if line.startswith("rbc-density"))
    assert statistics["rbc-density"]["value"] in line.replace(",", "")
    assert "/mm2" in line


def test_a_run_replaces_the_files_of_the_last(good, command, tmp_path, blank_files):
    out = tmp_path / "out"
    command("analyze", good, "--out", out, *SCALE)
    first = (out / "report.json").read_bytes()
    blank = tmp_path / "blank.png"
    blank.write_bytes(blank_files["no_cells.png"])
    assert command("analyze", blank, "--out", out, *SCALE).code == 0
    assert (out / "report.json").read_bytes() != first
    assert json.loads((out / "report.json").read_text())["hemato_lab"]["cells_found"]["RBC"] == 0


def test_a_folder_that_cannot_be_made_is_refused_before_any_work(good, command, tmp_path):
    (tmp_path / "taken").write_text("a file")
    outcome = command("analyze", good, "--out", tmp_path / "taken" / "out", *SCALE)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "--out" in outcome.err


def test_version_and_help_carry_the_notice(command):
    version = command("--version")
    assert version.code == 0
    assert __version__ in version.out
    assert RESEARCH_USE_NOTICE in version.out
    for arguments in (("--help",), ("analyze", "--help"), ("demo", "--help"), ("phantom", "--help")):
        shown = command(*arguments)
        assert shown.code == 0
        assert "Research Use Only" in " ".join(shown.out.replace("│", " ").split())


def test_every_kind_of_error_has_its_exit_code():
    assert exit_code(ConfigError("x")) == 2
    assert exit_code(UnreadableInputError("x")) == 3
    assert exit_code(DatasetError("x")) == 4
    assert exit_code(MissingDependencyError("x", extra="wsi")) == 5
    assert exit_code(ReportFormatError("x")) == exit_code(HematoError("x")) == 1
    assert len(set(EXIT_CODES.values()) | {0, 1, 130}) == len(EXIT_CODES) + 3


def test_the_real_command_on_good_and_bad_files(good_among_bad):
    """A process of its own, with its own streams and a locale without any letter beyond ASCII."""
    finished = subprocess.run(  # noqa: S603 (our own interpreter)
        interpreter("analyze", good_among_bad, "--json", *SCALE),
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"},
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, b"")
    report = json.loads(finished.stdout)
    jsonschema.Draft202012Validator(report_schema()).validate(report)
    assert len(report["hemato_lab"]["provenance"]["skipped"]) == 5


def test_the_real_command_on_a_bad_file(tmp_path):
    (tmp_path / "empty.jpg").touch()
    finished = subprocess.run(  # noqa: S603 (our own interpreter)
        interpreter("analyze", tmp_path / "empty.jpg", "--out", tmp_path / "out"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 3
    assert finished.stdout == ""
    assert finished.stderr.count("\n") == 1
    assert "is empty" in finished.stderr


def test_an_interrupt_leaves_130_and_no_half_written_file(tmp_path, photograph):
    pixels = np.asarray(Image.open(_stored(tmp_path / "small.jpg", photograph)))
    Image.fromarray(np.tile(pixels, (12, 12, 1))).save(tmp_path / "large.png", compress_level=1)
    out = tmp_path / "out"
    running = subprocess.Popen(  # noqa: S603 (our own interpreter)
        interpreter("analyze", tmp_path / "large.png", "--out", out, "--tile-size", 256, *SCALE),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not out.is_dir() and running.poll() is None:
        time.sleep(0.02)
    time.sleep(2.0)  # into the analysis of 19 million pixels
    assert running.poll() is None, "it had ended before the interrupt"
    running.send_signal(signal.SIGINT)
    printed, complained = running.communicate(timeout=120)
    assert running.returncode == 130
    assert "Traceback" not in printed + complained
    assert list(out.iterdir()) == []


def _stored(path, content: bytes):
    path.write_bytes(content)
    return path
