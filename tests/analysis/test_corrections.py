"""Sums over corrections that were made one after another."""

from __future__ import annotations

from hemato_lab.analysis.corrections import corrections_of

FIRST = {"counts": {"accepted": 1, "rejected": 4}, "readers": ["A"], "log_sha256": "a", "unattached": [{}, {}]}
SECOND = {
    "counts": {"accepted": 2, "rejected": 0},
    "readers": ["B", "A"],
    "log_sha256": "b",
    "readers_differ": 1,
    "damaged_lines": 2,
    "blind_left_out": 3,
    "taken_back": 4,
    "earlier": FIRST,
}


def test_all_corrections_count():
    told = corrections_of(SECOND)
    assert told.counts == {"accepted": 3, "rejected": 4}
    assert (told.cells, told.readers, told.logs) == (7, ("B", "A"), ("b", "a"))
    assert (told.readers_differ, told.unattached, told.taken_back) == (1, 2, 4)
    assert (told.damaged_lines, told.blind_left_out) == (2, 3)


def test_odd_parts_count_as_nothing():
    endless: dict[str, object] = {"counts": {"accepted": "x"}, "readers": 5, "damaged_lines": True}
    endless["earlier"] = endless
    for odd in (None, "text", [], {}, {"counts": 3, "unattached": "x", "earlier": [1]}, endless):
        told = corrections_of(odd)
        assert (told.cells, told.readers, told.unattached, told.damaged_lines) == (0, (), 0, 0)
