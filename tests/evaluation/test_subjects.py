from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hemato_lab.errors import ConfigError, ModelError
from hemato_lab.evaluation.dataset import CropSet
from hemato_lab.evaluation.subjects import detector_card, first_that_fits, parasite_reader, reader_named
from hemato_lab.networks import load_network, model_sha256
from hemato_lab.vocabulary import DETECTOR_CLASSES

if TYPE_CHECKING:
    from pathlib import Path


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
    card, own = detector_card("onnx"), load_network("detector").card
    assert card.thresholds == {name: own.thresholds[name] for name in DETECTOR_CLASSES}
    assert card.model_sha256 == model_sha256("detector") == own.sha256
    classical = detector_card("classical")
    assert (classical.model_sha256, classical.thresholds) == (None, dict.fromkeys(DETECTOR_CLASSES, 0.5))


def test_a_model_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"broken")
    with pytest.raises(ModelError, match=r"broken\.onnx"):
        detector_card("onnx", str(tmp_path / "broken.onnx"))


def test_what_reads_parasites_is_listed_with_its_models() -> None:
    reader = parasite_reader("onnx")
    assert {"detector", "malaria"} <= set(reader.models)
    assert reader.threshold == pytest.approx(load_network("malaria").card.with_detector["threshold"])


def test_readers_are_found_by_name() -> None:
    assert reader_named("classical").model_sha256 is None
    with pytest.raises(ConfigError, match="unknown classifier 'best'"):
        reader_named("best")
