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

from hemato_lab.classifiers.base import Classification
from hemato_lab.cli.evaluate import evaluate
from hemato_lab.detections import Detections
from hemato_lab.errors import ConfigError, HematoError, InputError, ModelError
from hemato_lab.evaluation import runner
from hemato_lab.evaluation.fields import FieldOutcome
from hemato_lab.evaluation.parasites import Reader
from hemato_lab.evaluation.subjects import pipeline_detect, reader_named
from hemato_lab.pipeline.interpretation import Interpretation

if TYPE_CHECKING:
    from hemato_lab.evaluation.marked_cells import ClassifyAt
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
            "interpretation": Interpretation(level="morphological_findings"),
        }
        assert (smear.scale is None) == (diameter is None)
        return SimpleNamespace(smear=smear, detections=Detections.empty(("area_um2",)))

    monkeypatch.setitem(
        sys.modules, "hemato_lab.pipeline", SimpleNamespace(analyze=analyze, Interpretation=Interpretation)
    )
    outcome = pipeline_detect("some", "a.onnx")(crop_folder / "images" / "True.png", diameter)
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


def test_a_limit_takes_the_first_fields(
    document: dict[str, Any], write: Write, asked: list[tuple[str, str, float | None]]
) -> None:
    document["images"][1]["split"] = "test"
    folder = write(document)
    for limit, names in ((1, ["a.jpg"]), (2, ["a.jpg", "b.jpg"])):
        asked.clear()
        answer = run(folder, "--split", "test", "--match", "center", "--detector", "classical", "--limit", limit)
        assert answer.exit_code == 0, answer.output
        assert asked == [("classical", name, None) for name in names]


RING = "ring trophozoite"


@pytest.fixture
def parasite_fields(
    document: dict[str, Any], write: Write, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, list[tuple[str, str | None, float | None]]]:
    """A set with a red cell and a ring, cells that are found at both, and what was asked."""
    document["images"] = document["images"][:1]
    document["images"][0]["complete"] = ["RBC", "WBC", "platelet", RING, "sickle cell", "trophozoite"]
    document["annotations"] = [
        {"image_id": 7, "category_id": 1, "bbox": [10.0, 10.0, 40.0, 40.0]},
        {"image_id": 7, "category_id": 4, "bbox": [110.0, 10.0, 40.0, 40.0]},
    ]
    asked: list[tuple[str, str | None, float | None]] = []

    def stand_in(detector: str, model: str | None) -> Callable[[Path, float | None], FieldOutcome]:
        def name(path: Path, rbc_diameter_px: float | None) -> FieldOutcome:
            asked.append((detector, model, rbc_diameter_px))
            cells = Detections(
                {
                    "field": np.zeros(2),
                    "x": np.array([29.5, 129.5]),
                    "y": np.array([29.5, 29.5]),
                    "radius": np.array([20.0, 20.0]),
                    "name": np.array(["uncategorised RBC", RING]),
                    "score": np.array([0.9, 0.9]),
                    "parasite_score": np.array([0.1, 0.8]),
                }
            )
            return FieldOutcome(cells, 40.0)

        return name

    monkeypatch.setattr(runner, "pipeline_name", stand_in)
    monkeypatch.setattr(runner, "parasite_reader", lambda detector, _: Reader(detector, {"one": "ab" * 32}, 0.5))
    return write(document), asked


def test_parasites_are_scored_by_named_cells(
    parasite_fields: tuple[Path, list[tuple[str, str | None, float | None]]],
) -> None:
    folder, asked = parasite_fields
    result = runner.run_evaluation(
        folder, split="test", parasites=True, model="a.onnx", scale="annotated", match="center", limit=1, jobs=2
    )
    assert asked == [("onnx", "a.onnx", 72.0)]
    assert (result["detector"], result["models"], result["match"]) == ("onnx", {"one": "ab" * 32}, "center")
    assert (result["recall"], result["precision"], result["recall_at_1_per_1000"]) == (1.0, 1.0, 1.0)


def test_the_command_prints_and_writes_parasites(
    parasite_fields: tuple[Path, list[tuple[str, str | None, float | None]]], tmp_path: Path
) -> None:
    folder, asked = parasite_fields
    model, out = tmp_path / "a.onnx", tmp_path / "parasites.json"
    answer = run(folder, "--split", "test", "--parasites", "--model", model, "--out", out)
    assert answer.exit_code == 0, answer.output
    assert asked == [("onnx", str(model), None)]
    assert "detector onnx, 2 red cells found, 1 parasite marked" in answer.stdout
    assert "recall at 1 per 1000 1.000" in answer.stdout
    assert NOTICE in answer.stdout
    written = json.loads(out.read_text(encoding="utf-8"))
    assert (written["red_cells"], written["parasites"], written["scale"]) == (2, 1, "estimated")


@pytest.fixture
def sure_of_rings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float | None, list[list[float]]]]:
    """Call every place a ring, and remember what was asked."""
    asked: list[tuple[str, float | None, list[list[float]]]] = []

    def stand_in(name: str) -> ClassifyAt:
        classes = reader_named(name).classes

        def classify(path: Path, centres: np.ndarray, rbc_diameter_px: float | None) -> Classification:
            asked.append((name, rbc_diameter_px, centres.tolist()))
            sure = np.array([one == RING for one in classes], np.float64)
            return Classification(classes, np.tile(sure, (len(centres), 1)))

        return classify

    monkeypatch.setattr(runner, "classify_with", stand_in)
    return asked


def test_a_classifier_names_the_marked_cells_of_fields(
    document: dict[str, Any],
    write: Write,
    sure_of_rings: list[tuple[str, float | None, list[list[float]]]],
    tmp_path: Path,
) -> None:
    folder, out = write(document), tmp_path / "cells.json"
    answer = run(folder, "--split", "test", "--classifier", "malaria", "--scale", "annotated", "--out", out)
    assert answer.exit_code == 0, answer.output
    assert sure_of_rings == [("malaria", 72.0, [[99.5, 199.5]])]  # not the difficult red cell
    assert "tiny test: 1 crop, classifier malaria" in answer.stdout
    assert "left out, no name of the classifier fits: WBC 1" in answer.stdout
    assert "red-cell diameter" not in answer.stdout
    written = json.loads(out.read_text(encoding="utf-8"))
    assert (written["accuracy"], written["scale"], written["left_out"]) == (1.0, "annotated", {"WBC": 1})


def test_a_reader_of_whole_crops_cannot_name_marked_cells(document: dict[str, Any], write: Write) -> None:
    document["annotations"].append({"image_id": 7, "category_id": 1, "center": [300.0, 300.0]})
    with pytest.raises(ConfigError, match="'classical' cannot look at places in an image"):
        runner.run_evaluation(write(document), split="test", classifier="classical")


@pytest.mark.parametrize("parasites", [False, True])
def test_a_detector_without_a_network_takes_no_model(
    document: dict[str, Any], write: Write, *, parasites: bool
) -> None:
    document["images"][0]["complete"] = [RING]
    folder = write(document)
    Image.new("RGB", (64, 48), "white").save(folder / "images/a.jpg")
    with pytest.raises(ConfigError, match="'classical' takes no model"):
        runner.run_evaluation(
            folder, split="test", match="center", detector="classical", model="a.onnx", parasites=parasites
        )


def test_a_network_that_is_not_there_is_a_model_error(document: dict[str, Any], write: Write) -> None:
    folder = write(document)
    with pytest.raises(ModelError, match=r"none\.onnx"):
        runner.run_evaluation(folder, split="test", match="center", model=str(folder / "none.onnx"))


def test_a_stated_diameter_of_crops_is_in_the_result(crop_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "crops.json"
    answer = run(crop_folder, "--split", "val", "--classifier", "classical", "--rbc-diameter-px", "100", "--out", out)
    assert answer.exit_code == 0, answer.output
    assert "red-cell diameter 100.0 px, stated" in answer.stdout
    assert json.loads(out.read_text(encoding="utf-8"))["scale"] == {"rbc_diameter_px": 100.0, "origin": "stated"}
    unstated = run(crop_folder, "--split", "val", "--classifier", "classical")
    assert "red-cell diameter cells on black" in unstated.stdout


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
