"""The table of operations: complete, and the only place that routes come from."""

from __future__ import annotations

from hemato_lab.twin.endpoints import HANDLERS
from hemato_lab.twin.refusals import STATUS_OF
from hemato_lab.twin.surface import OPERATIONS


def test_every_handler_is_reached_and_every_operation_has_one() -> None:
    assert {operation.name for operation in OPERATIONS} == set(HANDLERS)


def test_no_two_operations_meet() -> None:
    assert len({(operation.method, operation.path) for operation in OPERATIONS}) == len(OPERATIONS)


def test_every_refusal_is_known_and_every_code_is_used() -> None:
    assert {code for operation in OPERATIONS for code in operation.refusals} == set(STATUS_OF)
    for operation in OPERATIONS:
        assert len(set(operation.refusals)) == len(operation.refusals)


def test_what_needs_a_token_says_that_it_refuses_without() -> None:
    for operation in OPERATIONS:
        assert ("unauthorized" in operation.refusals) is (operation.authenticated or operation.name == "hello")
        assert ("forbidden_region" in operation.refusals) is operation.authenticated


def test_what_names_a_study_says_that_there_may_be_none() -> None:
    for operation in OPERATIONS:
        if "{study_id}" in operation.path:
            assert operation.authenticated
            assert "not_found" in operation.refusals


def test_later_dialect_lies_beside_the_documented_one() -> None:
    later = {operation.path for operation in OPERATIONS if "{task}" in operation.path}
    assert later == {"/pbs/{study_id}/status/{task}", "/pbs/{study_id}/reports/{task}"}


def test_hello_may_be_asked_in_two_ways() -> None:
    assert {one.method: one.identifier for one in OPERATIONS if one.name == "hello"} == {
        "POST": "post_hello",
        "GET": "get_hello",
    }
