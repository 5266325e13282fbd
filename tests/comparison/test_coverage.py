from __future__ import annotations

import math
import time

import numpy as np

from hemato_lab.comparison.coverage import Coverage, comparable
from hemato_lab.comparison.listing import Listed


def covering(*open_places: tuple[int, float, float, float]) -> Coverage:
    """Return a side that looked for everything in two images and left open places (image, x, y, radius)."""
    rows = [(file, x, y, radius, "RBC", 1.0) for file, x, y, radius in open_places]
    return Coverage([None, None], Listed.of_rows(rows))


def test_places_left_open_are_those_of_looking_at_every_pair():
    generator = np.random.default_rng(1)
    x, y = generator.uniform(0, 1000, (2, 300))
    radii = np.where(generator.random(200) < 0.2, math.nan, generator.uniform(0, 60, 200))
    places = [
        (int(file), float(a), float(b), float(radius))
        for file, a, b, radius in zip(
            generator.integers(0, 2, 200), *generator.uniform(0, 1000, (2, 200)), radii, strict=True
        )
    ]
    for file in (0, 1):
        here = [one for one in places if one[0] == file]
        expected = [
            any(
                math.hypot(a - px, b - py) <= max(20.0, 0 if math.isnan(radius) else radius)
                for _, px, py, radius in here
            )
            for a, b in zip(x, y, strict=True)
        ]
        found = covering(*places).leaves_open(file, x, y, 20.0)
        assert found.tolist() == expected
        assert 0 < sum(expected) < 300


def test_an_unknown_size_of_red_cells_leaves_the_marked_radius():
    found = covering((0, 10, 10, 5), (0, 50, 50, math.nan)).leaves_open(
        0, np.array([14.0, 50.0]), np.array([10.0, 51.0]), math.nan
    )
    assert found.tolist() == [True, False]


def test_many_places_and_many_left_open_take_a_moment():
    count = 60_000
    generator = np.random.default_rng(1)
    x, y = generator.uniform(0, 50_000, (2, count))
    names = np.full(count, "RBC")
    columns = {"state": np.full(count, "first only"), "file": np.zeros(count, int), "first_common": names}
    columns |= {"first_x": x, "first_y": y, "second_x": x, "second_y": y, "second_common": names}
    places = [(0, float(a), float(b), 20.0) for a, b in generator.uniform(0, 50_000, (5000, 2))]
    start = time.process_time()
    keep, reasons = comparable(columns, covering(), covering(*places), [20.0])
    # Row by row it takes several seconds.
    assert time.process_time() - start < 1
    assert reasons == {"where the annotation leaves open what it is": int((~keep).sum())}
    assert 0 < (~keep).sum() < count
