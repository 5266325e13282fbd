from __future__ import annotations

import numpy as np
import pytest

from hemato_lab.batch.kept_cells import KeptCells, count_kept
from hemato_lab.errors import ConfigError, ReportFormatError, UnreadableInputError

HEAD = "field_name,field,x,y,radius,name,score"


def table(tmp_path, name: str, rows):
    path = tmp_path / name
    path.write_text("\n".join([HEAD, *(",".join(map(str, row)) for row in rows), ""]), "utf-8")
    return path


def cell(x: float, name: str = "RBC", *, field: int = 0, field_name: str = "one.png", y: float = 50):
    return field_name, field, x, y, 10, name, 0.9


def test_cells_are_kept_new_lost_and_renamed(tmp_path):
    baseline = table(tmp_path, "a.csv", [cell(100), cell(200), cell(300, "WBC"), cell(400)])
    current = table(tmp_path, "b.csv", [cell(102), cell(209), cell(301, "blast"), cell(500)])
    assert count_kept(baseline, current, 20.0) == KeptCells(4, 4, 3, 2)


def test_the_gate_is_the_radius_of_a_red_cell(tmp_path):
    baseline, current = table(tmp_path, "a.csv", [cell(100)]), table(tmp_path, "b.csv", [cell(110.5)])
    assert count_kept(baseline, current, 20.0).kept == 0
    assert count_kept(baseline, current, 22.0).kept == 1
    assert count_kept(baseline, current, None).kept == 0, "the median radius of the baseline is 10"


def test_fields_are_told_by_name_whatever_their_numbers(tmp_path):
    baseline = table(tmp_path, "a.csv", [cell(100), cell(100, field=1, field_name="two.png")])
    current = table(tmp_path, "b.csv", [cell(100, field=0, field_name="two.png")])
    assert count_kept(baseline, current, 20.0) == KeptCells(2, 1, 1, 1)
    other = table(tmp_path, "c.csv", [cell(100, field_name="three.png")])
    assert count_kept(baseline, other, 20.0).kept == 0


def test_fields_of_one_name_are_told_by_number(tmp_path):
    baseline = table(tmp_path, "a.csv", [cell(100), cell(300, field=1)])
    current = table(tmp_path, "b.csv", [cell(100), cell(100, field=1), cell(300, field=1)])
    assert count_kept(baseline, current, 20.0).kept == 2
    moved = table(tmp_path, "c.csv", [cell(300), cell(100, field=1)])
    assert count_kept(baseline, moved, 20.0).kept == 0


def test_no_cell_is_kept_of_none(tmp_path):
    empty, one = table(tmp_path, "a.csv", []), table(tmp_path, "b.csv", [cell(100)])
    assert count_kept(empty, one, 20.0) == KeptCells(0, 1, 0, 0)
    assert count_kept(one, empty, None) == KeptCells(1, 0, 0, 0)
    assert count_kept(empty, empty, None) == KeptCells(0, 0, 0, 0)


def test_the_same_table_keeps_everything(tmp_path):
    generator = np.random.default_rng(1)
    places = generator.uniform(0, 2000, (300, 2)).round(4)
    path = table(tmp_path, "a.csv", [cell(x, y=y) for x, y in places])
    assert count_kept(path, path, 20.0) == KeptCells(300, 300, 300, 300)


@pytest.mark.parametrize("text", ["", "x,y\n1,2\n", f"{HEAD}\na,0,one,2,3,RBC,1\n", f"{HEAD}\na,0\n"])
def test_what_is_no_table_of_cells_is_refused(tmp_path, text: str):
    path = tmp_path / "a.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(ReportFormatError, match="is no table of cells"):
        count_kept(path, path, 20.0)
    with pytest.raises(UnreadableInputError):
        count_kept(tmp_path / "none.csv", path, 20.0)


def test_an_impossible_size_is_refused(tmp_path):
    path = table(tmp_path, "a.csv", [cell(100)])
    with pytest.raises(ConfigError):
        count_kept(path, path, -1.0)


def test_a_table_without_radii_needs_the_size_of_a_red_cell(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"{HEAD}\na,0,1,2,nan,RBC,1\n", "utf-8")
    assert count_kept(path, path, 20.0).kept == 1
    with pytest.raises(ConfigError):
        count_kept(path, path, None)


def test_a_table_that_names_no_fields_is_read_by_their_numbers(tmp_path):
    named = table(tmp_path, "a.csv", [cell(100), cell(200, field=0)])
    bare = tmp_path / "b.csv"
    bare.write_text("field,x,y,radius,name,score\n0,100,50,10,RBC,1\n", "utf-8")
    assert count_kept(named, bare, 20.0) == KeptCells(2, 1, 1, 1)
