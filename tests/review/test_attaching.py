"""Decisions find their cells again, and no cell gets somebody else's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemato_lab.detections import Detections
from hemato_lab.review.attaching import attach, verdict_on
from hemato_lab.review.reviewing import Review
from hemato_lab.smear import ArraySource, Field, Smear
from tests.review.made_up import FILE_ID, decision

OTHER_FILE = "sha224-i-" + "b" * 56


def smear(*file_ids: str) -> Smear:
    source = ArraySource(np.zeros((8, 8, 3), np.uint8))
    return Smear("made up", tuple(Field(f"{n}", source, file_id) for n, file_id in enumerate(file_ids)))


def table(*rows: tuple[int, float, float, float, str]) -> Detections:
    field, x, y, radius, name = (np.array(column) for column in zip(*rows, strict=True))
    return Detections({"field": field, "x": x, "y": y, "radius": radius, "name": name, "score": np.ones(len(rows))})


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    jitter=st.floats(0, 0.3),
    growth=st.floats(0.7, 1.4),
    lost=st.floats(0, 0.4),
)
def test_another_detection_of_a_real_smear_gets_its_decisions_back(malaria, seed, jitter, growth, lost):
    """Every cell moved by up to .3 of its radius and resized; some lost, some new, all in another order."""
    random = np.random.default_rng(seed)
    cells = malaria.detections
    decided = [
        decision(
            file_id=malaria.smear.fields[field].file_id,
            x=x,
            y=y,
            radius=radius,
            name=name,
            reader=str(seed),
        )
        for field, x, y, radius, name in zip(
            *(cells[c].tolist() for c in ("field", "x", "y", "radius", "name")), strict=True
        )
    ]
    angle, far = random.uniform(0, 2 * np.pi, len(cells)), jitter * cells["radius"]
    moved = cells.with_columns(
        x=cells["x"] + far * np.cos(angle), y=cells["y"] + far * np.sin(angle), radius=growth * cells["radius"]
    )
    order = random.permutation(len(cells))[: round((1 - lost) * len(cells))]
    found = attach(decided, moved.select(order), malaria.smear)
    where = {old: new for new, old in enumerate(order.tolist())}
    expected = np.array([where.get(old, -1) for old in range(len(cells))])
    right = (found.rows == expected) | (found.rows == -1)
    assert right.all(), "a decision went to another cell"
    assert (found.rows == expected).mean() > 0.97
    assert len(found.unattached) == np.count_nonzero(found.rows < 0)


def test_a_platelet_that_is_gone_leaves_the_red_cell_below_alone():
    rejected = decision(action="reject", x=52.0, y=50.0, radius=9.0, name="platelet")
    found = attach([rejected], table((0, 50, 50, 30, "normal RBC")), smear(FILE_ID))
    assert found.by_row == {}
    assert found.unattached == (rejected,)


def test_images_are_known_by_content_and_pages_by_their_number():
    decided = [decision(part=1), decision(file_id=OTHER_FILE), decision(part=2), decision(file_id="elsewhere")]
    cells = table(*((field, 10, 20, 5, "RBC") for field in range(3)))
    found = attach(decided, cells, smear(OTHER_FILE, FILE_ID, FILE_ID))
    assert found.rows.tolist() == [2, 0, -1, -1]


def test_two_processes_that_decided_about_one_cell_leave_the_last_word():
    first, second, other = decision(), decision(action="reject"), decision(reader="B", action="accept")
    found = attach([first, second, other], table((0, 10, 20, 5, "RBC")), smear(FILE_ID))
    assert found.rows.tolist() == [0, 0, 0]
    assert found.by_row == {0: other}
    assert found.rows_in_dispute == 1


def test_nothing_to_attach_and_nothing_to_attach_to():
    assert attach([], table((0, 1, 1, 1, "RBC")), smear(FILE_ID)).by_row == {}
    assert attach([decision()], Detections.empty(), smear(FILE_ID)).rows.tolist() == [-1]


@pytest.mark.parametrize(
    ("accepted", "called_now", "verdict", "name"),
    [
        ("RBC", "RBC", 1, "RBC"),
        ("RBC", "target cell", 1, "target cell"),
        ("blast", "lymphocyte", 3, "blast"),
        ("band neutrophil", "neutrophil", 3, "band neutrophil"),
        ("foreign name", "RBC", 1, "RBC"),
    ],
)
def test_an_accepted_name_holds_against_another_detection(accepted, called_now, verdict, name):
    assert verdict_on(decision(name=accepted), called_now) == (verdict, name)


def test_a_review_survives_another_detection(malaria, tmp_path):
    path = tmp_path / "d.jsonl"
    first = Review(malaria, path)
    rings = np.flatnonzero(malaria.detections["name"] == "ring trophozoite").tolist()
    first.decide(rings, "reclassify", "platelet")
    first.decide([0], "reject")

    cells = malaria.detections
    others = np.setdiff1d(np.arange(len(cells)), rings[:2])[::-1]
    again = replace(
        malaria,
        detections=cells.with_columns(
            x=cells["x"] + 2.0, radius=1.1 * cells["radius"], name=np.full(len(cells), "RBC")
        ).select(others),
    )
    second = Review(again, path)
    assert second.progress.renamed == len(rings) - 2
    assert second.progress.unattached == 2
    assert {second.names[row] for row in np.flatnonzero(second.states == 3)} == {"platelet"}
    # Who changes their mind about a cell that was found again speaks of the same cell.
    row = int(np.flatnonzero(second.states == 3)[0])
    second.decide([row], "accept")
    assert len({one.cell for one in second.log.decisions}) == len(rings) + 1
    second.undo()
    assert second.states[row] == 3
    # Back at the first detection all decisions hold as before.
    assert Review(malaria, path).progress == first.progress
