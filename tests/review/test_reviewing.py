"""A reader at work: deciding, undoing, and several at a time."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest

from hemato_lab.errors import ConfigError, DecisionLogError
from hemato_lab.review.log import DecisionLog
from hemato_lab.review.reviewing import Review, blinded


def test_decisions_show_at_once_and_last(malaria, log):
    review = Review(malaria, log, reader="A")
    assert review.decide([5, 3, 3], "reclassify", "target cell") == (3, 5)
    assert review.decide([4], "accept") == (4,)
    assert review.decide([6, 7], "reject") == (6, 7)
    assert review.states[[3, 4, 5, 6, 7, 8]].tolist() == [3, 1, 3, 2, 2, 0]
    assert (review.names[3], review.names[4]) == ("target cell", "")
    assert review.decide([3, 9], "reclassify", "target cell") == (9,), "what was said already is not said again"
    assert (review.progress.decided, review.progress.cells) == (6, len(malaria.detections))

    assert review.undo() == (9,)
    assert review.undo() == (6, 7)
    assert review.redo() == (6, 7)
    assert review.undo() == (6, 7)
    review.decide([10], "reject")
    assert review.redo() == (), "a new decision ends what could be made again"
    again = Review(malaria, log.path, reader="A")
    assert np.array_equal(again.states, review.states)
    assert again.names == review.names
    assert again.undo() == (10,), "undo goes on in another session"
    assert [one.reader for one in again.log.decisions] == ["A"] * len(again.log)


def test_a_decision_says_what_was_seen_and_which_models_saw_it(malaria, log):
    Review(malaria, log).decide([12], "reclassify", "lymphocyte")
    (made,) = log.decisions
    cells, row = malaria.detections, 12
    assert (made.x, made.y, made.radius) == (cells["x"][row], cells["y"][row], cells["radius"][row])
    assert (made.name, made.score, made.new_name) == (cells["name"][row], cells["score"][row], "lymphocyte")
    assert made.file_id == malaria.smear.fields[cells["field"][row]].file_id
    assert set(made.models) == {one["sha256"] for one in malaria.provenance["models"].values()}
    text = log.path.read_text("ascii")
    for field in malaria.smear.fields:
        assert field.name not in text


def test_to_rename_a_cell_to_its_own_name_is_to_accept_it(malaria, log):
    review = Review(malaria, log)
    review.decide([2], "reclassify", str(malaria.detections["name"][2]))
    assert (review.states[2], review.names[2]) == (1, "")


@pytest.mark.parametrize(("column", "value"), [("radius", 0.0), ("x", np.nan)])
def test_a_decision_that_would_not_be_read_again_is_refused(malaria, log, column, value):
    values = malaria.detections[column].copy()
    values[7] = value
    odd = replace(malaria, detections=malaria.detections.with_columns(**{column: values}))
    review = Review(odd, log)
    with pytest.raises(DecisionLogError, match="cannot be kept"):
        review.decide([6, 7], "reject")
    assert review.states[[6, 7]].tolist() == [0, 0]
    assert not log.path.exists()


@pytest.mark.parametrize("second", ["A", "B"])
def test_to_accept_a_renamed_cell_is_to_accept_the_name_that_it_shows(malaria, log, second):
    Review(malaria, log, reader="A").decide([3], "reclassify", "target cell")
    review = Review(malaria, log.path, reader=second)
    review.decide([3], "accept")
    assert (review.states[3], review.names[3]) == (3, "target cell")


def test_a_last_line_without_its_end_counts_and_is_what_undo_takes_back(malaria, log):
    review = Review(malaria, log)
    for row in (1, 2):
        review.decide([row], "reject")
    whole = log.path.read_bytes()
    log.path.write_bytes(whole[:-1])
    again = Review(malaria, log.path)
    assert again.states[[1, 2]].tolist() == [2, 2]
    assert not again.log.damaged
    assert again.undo() == (2,)
    assert Review(malaria, log.path).states[[1, 2]].tolist() == [2, 0]
    start = whole.rindex(b"\n", 0, -1) + 1
    for length in range(start, len(whole) - 1, 37):
        log.path.write_bytes(whole[:length])
        cut = Review(malaria, log.path)
        assert cut.states[[1, 2]].tolist() == [2, 0]
        assert cut.undo() == (1,)


@pytest.mark.parametrize(
    ("rows", "action", "name"),
    [
        ([-1], "accept", ""),
        ([10_000], "accept", ""),
        ([1], "delete", ""),
        ([1], "withdraw", ""),
        ([1], "accept", "lymphocyte"),
        ([1], "reclassify", ""),
        ([1], "reclassify", "rouleaux"),
        ([1], "reclassify", "<b>"),
    ],
)
def test_impossible_decisions_are_refused_and_not_kept(malaria, log, rows, action, name):
    with pytest.raises(ConfigError):
        Review(malaria, log).decide(rows, action, name)
    assert len(log) == 0


def test_what_cannot_be_kept_is_not_shown(malaria, log, monkeypatch):
    review = Review(malaria, log)

    def fail(_):
        raise DecisionLogError("no room")

    monkeypatch.setattr(log, "append", fail)
    with pytest.raises(DecisionLogError):
        review.decide([1], "reject")
    assert not review.states.any()


def test_readers_undo_their_own_decisions_only_and_the_last_word_holds(malaria, log):
    first, second = Review(malaria, log.path, reader="A"), Review(malaria, log.path, reader="B")
    first.decide([1, 2], "accept")
    second.decide([2], "reject")
    assert first.refresh()
    assert first.states[[1, 2]].tolist() == [1, 2]
    assert first.attached.rows_in_dispute == 1
    assert first.undo() == (1, 2)
    assert first.states[[1, 2]].tolist() == [0, 2]
    assert second.undo() == (2,)
    assert second.redo() == (2,)
    assert second.states[[1, 2]].tolist() == [0, 2]


def test_two_windows_of_one_reader_go_on_from_each_other(malaria, log):
    one, other = Review(malaria, log.path), Review(malaria, log.path)
    one.decide([1], "reject")
    other.decide([1], "accept")
    other.decide([2], "reject")
    one.decide([3], "reject")
    other.refresh()
    assert np.array_equal(one.states, other.states)
    assert one.states[[1, 2, 3]].tolist() == [1, 2, 2]
    assert len({made.cell for made in one.log.decisions}) == 3
    assert other.undo() == (3,)


def test_of_two_cells_in_one_place_the_one_that_was_meant_is_decided(malaria, tmp_path):
    twice = malaria.detections.select(np.array([7, 7, 7]))
    review = Review(replace(malaria, detections=twice), tmp_path / "d.jsonl")
    review.decide([2], "reject")
    review.decide([1], "accept")
    assert review.states.tolist() == [0, 1, 2]


def test_a_blind_reader_sees_places_alone(malaria, log):
    Review(malaria, log).decide([1, 2], "reject")
    blind = Review(malaria, log, reader="B", blind=True)
    assert not blind.states.any()
    assert set(blind.shown["name"]) == {"cell"}
    assert np.isnan(blind.shown["score"]).all()
    assert blind.shown.features == ()
    assert np.array_equal(blind.shown["x"], malaria.detections["x"])
    with pytest.raises(ConfigError, match="no name is shown"):
        blind.decide([1], "accept")
    own = str(malaria.detections["name"][1])
    blind.decide([1], "reclassify", own)
    assert (blind.states[1], blind.names[1]) == (3, own)
    blind.decide([3], "reject")
    assert Review(malaria, log).states[[1, 2, 3]].tolist() == [2, 2, 0], "blind decisions are hidden from the first"
    assert len(blinded(malaria.detections)) == len(malaria.detections)


def test_a_log_of_other_images_is_refused(malaria, tmp_path):
    DecisionLog(tmp_path / "d.jsonl", "other").append([])
    (tmp_path / "d.jsonl").write_bytes(b'{"format":"hemato_lab decisions","version":1,"study_id":"other"}\n')
    with pytest.raises(DecisionLogError, match="other images"):
        Review(malaria, tmp_path / "d.jsonl")


@pytest.mark.parametrize("rows", [0, None, [1.5], ["2"]])
def test_rows_are_a_list_of_whole_numbers(malaria, log, rows):
    with pytest.raises(ConfigError, match="is no list of rows"):
        Review(malaria, log).decide(rows, "accept")
    assert not log.decisions


@pytest.mark.parametrize("word", ["rename", "not a cell", ""])
def test_a_word_that_is_no_action_is_answered_with_those_that_are(malaria, log, word):
    with pytest.raises(ConfigError, match=r"accept, reject .*, or reclassify"):
        Review(malaria, log).decide([0], word)


def test_listeners_hear_of_changes_by_anybody_and_are_forgotten_with_their_object(malaria, log):
    class Ear:
        heard = 0

        def hear(self) -> None:
            Ear.heard += 1

    review, ear = Review(malaria, log), Ear()
    review.listen(ear.hear)
    review.decide([1], "accept")
    review.undo()
    assert Ear.heard == 2
    Review(malaria, log.path).decide([2], "reject")
    assert (review.refresh(), review.refresh(), Ear.heard) == (True, False, 3)
    del ear
    gc.collect()
    review.redo()
    review.decide([3], "reject")
    assert Ear.heard == 3


def test_to_accept_is_to_accept_what_was_seen_and_not_what_another_reader_says_meanwhile(malaria, log):
    seen = Review(malaria, log, reader="A")
    Review(malaria, log.path, reader="B").decide([3], "reclassify", "target cell")
    seen.decide([3], "accept")
    (last,) = [one for one in seen.log.decisions if one.reader == "A"]
    assert (last.action, seen.states[3]) == ("accept", 1)


def test_a_cell_without_a_score_and_models_without_a_hash_do_no_harm(malaria, log):
    scores = malaria.detections["score"].copy()
    scores[4] = np.nan
    odd = replace(
        malaria,
        detections=malaria.detections.with_columns(score=scores),
        provenance={**malaria.provenance, "models": {"a": {}, "b": {"sha256": "ab" * 32}}},
    )
    assert Review(odd, log).decide([4], "reject") == (4,)
    assert np.isnan(log.decisions[0].score)
    assert log.decisions[0].models == ("ab" * 32,)


def test_an_image_whose_id_is_too_long_is_refused_before_anything_is_written(malaria, tmp_path):
    fields = tuple(replace(one, file_id="x" * 129) for one in malaria.smear.fields)
    review = Review(replace(malaria, smear=replace(malaria.smear, fields=fields)), tmp_path / "d.jsonl")
    with pytest.raises(DecisionLogError, match=r"about the .* at \(.*file_id is no text"):
        review.decide([7], "reject")
    assert not review.log.path.exists()


def test_an_older_decision_that_is_sent_later_does_not_override_a_newer_one(malaria, tmp_path):
    sent = Review(malaria, tmp_path / "sent.jsonl")
    sent.decide([5], "reject")
    here = Review(malaria, tmp_path / "here.jsonl")
    here.decide([5], "accept")
    assert here.log.take_in(sent.log.path) == 1
    assert here.refresh()
    assert (here.states[5], here.attached.rows_in_dispute) == (1, 0)
    assert here.undo() == (5,), "the last act by the clock, not by the file"
    assert here.states[5] == 2
    assert Review(malaria, here.log.path).states[5] == 2


def test_a_clock_that_was_set_back_puts_nothing_behind_what_was_decided(malaria, log, monkeypatch):
    review = Review(malaria, log)
    review.decide([5], "reject")
    monkeypatch.setattr("hemato_lab.review.reviewing.now", lambda: "2001-01-01T00:00:00.000000+00:00")
    monkeypatch.setattr("hemato_lab.review.decision.now", lambda: "2001-01-01T00:00:00.000000+00:00")
    Review(malaria, log.path, reader="B").decide([5], "accept")
    review.refresh()
    assert review.states[5] == 1
    assert review.undo() == (5,)
    assert Review(malaria, log.path, reader="B").undo() == (5,)
    assert Review(malaria, log.path).states[5] == 0


def test_decisions_survive_other_orders_and_numbers_of_images(malaria, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    field = int(malaria.detections["field"][5])
    assert len(malaria.smear.fields) > 1
    review = Review(malaria)
    review.decide([5], "reject")
    assert review.log.remark == ""
    few = replace(malaria.smear, fields=(malaria.smear.fields[field],))
    for path in (None, review.log.path):
        log = DecisionLog.of_smear(few, path)
        assert (log.path, len(log)) == (review.log.path, 1)
        assert bool(log.remark) == (path is None)
    other = DecisionLog.of_smear(few, tmp_path / "few.jsonl")
    other.append(review.log.decisions)
    assert len(DecisionLog.of_smear(malaria.smear, other.path)) == 1
    assert other.take_in(review.log.path) == 0
