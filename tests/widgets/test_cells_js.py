"""cells.js: the table, where its cells are, which are shown; against numpy by brute force."""

from __future__ import annotations

from typing import Any

import numpy as np

from hemato_lab.widgets.cells import encode_cells
from tests.analysed import cells
from tests.widgets.javascript import run_javascript

NAMES = ("normal RBC", "ring trophozoite", "platelet")
TABLE = """const table = new CellTable(Uint8Array.from(given.cells), given.names, given.names.map(() => "#BBBBBB"));"""


def some_cells(count: int = 400) -> dict[str, Any]:
    rng = np.random.default_rng(count)
    rows = [
        (int(field), NAMES[name], x, y, radius)
        for field, name, x, y, radius in zip(
            rng.choice([0, 2], count),
            rng.choice(3, count, p=[0.8, 0.1, 0.1]),
            rng.uniform(0, 900, count),
            rng.uniform(0, 500, count),
            rng.uniform(3, 20, count),
            strict=True,
        )
    ]
    table = cells(rows).with_columns(score=rng.uniform(0.3, 1, count))
    encoded = encode_cells(table, 0.1)
    columns = np.frombuffer(encoded.cells, "<f4").reshape(-1, 9)
    return {"cells": list(encoded.cells), "names": encoded.names, "columns": columns}


def given(table: dict[str, Any]) -> dict[str, Any]:
    return {"cells": table["cells"], "names": table["names"]}


def test_columns_come_as_python_wrote_them():
    table = some_cells()
    columns = ["x", "y", "radius", "score", "field", "name", "major", "minor", "angle"]
    found = run_javascript(
        "CellTable from cells", TABLE + f"return {columns}.map((name) => [...table[name]]);", **given(table)
    )
    for at, column in enumerate(found):
        values = np.array([np.nan if value is None else value for value in column])
        np.testing.assert_array_equal(values, table["columns"][:, at])


def test_the_cell_under_a_point_is_the_one_whose_middle_is_nearest_in_radii():
    table = some_cells()
    points = np.random.default_rng(8).uniform(-20, [920, 520], (300, 2)).tolist()
    found = run_javascript(
        "CellTable from cells",
        TABLE + "return given.points.map(([x, y]) => table.hit(2, x, y, 5, (row) => table.name[row] !== 1));",
        points=points,
        **given(table),
    )
    x, y, radius, _, field, name = table["columns"][:, :6].T.astype(float)
    for (at_x, at_y), row in zip(points, found, strict=True):
        apart = np.hypot(x - at_x, y - at_y)
        size = np.maximum(radius, 7)
        eligible = (field == 2) & (name != 1) & (apart <= size + 5)
        assert (row >= 0) == eligible.any()
        if row >= 0:
            share = apart / size + size * 1e-4
            assert share[row] <= share[eligible].min() + 1e-6


def test_a_box_holds_the_cells_whose_middles_lie_in_it():
    table = some_cells()
    box = {"x0": 200, "y0": 100, "x1": 640, "y1": 333}
    found = run_javascript(
        "CellTable from cells",
        TABLE + "return [0, 1, 2].map((field) => table.rowsIn(field, given.box, (row) => table.score[row] >= 0.5));",
        box=box,
        **given(table),
    )
    x, y, _, score, field = table["columns"][:, :5].T
    inside = (x >= 200) & (x <= 640) & (y >= 100) & (y <= 333) & (score >= 0.5)
    assert found == [np.flatnonzero(inside & (field == one)).tolist() for one in (0, 1, 2)]
    assert found[0]


def test_reading_goes_there_and_back_through_bands_of_every_field():
    table = some_cells()
    order = run_javascript("CellTable from cells", TABLE + "return [...table.readingOrder()];", **given(table))
    assert sorted(order) == list(range(400))
    x, y, radius, _, field = table["columns"][order, :5].T
    band = np.floor(y / (4 * np.median(radius)))
    assert np.all(np.diff(field) >= 0)
    turns = np.flatnonzero((np.diff(field) != 0) | (np.diff(band) != 0)) + 1
    for part in np.split(np.arange(400), turns):
        assert len(set(band[part])) == 1
        assert np.all(np.diff(x[part]) * (1 if band[part][0] % 2 == 0 else -1) >= 0)


def test_what_holds_for_a_cell_follows_from_score_names_and_decisions():
    table = some_cells(200)
    rng = np.random.default_rng(3)
    decided = rng.integers(0, 4, 200).astype(np.uint8)
    renamed = np.where(decided == 3, rng.integers(-1, 3, 200), -1).astype("<i2")
    found = run_javascript(
        "CellTable from cells, standingOf from cells, countsOf from cells",
        TABLE
        + """const standing = standingOf(table, { hidden: ["platelet"], minimumScore: 0.5,
            decided: Uint8Array.from(given.decided), decidedNames: Uint8Array.from(given.renamed) });
        const parts = Object.fromEntries(Object.entries(standing).map(([key, values]) => [key, [...values]]));
        return { ...parts, all: [...countsOf(table, standing)], second: [...countsOf(table, standing, 2)] };""",
        decided=decided.tolist(),
        renamed=list(renamed.tobytes()),
        **given(table),
    )
    score, field, own = table["columns"][:, 3], table["columns"][:, 4], table["columns"][:, 5]
    name = np.where((decided == 3) & (renamed >= 0), renamed, own)
    passing = score >= np.float32(0.5)
    hidden = table["names"].index("platelet")
    assert found["state"] == decided.tolist()
    assert found["name"] == name.tolist()
    assert found["passing"] == passing.astype(int).tolist()
    assert found["shown"] == (passing & (name != hidden)).astype(int).tolist()
    counted = passing & (decided != 2)
    assert found["all"] == [np.count_nonzero(counted & (name == one)) for one in range(3)]
    assert found["second"] == [np.count_nonzero(counted & (name == one) & (field == 2)) for one in range(3)]


def test_a_score_at_the_threshold_passes_and_a_cell_without_a_score_too():
    scores = [0.7, np.nextafter(np.float32(0.7), 0), np.nan]
    rows = [(0, "platelet", 10.0, 10.0, 4.0)] * 3
    encoded = encode_cells(cells(rows).with_columns(score=np.array(scores, float)), None)
    passing = run_javascript(
        "CellTable from cells, standingOf from cells",
        TABLE + "return [...standingOf(table, { minimumScore: 0.7 }).passing];",
        cells=list(encoded.cells),
        names=encoded.names,
    )
    assert passing == [1, 0, 1]


def test_an_empty_table_answers_everything():
    answer = run_javascript(
        "CellTable from cells, standingOf from cells, countsOf from cells",
        TABLE
        + """const standing = standingOf(table, {});
        return [table.length, table.hit(0, 1, 1, 5, () => true), table.rowsIn(0, { x0: 0, y0: 0, x1: 9, y1: 9 }),
            [...table.readingOrder()], [...countsOf(table, standing)]];""",
        cells=[],
        names=[],
    )
    assert answer == [0, -1, [], [], []]
