"""``hemato-lab compare``: which readings it takes, what it prints and writes, and how it ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hemato_lab import export
from hemato_lab.comparison import pictures
from hemato_lab.comparison.writing import FILES
from hemato_lab.formats import open_smear
from hemato_lab.pipeline import analyze
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.resources import shipped
from tests.api.fake_service import FakeService
from tests.api.loopback import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "token-of-the-command-line"  # noqa: S105 (made up)
QUICK = ("--detector", "classical")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, photograph: bytes) -> Path:
    """A folder with an image in ``smear``, and its results in ``results``."""
    folder = tmp_path_factory.mktemp("compare")
    (folder / "smear").mkdir()
    (folder / "smear" / "field.jpg").write_bytes(photograph)
    (folder / "results").mkdir()
    export.write(analyze(open_smear(folder / "smear"), detector="classical"), folder / "results" / "report.json")
    return folder


@pytest.fixture
def images(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made / "smear", "smear")
    return Path("smear")


@pytest.fixture
def report(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of results of the same image."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made / "results", "results")
    return Path("results")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LoopbackServer]:
    with LoopbackServer(FakeService(static_tokens={TOKEN}, polls_until_ready=1)) as started:
        monkeypatch.setenv("HEMATO_LAB_TOKEN", TOKEN)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "state"))
        yield started


@pytest.fixture(autouse=True)
def quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw nothing: pictures have tests of their own."""
    monkeypatch.setattr(pictures, "_png", lambda _: b"\x89PNG")


def changed(report: Path, target: Path, **members: object) -> Path:
    document = json.loads((report / "report.json").read_text())
    target.write_text(json.dumps(document | members))
    return target


def test_the_same_images_and_their_report_do_not_differ(command, images: Path, report: Path) -> None:
    done = command("compare", images, report / "report.json", *QUICK, "--fail-if-different")
    assert done.code == 0, done.err
    assert "differs           nothing" in done.out
    assert done.out.rstrip().endswith(RESEARCH_USE_NOTICE)
    folder = Path("hemato_lab_out/smear_and_report")
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert all(f"wrote {folder / name}" in done.out for name in FILES)
    assert json.loads((folder / "comparison.json").read_text())["equal"]


def test_differences_are_listed_and_end_with_0_unless_asked(command, report: Path, tmp_path: Path) -> None:
    statistics = {"rbc-density": {"value": "1", "unit": "y"}, "new": {"value": "2", "unit": "/mm2"}}
    other = changed(report, tmp_path / "other.json", feature_statistics=statistics, pathology_report="Other words.")
    done = command("compare", report / "report.json", other, "--out", "out")
    assert done.code == 0, done.err
    for words in ("estimates, text", "'y' has no known meaning", "stated by the second report only", "+ Other words."):
        assert words in done.out, words
    assert command("compare", report / "report.json", other, "--out", "out", "--fail-if-different").code == 1


def test_another_text_alone_is_no_failure(command, report: Path, tmp_path: Path) -> None:
    other = changed(report, tmp_path / "other.json", pathology_report="Other words.")
    done = command("compare", report, other, "--fail-if-different", "--out", "out")
    assert done.code == 0, done.err
    assert "differs           text" in done.out


def test_readings_of_one_name_have_heads_of_their_own(command, report: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / report.name
    shutil.copytree(report, other)
    done = command("compare", report, other, "--out", "out")
    assert done.code == 0, done.err
    assert "other/results (analysis, 1 image)" in done.out or "other/results (report, 1 image)" in done.out
    done = command("compare", report, other, "--out", "out", "--first-label", "March", "--second-label", "April")
    assert "March (" in done.out
    assert "April (" in done.out


def test_json_is_printed_alone_and_nothing_is_written(command, report: Path) -> None:
    before = sorted(Path().iterdir())
    done = command("compare", report / "report.json", report / "report.json", "--json")
    document = json.loads(done.out)
    assert (done.code, document["equal"], document["notice"]) == (0, True, RESEARCH_USE_NOTICE)
    assert sorted(Path().iterdir()) == before


def test_images_beside_their_annotation_give_an_accuracy(command, tmp_path: Path) -> None:
    whole = shipped("sample_data") / "malaria"
    document = json.loads((whole / "annotations.json").read_text())
    image = document["images"][0]
    marked = [one for one in document["annotations"] if one["image_id"] == image["id"]]
    annotated = tmp_path / "annotated"
    (annotated / "images").mkdir(parents=True)
    shutil.copy(whole / image["file_name"], annotated / "images")
    (annotated / "annotations.json").write_text(json.dumps(document | {"images": [image], "annotations": marked}))
    done = command("compare", annotated / "images", annotated, *QUICK, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert "recall against the annotation" in done.out
    summary = json.loads((tmp_path / "out" / "comparison.json").read_text())["summary"]
    assert summary["recall"] > 0.9
    assert summary["precision"] > 0.9


def test_a_remote_study_is_fetched(command, images: Path, server: LoopbackServer) -> None:
    where = ("--base-url", server.url)
    done = command("remote", "run", images, *where)
    assert done.code == 0, done.err
    (study,) = server.service.studies
    done = command("compare", images, f"remote:{study}", *QUICK, *where)
    assert done.code == 0, done.err
    assert f"report {study} (report, 1 image)" in done.out
    assert Path(f"hemato_lab_out/smear_and_{study}/comparison.html").is_file()


def test_without_a_service_nothing_is_fetched(command, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEMATO_LAB_BASE_URL", raising=False)
    monkeypatch.delenv("HEMATO_LAB_REGION", raising=False)
    done = command("compare", images, "remote:study")
    assert done.code == 2
    assert "region" in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("smear",), 2, "second"),
        (("smear", ""), 2, "the name is empty"),
        (("smear", "remote:"), 2, "names no study"),
        (("smear", "missing.json"), 3, "missing.json"),
        (("smear", "missing"), 3, "missing"),
        (("smear", "smear", "--gate", "0"), 2, "gate"),
        (("smear", "smear", "--pair-by", "luck"), 2, "luck"),
        (("smear", "smear", "--rbc-diameter-px", "-1"), 2, "--rbc-diameter-px"),
        (("smear", "smear", "--out", "smear"), 2, "is the folder that is analysed"),
        (("smear", "smear", "--detector", "eye"), 2, "eye"),
    ],
)
def test_errors_are_one_line_and_an_exit_code(
    command, images: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = command("compare", *arguments, *([] if "--detector" in arguments else QUICK))
    assert done.code == code, done.err
    assert words in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("wrong", [("--gate", "0"), ("--pair-by", "luck"), ("--detector", "eye")])
def test_settings_are_refused_before_anything_is_analysed(
    command, images: Path, wrong: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def analysed(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("hemato_lab.pipeline.analyze", analysed)
    assert command("compare", images, images, *wrong).code == 2


def test_help_says_how_it_ends(command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    done = command("compare", "--help")
    assert done.code == 0
    assert "The status is 0" in done.out
    assert "Research Use Only" in done.out
