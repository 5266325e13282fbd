"""Small phantom smears, pictures of nothing, sources that stop giving pixels, and tiny classifiers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hemato_lab.errors import UnreadableInputError
from hemato_lab.export import render
from hemato_lab.phantom import RECIPES, phantom_smear
from hemato_lab.pipeline import analyze
from hemato_lab.smear import RED_CELL_DIAMETER_UM, ArraySource, Field, Scale, Smear
from tests.pipeline.stains import tiny_classifiers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hemato_lab.classifiers.network import NetworkClassifier
    from hemato_lab.smear import RGB, Window


@dataclass
class FailingSource:
    """Pixels that can be read a number of times, after which the file is gone."""

    pixels: RGB
    reads_left: int

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    def read(self, window: Window) -> RGB:
        if self.reads_left == 0:
            raise UnreadableInputError("has gone", subject="gone.jpg", hint="copy it again from its source")
        self.reads_left -= 1
        return self.pixels[window.slices()]


@pytest.fixture(scope="session")
def phantom() -> Callable[..., Smear]:
    """Smear of a named recipe with stated scale."""

    @cache
    def make(
        name: str, seed: int = 0, fields: int = 1, rbc_px: float = 30.0, size: tuple[int, int] = (420, 320)
    ) -> Smear:
        recipe = replace(RECIPES[name], um_per_px=RED_CELL_DIAMETER_UM / rbc_px)
        return phantom_smear(recipe, seed, fields, *size)[0]

    return make


@pytest.fixture(scope="session")
def report_bytes() -> Callable[..., bytes]:
    def run(smear: Smear, **options: Any) -> bytes:
        return render(analyze(smear, **options), "json")

    return run


@pytest.fixture(scope="session")
def field_of() -> Callable[..., Field]:
    """Field of an array, or of one value everywhere."""

    def make(pixels: np.ndarray | int, name: str = "field", size: tuple[int, int] = (320, 240)) -> Field:
        array = pixels if isinstance(pixels, np.ndarray) else np.full((size[1], size[0], 3), pixels, np.uint8)
        return Field(
            name, ArraySource(np.ascontiguousarray(array)), "sha224-i-" + name.encode().hex().ljust(56, "0")[:56]
        )

    return make


@pytest.fixture(scope="session")
def failing_field() -> Callable[[Smear, int], Field]:
    """Field with the pixels of a smear's first one, readable a number of times."""
    return lambda smear, reads: Field(
        "gone.jpg", FailingSource(np.array(smear.fields[0].read()), reads), "sha224-i-" + "f" * 56
    )


@pytest.fixture(scope="session")
def stated() -> Scale:
    return Scale.from_rbc_diameter_px(30.0)


@pytest.fixture(scope="session")
def classifiers(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, NetworkClassifier]:
    """Classifiers that answer with the colour of a cell."""
    return tiny_classifiers(tmp_path_factory.mktemp("models"))
