"""``hemato-lab analyze``: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image

from hemato_lab import __version__, analyze, open_smear
from hemato_lab.cli.application import EXIT_CODES, exit_code
from hemato_lab.cli.output import progress_bar
from hemato_lab.cli.places import NOTICE_FILE, RESULT_FILES, folder_name
from hemato_lab.detectors import DEFAULT_DETECTOR, DETECTORS
from hemato_lab.errors import (
    ConfigError,
    DatasetError,
    DeadlineError,
    HematoError,
    InsecureAddressError,
    JournalError,
    LockedError,
    MissingDependencyError,
    NotFoundError,
    NotJSONError,
    ReportFormatError,
    StudyFailedError,
    TimedOutError,
    UnreadableInputError,
)
from hemato_lab.export import render
from hemato_lab.networks import model_sha256
from hemato_lab.pipeline.classification import readers
from hemato_lab.report import RESEARCH_USE_NOTICE, report_schema
from tests.networks.graphs import DETECTS, dots_model, sha256_of

SCALE = ("--rbc-diameter-px", "30")
FILES = {"report.json", "cells.csv", "picture.png", "report.html", "report.txt"}


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


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (("--detector", "classical"), {"detector": "classical"}),
        (("--detector", "classical", "--names"), {"detector": "classical", "names": True}),
        (("--no-names",), {"names": False}),
    ],
)
def test_detector_and_names_are_chosen(good, command, arguments: tuple[str, ...], options: dict):
    shown = command("analyze", good, "--json", *SCALE, *arguments).out
    assert shown.encode() == render(analyze(open_smear(good, rbc_diameter_px=30.0), **options), "json")
    assert shown != command("analyze", good, "--json", *SCALE).out


def test_another_detection_network_is_taken_from_its_file(good, command, tmp_path):
    model = dots_model()
    (tmp_path / "dots.onnx").write_bytes(model.SerializeToString())
    outcome = command("analyze", good, "--json", *SCALE, "--model", tmp_path / "dots.onnx", "--no-names")
    assert outcome.code == 0
    used = json.loads(outcome.out)["hemato_lab"]["provenance"]["models"]
    of_file = DETECTS["name"], sha256_of(model)
    assert used == {name: {"sha256": sha} for name, sha in (of_file, ("ruler", model_sha256("ruler")))}


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
    shown, value = float(line.split()[1]), float(statistics["rbc-density"]["value"])
    assert shown == float(f"{value:.3g}"), "three digits, as the limits are wide"
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


def test_a_folder_that_may_not_be_written_to_is_refused_before_any_work(good, command, tmp_path, monkeypatch):
    """Root may write everywhere, so the answer of the operating system is made up."""
    monkeypatch.setattr(os, "access", lambda path, _mode: os.fspath(path) != str(tmp_path / "out"))
    outcome = command("analyze", tmp_path / "nowhere.jpg", "--out", tmp_path / "out")
    assert outcome.code == 2
    assert outcome.err == (
        f"hemato-lab: {tmp_path / 'out'}: may not be written to (choose another folder with --out)\n"
    )


@pytest.mark.parametrize("name", [*RESULT_FILES, NOTICE_FILE])
def test_a_folder_in_the_place_of_a_file_is_found_before_any_work(command, tmp_path, name: str):
    (tmp_path / "out" / name).mkdir(parents=True)
    outcome = command("analyze", tmp_path / "nowhere.jpg", "--out", tmp_path / "out")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert f"{name}: is a folder where a file must go" in outcome.err


def test_the_demo_looks_at_its_folders_before_any_work(command, tmp_path):
    (tmp_path / "sickle" / NOTICE_FILE).mkdir(parents=True)
    outcome = command("demo", "--out", tmp_path)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)


def test_a_notice_that_cannot_be_written_in_the_end_is_one_line(good, command, tmp_path, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    outcome = command("analyze", good, "--out", tmp_path / "out", *SCALE)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert "NOTICE.txt: cannot be written: No space left" in outcome.err


@pytest.mark.parametrize("below", ["", "images", "link"])
def test_results_do_not_go_where_they_would_be_taken_for_fields(photograph, command, tmp_path, below: str):
    source = tmp_path / "source"
    (source / "images").mkdir(parents=True)
    (source / "images" / "a.jpg").write_bytes(photograph)
    (source / "link").symlink_to(source)
    outcome = command("analyze", source, "--out", source / below, *SCALE)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "is the folder that is analysed" in outcome.err
    assert "choose another folder" in outcome.err
    assert not list(source.glob("*.png"))


def test_results_do_not_replace_the_image_that_is_analysed(command, tmp_path, blank_files):
    picture = tmp_path / "picture.png"
    picture.write_bytes(blank_files["no_cells.png"])
    outcome = command("analyze", picture, "--out", tmp_path, *SCALE)
    assert outcome.code == 2
    assert "holds picture.png, which is analysed" in outcome.err
    assert picture.read_bytes() == blank_files["no_cells.png"]


def test_each_smear_has_a_folder_of_its_own(photograph, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two  (of) $2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jpg").write_bytes(photograph)
        assert command("analyze", name, *SCALE).code == 0
    assert {path.name for path in (tmp_path / "hemato_lab_out").iterdir()} == {"one", "two_of_2"}
    for folder in (tmp_path / "hemato_lab_out").iterdir():
        assert {path.name for path in folder.iterdir()} == FILES | {"heatmap.png", "NOTICE.txt"}
    again = command("analyze", "hemato_lab_out/one", *SCALE)
    assert (again.code, again.err.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("malaria", "malaria"),
        ("field_01.jpg", "field_01.jpg"),
        ("Ausstrich ä/ö", "Ausstrich_ä_ö"),
        ("..", "smear"),
        ("/", "smear"),
        ("", "smear"),
        (".hidden", "hidden"),
        ("x" * 300, "x" * 60),
        ("a\n\x1b[1mb", "a_1mb"),
    ],
)
def test_names_of_folders(name: str, folder: str):
    assert folder_name(name) == folder


def test_a_closed_pipe_costs_no_file(good, tmp_path):
    """As in ``hemato-lab analyze X | head -0``: the reader is gone before anything is printed."""
    outside, inside = os.pipe()
    os.close(outside)
    finished = subprocess.run(  # noqa: S603 (our own interpreter)
        interpreter("analyze", good, "--out", tmp_path / "out", *SCALE),
        stdout=inside,
        stderr=subprocess.PIPE,
        timeout=300,
        check=False,
    )
    os.close(inside)
    assert (finished.returncode, finished.stderr) == (0, b"")
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES | {"heatmap.png", "NOTICE.txt"}


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo-terminals")
@pytest.mark.parametrize("where", ["terminal", "file"])
def test_a_bar_is_drawn_on_a_terminal_only(tmp_path, monkeypatch, where: str):
    """The terminal states no size, as those of recorders do."""
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as screen, (tmp_path / "file").open("w") as file:
        monkeypatch.setattr(sys, "stderr", screen if where == "terminal" else file)
        with progress_bar("counting", "tile") as progress:
            time.sleep(0.2)  # a bar is drawn anew ten times a second at most
            progress(1, 2)
        screen.write("end")
        screen.flush()
        drawn = ""
        while not drawn.endswith("end"):
            drawn += os.read(master, 10_000).decode()
    os.close(master)
    if where == "terminal":
        assert "counting" in drawn
        assert "1/2" in drawn
    else:
        assert drawn == "end"
        assert (tmp_path / "file").read_text() == ""


def test_no_command_shows_the_help(command):
    outcome = command()
    assert outcome.code == 2
    assert "analyze" in outcome.out


def test_the_help_names_every_detector_and_classifier(command):
    for name, said in (
        ("analyze", [f"finds the cells: {', '.join(DETECTORS)}. [default: {DEFAULT_DETECTOR}]"]),
        ("evaluate", [f"{', '.join(DETECTORS)}; without, {DEFAULT_DETECTOR}.", f"{', '.join(readers())}; without"]),
    ):
        shown = " ".join(command(name, "--help").out.replace("│", " ").split())
        for words in said:
            assert words in shown


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
    assert exit_code(InsecureAddressError("x")) == 2
    assert exit_code(TimedOutError("x")) == 7
    assert exit_code(NotFoundError("x")) == exit_code(NotJSONError("x")) == 8
    assert exit_code(StudyFailedError("x")) == exit_code(DeadlineError("x")) == 9
    assert exit_code(LockedError("x")) == exit_code(JournalError("x")) == 10
    assert exit_code(ReportFormatError("x")) == exit_code(HematoError("x")) == 1
    assert not set(EXIT_CODES.values()) & {0, 1, 130}


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
    command = interpreter("analyze", tmp_path / "large.png", "--out", out, "--tile-size", 256, *SCALE)
    # A test run in the background ignores interrupts, and its children would.
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603
    finally:
        signal.signal(signal.SIGINT, ignored)
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
