"""Tests of the client that run against the fake service and cannot hold for the twin, and why: the whole list."""

from __future__ import annotations

import pytest

_HOST = "the twin answers to its own host names alone, so our client's token for another host does not get that far"
_KEY = "the twin honours the Idempotency-Key, so a creation that is tried again leaves no orphan"
REASONS: dict[str, str] = {
    "test_hello_of_a_refused_token_gives_every_reason_in_words": _HOST,
    "test_an_orphan_of_workflow_1_is_known_too": _KEY,
    "test_a_run_whose_answers_are_lost_ends_after_few_studies": _KEY,
}
"""Name of a test, to what it needs that the twin does not do."""


def skip_what_is_not_of_the_twin(request: pytest.FixtureRequest) -> None:
    """Skip a test that is in the table."""
    reason = REASONS.get(request.node.originalname)
    if reason is not None:
        pytest.skip(reason)
