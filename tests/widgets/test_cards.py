"""Cards: what they say of a cell, in words and units a reader knows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hemato_lab.errors import ConfigError
from hemato_lab.smear import Scale, Smear
from hemato_lab.widgets.cards import CardStore
from hemato_lab.widgets.messages import Card
from tests.analysed import cells, plain_field

MEASURED = {
    "area_um2": 44.18,
    "major_axis_um": 8.04,
    "minor_axis_um": 6.96,
    "circularity": 0.9512,
    "solidity": 0.98,
    "pallor_ratio": 0.312,
    "on_border": 1.0,
    "overlapped": 0.0,
    "name_confidence": 0.654,
}


@pytest.fixture
def store() -> CardStore:
    smear = Smear("sample", (plain_field("first.png", 640, 480),), scale=Scale.from_rbc_diameter_px(50))
    detections = cells([(0, "target cell", 100.4, 99.6, 25), (0, "RBC", 10, 20, 25)])
    columns = {name: np.array([value, np.nan]) for name, value in MEASURED.items()}
    return CardStore(smear, detections.with_columns(**columns, score=np.array([0.876, np.nan])))


def test_a_card_says_what_is_known(store: CardStore) -> None:
    assert store.answer(Card(0)).content["lines"] == [
        ["candidate", "target cell"],
        ["score", "0.88 of being a cell"],
        ["confidence", "0.65 of the name"],
        ["diameter", "7.5 µm (50 px)"],
        ["axes", "8.0 x 7.0 µm"],
        ["area", "44.2 µm²"],
        ["circularity", "0.951"],
        ["solidity", "0.980"],
        ["central pallor", "0.312 of the diameter"],
        ["remark", "on the border of the field"],
        ["field", "first.png"],
        ["place", "x 100, y 100 px"],
    ]


def test_what_was_not_measured_is_left_out(store: CardStore) -> None:
    labels = [label for label, _ in store.lines(1)]
    assert labels == ["candidate", "diameter", "field", "place"]
    unscaled = replace(store, smear=replace(store.smear, scale=None))
    assert ["diameter", "50 px"] in unscaled.lines(1)


@pytest.mark.parametrize("row", [2, 10**9])
def test_a_row_that_is_not_there_is_refused(store: CardStore, row: int) -> None:
    with pytest.raises(ConfigError, match=f"there is no cell {row}"):
        store.lines(row)
