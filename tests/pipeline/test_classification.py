from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from hemato_lab.classifiers import CLASSIFIERS
from hemato_lab.errors import ConfigError, InputError, ScaleNotCredibleError
from hemato_lab.pipeline import analyze
from hemato_lab.pipeline.classification import classify_at, make_reader, readers
from tests.pipeline.stains import BLUE, DIAMETER, GREEN, PALE, PLACES, RED, picture_of, probabilities

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from hemato_lab.classifiers.network import NetworkClassifier
    from hemato_lab.smear import Smear
    from tests.calibrated import Array

STAINS = [RED, GREEN, BLUE, PALE, GREEN, RED]


@pytest.fixture(autouse=True)
def colours(monkeypatch: pytest.MonkeyPatch, classifiers: Mapping[str, NetworkClassifier]) -> None:
    """A registered classifier that answers with the colour of a cell."""
    monkeypatch.setitem(CLASSIFIERS, "colours", lambda: classifiers["white-cells"])


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[Array], Path]:
    def save(pixels: Array) -> Path:
        Image.fromarray(pixels).save(tmp_path / "picture.png")
        return tmp_path / "picture.png"

    return save


def test_the_cells_at_the_given_places_are_named_in_their_order(saved: Callable[[Array], Path]) -> None:
    path = saved(picture_of(STAINS))
    order = [4, 0, 3, 2, 5, 1]
    seen = classify_at(path, "colours", np.array(PLACES, float)[order], rbc_diameter_px=DIAMETER)
    expected = np.stack([probabilities(STAINS[index], "white-cells") for index in order])
    np.testing.assert_allclose(seen.probabilities, expected, rtol=0, atol=1e-4)
    assert seen.unknown.tolist() == [STAINS[index] == PALE for index in order]


def test_no_place_gives_an_empty_result(saved: Callable[[Array], Path]) -> None:
    seen = classify_at(saved(picture_of(STAINS)), "colours", np.zeros((0, 2)), rbc_diameter_px=DIAMETER)
    assert seen.probabilities.shape == (0, 3)


def test_the_scale_is_read_from_the_image_unless_it_is_stated(
    saved: Callable[[Array], Path], phantom: Callable[..., Smear]
) -> None:
    pixels = np.array(phantom("normal", size=(640, 480)).fields[0].read())
    path, centres = saved(pixels), np.array([[200.0, 150.0], [333.3, 222.2], [10.0, 470.0]])
    found = analyze(path, detector="classical").smear.scale
    assert found is not None
    assert found.origin == "estimated from red cells"
    by_itself = classify_at(path, "colours", centres)
    stated = classify_at(path, "colours", centres, rbc_diameter_px=found.rbc_diameter_px)
    np.testing.assert_array_equal(by_itself.probabilities, stated.probabilities)
    twice = classify_at(path, "colours", centres, rbc_diameter_px=2 * found.rbc_diameter_px)
    assert not np.array_equal(twice.probabilities, stated.probabilities)


def test_an_image_without_any_scale_is_refused(saved: Callable[[Array], Path]) -> None:
    with pytest.raises(ScaleNotCredibleError):
        classify_at(saved(np.full((200, 200, 3), 230, np.uint8)), "colours", np.array([[100.0, 100.0]]))


def test_an_image_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        classify_at(tmp_path / "none.png", "colours", np.array([[100.0, 100.0]]), rbc_diameter_px=DIAMETER)


def test_a_classifier_of_whole_crops_cannot_look_at_places(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'classical' cannot look at places"):
        classify_at(tmp_path / "unread.png", "classical", np.zeros((0, 2)))


def test_every_reader_is_made_by_its_name() -> None:
    assert set(readers()) >= {"blasts", "classical", "malaria", "red-cell-shape", "white-cells"}
    for name in set(readers()) - {"colours"}:
        assert make_reader(name).name == name


def test_an_unknown_reader_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'best'.*blasts, classical, .*malaria"):
        make_reader("best")
