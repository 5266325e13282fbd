from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hemato_lab.classifiers import NETWORKS, make_classifier
from hemato_lab.classifiers import network as module
from hemato_lab.classifiers.crops import CropShape, crop_density
from hemato_lab.classifiers.network import BATCH, NetworkClassifier
from hemato_lab.errors import ConfigError, ModelError
from hemato_lab.networks.card import read_card
from hemato_lab.resources import shipped
from hemato_lab.vocabulary import TERMS
from tests.networks.graphs import CLASSIFIES, WEIGHTS, as_network, classifier_model, detector_model, map_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from onnx import ModelProto

    from hemato_lab.networks import Network

    MakeNetwork = Callable[[ModelProto], Network]
    Array = np.ndarray[Any, Any]

GAIN, TEMPERATURE = 1.5, 1.25


@pytest.fixture
def tiny(network: MakeNetwork) -> Callable[..., NetworkClassifier]:
    """Classifier of which only what is unknown, or anything of its metadata, is chosen."""

    def make(confidence: float = 0.0, evidence: float = -1e9, **metadata: str) -> NetworkClassifier:
        unknown = json.dumps({"least_confidence": confidence, "least_evidence": evidence})
        model = classifier_model(CLASSIFIES | {"gain": str(GAIN), "unknown": unknown} | metadata)
        return NetworkClassifier("tiny", network(model))

    return make


def densities(count: int, seed: int = 4) -> Array:
    """Crops whose mean densities differ widely."""
    random = np.random.default_rng(seed)
    return np.asarray(random.normal(0, 1.5, (count, 3, 1, 1)) + random.random((count, 3, 8, 8)), np.float32)


def logits_of(crops: Array) -> Array:
    """What the tiny network makes of crops, by its definition."""
    return np.asarray(GAIN * crops.astype(np.float64).mean(axis=(2, 3)) @ WEIGHTS)


def test_probabilities_are_those_of_the_logits_at_the_temperature(tiny: Callable[..., NetworkClassifier]) -> None:
    crops = densities(40)
    seen = tiny().classify_densities(crops)
    powers = np.exp(logits_of(crops) / TEMPERATURE)
    np.testing.assert_allclose(seen.probabilities, powers / powers.sum(axis=1, keepdims=True), rtol=0, atol=1e-5)
    np.testing.assert_allclose(seen.probabilities.sum(axis=1), 1, rtol=0, atol=1e-12)
    assert seen.classes == ("neutrophil", "blast")
    assert set(seen.names.tolist()) == {"neutrophil", "blast"}
    assert not seen.unknown.any()


@pytest.mark.parametrize(("confidence", "evidence"), [(0.8, -1e9), (0.0, 1.0), (0.8, 1.0)])
def test_a_cell_below_either_limit_is_unknown(
    tiny: Callable[..., NetworkClassifier], confidence: float, evidence: float
) -> None:
    crops = densities(60)
    logits = logits_of(crops)
    powers = np.exp(logits / TEMPERATURE)
    doubtful = (powers.max(axis=1) / powers.sum(axis=1)) < confidence
    strange = np.log(np.exp(logits).sum(axis=1)) < evidence
    expected = doubtful | strange
    assert 5 < np.count_nonzero(expected) < 55
    if confidence and evidence > 0:
        assert (doubtful & ~strange).any()
        assert (strange & ~doubtful).any()
    np.testing.assert_array_equal(tiny(confidence, evidence).classify_densities(crops).unknown, expected)


def test_a_cell_at_the_limits_is_known(tiny: Callable[..., NetworkClassifier]) -> None:
    """Of nothing at all both classes have a probability of a half, and the evidence is log 2."""
    nothing = np.zeros((1, 3, 8, 8), np.float32)
    assert not tiny(0.5, float(np.log(2.0))).classify_densities(nothing).unknown.any()
    assert tiny(0.5, float(np.log(2.0)) + 1e-9).classify_densities(nothing).unknown.all()
    assert tiny(0.5 + 1e-9, 0.0).classify_densities(nothing).unknown.all()


@pytest.mark.parametrize("count", [1, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH, 2 * BATCH + 3])
def test_any_number_of_cells_at_a_time_gives_the_same(tiny: Callable[..., NetworkClassifier], count: int) -> None:
    classifier, crops = tiny(0.8), densities(count)
    together = classifier.classify_densities(crops)
    alone = [classifier.classify_densities(crops[index : index + 1]) for index in range(count)]
    np.testing.assert_array_equal(together.probabilities, np.concatenate([one.probabilities for one in alone]))
    np.testing.assert_array_equal(together.unknown, np.concatenate([one.unknown for one in alone]))


def test_several_threads_may_use_one_classifier(tiny: Callable[..., NetworkClassifier]) -> None:
    classifier, crops = tiny(), densities(2 * BATCH)
    with ThreadPoolExecutor(4) as pool:
        tables = list(pool.map(lambda _: classifier.classify_densities(crops).probabilities, range(8)))
    for table in tables:
        np.testing.assert_array_equal(table, tables[0])


def test_no_cell_gives_an_empty_result(tiny: Callable[..., NetworkClassifier]) -> None:
    for seen in (tiny().classify([]), tiny().classify_densities(densities(0))):
        assert seen.probabilities.shape == (0, 2)
        assert seen.unknown.shape == (0,)
        assert seen.names.tolist() == []


@pytest.mark.parametrize("diameter", [None, 40.0])
def test_crops_are_classified_by_their_densities(
    tiny: Callable[..., NetworkClassifier], diameter: float | None
) -> None:
    random = np.random.default_rng(3)
    crops = [np.full((80, 70 + 5 * index, 3), 235, np.uint8) for index in range(4)]
    for crop in crops:
        crop[25:55, 20:55] = random.integers(60, 235, 3)
    classifier = tiny()
    assert classifier.shape == CropShape(8, 30.5)
    seen = classifier.classify(crops, rbc_diameter_px=diameter)
    shown = np.stack([crop_density(crop, CropShape(8, 30.5), diameter) for crop in crops])
    logits = logits_of(shown)
    np.testing.assert_allclose(
        seen.probabilities[:, 0], 1 / (1 + np.exp((logits[:, 1] - logits[:, 0]) / TEMPERATURE)), rtol=0, atol=1e-5
    )
    assert len(set(seen.probabilities[:, 0].tolist())) == 4


def test_making_a_classifier_reads_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> Network:
        raise ConfigError(f"{name} is read")

    monkeypatch.setattr(module, "load_network", load)
    sums = (shipped("models") / "SHA256SUMS").read_text(encoding="utf-8")
    for name in NETWORKS:
        classifier = make_classifier(name)
        assert classifier.name == name
        assert f"{classifier.model_sha256}  {name}.onnx" in sums
        with pytest.raises(ConfigError, match=f"{name} is read"):
            classifier.classify([])


def test_the_sha256_is_that_of_the_network(tiny: Callable[..., NetworkClassifier]) -> None:
    classifier = tiny()
    assert classifier.network is not None
    assert classifier.model_sha256 == classifier.network.card.sha256
    assert classifier.card is classifier.network.card


@pytest.mark.parametrize("model", [detector_model(), map_model()])
def test_a_network_that_draws_maps_is_refused(network: MakeNetwork, model: ModelProto) -> None:
    classifier = NetworkClassifier("tiny", network(model))
    for use in (lambda: classifier.classes, lambda: classifier.classify([]), lambda: classifier.shape):
        with pytest.raises(ModelError, match="does not name single cells") as caught:
            use()
        assert (caught.value.subject, caught.value.hint) == ("tiny", "choose a classifier")


def test_how_answers_go_together_with_a_map_must_be_said(tiny: Callable[..., NetworkClassifier]) -> None:
    plane = {"map": 0.5, "classifier": 1.0, "intercept": -0.25, "threshold": 0.75, "least": 0.125}
    assert tiny(with_map=json.dumps(plane)).with_map == plane
    with pytest.raises(ModelError, match="does not say how") as caught:
        _ = tiny().with_map
    assert caught.value.subject == "tiny"


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_that_ship_see_a_whole_cell_and_answer_in_the_vocabulary(name: str) -> None:
    classifier = make_classifier(name)
    assert isinstance(classifier, NetworkClassifier)
    assert classifier.shape.diameters > 1
    assert set(classifier.classes) <= set(TERMS)
    side = classifier.shape.side
    crops = np.random.default_rng(1).random((3, 3, side, side), np.float32)
    probabilities = classifier.classify_densities(crops).probabilities
    assert probabilities.shape == (3, len(classifier.classes))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=0, atol=1e-12)


def test_classes_that_go_together_are_judged_together(tmp_path: Path) -> None:
    """What is unknown is told from the classes that are answered."""
    limits = {"least_confidence": 0.6, "least_evidence": -100}
    network = as_network(
        classifier_model(CLASSIFIES | {"classes": json.dumps(["neutrophil", "blast"]), "unknown": json.dumps(limits)}),
        tmp_path / "tiny.onnx",
    )
    classifier = NetworkClassifier("tiny", network)
    crops = np.full((1, 3, 8, 8), 0.01, np.float32)
    assert classifier.classify_densities(crops).unknown.tolist() == [True]
    joined = classifier.classify_densities(crops, together={"blast": "neutrophil", "monocyte": "neutrophil"})
    assert (joined.classes, joined.probabilities.tolist(), joined.unknown.tolist()) == (
        ("neutrophil",),
        [[1.0]],
        [False],
    )


class FirstCorner:
    """A network whose first logit is the red density of the crop's first pixel, its second one 0."""

    def __init__(self, look_again_below: float) -> None:
        metadata = CLASSIFIES | {"look_again_below": str(look_again_below), "calibration": '{"temperature": 1}'}
        self.card = read_card(metadata, sha256="ab" * 32, subject="corner")
        self.seen = 0

    def run(self, crops: np.ndarray) -> list[np.ndarray]:
        self.seen += len(crops)
        first = crops[:, 0, 0, 0]
        return [np.stack([first, np.zeros_like(first)], axis=1)]


def crop_with_corners(*red: float) -> np.ndarray:
    crop = np.zeros((3, 8, 8), np.float32)
    crop[0, 0, 0], crop[0, 0, -1], crop[0, -1, 0], crop[0, -1, -1] = red
    return crop


def first_probability(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))


def test_a_cell_that_one_look_leaves_open_is_looked_at_in_all_mirrored_views() -> None:
    unsure, sure = crop_with_corners(1.0, 3.0, -2.0, 4.0), crop_with_corners(2.5, -9.0, -9.0, -9.0)
    network = FirstCorner(0.9)
    seen = NetworkClassifier("corner", network).classify_densities(np.stack([unsure, sure]))
    np.testing.assert_allclose(seen.probabilities[:, 0], [first_probability(1.5), first_probability(2.5)], rtol=1e-6)
    assert network.seen == 2 + 3


def test_without_a_limit_nothing_is_looked_at_again() -> None:
    network = FirstCorner(0.0)
    seen = NetworkClassifier("corner", network).classify_densities(crop_with_corners(0.0, 5.0, 5.0, 5.0)[None])
    assert seen.probabilities[0, 0] == 0.5
    assert network.seen == 1
