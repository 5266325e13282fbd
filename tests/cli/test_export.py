"""``hemato-lab export``: what it writes, where, and how it refuses."""

from __future__ import annotations

import inspect
import json
import shutil
import zipfile
from pathlib import Path

import pytest

from hemato_lab import analyze, open_smear
from hemato_lab.cli.export import FORMATS, export
from hemato_lab.cli.output import write_files
from hemato_lab.export import EXPORTERS, render
from hemato_lab.export.reading import read_analysis
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.review import Review


@pytest.fixture(scope="session")
def image(tmp_path_factory, photograph) -> Path:
    path = tmp_path_factory.mktemp("images") / "<field>.jpg"
    path.write_bytes(photograph)
    return path


@pytest.fixture(scope="session")
def results_kept(tmp_path_factory, image) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    write_files(analyze(open_smear(image, rbc_diameter_px=30.0), detector="classical"), folder)
    return folder


@pytest.fixture
def results(results_kept, tmp_path) -> Path:
    return Path(shutil.copytree(results_kept, tmp_path / "results"))


def test_the_help_names_every_format(command):
    named = [one.split(" ")[0] for one in FORMATS.split(", ")]
    assert sorted(named) == sorted(EXPORTERS)
    assert FORMATS in inspect.signature(export, eval_str=True).parameters["to"].annotation.__metadata__[0].help
    assert "For Research Use Only" in command("export", "--help").out
    decisions = inspect.signature(export, eval_str=True).parameters["decisions"].annotation.__metadata__[0].help
    assert "results need --images too" in decisions


def test_results_become_files_of_other_programs(results, image, command, tmp_path):
    outcome = command("export", results, "--to", "csv", "--out", tmp_path / "copy.csv")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == f"wrote {tmp_path / 'copy.csv'}\n{RESEARCH_USE_NOTICE}\n"
    assert (tmp_path / "copy.csv").read_bytes() == (results / "cells.csv").read_bytes()

    assert command("export", results, "--to", "coco").code == 0
    document = json.loads((results / "results.coco.json").read_text())
    assert len(document["annotations"]) == len(read_analysis(results).detections)
    assert command("export", results, "--to", "geojson").code == 0
    assert json.loads((results / "results.geojson").read_text())["type"] == "FeatureCollection"

    assert command("export", results, "--to", "yolo", "--with-images", "--images", image).code == 0
    with zipfile.ZipFile(results / "results.yolo.zip") as archive:
        assert archive.testzip() is None


def test_a_picture_needs_the_images(results, image, command, tmp_path):
    target = tmp_path / "picture.png"
    refused = command("export", results, "--to", "png", "--out", target)
    assert refused.code == 3
    assert "--images" in refused.err
    assert not target.exists()
    assert command("export", results, "--to", "png", "--out", target, "--images", image).code == 0
    assert target.read_bytes() == (results / "picture.png").read_bytes()


def test_images_are_analysed_first_and_results_go_where_analyze_puts_them(image, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = command("export", image, "--to", "txt", "--rbc-diameter-px", "30")
    assert outcome.code == 0, outcome.err
    written = tmp_path / "hemato_lab_out" / "field_.jpg" / "field_.jpg.txt"
    assert RESEARCH_USE_NOTICE in written.read_text()


def test_decisions_correct_what_is_exported(results, image, command, tmp_path):
    log = tmp_path / "decisions.jsonl"
    review = Review(read_analysis(results, image), log)
    review.decide([0], "reject")
    target = tmp_path / "corrected.csv"
    outcome = command("export", results, "--images", image, "--to", "csv", "--out", target, "--decisions", log)
    assert outcome.code == 0, outcome.err
    assert target.read_bytes() == render(review.corrected(), "csv")
    assert len(target.read_text().splitlines()) == len((results / "cells.csv").read_text().splitlines()) - 1
    missing = command("export", results, "--to", "csv", "--decisions", tmp_path / "none.jsonl")
    assert missing.code == 2
    assert "none.jsonl: is no file" in missing.err


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--to", "word"), 2, "unknown format 'word'"),
        (("--to", "csv", "--with-images"), 2, "--with-images"),
        (("--to", "csv", "--um-per-px", "0.2"), 2, "analysed already"),
        (("--to", "csv", "--um-per-px", "9"), 2, "--um-per-px"),
        (("--to", "csv", "--out", ""), 2, "--out"),
        (("--to", "csv", "--out", "."), 2, "is a folder"),
        (("--to", "csv", "--out", "no/such/folder.csv"), 2, "does not exist"),
        (("--to", "csv", "--images", "no_such.png"), 3, "no_such.png"),
        (("more", "--to", "csv"), 2, "one is taken at a time"),
        ((), 2, "--to"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(results, command, options, code, words):
    before = sorted(results.iterdir())
    outcome = command("export", results, *options)
    assert (outcome.code, outcome.out) == (code, "")
    assert len(outcome.err.splitlines()) == 1
    assert words in outcome.err
    assert sorted(results.iterdir()) == before


def test_images_beside_images_are_refused(image, command):
    outcome = command("export", image, "--images", image, "--to", "csv")
    assert outcome.code == 2
    assert "--images" in outcome.err


def test_no_results_at_all(command, tmp_path):
    outcome = command("export", tmp_path / "nothing", "--to", "csv")
    assert outcome.code == 3
    assert "nothing" in outcome.err
