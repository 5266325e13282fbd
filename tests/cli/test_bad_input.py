"""Bad input ends in one typed error, one line and an exit code, or in an honest empty report; never in a traceback."""

from __future__ import annotations

import json
import os

import pytest

from hemato_lab import analyze, open_smear
from hemato_lab.errors import (
    ArchiveError,
    FormatMismatchError,
    ImageTooLargeError,
    InputError,
    IntegrityError,
    NoImagesError,
    ScaleNotCredibleError,
    UnreadableInputError,
)
from hemato_lab.formats.caching import WHOLE_IMAGES

ERRORS = {
    "empty.jpg": (UnreadableInputError, "is empty"),
    "text.jpg": (FormatMismatchError, "plain text"),
    "cut.jpg": (UnreadableInputError, "cut short"),
    "cut.png": (UnreadableInputError, "cut short"),
    "bomb.png": (ImageTooLargeError, "30000 x 30000"),
}
BLANK = ("one_pixel.png", "black.png", "white.png", "no_cells.png")
SCALE = ("--rbc-diameter-px", "30")


def refused(outcome, *words: str, code: int = 3) -> None:
    """One line on standard error that names what is wrong and what to do, nothing on standard output, exit code."""
    assert outcome.code == code, outcome.err
    assert outcome.out == ""
    assert outcome.err.startswith("hemato-lab: ")
    assert outcome.err.count("\n") == 1
    assert outcome.err.rstrip().endswith(")"), "the hint stands in brackets at the end"
    assert "Traceback" not in outcome.err
    for word in words:
        assert word in outcome.err


@pytest.mark.parametrize("name", ERRORS)
def test_a_bad_file_is_one_typed_error(tmp_path, bad_files, command, name: str):
    path = tmp_path / name
    path.write_bytes(bad_files[name])
    kind, words = ERRORS[name]
    with pytest.raises(kind, match=words) as caught:
        analyze(open_smear(path))
    assert caught.value.subject == str(path)
    assert caught.value.hint
    refused(command("analyze", path, "--out", tmp_path / "out"), str(path), words)
    assert list((tmp_path / "out").glob("*")) == []


@pytest.mark.parametrize("name", BLANK)
def test_a_picture_without_cells_and_without_scale_is_refused(tmp_path, blank_files, command, name: str):
    path = tmp_path / name
    path.write_bytes(blank_files[name])
    with pytest.raises(ScaleNotCredibleError):
        analyze(open_smear(path))
    refused(command("analyze", path, "--json"), name, "rbc_diameter_px")


@pytest.mark.parametrize("name", BLANK)
def test_a_picture_without_cells_and_with_scale_has_an_empty_report(tmp_path, blank_files, command, name: str):
    path = tmp_path / name
    path.write_bytes(blank_files[name])
    outcome = command("analyze", path, "--json", *SCALE)
    assert (outcome.code, outcome.err) == (0, "")
    report = json.loads(outcome.out)
    assert report["hemato_lab"]["cells_found"] == {"RBC": 0, "WBC": 0, "platelet": 0}
    value = "0" if name == "no_cells.png" else "not assessed"
    assert report["feature_statistics"]["rbc-density"] == {"value": value, "unit": "/mm2"}
    assert "0 red cells, 0 white cells, 0 platelets" in " ".join(report["pathology_report"].split())


def test_files_are_written_for_an_empty_report_too(tmp_path, blank_files, command):
    path = tmp_path / "no_cells.png"
    path.write_bytes(blank_files["no_cells.png"])
    outcome = command("analyze", path, "--out", tmp_path / "out", *SCALE)
    assert outcome.code == 0
    assert {"report.json", "cells.csv", "picture.png", "report.html"} <= {
        one.name for one in (tmp_path / "out").iterdir()
    }
    assert (tmp_path / "out/cells.csv").read_text().count("\n") == 1  # the head alone


def test_a_good_image_among_bad_ones_is_analysed(good_among_bad, photograph, tmp_path, command):
    outcome = command("analyze", good_among_bad, "--json", *SCALE)
    assert (outcome.code, outcome.err) == (0, "")
    report = json.loads(outcome.out)
    skipped = {one["name"]: one for one in report["hemato_lab"]["provenance"]["skipped"]}
    assert skipped.keys() == ERRORS.keys()
    for name, (kind, words) in ERRORS.items():
        assert skipped[name]["code"] == kind.code
        assert words in skipped[name]["reason"]
        assert "\n" not in skipped[name]["reason"]
    (tmp_path / "good.jpg").write_bytes(photograph)
    alone = json.loads(command("analyze", tmp_path / "good.jpg", "--json", *SCALE).out)
    assert report["hemato_lab"]["cells_found"]["RBC"] > 10
    assert report["hemato_lab"]["cells_found"] == alone["hemato_lab"]["cells_found"]
    assert report["feature_statistics"] == alone["feature_statistics"]
    assert report["file_ids"] == alone["file_ids"]


def test_the_skipped_files_are_shown_to_people_too(good_among_bad, tmp_path, command):
    outcome = command("analyze", good_among_bad, "--out", tmp_path / "out", *SCALE)
    assert outcome.code == 0
    page = (tmp_path / "out/report.html").read_text()
    for name in ERRORS:
        assert name in outcome.out
        assert name in page


def test_bad_files_alone_are_one_error(good_among_bad, command):
    (good_among_bad / "good.jpg").unlink()
    with pytest.raises(NoImagesError, match="none of 5 images"):
        open_smear(good_among_bad)
    refused(command("analyze", good_among_bad, "--json"), "none of 5 images")


@pytest.mark.parametrize("content", ["nothing", "notes", "subfolder"])
def test_a_folder_without_images(tmp_path, command, content: str):
    folder = tmp_path / "folder"
    folder.mkdir()
    if content == "notes":
        (folder / "notes.txt").write_text("no image")
    if content == "subfolder":
        (folder / "deeper").mkdir()
    with pytest.raises(NoImagesError, match="holds no image"):
        open_smear(folder)
    refused(command("analyze", folder, "--json"), str(folder), "holds no image")


def test_a_missing_path(tmp_path, command):
    refused(command("analyze", tmp_path / "nowhere.jpg", "--json"), "nowhere.jpg", "does not exist")


def test_a_missing_path_beside_a_good_one(tmp_path, photograph, command):
    (tmp_path / "good.jpg").write_bytes(photograph)
    outcome = command("analyze", tmp_path / "good.jpg", tmp_path / "nowhere.jpg", "--json", *SCALE)
    assert outcome.code == 0
    (skipped,) = json.loads(outcome.out)["hemato_lab"]["provenance"]["skipped"]
    assert (skipped["name"], skipped["code"]) == ("nowhere.jpg", "unreadable")


def test_a_file_that_may_not_be_opened(forbidden, command):
    with pytest.raises(UnreadableInputError, match="ermi"):
        open_smear(forbidden / "secret.jpg")
    refused(command("analyze", forbidden / "secret.jpg", "--json"), "secret.jpg")


def test_a_file_that_may_not_be_opened_beside_a_good_one(forbidden):
    smear = open_smear(forbidden, rbc_diameter_px=30)
    (skipped,) = smear.skipped
    assert (skipped.name, skipped.code) == ("secret.jpg", "unreadable")
    assert len(analyze(smear).detections) > 10


def test_a_folder_that_may_not_be_listed(forbidden, command):
    folder = forbidden
    if os.getuid() == 0:
        os.seteuid(0)
    folder.chmod(0o311)
    if os.getuid() == 0:
        os.seteuid(65534)
    refused(command("analyze", folder, "--json"), str(folder))


def test_an_archive_bomb_is_refused_as_a_whole(tmp_path, archive_bomb, command):
    path = tmp_path / "bomb.zip"
    path.write_bytes(archive_bomb)
    with pytest.raises(ArchiveError):
        open_smear(path)
    refused(command("analyze", path, "--json"), "bomb.zip")


def test_an_archive_bomb_beside_a_good_file_is_left_out(tmp_path, photograph, archive_bomb):
    (tmp_path / "bomb.zip").write_bytes(archive_bomb)
    (tmp_path / "good.jpg").write_bytes(photograph)
    smear = open_smear([tmp_path / "good.jpg", tmp_path / "bomb.zip"], rbc_diameter_px=30)
    assert [one.code for one in smear.skipped] == ["archive"]
    assert len(analyze(smear).detections) > 10


@pytest.mark.parametrize("change", ["deleted", "emptied", "cut", "other"])
def test_a_file_that_changes_between_opening_and_analysis(tmp_path, photograph, bad_files, change: str):
    """Its pixels were not those of the hash, so it is left out; the other file is analysed."""
    (tmp_path / "changing.jpg").write_bytes(photograph)
    # The same pixels in other bytes: with a comment.
    (tmp_path / "good.jpg").write_bytes(photograph[:2] + b"\xff\xfe\0\x06good" + photograph[2:])
    smear = open_smear(tmp_path, rbc_diameter_px=30)
    alone = open_smear(tmp_path / "changing.jpg", rbc_diameter_px=30)
    WHOLE_IMAGES.clear()
    changing = tmp_path / "changing.jpg"
    if change == "deleted":
        changing.unlink()
    else:
        content = {"emptied": b"", "cut": bad_files["cut.jpg"], "other": photograph[:-2] + b"\0\xff\xd9"}[change]
        changing.write_bytes(content)
    found = analyze(smear)
    (skipped,) = found.smear.skipped
    assert skipped.name == "changing.jpg"
    assert skipped.code in {UnreadableInputError.code, IntegrityError.code}
    assert [field.name for field in found.smear.fields] == ["good.jpg"]
    assert len(found.detections) > 10
    WHOLE_IMAGES.clear()
    with pytest.raises(InputError, match=r"changing\.jpg"):
        analyze(alone)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--um-per-px", "12"), "--um-per-px 12 is impossible"),
        (("--um-per-px", "0"), "--um-per-px 0 is impossible"),
        (("--um-per-px", "-1"), "--um-per-px -1 is impossible"),
        (("--um-per-px", "nan"), "--um-per-px nan is impossible"),
        (("--um-per-px", "5"), "0.02 to 0.5"),
        (("--rbc-diameter-px", "0"), "--rbc-diameter-px 0 is impossible"),
        (("--rbc-diameter-px", "-3"), "15 to 375"),
        (("--rbc-diameter-px", "30", "--um-per-px", "0.1"), "but --rbc-diameter-px 30 is stated (state only the one"),
        (("--detector", "best"), "no detector is called 'best' (there are: onnx, classical)"),
        (("--tile-size", "0"), "tile size"),
        (("--tile-size", "63"), "64 or more"),
        (("--threads", "0"), "threads"),
        (("--rbc-per-ul", "-1"), "per"),
        (("--nonsense",), "(see hemato-lab analyze --help)"),
        (("--um-per-px", "abc"), "(see hemato-lab analyze --help)"),
        (("--out", ""), "--out: the name is empty"),
    ],
)
def test_impossible_options_are_refused_before_the_image_is_opened(
    tmp_path, command, arguments: tuple[str, ...], words: str
):
    form = () if "--out" in arguments else ("--json",)
    outcome = command("analyze", tmp_path / "nowhere.jpg", *form, *arguments)
    refused(outcome, words, code=2)
    assert "inf" not in outcome.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("analyze",), "(see hemato-lab analyze --help)"),
        (("anlyze",), "'analyze'? (see hemato-lab --help)"),
        (("--nonsense",), "(see hemato-lab --help)"),
        (("evaluate", "somewhere"), "(see hemato-lab evaluate --help)"),
        (("phantom", "somewhere", "--format", "film"), "(see hemato-lab phantom --help)"),
        (("evaluate", "nowhere", "--split", "test", "--jobs", "0"), "(see hemato-lab evaluate --help)"),
        (("evaluate", "nowhere", "--split", "test", "--detector", "best"), "there are: onnx, classical"),
        (("evaluate", "nowhere", "--split", "test", "--classifier", "best"), "choose one of blasts, classical"),
        (("evaluate", "nowhere", "--split", "test", "--out", ""), "--out: the name is empty"),
        (("evaluate", "nowhere", "--split", "test", "--model", ""), "--model: the name is empty"),
        (("evaluate", "nowhere", "--split", "test", "--rbc-diameter-px", "wide"), "(see hemato-lab evaluate --help)"),
    ],
)
def test_a_misspelt_command_line_is_one_line_too(command, arguments: tuple[str, ...], words: str):
    refused(command(*arguments), words, code=2)


def test_a_model_that_cannot_be_used_is_refused_in_one_line(command, tmp_path, good):
    (tmp_path / "text.onnx").write_text("This is no network.")
    for name, words in (("nowhere.onnx", "cannot be read"), ("text.onnx", "is no ONNX model")):
        outcome = command("analyze", good, "--json", "--rbc-diameter-px", 30, "--model", tmp_path / name)
        refused(outcome, words, name, code=6)
    for arguments, words in (
        (("--detector", "classical", "--model", "a.onnx"), "the detector 'classical' takes no model"),
        (("--model", ""), "--model: the name is empty"),
    ):
        refused(command("analyze", good, "--json", *arguments), words, code=2)


def test_a_set_that_does_not_exist(command, tmp_path):
    refused(command("evaluate", tmp_path / "nowhere", "--split", "test"), "does not exist", code=4)


def test_an_empty_path_is_no_image(command, tmp_path, good, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(command("analyze", "", "--json"), "the path is empty")


def test_two_folders_are_two_smears(command, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    refused(command("analyze", tmp_path / "one", tmp_path / "two", "--json"), "a folder must come alone", code=2)


def test_a_copy_is_not_counted_twice(tmp_path, photograph, command):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(photograph)
    both = json.loads(command("analyze", tmp_path, "--json", *SCALE).out)
    (skipped,) = both["hemato_lab"]["provenance"]["skipped"]
    assert (skipped["name"], skipped["reason"]) == ("b.jpg", "b.jpg: same image as a.jpg")
    alone = json.loads(command("analyze", tmp_path / "a.jpg", "--json", *SCALE).out)
    assert both["hemato_lab"]["cells_found"] == alone["hemato_lab"]["cells_found"]
