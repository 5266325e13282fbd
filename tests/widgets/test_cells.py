"""Cells as numbers: read back as the browser reads them."""

from __future__ import annotations

import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.detections import Detections
from hemato_lab.vocabulary import TERMS
from hemato_lab.widgets.cells import classes_of, colours_of, encode_cells, lineages_of, name_indices, ordered_names

NAMES = ["platelet", "RBC", "lymphocyte", "a name of another reader", "zebra"]


def table(count: int = 200, **more: np.ndarray) -> Detections:
    rng = np.random.default_rng(5)
    columns = {
        "field": rng.integers(0, 3, count),
        "x": rng.uniform(0, 40_000, count),
        "y": rng.uniform(0, 40_000, count),
        "radius": rng.uniform(5, 60, count),
        "name": rng.choice(NAMES, count),
        "score": rng.uniform(0, 1, count),
    }
    return Detections({**columns, **more})


def test_rows_are_nine_little_endian_floats() -> None:
    rng = np.random.default_rng(1)
    axes = {"major_axis_um": rng.uniform(6, 9, 200), "minor_axis_um": rng.uniform(4, 6, 200)}
    axes["minor_axis_um"][3] = np.nan
    detections = table(**axes, orientation_rad=rng.uniform(-1.5, 1.5, 200))
    encoded = encode_cells(detections, 0.125)
    rows = list(struct.iter_unpack("<9f", encoded.cells))
    assert len(rows) == 200
    for row, (x, y, radius, score, field, name, major, minor, orientation) in enumerate(rows):
        # Half a thousandth of a pixel is what float32 keeps of 40,000.
        np.testing.assert_allclose([x, y], [detections["x"][row], detections["y"][row]], atol=0.002)
        np.testing.assert_allclose([radius, score], [detections["radius"][row], detections["score"][row]], rtol=1e-6)
        assert field == detections["field"][row]
        assert encoded.names[int(name)] == detections["name"][row]
        expected = [axes[f"{axis}_axis_um"][row] / 0.125 for axis in ("major", "minor")]
        np.testing.assert_allclose([major, minor], expected, rtol=1e-6)
        assert orientation == np.float32(detections["orientation_rad"][row])


def test_what_was_not_measured_is_not_a_number() -> None:
    without_scale = encode_cells(table(5, major_axis_um=np.ones(5), minor_axis_um=np.ones(5)), None)
    without_columns = encode_cells(table(5), 0.1)
    for encoded in (without_scale, without_columns):
        assert np.isnan(np.frombuffer(encoded.cells, "<f4").reshape(-1, 9)[:, 6:]).all()


def test_names_come_in_the_order_of_the_vocabulary_with_their_colours() -> None:
    encoded = encode_cells(table(), None)
    assert encoded.names == ["RBC", "platelet", "lymphocyte", "a name of another reader", "zebra"]
    assert lineages_of(encoded.names) == ["red cell", "platelet", "white cell", "other", "other"]
    assert classes_of(encoded.names) == ["RBC", "platelet", "WBC", "", ""]
    assert encoded.colours == [*(TERMS[name].colour for name in encoded.names[:3]), "#000000", "#000000"]


def test_what_is_no_red_cell_is_not_counted_as_one() -> None:
    # The class is what a detector tells apart: by it a nucleated red cell is a white cell, an artefact is none.
    names = ["ring trophozoite", "nucleated RBC", "artefact", "rouleaux"]
    assert classes_of(names) == ["RBC", "WBC", "", ""]
    assert lineages_of(names) == ["parasite", "red cell", "artefact", "red cell"]


@given(st.lists(st.sampled_from(NAMES)))
def test_indices_lead_back_to_the_names(listed: list[str]) -> None:
    names = ordered_names(listed)
    assert sorted(names) == sorted(set(listed))
    assert [names[index] for index in name_indices(np.array(listed, "<U32"), names)] == listed
    assert len(colours_of(names)) == len(names)


def test_an_empty_table_is_empty() -> None:
    assert encode_cells(Detections.empty(), 0.1).cells == b""
    assert encode_cells(Detections.empty(), None).names == []
