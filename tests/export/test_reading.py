"""A folder of results read back: the same bytes again, every column, and no table that is not the report's own."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.detections import Detections
from hemato_lab.errors import InputError, ReportFormatError, UnreadableInputError
from hemato_lab.export import render, write
from hemato_lab.export.cells_table import read_cells_table
from hemato_lab.export.reading import AbsentSource, holds_results, read_analysis
from hemato_lab.formats import open_smear
from hemato_lab.pipeline import analyze
from hemato_lab.report import Report
from hemato_lab.resources import shipped
from hemato_lab.smear import ArraySource, Field, Smear

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hemato_lab.analysis import Analysis

IMAGES = shipped("sample_data") / "malaria"


@pytest.fixture(scope="session")
def results(real, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "of_malaria"
    folder.mkdir()
    write(real, folder / "report.json")
    write(real, folder / "cells.csv")
    return folder


@pytest.fixture
def spoiled(results, tmp_path) -> Callable[..., Path]:
    """Make a folder of results whose report or table of cells is changed."""

    def spoil(*, report: Callable[[dict], object] | None = None, cells: Callable[[str], str] | None = None) -> Path:
        document = json.loads((results / "report.json").read_bytes())
        if report is not None:
            report(document)
        table = (results / "cells.csv").read_text()
        (tmp_path / "report.json").write_text(json.dumps(document))
        (tmp_path / "cells.csv").write_text(table if cells is None else cells(table))
        return tmp_path

    return spoil


def test_results_read_back_are_written_as_the_same_bytes(real, results):
    again = read_analysis(results)
    assert again.smear.name == "of_malaria"
    assert [(one.name, one.file_id, one.window) for one in again.smear.fields] == [
        (one.name, one.file_id, one.window) for one in real.smear.fields
    ]
    for file_format, name in (("json", "report.json"), ("csv", "cells.csv")):
        assert render(again, file_format) == (results / name).read_bytes()
    assert again.quality == real.quality
    assert again.provenance == json.loads(json.dumps(real.provenance))
    assert again.smear.scale is not None
    assert again.smear.scale.um_per_px == real.smear.scale.um_per_px


def test_every_column_is_what_pandas_reads(results):
    cells, peer = read_analysis(results).detections, pd.read_csv(results / "cells.csv")
    assert ["field_name", *cells] == list(peer)
    for column in set(cells) - {"name"}:
        np.testing.assert_array_equal(cells[column], peer[column].to_numpy())
    assert cells["name"].tolist() == peer["name"].tolist()


def test_pictures_come_from_the_images_and_without_them_the_error_says_what_to_give(real, results):
    with_pixels = read_analysis(results, IMAGES)
    assert with_pixels.smear.name == "malaria"
    assert render(with_pixels, "png") == render(real, "png")
    with pytest.raises(InputError, match="--images") as caught:
        read_analysis(results).picture()
    assert caught.value.subject in {one.name for one in real.smear.fields}


def test_a_field_whose_image_is_not_given_stays_without_pixels(results, real):
    paths = sorted((IMAGES / "images").iterdir())
    some = read_analysis(results, paths[1])
    assert [isinstance(one.source, AbsentSource) for one in some.smear.fields] == [True, False]
    np.testing.assert_array_equal(some.smear.fields[1].read(), real.smear.fields[1].read())


def test_other_images_are_refused(results, real):
    with pytest.raises(InputError, match="none of its 2 fields"):
        read_analysis(results, shipped("sample_data") / "sickle")
    first = real.smear.fields[0]
    cut = replace(first, source=ArraySource(first.read()[:100]))
    with pytest.raises(InputError, match="100 pixels"):
        read_analysis(results, Smear("cut", (cut,)))


def test_pages_of_one_file_are_taken_in_order(tmp_path):
    pages = np.stack([np.full((40, 60, 3), shade, np.uint8) for shade in (200, 210, 220)])
    tifffile.imwrite(tmp_path / "pages.tif", pages, photometric="rgb")
    smear = open_smear(tmp_path / "pages.tif", rbc_diameter_px=20.0)
    assert len({one.file_id for one in smear.fields}) == 1
    analysis = analyze(smear, detector="classical")
    folder = tmp_path / "results"
    folder.mkdir()
    for name in ("report.json", "cells.csv"):
        write(analysis, folder / name)
    again = read_analysis(folder, tmp_path / "pages.tif")
    assert [int(one.read()[0, 0, 0]) for one in again.smear.fields] == [200, 210, 220]


def test_what_is_no_folder_of_results_is_said_so(tmp_path, results):
    assert holds_results(results)
    assert not holds_results(tmp_path)
    with pytest.raises(UnreadableInputError, match=r"report\.json"):
        read_analysis(tmp_path)
    (tmp_path / "report.json").write_bytes((results / "report.json").read_bytes())
    with pytest.raises(UnreadableInputError, match=r"cells\.csv"):
        read_analysis(tmp_path)


def test_a_report_of_somebody_else_is_refused(tmp_path, results):
    (tmp_path / "cells.csv").write_bytes((results / "cells.csv").read_bytes())
    (tmp_path / "report.json").write_text(Report("11111111-2222-5333-8444-555555555555").to_json())
    with pytest.raises(ReportFormatError, match="no report of hemato-lab"):
        read_analysis(tmp_path)
    (tmp_path / "report.json").write_text("{")
    with pytest.raises(ReportFormatError, match="JSON"):
        read_analysis(tmp_path)


def _provenance(document: dict) -> dict:
    return document["hemato_lab"]["provenance"]


@pytest.mark.parametrize(
    "change",
    [
        lambda document: _provenance(document)["inputs"].clear(),
        lambda document: _provenance(document).pop("inputs"),
        lambda document: _provenance(document)["inputs"][0].update(width=-3),
        lambda document: _provenance(document)["inputs"][0].update(width=1.5),
        lambda document: _provenance(document)["inputs"].append(_provenance(document)["inputs"][0]),
        lambda document: _provenance(document)["scale"].update(origin="guessed"),
        lambda document: _provenance(document)["scale"].update(um_per_px=40),
        lambda document: _provenance(document).update(skipped=[1]),
        lambda document: document["hemato_lab"].update(quality=3),
    ],
)
def test_a_report_whose_extension_is_not_as_we_write_it_is_refused(spoiled, change):
    with pytest.raises(ReportFormatError, match="no report of hemato-lab"):
        read_analysis(spoiled(report=change))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda table: "\n".join(table.splitlines()[:-3]) + "\n", "counts"),
        (lambda table: table.replace("field_02", "field_07"), "does not list"),
        (lambda table: table.replace(",score,", ",sure,", 1), "lacks the column score"),
        (lambda table: table.replace("area_um2", "x_min", 1), "two columns"),
        (lambda table: table + "one,two\n", "2 of"),
        (lambda table: table.replace("\n", "\n\x00", 1), "no table of cells"),
        (lambda table: table.replace("normal RBC", "n" * 40, 1), "40 characters"),
        (lambda table: table[:0], "lacks the column"),
    ],
)
def test_a_table_of_cells_that_was_changed_is_refused(spoiled, change, problem):
    with pytest.raises(ReportFormatError, match=problem) as caught:
        read_analysis(spoiled(cells=change))
    assert "cells.csv" in caught.value.subject


@pytest.mark.parametrize("value", ["", "nan", "inf", "one"])
def test_a_cell_without_a_place_is_refused(spoiled, value):
    def change(table: str) -> str:
        lines = table.splitlines()
        parts = lines[1].split(",")
        return "\n".join([lines[0], ",".join([*parts[:2], value, *parts[3:]]), *lines[2:]])

    with pytest.raises(ReportFormatError, match="x"):
        read_analysis(spoiled(cells=change))


def test_a_table_that_is_not_in_utf_8_is_refused(results, tmp_path):
    path = tmp_path / "cells.csv"
    path.write_bytes(b"\xff\xfe" + (results / "cells.csv").read_bytes())
    with pytest.raises(ReportFormatError, match="UTF-8"):
        read_cells_table(path, ["one"])


NAMES = st.text(st.characters(exclude_characters="\x00", exclude_categories=()), min_size=1, max_size=12)


@given(
    names=st.lists(NAMES, min_size=1, max_size=3, unique_by=lambda name: name.encode("utf-8", "backslashreplace")),
    cells=st.lists(
        st.tuples(
            st.integers(0, 2),
            st.floats(-0.5, 1e5),
            st.floats(0.1, 500.0),
            st.sampled_from(["RBC", "=1+1", "-x", "'=", "a,b", 'q"uote', "µ"]),
            st.floats(0, 1) | st.just(float("nan")),
        ),
        max_size=5,
    ),
)
def test_any_table_comes_back_as_it_was_but_for_the_decimals(tmp_path_factory, names, cells):
    rows = [(field, *rest) for field, *rest in cells if field < len(names)]
    field, x, radius, name, score = zip(*rows, strict=True) if rows else [()] * 5
    table = Detections(
        {
            "field": np.array(field, int),
            "x": np.array(x, float),
            "y": np.array(x, float),
            "radius": np.array(radius, float),
            "name": np.array(name, "<U32"),
            "score": np.array(score, float),
        }
    )
    source = ArraySource(np.zeros((1, 1, 3), np.uint8))
    smear = Smear("any", tuple(Field(one, source, "sha224-i-0") for one in names))
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(render(_analysis(smear, table), "csv"))
    again = read_cells_table(path, names)
    assert again["name"].tolist() == table["name"].tolist()
    assert again["field"].tolist() == table["field"].tolist()
    for column in ("x", "radius", "score"):
        np.testing.assert_allclose(again[column], table[column], rtol=0, atol=5.1e-5)


def _analysis(smear: Smear, cells: Detections) -> Analysis:
    from hemato_lab.analysis import Analysis

    return Analysis(smear, cells, Report("id"))
