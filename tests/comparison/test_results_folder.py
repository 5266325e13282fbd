from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from hemato_lab.comparison.results_folder import read_cells
from hemato_lab.errors import ReportFormatError, UnreadableInputError
from hemato_lab.export import write
from tests.analysed import analysis, hostile_analysis

if TYPE_CHECKING:
    from pathlib import Path

    from hemato_lab.analysis import Analysis

__all__ = ["analysis", "hostile_analysis"]
HEAD = "field_name,field,name,x,y,radius,score"


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "cells.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_what_was_exported_is_read_as_it_was(hostile_analysis: Analysis, tmp_path: Path) -> None:
    (path,) = [tmp_path / "cells.csv"]
    write(hostile_analysis, path)
    read = read_cells(path)
    frame = hostile_analysis.to_frame()
    assert list(read.field_names) == frame["field_name"].tolist()
    assert read.cells.name.tolist() == frame["name"].tolist()
    assert np.allclose(read.cells.x, frame["x"], atol=1e-4)


def test_names_are_those_from_before_they_were_harmless(tmp_path: Path) -> None:
    path = written(tmp_path, f"{HEAD}\n'=a.png,0,'-RBC,1,2,20,0.5\n''+b.png,0,'RBC,3,2,20,0.5\n")
    read = read_cells(path)
    assert read.field_names == ("=a.png", "'+b.png")
    assert read.cells.name.tolist() == ["-RBC", "'RBC"]


@pytest.mark.parametrize("name", ['"a\u2028b.png"', '"a\nb.png"', '"a\rb.png"', '"a,b.png"', "b\u0085.png"], ids=ascii)
def test_names_may_hold_what_ends_lines(tmp_path: Path, name: str) -> None:
    assert read_cells(written(tmp_path, f"{HEAD}\n{name},0,RBC,1,2,20,0.5\n")).field_names == (name.strip('"'),)


def test_a_byte_order_mark_and_columns_in_any_order_are_taken(tmp_path: Path) -> None:
    read = read_cells(written(tmp_path, "\ufeffx,y,radius,score,field,name\r\n1,2,20,,0,RBC\r\n\r\n"))
    assert (read.cells.x.tolist(), read.cells.name.tolist(), read.field_names) == ([1.0], ["RBC"], ("",))
    assert np.isnan(read.cells.score).all()


def test_an_absurd_radius_is_unknown(tmp_path: Path) -> None:
    rows = "\n".join(f"a,0,RBC,1,2,{radius},1" for radius in ("20", "1e60", "-3", "0", "nan", "inf"))
    assert np.isfinite(read_cells(written(tmp_path, f"{HEAD}\n{rows}\n")).cells.radius).tolist() == [True] + [False] * 5


@pytest.mark.parametrize(
    "row",
    [
        "a,-1,RBC,1,2,20,1",
        "a,99999999999999999999999,RBC,1,2,20,1",
        "a,1.5,RBC,1,2,20,1",
        "a,1_0,RBC,1,2,20,1",
        "a,,RBC,1,2,20,1",
        "a,0,RBC,nan,2,20,1",
        "a,0,RBC,1e300,2,20,1",
        "a,0,RBC,1,inf,20,1",
        "a,0,RBC,1,2,wide,1",
        "a,0,RBC,1,2,20",
        "a,0,RBC,1,2,20,1,1",
        '"a,0,RBC,1,2,20,1',
        f"a,0,{'R' * 201},1,2,20,1",
        f"a,0,{'R' * 200_000},1,2,20,1",
    ],
    ids=lambda row: row[:40],
)
def test_what_is_no_cell_is_refused(tmp_path: Path, row: str) -> None:
    with pytest.raises(ReportFormatError, match="is no table of cells"):
        read_cells(written(tmp_path, f"{HEAD}\n{row}\n"))


@pytest.mark.parametrize("content", [b"", b"x,y\n1,2\n", f"{HEAD}\n\u00e4,0,RBC,1,2,20,1\n".encode("latin-1")])
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ReportFormatError, match="is no table of cells"):
        read_cells(written(tmp_path, content))
    with pytest.raises(UnreadableInputError):
        read_cells(tmp_path / "none.csv")
