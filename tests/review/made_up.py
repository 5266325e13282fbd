"""Decisions made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hemato_lab.review.decision import Decision, new_id, now

FILE_ID = "sha224-i-" + "a" * 56
TEMPLATE = Decision(
    "", "", "", "", "", "accept", "", FILE_ID, 0, 10.0, 20.0, 5.0, "RBC", 0.9, "", ("ab" * 32,), blind=False
)


def decision(**changed: Any) -> Decision:
    """An acceptance of a red cell, with whatever differs."""
    own = new_id()
    ids = {"id": own, "act": new_id(), "cell": own, "time": now()}
    return replace(TEMPLATE, **{**ids, **changed})
