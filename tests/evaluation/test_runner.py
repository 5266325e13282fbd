from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from hemato_lab.cli.evaluate import evaluate
from hemato_lab.detections import Detections
from hemato_lab.errors import ConfigError, HematoError, InputError
from hemato_lab.evaluation import runner
from hemato_lab.evaluation.fields import FieldOutcome

if TYPE_CHECKING:
    from hemato_lab.smear import Smear

Write = Callable[[dict[str, Any]], Path]
NOTICE = "For Research Use Only. Not for use in diagnostic procedures."


@pytest.fixture
def crop_folder(tmp_path: Path) -> Path:
    """Two red cells on black, one with a chromatin dot."""
    (tmp_path / "images").mkdir()
    y, x = np.mgrid[:120, :120] - 59.5
    lines = ["file,label,split,group"]
    for name, dot in (("uninfected RBC", False), ("parasitised RBC", True)):
        cell = np.zeros((120, 120, 3), dtype=np.uint8)
        cell[np.hypot(x, y) < 56] = (214, 160, 158)
        if dot:
            cell[np.hypot(x - 20, y) < 6] = (150, 60, 140)
        Image.fromarray(cell).save(tmp_path / "images" / f"{dot}.png")
        lines.append(f"images/{dot}.png,{name},val,patient {dot}")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, float | None]]:
    """Put a detector in the pipeline's place that finds one white cell, and remember what it was asked."""
    calls: list[tuple[str, str, float | None]] = []

    def stand_in(detector: str, model: str | None) -> Callable[[Path, float | None], FieldOutcome]:
        assert model is None

        def detect(path: Path, rbc_diameter_px: float | None) -> FieldOutcome:
            calls.append((detector, path.name, rbc_diameter_px))
            found = {"field": [0], "x": [29.5], "y": [64.5], "radius": [30.0], "name": ["WBC"], "score": [0.9]}
            return FieldOutcome(Detections({name: np.array(value) for name, value in found.items()}), 75.0)

        return detect

    monkeypatch.setattr(runner, "pipeline_detect", stand_in)
    return calls


def run(*arguments: object) -> Any:
    app = typer.Typer()
    app.command()(evaluate)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_crops_go_to_the_classifier(crop_folder: Path) -> None:
    result = runner.run_evaluation(crop_folder, split="val", classifier="classical")
    assert (result["classifier"], result["crops"], result["accuracy"], result["auc"]) == ("classical", 2, 1.0, 1.0)


@pytest.mark.parametrize("diameter", [None, 64.0])
def test_the_pipeline_is_asked_for_one_image(
    crop_folder: Path, monkeypatch: pytest.MonkeyPatch, diameter: float | None
) -> None:
    def analyze(smear: Smear, **settings: object) -> SimpleNamespace:
        # Average precision needs the candidates below the operating score too.
        assert len(smear) == 1
        assert settings == {
            "detector": "some",
            "model": "a.onnx",
            "names": False,
            "minimum_score": 0.0,
            "measured": False,
        }
        assert (smear.scale is None) == (diameter is None)
        return SimpleNamespace(smear=smear, detections=Detections.empty(("area_um2",)))

    monkeypatch.setitem(sys.modules, "hemato_lab.pipeline", SimpleNamespace(analyze=analyze))
    outcome = runner.pipeline_detect("some", "a.onnx")(crop_folder / "images" / "True.png", diameter)
    assert outcome.rbc_diameter_px == diameter
    assert outcome.refused == (diameter is None)
    assert outcome.detections.features == ("area_um2",)


def test_fields_go_to_the_detector(
    document: dict[str, Any], write: Write, asked: list[tuple[str, str, float | None]]
) -> None:
    folder = write(document)
    result = runner.run_evaluation(folder, split="test", match="center", detector="other", scale="annotated")
    assert asked == [("other", "a.jpg", 72.0)]
    assert result["detector"] == "other"
    assert result["classes"]["WBC"]["f1"] == 1.0
    assert result["scale_error"] is None


def test_the_wrong_kind_of_option_is_refused(document: dict[str, Any], write: Write, crop_folder: Path) -> None:
    with pytest.raises(ConfigError, match="crops, to which --detector"):
        runner.run_evaluation(crop_folder, split="val", detector="classical")
    with pytest.raises(ConfigError, match="crops, to which --parasites"):
        runner.run_evaluation(crop_folder, split="val", parasites=True)
    (crop_folder / "labels.csv").unlink()
    folder = write(document)
    with pytest.raises(ConfigError, match="whole fields, to which --rbc-diameter-px"):
        runner.run_evaluation(folder, split="test", rbc_diameter_px=40.0)
    for option in ("detector", "model", "parasites"):
        with pytest.raises(ConfigError, match=f"--{option} does not go with --classifier"):
            runner.run_evaluation(folder, split="test", classifier="malaria", **{option: "classical"})  # type: ignore[arg-type]


def test_the_command_prints_a_table_and_writes_the_json(
    document: dict[str, Any], write: Write, asked: list[tuple[str, str, float | None]], tmp_path: Path
) -> None:
    out = tmp_path / "result.json"
    answer = run(write(document), "--split", "test", "--match", "center", "--ignore-incomplete", "--out", out)
    assert answer.exit_code == 0, answer.output
    assert "tiny test: 1 image, detector onnx (match center" in answer.stdout
    assert NOTICE in answer.stdout
    written = json.loads(out.read_text(encoding="utf-8"))
    assert (written["match"], written["ignore_incomplete"], written["scale"]) == ("center", True, "estimated")
    assert written["scale_error"]["median"] == pytest.approx(75 / 72 - 1, abs=1e-6)
    assert list(tmp_path.glob("*.part")) == list(tmp_path.glob(".*.part")) == []


def test_the_command_reads_crops(crop_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "crops.json"
    answer = run(crop_folder, "--split", "val", "--classifier", "classical", "--out", out)
    assert answer.exit_code == 0, answer.output
    assert "2 crops, classifier classical" in answer.stdout
    assert json.loads(out.read_text(encoding="utf-8"))["accuracy"] == 1.0


def test_the_result_is_the_same_bytes_every_time(crop_folder: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        run(crop_folder, "--split", "val", "--out", tmp_path / f"{name}.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


@pytest.mark.parametrize("out", ["nowhere/result.json", "images"])
def test_an_unusable_output_is_one_typed_error(crop_folder: Path, out: str) -> None:
    answer = run(crop_folder, "--split", "val", "--out", crop_folder / out)
    assert isinstance(answer.exception, HematoError)
    assert out in str(answer.exception)
    assert not list(crop_folder.glob(".*.part"))


@pytest.mark.parametrize("out", ["/proc/x.json", "/dev/null", "images", "nowhere/x.json"])
def test_an_unusable_output_is_found_before_any_work(
    crop_folder: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    if out.startswith("/") and not Path(out).parent.is_dir():
        pytest.skip(f"this machine has no {Path(out).parent}")
    monkeypatch.setattr(runner, "run_evaluation", lambda *_, **__: pytest.fail("the work was done"))
    answer = run(crop_folder, "--split", "val", "--out", crop_folder / out)
    assert isinstance(answer.exception, ConfigError)
    assert out in str(answer.exception)
    assert not list(crop_folder.glob(".*.part"))


def test_a_usable_output_is_not_touched_before_the_work(crop_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = crop_folder / "old.json"
    out.write_text("old")

    def fail(*_: object, **__: object) -> None:
        raise ConfigError("stopped")

    monkeypatch.setattr(runner, "run_evaluation", fail)
    assert isinstance(run(crop_folder, "--split", "val", "--out", out).exception, ConfigError)
    assert out.read_text() == "old"


def test_unreadable_crops_are_skipped_and_printed(crop_folder: Path, tmp_path: Path) -> None:
    (crop_folder / "images" / "empty.png").touch()
    with (crop_folder / "labels.csv").open("a", encoding="utf-8") as stream:
        stream.write("images/empty.png,uninfected RBC,val,p\nimages/absent.png,uninfected RBC,val,p\n")
    answer = run(crop_folder, "--split", "val", "--classifier", "classical", "--out", tmp_path / "out.json")
    assert answer.exit_code == 0, answer.output
    result = json.loads((tmp_path / "out.json").read_text())
    assert [one["file"] for one in result["skipped"]] == ["images/empty.png", "images/absent.png"]
    assert all(one["reason"] for one in result["skipped"])
    assert (result["crops"], result["accuracy"], result["groups"]) == (2, 1.0, 2)
    (line,) = [line for line in answer.stdout.splitlines() if line.startswith("skipped")]
    assert "images/empty.png" in line
    assert "images/absent.png" in line


def test_unreadable_and_missing_fields_are_skipped(document: dict[str, Any], write: Write) -> None:
    """With the pipeline itself: the picture of nothing has no scale and is refused, the other two are skipped."""
    document["images"][1]["split"] = "test"
    document["images"].append({**document["images"][1], "id": 11, "file_name": "images/c.png"})
    folder = write(document)
    Image.new("RGB", (64, 48), "white").save(folder / "images/c.png")
    (folder / "images/b.jpg").unlink()
    result = runner.run_evaluation(folder, split="test", match="center")
    assert [one["file"] for one in result["skipped"]] == ["images/a.jpg", "images/b.jpg"]
    assert (result["images"], result["refused"]) == (1, ["images/c.png"])
    (folder / "images/c.png").unlink()
    with pytest.raises(InputError, match=r"a\.jpg"):
        runner.run_evaluation(folder, split="test", match="center")


def test_unknown_choices_are_usage_errors(crop_folder: Path) -> None:
    assert run(crop_folder, "--split", "val", "--match", "sight").exit_code == 2
    assert run(crop_folder, "--split", "val", "--limit", "0").exit_code == 2
    assert run(crop_folder).exit_code == 2
