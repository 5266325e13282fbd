"""Fields that fail while they are analysed, and what an analysis sees of those that do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from hemato_lab.analysis import Analysis
from hemato_lab.detections import Detections
from hemato_lab.errors import UnreadableInputError
from hemato_lab.pipeline.reading import without_unreadable
from hemato_lab.report import Report
from hemato_lab.smear import RGB, ArraySource, Field, PixelSource, Smear, Window


@dataclass(frozen=True)
class Pyramid:
    pixels: RGB
    levels: tuple[PixelSource, ...]

    @property
    def width(self) -> int:
        return self.pixels.shape[1]

    @property
    def height(self) -> int:
        return self.pixels.shape[0]

    def read(self, window: Window) -> RGB:
        return self.pixels[window.slices()]


@dataclass(frozen=True)
class Damaged:
    width: int
    height: int

    def read(self, window: Window) -> RGB:
        raise UnreadableInputError(f"a tile at {window.x0} is damaged", subject="b.tif")


def grey(side: int, value: int = 200) -> RGB:
    return np.full((side, side, 3), value, np.uint8)


def field(name: str, source: PixelSource) -> Field:
    return Field(name, source, "sha224-i-" + "3" * 56)


def test_smaller_copies_are_seen_through_the_watch() -> None:
    smear = Smear("s", (field("a.tif", Pyramid(grey(8), (ArraySource(grey(4, 7)),))), field("b", ArraySource(grey(6)))))
    seen: list[tuple[int, ...]] = []

    def analyse(watched: Smear) -> Analysis:
        seen.extend(tuple(level.width for level in one.levels) for one in watched.fields)
        assert watched.fields[0].levels[0].read(Window(0, 0, 1, 1)).tolist() == [[[7, 7, 7]]]
        return Analysis(watched, Detections.empty(), Report("1"))

    analysis = without_unreadable(smear, analyse)
    assert seen == [(4,), ()]
    assert analysis.smear.fields == smear.fields


def test_a_damaged_copy_that_is_read_counts_against_its_field() -> None:
    smear = Smear("s", (field("a.tif", ArraySource(grey(6))), field("b.tif", Pyramid(grey(8), (Damaged(4, 4),)))))

    def analyse(watched: Smear) -> Analysis:
        for one in watched.fields:
            for source in (one.source, *one.levels):
                source.read(Window(0, 0, 2, 2))
        return Analysis(watched, Detections.empty(), Report("1"))

    analysis = without_unreadable(smear, analyse)
    assert [one.name for one in analysis.smear.fields] == ["a.tif"]
    assert [(one.name, one.code) for one in analysis.smear.skipped] == [("b.tif", "unreadable")]
    only_damaged = Smear("s", smear.fields[1:])
    with pytest.raises(UnreadableInputError, match="a tile at 0 is damaged"):
        without_unreadable(only_damaged, analyse)
