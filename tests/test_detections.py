from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemato_lab import vocabulary
from hemato_lab.detections import BASE_COLUMNS, NAME_DTYPE, Detections
from hemato_lab.errors import ConfigError

LAW = settings(deadline=None, max_examples=60)
CELLS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(-1, 1),
        st.integers(-1, 1),
        st.floats(0, 50),
        st.sampled_from(vocabulary.DETECTOR_CLASSES),
        st.floats(0, 1),
        st.one_of(st.floats(-9, 9), st.just(np.nan)),
    ),
    max_size=12,
)


def table(rows: list[tuple[object, ...]], *features: str) -> Detections:
    columns = list(zip(*rows, strict=True)) or [()] * (len(BASE_COLUMNS) + len(features))
    return Detections(
        {name: np.array(column) for name, column in zip((*BASE_COLUMNS, *features), columns, strict=True)}
    )


ROWS = [
    (0, 4.0, 2.0, 3.0, "RBC", 0.9, 40.0),
    (1, 1.0, 1.0, 3.5, "platelet", 0.4, np.nan),
    (0, 3.0, 2.0, 3.0, "RBC", 0.8, 41.0),
    (0, 9.0, 1.0, 7.0, "WBC", 1.0, 120.0),
]


@pytest.fixture
def cells() -> Detections:
    return table(ROWS, "area_um2")


def test_base_columns_come_first_with_fixed_types(cells: Detections) -> None:
    shuffled = Detections({"area_um2": np.ones(1), **{name: np.zeros(1) for name in reversed(BASE_COLUMNS)}})
    assert tuple(shuffled) == (*BASE_COLUMNS, "area_um2")
    assert cells.features == ("area_um2",)
    kinds = {name: cells[name].dtype for name in BASE_COLUMNS}
    assert kinds["field"] == np.int32
    assert kinds["name"] == NAME_DTYPE
    assert {kinds[name] for name in ("x", "y", "radius", "score")} == {np.dtype(np.float64)}


def test_every_name_of_the_vocabulary_fits() -> None:
    names = np.array(list(vocabulary.TERMS))
    assert (names.astype(NAME_DTYPE) == names).all()


def test_columns_are_copied_and_cannot_be_changed() -> None:
    x = np.arange(3.0)
    columns = dict.fromkeys(BASE_COLUMNS, x)
    cells = Detections(columns)
    x[0] = 99
    assert cells["x"][0] == 0
    for name in cells:
        with pytest.raises(ValueError, match="read-only"):
            cells[name][0] = 1
    with pytest.raises(TypeError):
        cells.columns["x"] = x  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        cells.columns = {}  # type: ignore[misc]
    columns["more"] = np.ones(3)
    assert "more" not in cells.columns


def test_missing_columns_are_named() -> None:
    with pytest.raises(ConfigError, match="lack the columns radius, score"):
        Detections({name: np.zeros(2) for name in BASE_COLUMNS if name not in ("radius", "score")})


@pytest.mark.parametrize("odd", [np.zeros(3), np.zeros((2, 2)), np.zeros(())])
def test_columns_are_one_dimensional_and_equally_long(odd: np.ndarray) -> None:
    columns = {name: np.zeros(2) for name in BASE_COLUMNS}
    with pytest.raises(ConfigError, match="one-dimensional and of the same length"):
        Detections({**columns, "area_um2": odd})


def test_nothing_found_is_an_empty_table() -> None:
    empty = Detections.empty(["area_um2"])
    assert len(empty) == 0
    assert empty.features == ("area_um2",)
    assert empty["name"].dtype == NAME_DTYPE
    assert Detections.concatenate([]) == Detections.empty()
    assert repr(empty) == "Detections(0 cells)"
    assert len(empty.sorted()) == len(empty.named("RBC")) == len(empty.to_frame()) == 0


@LAW
@given(CELLS, CELLS)
def test_joined_tables_hold_the_rows_of_each_in_order(
    first: list[tuple[object, ...]], second: list[tuple[object, ...]]
) -> None:
    joined = Detections.concatenate([table(first, "area_um2"), table(second, "area_um2")])
    assert joined == table(first + second, "area_um2")


def test_a_feature_that_a_table_lacks_is_not_a_number_there() -> None:
    one, other = table([ROWS[0]], "area_um2"), table([ROWS[1]], "solidity")
    joined = Detections.concatenate([one, other])
    assert joined.features == ("area_um2", "solidity")
    np.testing.assert_array_equal(joined["area_um2"], [40, np.nan])
    np.testing.assert_array_equal(joined["solidity"], [np.nan, np.nan])
    assert joined["field"].dtype == np.int32


@LAW
@given(CELLS, st.randoms(use_true_random=False))
def test_the_canonical_order_does_not_depend_on_the_order_found(rows: list[tuple[object, ...]], random: object) -> None:
    unique = list({(row[0], row[2], row[1], row[4]): row for row in rows}.values())
    shuffled = unique.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    ordered = table(shuffled, "area_um2").sorted()
    assert ordered == table(unique, "area_um2").sorted()
    keys = list(zip(ordered["field"], ordered["y"], ordered["x"], ordered["name"], strict=True))
    assert keys == sorted(keys)


@LAW
@given(CELLS)
def test_pickling_and_copying_keep_every_bit(rows: list[tuple[object, ...]]) -> None:
    cells = table(rows, "area_um2")
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(cells, protocol))  # noqa: S301 (our own bytes)
        assert again == cells
        assert {name: again[name].tobytes() for name in again} == {name: cells[name].tobytes() for name in cells}
        assert not again["x"].flags.writeable
    assert copy.deepcopy(cells) == cells


def test_equality_is_by_value_with_not_a_number_equal_to_itself(cells: Detections) -> None:
    assert cells == table(ROWS, "area_um2")
    assert cells != table(ROWS[:3], "area_um2")
    assert cells != cells.with_columns(x=cells["x"] + 1e-9)
    assert cells != cells.with_columns(more=np.zeros(4))
    assert cells != "cells"
    with pytest.raises(TypeError, match="unhashable"):
        hash(cells)


def test_rows_are_selected_by_mask_and_by_index(cells: Detections) -> None:
    assert cells.select(cells["radius"] > 3.2)["name"].tolist() == ["platelet", "WBC"]
    assert cells.select(np.array([3, 0]))["x"].tolist() == [9, 4]
    assert cells.select(np.zeros(4, bool)) == Detections.empty(["area_um2"])


def test_cells_are_named_and_counted_by_exactly_their_name(cells: Detections) -> None:
    assert cells.count("RBC") == 2
    assert cells.count("blast") == 0
    assert cells.named("WBC", "platelet")["x"].tolist() == [1, 9]
    assert len(cells.named()) == 0


def test_columns_are_added_and_replaced_in_a_new_table(cells: Detections) -> None:
    changed = cells.with_columns(score=np.ones(4), solidity=np.full(4, 0.5))
    assert changed.features == ("area_um2", "solidity")
    assert changed["score"].tolist() == [1] * 4
    assert cells["score"].tolist() == [0.9, 0.4, 0.8, 1.0]
    with pytest.raises(ConfigError):
        cells.with_columns(solidity=np.ones(3))


def test_the_frame_is_a_copy_with_one_row_a_cell(cells: Detections) -> None:
    frame = cells.to_frame()
    assert list(frame.columns) == list(cells)
    assert len(frame) == 4
    frame.loc[0, "x"] = -1.0
    assert cells["x"][0] == 4


def test_repr_counts_cells_by_name(cells: Detections) -> None:
    assert repr(cells) == "Detections(4 cells: 2 RBC, 1 WBC, 1 platelet)"


def test_kinds_are_told_by_the_vocabulary() -> None:
    names = ["RBC", "sickle cell", "ring trophozoite", "band neutrophil", "large platelet", "artefact", "WBC", "RBC"]
    cells = table([(0, 0.0, 0.0, 1.0, name, 1.0) for name in names])
    for wide in (("RBC",), ("WBC",), ("neutrophil",), ("parasitised RBC",), ("RBC", "platelet"), ("sickle cell",), ()):
        expected = [any(vocabulary.is_a(name, one) for one in wide) for name in names]
        assert cells.of_kind(*wide).tolist() == expected
    assert cells.of_kind("RBC").tolist() == [True, True, True, False, False, False, False, True]


def test_a_name_that_is_in_no_vocabulary_is_of_no_kind() -> None:
    cells = table([(0, 0.0, 0.0, 1.0, "thing", 1.0), (0, 1.0, 0.0, 1.0, "RBC", 1.0)])
    assert cells.of_kind("RBC", "thing").tolist() == [False, True]
    assert Detections.empty().of_kind("RBC").shape == (0,)
