from __future__ import annotations

import io
import json
import math
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import geojson
import numpy as np
import pytest
from shapely.geometry import shape

from hemato_lab import export
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.vocabulary import term

if TYPE_CHECKING:
    from pathlib import Path

    from hemato_lab.analysis import Analysis


def collections(analysis: Analysis) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(export.render(analysis, "geojson"))) as archive:
        return {name: geojson.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".geojson")}


def test_each_field_is_a_valid_collection_of_its_cells(measured: Analysis):
    read = collections(measured)
    assert list(read) == ["first.geojson", "second.geojson"]
    rows = iter(range(len(measured.detections)))
    cells = measured.detections
    for one in read.values():
        assert one.is_valid
        assert one["notice"] == RESEARCH_USE_NOTICE
        for feature in one["features"]:
            row = next(rows)
            drawn, properties = shape(feature["geometry"]), feature["properties"]
            assert drawn.is_valid
            assert drawn.centroid.coords[0] == pytest.approx((cells["x"][row] + 0.5, cells["y"][row] + 0.5), abs=0.01)
            assert properties["objectType"] == "detection"
            assert properties["classification"]["name"] == cells["name"][row]
            red, green, blue = properties["classification"]["color"]
            assert f"#{red:02X}{green:02X}{blue:02X}" == term(str(cells["name"][row])).colour
            assert properties["measurements"]["score"] == pytest.approx(cells["score"][row], rel=1e-5)
    assert next(rows, None) is None


def test_ellipses_have_their_area_and_circles_come_back_as_circles(measured: Analysis):
    features = [feature for one in collections(measured).values() for feature in one["features"]]
    for feature in features:
        drawn, area = shape(feature["geometry"]), feature["properties"]["measurements"].get("area_um2")
        if area is not None:
            assert drawn.area == pytest.approx(area / 0.1**2, rel=0.01)
    circle = features[4]
    # QuPath takes the bounds of what is marked as an ellipse.
    assert circle["geometry"]["isEllipse"] is True
    assert shape(circle["geometry"]).bounds == (35.5, 275.5, 85.5, 325.5)
    assert "isEllipse" not in features[1]["geometry"]


def test_measurements_are_finite_numbers(measured: Analysis):
    features = [feature for one in collections(measured).values() for feature in one["features"]]
    for feature in features:
        assert all(math.isfinite(value) for value in feature["properties"]["measurements"].values())
    assert "area_um2" not in features[4]["properties"]["measurements"]
    assert "name" not in features[0]["properties"]["measurements"]


def test_ids_are_different_and_the_same_each_time(measured: Analysis):
    first, second = ([f["id"] for one in collections(measured).values() for f in one["features"]] for _ in range(2))
    assert first == second
    assert len({UUID(one) for one in first}) == len(measured.detections)


def test_an_id_is_never_that_of_another_cell(measured: Analysis):
    twice = measured.detections.select(np.array([0, 0, 1, 2, 3, 4, 5]))
    fewer = measured.detections.select(np.array([1, 2, 4, 5]))
    before, after, double = (
        {f["id"]: f for one in collections(replace(measured, detections=cells)).values() for f in one["features"]}
        for cells in (measured.detections, fewer, twice)
    )
    assert set(after) < set(before) < set(double)
    assert all(before[one] == after[one] for one in after)
    assert len(double) == 7


def test_one_field_is_one_file_and_no_cells_are_an_empty_collection(tmp_path: Path, empty_analysis: Analysis):
    assert export.suffix_of(empty_analysis, "geojson") == "geojson"
    path = export.write(empty_analysis, tmp_path / "cells.geojson")
    read = json.loads(path.read_bytes())
    assert read["type"] == "FeatureCollection"
    assert read["features"] == []


def test_an_archive_does_not_get_the_name_of_a_file(tmp_path: Path, measured: Analysis):
    with pytest.raises(ConfigError, match="2 fields make an archive"):
        export.write(measured, tmp_path / "cells.geojson")
    assert not list(tmp_path.iterdir())
    assert zipfile.is_zipfile(export.write(measured, tmp_path / "cells.zip", "geojson"))
