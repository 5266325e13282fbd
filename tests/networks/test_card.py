from __future__ import annotations

import json
from typing import Any

import pytest

from hemato_lab.errors import ModelError
from hemato_lab.networks.card import NetworkCard, read_card
from tests.networks.graphs import CLASSIFIES, DETECTS, MAPS, SIZES, TELLS_SIZES

SHA256 = "ab" * 32


def read(metadata: dict[str, str]) -> NetworkCard:
    return read_card(metadata, sha256=SHA256, subject="a.onnx")


def test_the_card_of_a_detector():
    assert read(DETECTS) == NetworkCard(
        name="tiny detector",
        task="detect",
        classes=("RBC", "WBC", "platelet", "parasitised RBC"),
        sizes_px=(),
        rbc_diameter_px=24.0,
        stride=2,
        crop_px=None,
        gain=2.5,
        thresholds={"RBC": 0.5, "WBC": 0.25, "platelet": 1.0, "parasitised RBC": 0.0},
        calibration={"RBC": (1.5, -1.0), "WBC": (1.0, 0.0), "platelet": (0.5, 0.25), "parasitised RBC": (2.0, 3.0)},
        unknown={},
        look_again_below=0.0,
        with_map={},
        trained_on=("bccd", "deepbionet"),
        sha256=SHA256,
    )


def test_the_card_of_a_network_that_draws_maps_alone():
    assert read(MAPS) == NetworkCard(
        name="tiny map",
        task="map",
        classes=("WBC", "parasitised RBC"),
        sizes_px=(),
        rbc_diameter_px=24.0,
        stride=2,
        crop_px=None,
        gain=2.5,
        thresholds={"WBC": 0.25, "parasitised RBC": 0.5},
        calibration={"WBC": (1.5, -1.0), "parasitised RBC": (0.5, -0.25)},
        unknown={},
        look_again_below=0.0,
        with_map={},
        trained_on=("iml_malaria",),
        sha256=SHA256,
    )


def test_the_card_of_a_classifier():
    card = read(CLASSIFIES)
    assert (card.task, card.classes, card.stride, card.crop_px) == ("classify", ("neutrophil", "blast"), None, 8)
    assert card.thresholds == {"blast": 0.75}
    assert card.calibration == {"temperature": 1.25}
    assert card.unknown == {"least_confidence": 0.5, "least_evidence": -3.0}


def test_the_card_of_a_network_that_tells_sizes():
    assert read(TELLS_SIZES) == NetworkCard(
        name="tiny ruler",
        task="size",
        classes=(),
        sizes_px=SIZES,
        rbc_diameter_px=8.0,
        stride=None,
        crop_px=32,
        gain=1.0,
        thresholds={"size": 0.4},
        calibration={"temperature": 1.0},
        unknown={},
        look_again_below=0.0,
        with_map={},
        trained_on=("bccd",),
        sha256=SHA256,
    )


JOINT = {"map": 0.6, "classifier": 0.4, "intercept": -1.5, "threshold": 0.55, "least": 0.01}


def test_a_classifier_may_say_how_it_goes_with_a_map():
    assert read(CLASSIFIES).with_map == {}
    assert read(CLASSIFIES | {"with_map": json.dumps(JOINT)}).with_map == JOINT


def test_a_classifier_may_look_again_where_it_is_not_sure():
    assert read(CLASSIFIES).look_again_below == 0.0
    assert read(CLASSIFIES | {"look_again_below": "0.75"}).look_again_below == 0.75


def test_nothing_of_a_card_can_be_changed():
    for card in (read(DETECTS), read(MAPS), read(CLASSIFIES | {"with_map": json.dumps(JOINT)})):
        for mapping in (card.thresholds, card.calibration, card.unknown, card.with_map):
            with pytest.raises(TypeError):
                mapping["RBC"] = 0.0  # type: ignore[index]


def test_keys_that_a_card_does_not_need_are_passed_over():
    for metadata in (DETECTS, MAPS):
        assert read(metadata | {"onnx.infer": "onnxruntime.quant", "unknown": "?", "crop_px": "?"}) == read(metadata)


NEEDED = [(metadata, key) for metadata in (DETECTS, MAPS, CLASSIFIES, TELLS_SIZES) for key in metadata if key != "seed"]


@pytest.mark.parametrize(("metadata", "key"), NEEDED)
def test_what_is_missing_is_named(metadata: dict[str, str], key: str):
    for broken in ({name: text for name, text in metadata.items() if name != key}, metadata | {key: ""}):
        with pytest.raises(ModelError) as caught:
            read(broken)
        assert (caught.value.subject, caught.value.problem) == ("a.onnx", f"{key} in its metadata is missing")
        assert caught.value.hint


SCORES = {"RBC": 0.5, "WBC": 0.25, "platelet": 1, "parasitised RBC": 0}
LINES = {"RBC": [1.5, -1], "WBC": [1, 0], "platelet": [0.5, 0.25], "parasitised RBC": [2, 3]}
LEASTS = {"least_confidence": 0.5, "least_evidence": -3}
BAD_NUMBERS = ["0", "-1", "NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400, "true", '"24"', "[24]", "null"]
BAD_SCORES = [-0.01, 1.01, float("nan"), float("inf"), True, "0.5", None]


def changed(known: dict[str, Any], key: str, value: Any) -> str:
    return json.dumps(known | {key: value})


@pytest.mark.parametrize(
    ("metadata", "key", "text", "problem"),
    [
        (DETECTS, "hemato_lab_format", "2", "is not 1"),
        (DETECTS, "task", "segment", "none of detect, map, classify and size but 'segment'"),
        (DETECTS, "input", "RGB", "is not 'optical density'"),
        (DETECTS, "classes", '["RBC", "erythrocyte"]', "'erythrocyte', which is not in the vocabulary"),
        (DETECTS, "classes", '["RBC", "wbc"]', "'wbc', which is not"),
        (DETECTS, "classes", '["RBC", "RBC"]', "a name twice"),
        (DETECTS, "classes", "[]", "no class"),
        (DETECTS, "classes", '"RBC"', "must be a list"),
        (DETECTS, "classes", '["RBC", 3]', "must be a list of names"),
        (DETECTS, "classes", '["RBC", ""]', "must be a list of names"),
        (DETECTS, "classes", "RBC, WBC", "is not JSON"),
        (DETECTS, "classes", "[" * 100_000, "is not JSON"),
        (DETECTS, "trained_on", "{}", "must be a list"),
        (CLASSIFIES, "look_again_below", "1.5", "must be in [0, 1]"),
        (CLASSIFIES, "with_map", json.dumps(JOINT | {"slope": 1}), "has 'slope', which is none of map"),
        (CLASSIFIES, "with_map", json.dumps({"map": 1, "classifier": 1}), "lacks 'intercept'"),
        (CLASSIFIES, "with_map", json.dumps(JOINT | {"map": 0}), "must be positive"),
        (CLASSIFIES, "with_map", json.dumps(JOINT | {"threshold": 1.5}), "must be in [0, 1]"),
        (DETECTS, "thresholds", changed(SCORES, "blast", 0.5), "'blast', which is none of RBC, WBC"),
        (DETECTS, "thresholds", '{"RBC": 0.5}', "lacks 'WBC'"),
        (DETECTS, "thresholds", "[0.5, 0.5, 0.5, 0.5]", "must be a JSON object"),
        (DETECTS, "thresholds", '{"RBC": 0.5, "RBC": 0.6}', "a name twice"),
        (CLASSIFIES, "thresholds", '{"RBC": 0.5}', "'RBC', which is none of neutrophil, blast"),
        (TELLS_SIZES, "sizes_px", "[8]", "a list of two sizes"),
        (TELLS_SIZES, "sizes_px", "8", "a list of two sizes"),
        (TELLS_SIZES, "sizes_px", "[8, 4]", "must rise by one ratio"),
        (TELLS_SIZES, "sizes_px", "[4, 8, 12]", "must rise by one ratio"),
        (TELLS_SIZES, "sizes_px", "[0, 8]", "must be positive"),
        (TELLS_SIZES, "sizes_px", "[10, 13.5, 18.225]", "must divide an octave"),
        (TELLS_SIZES, "thresholds", '{"RBC": 0.5}', "'RBC', which is none of size"),
        (TELLS_SIZES, "thresholds", "{}", "lacks 'size'"),
        (TELLS_SIZES, "calibration", "{}", "lacks 'temperature'"),
        (DETECTS, "calibration", '{"temperature": 1}', "'temperature', which is none of"),
        (DETECTS, "calibration", changed(LINES, "WBC", [1]), "'WBC' a slope and an intercept"),
        (DETECTS, "calibration", changed(LINES, "WBC", [0, 1]), "must be positive"),
        (DETECTS, "calibration", changed(LINES, "WBC", [1, float("nan")]), "must be a finite number"),
        (CLASSIFIES, "calibration", '{"temperature": 0}', "must be positive"),
        (CLASSIFIES, "calibration", "{}", "lacks 'temperature'"),
        (CLASSIFIES, "unknown", '{"least_confidence": 0.5}', "lacks 'least_evidence'"),
        (CLASSIFIES, "unknown", changed(LEASTS, "least_confidence", 2), "must be in [0, 1]"),
        (CLASSIFIES, "unknown", changed(LEASTS, "least_evidence", float("inf")), "must be a finite number"),
        (CLASSIFIES, "unknown", changed(LEASTS, "more", 1), "'more', which is none of"),
        (CLASSIFIES, "with_map", changed(JOINT, "more", 1), "'more', which is none of map, classifier"),
        (CLASSIFIES, "with_map", '{"map": 1, "classifier": 1, "intercept": 0, "least": 0}', "lacks 'threshold'"),
        (CLASSIFIES, "with_map", '{"map": 1, "classifier": 1, "intercept": 0, "threshold": 1}', "lacks 'least'"),
        (CLASSIFIES, "with_map", "[1, 1, 0, 0.5, 0]", "must be a JSON object"),
        *((CLASSIFIES, "with_map", changed(JOINT, key, 0), "must be positive") for key in ("map", "classifier")),
        *((CLASSIFIES, "with_map", changed(JOINT, key, "1"), "must be a finite number") for key in JOINT),
        *(
            (CLASSIFIES, "with_map", changed(JOINT, key, score), "must be in")
            for key in ("threshold", "least")
            for score in (-0.01, 1.01)
        ),
        (MAPS, "thresholds", '{"WBC": 0.5}', "lacks 'parasitised RBC'"),
        (MAPS, "thresholds", '{"WBC": 0.5, "parasitised RBC": 1.5}', "must be in [0, 1]"),
        (MAPS, "calibration", '{"temperature": 1}', "'temperature', which is none of WBC, parasitised RBC"),
        (MAPS, "calibration", '{"WBC": [1, 0]}', "lacks 'parasitised RBC'"),
        (MAPS, "calibration", '{"WBC": [1, 0], "parasitised RBC": [-1, 0]}', "must be positive"),
        (MAPS, "stride", "2.5", "must be a whole number"),
        (DETECTS, "stride", "2.5", "must be a whole number"),
        (CLASSIFIES, "crop_px", "48.5", "must be a whole number"),
        *((DETECTS, key, text, "must be") for key in ("rbc_diameter_px", "stride", "gain") for text in BAD_NUMBERS),
        *((CLASSIFIES, "crop_px", text, "must be") for text in BAD_NUMBERS),
        *((DETECTS, "thresholds", changed(SCORES, "WBC", score), "must be") for score in BAD_SCORES),
    ],
)
def test_what_is_wrong_is_named(metadata: dict[str, str], key: str, text: str, problem: str):
    with pytest.raises(ModelError) as caught:
        read(metadata | {key: text})
    assert caught.value.subject == "a.onnx"
    assert caught.value.problem.startswith(f"{key} in its metadata ")
    assert problem in caught.value.problem
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("text", ["1", "1.0", "24", "23.75", "1e1"])
def test_numbers_are_written_as_in_json(text: str):
    assert read(DETECTS | {"rbc_diameter_px": text}).rbc_diameter_px == float(text)
