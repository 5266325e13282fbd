"""What pages and Python change reaches everybody who does not know it yet, once, and nobody else."""

from __future__ import annotations

import threading
import time

import pytest

from hemato_lab.errors import InputError
from hemato_lab.widgets.loopback.sharing import SharedWidgets


@pytest.fixture
def shared(review) -> SharedWidgets:
    return SharedWidgets({"v": review.viewer, "g": review.gallery})


def news(reply):
    return {(one["widget"], name) for one in reply.messages for name in (*one["state"], *one["bytes"])}


def test_the_state_holds_every_value_and_no_name_of_a_file(shared, review):
    reply = shared.states()
    viewer, gallery = reply.messages
    assert (viewer["widget"], gallery["widget"]) == ("v", "g")
    assert reply.buffers[viewer["bytes"]["cells"]] == review.viewer.cells
    assert viewer["state"]["names"] == review.viewer.names
    assert not {name for name in viewer["state"] if name.startswith("_") or name == "layout"}
    assert "first.png" not in str(reply.messages)


def test_a_change_of_a_page_reaches_the_others_and_what_is_linked_reaches_this_one(shared, review):
    begin = shared.states().version
    assert shared.save("one", "v", {"selected": [2, 1]}).messages == []
    assert review.viewer.selected == review.gallery.selected == [2, 1]
    assert news(shared.wait("one", begin, 0)) == {("g", "selected")}
    assert news(shared.wait("two", begin, 0)) == {("v", "selected"), ("g", "selected")}
    assert news(shared.wait("two", shared.states().version, 0)) == set()


def test_what_a_trait_does_not_take_goes_back_as_it_is(shared, review):
    reply = shared.save("one", "v", {"selected": [99], "minimum_score": 0.25, "marks": "stars"})
    (message,) = reply.messages
    assert message["state"] == {"selected": [], "marks": "circle"}
    assert review.viewer.minimum_score == 0.25
    # Rows that are named twice are taken once: the page is told.
    assert shared.save("one", "v", {"selected": [1, 1]}).messages[0]["state"] == {"selected": [1]}


@pytest.mark.parametrize(
    ("key", "changes"), [("v", {"_esm": "x"}), ("v", {"layout": {}}), ("v", {"comm": 1}), ("x", {}), ("v", {"no": 1})]
)
def test_nothing_but_the_values_of_a_view_can_be_set(shared, key, changes):
    with pytest.raises(InputError):
        shared.save("one", key, changes)


@pytest.mark.parametrize("name", ["decided", "decided_names", "progress", "names", "cells", "blind", "choices"])
def test_no_page_sets_what_was_found_or_decided(shared, review, name):
    before = getattr(review.gallery, name)
    with pytest.raises(InputError, match="cannot set"):
        shared.save("one", "g", {name: [], "reverse": True})
    assert getattr(review.gallery, name) == before
    assert not review.gallery.reverse


def test_numbers_that_no_page_could_read_are_not_taken(shared, review):
    reply = shared.save("one", "v", {"viewport": [0, float("nan"), 0, 1], "minimum_score": float("nan")})
    assert reply.messages[0]["state"] == {"viewport": [], "minimum_score": 0.0}


def test_a_decision_that_waits_for_the_log_holds_nobody_up(shared, review, monkeypatch):
    goes_on, begun = threading.Event(), threading.Event()

    def wait(*_):
        begun.set()
        goes_on.wait(20)
        return ()

    monkeypatch.setattr(review.review, "decide", wait)
    content = {"kind": "decide", "request": "d", "action": "accept", "rows": [0]}
    decider = threading.Thread(target=shared.ask, args=("g", content, []))
    decider.start()
    assert begun.wait(10)
    begin = time.monotonic()
    shared.save("two", "v", {"minimum_score": 0.5})
    shared.states()
    shared.wait("three", 0, 0)
    assert shared.ask("v", {"kind": "hello", "request": "h"}, []).messages[0]["content"]["kind"] == "hello"
    assert time.monotonic() - begin < 5
    goes_on.set()
    decider.join(10)


def test_closed_it_hears_nothing_more(shared, review):
    def observers():
        return sum(len(one) for by_type in review.viewer._trait_notifiers.values() for one in by_type.values())

    before = observers()
    shared.close()
    without = observers()
    SharedWidgets({"v": review.viewer}).close()
    assert without == observers() < before


def test_who_waits_is_told_at_once_and_in_the_end(shared, review):
    begin = shared.states().version
    replies = []

    def wait(seen):
        replies.append(shared.wait("one", seen, 20))

    waiter = threading.Thread(target=wait, args=(begin,))
    waiter.start()
    review.gallery.decide([0], "accept")
    waiter.join(10)
    assert ("g", "decided") in news(replies[0])
    # What the call changed in several steps comes with the next reply.
    later = threading.Thread(target=wait, args=(shared.states().version,))
    later.start()
    time.sleep(0.05)
    shared.close()
    later.join(10)
    assert not later.is_alive()
    assert replies[1].messages == []


def test_questions_of_many_pages_at_a_time_are_all_answered(shared, review):
    done = []

    def reader(page):
        for turn in range(10):
            content = {"kind": "tiles", "request": f"{page}-{turn}", "wanted": [[turn % 2, 0, 0, 0]]}
            reply = shared.ask("v", content, [])
            assert reply.messages[0]["content"]["request"] == f"{page}-{turn}"
            rows = [turn % 5]
            answer = shared.ask("g", {"kind": "decide", "request": "d", "action": "accept", "rows": rows}, [])
            done.append(answer.messages[0]["content"]["kind"])
            shared.save(page, "v", {"selected": rows})

    threads = [threading.Thread(target=reader, args=(f"page {number}",)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert done == ["decide"] * 40
    assert review.review.progress.accepted == 5
    last = shared.states()
    assert last.messages[0]["state"]["selected"] == last.messages[1]["state"]["selected"]


def test_a_question_to_nobody_is_refused_and_nonsense_is_answered(shared):
    with pytest.raises(InputError):
        shared.ask("x", {"kind": "hello", "request": "1"}, [])
    for content in (None, 3, [], {}, {"kind": ["tiles"], "request": "1"}, {"kind": "run", "request": "1"}):
        assert shared.ask("v", content, []).messages[0]["content"]["kind"] == "problem"
