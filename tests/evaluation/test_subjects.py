from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from hemato_lab.classifiers import CLASSIFIERS, NETWORKS
from hemato_lab.classifiers.network import NetworkClassifier
from hemato_lab.detectors import SHIPPED_MODEL
from hemato_lab.errors import ConfigError, InputError, ModelError
from hemato_lab.evaluation.dataset import CropSet
from hemato_lab.evaluation.subjects import (
    classify_with,
    detector_card,
    first_that_fits,
    parasite_reader,
    pipeline_detect,
    pipeline_name,
    reader_named,
)
from hemato_lab.formats import open_smear
from hemato_lab.networks import load_network, model_sha256
from hemato_lab.pipeline import analyze
from hemato_lab.vocabulary import DETECTOR_CLASSES
from tests.networks.graphs import DETECTS, WEIGHTS, as_network, classifier_model, dots_model, sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hemato_lab.evaluation.fields import Detect
    from hemato_lab.smear import RGB

DIAMETER = 30.0


@pytest.fixture
def dots(tmp_path: Path) -> str:
    """The file of a detector of dots."""
    (tmp_path / "dots.onnx").write_bytes(dots_model().SerializeToString())
    return str(tmp_path / "dots.onnx")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Pale red cells of 30 pixels on a grid, darker from left to right."""
    y, x = np.mgrid[:240, :320]
    inside = np.hypot(x % 60 - 30, y % 60 - 30) < DIAMETER / 2
    pixels: RGB = np.full((240, 320, 3), 235, np.uint8)
    pixels[inside] = np.stack([200 - x / 5, 150 - x / 5, 160 - x / 5], axis=2)[inside].astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "cells.png")
    return tmp_path / "cells.png"


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        (("parasitised RBC", "uninfected RBC"), "malaria"),
        (("ring trophozoite", "gametocyte"), "malaria"),
        (("neutrophil", "basophil", "platelet"), "white-cells"),
        (("sickle cell", "teardrop cell"), "red-cell-shape"),
        (("benign", "early blast", "pro blast"), "blasts"),
    ],
)
def test_crops_go_to_the_first_classifier_with_names_for_them(labels: tuple[str, ...], name: str) -> None:
    assert first_that_fits(CropSet("cells", labels, ())).name == name


def test_labels_that_nobody_can_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="no classifier has a name for each of neutrophil, sickle cell"):
        first_that_fits(CropSet("cells", ("neutrophil", "sickle cell"), ()))


def test_the_card_of_a_detector_is_that_of_its_model() -> None:
    card, own = detector_card("onnx"), load_network(SHIPPED_MODEL).card
    assert card.thresholds == {name: own.thresholds[name] for name in DETECTOR_CLASSES}
    assert card.model_sha256 == model_sha256(SHIPPED_MODEL) == own.sha256
    classical = detector_card("classical")
    assert (classical.model_sha256, classical.thresholds) == (None, dict.fromkeys(DETECTOR_CLASSES, 0.5))


def test_the_card_of_another_model_is_that_of_its_file(dots: str) -> None:
    card = detector_card("onnx", dots)
    assert card.thresholds == {"RBC": 0.5, "WBC": 0.25, "platelet": 1.0}
    assert card.model_sha256 == sha256_of(dots_model())
    assert card.name == "onnx"


def test_a_model_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"broken")
    with pytest.raises(ModelError, match=r"broken\.onnx"):
        detector_card("onnx", str(tmp_path / "broken.onnx"))


def test_what_reads_parasites_is_listed_with_its_models() -> None:
    reader = parasite_reader("onnx")
    assert {SHIPPED_MODEL, "parasites", "malaria"} <= set(reader.models)
    assert reader.threshold == pytest.approx(load_network("malaria").card.with_map["threshold"])


def test_what_reads_parasites_lists_the_model_that_takes_part(dots: str) -> None:
    given = parasite_reader("onnx", dots)
    naming = {name: model_sha256(name) for name in ("ruler", "parasites", *NETWORKS)}
    assert given.models == {DETECTS["name"]: sha256_of(dots_model()), **naming}
    without = parasite_reader("classical")
    assert (without.detector, without.models) == ("classical", naming)
    with pytest.raises(ConfigError, match="'classical' takes no model"):
        parasite_reader("classical", dots)


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (pipeline_detect, {"names": False, "minimum_score": 0.0}),
        (pipeline_name, {"names": True, "minimum_score": None}),
    ],
)
def test_cells_are_those_of_the_analysis(picture: Path, make: Callable[[str], Detect], options: dict[str, Any]) -> None:
    """Without names every candidate, with names the cells as users get them; nothing is measured."""
    outcome = make("classical")(picture, DIAMETER)
    smear = open_smear(picture, rbc_diameter_px=DIAMETER)
    expected = analyze(smear, detector="classical", measured=False, **options).detections
    assert outcome.rbc_diameter_px == DIAMETER
    assert len(outcome.detections) == len(expected) > 0
    assert set(outcome.detections.columns) == set(expected.columns)
    for name, values in expected.columns.items():
        np.testing.assert_array_equal(outcome.detections[name], values, err_msg=name)
    assert ("parasite_score" in outcome.detections.columns) == options["names"]


def test_another_network_takes_the_place_of_the_detector(picture: Path, dots: str) -> None:
    """The network of dots finds other cells than the detector that ships, and none below its scores when naming."""
    every = pipeline_detect("onnx", dots)(picture, DIAMETER).detections
    named = pipeline_name("onnx", dots)(picture, DIAMETER).detections
    smear = open_smear(picture, rbc_diameter_px=DIAMETER)
    expected = analyze(smear, model=dots, names=False, minimum_score=0.0, measured=False).detections
    np.testing.assert_array_equal(every["score"], expected["score"])
    assert set(every.columns) == set(expected.columns)
    assert len(named) < len(every)


def test_an_image_that_cannot_be_opened_is_an_input_error(tmp_path: Path) -> None:
    for look in (pipeline_detect("classical"), pipeline_name("classical")):
        with pytest.raises(InputError, match=r"none\.png"):
            look(tmp_path / "none.png", DIAMETER)


def test_cells_at_places_are_named_by_the_classifier_of_that_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, picture: Path
) -> None:
    """The tiny classifier weighs the mean densities, which rise from left to right."""
    tiny = NetworkClassifier("tiny", as_network(classifier_model(weights=np.abs(WEIGHTS)), tmp_path / "tiny.onnx"))
    monkeypatch.setitem(CLASSIFIERS, "tiny", lambda: tiny)
    centres = np.array([[30.0, 30.0], [270.0, 30.0], [150.0, 90.0]])
    seen = classify_with("tiny")(picture, centres, DIAMETER)
    assert seen.classes == ("neutrophil", "blast")
    first, last, middle = seen.probabilities[:, 0]
    assert 0.5 < first < middle < last
    with pytest.raises(ConfigError, match="'classical' cannot look at places"):
        classify_with("classical")(picture, centres, DIAMETER)


def test_readers_are_found_by_name() -> None:
    assert reader_named("classical").model_sha256 is None
    with pytest.raises(ConfigError, match="unknown classifier 'best'"):
        reader_named("best")
