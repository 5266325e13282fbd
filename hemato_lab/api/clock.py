"""Time, so that tests can bring their own."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Clock:
    """Where the client reads the time and how it waits.

    Attributes
    ----------
    monotonic : callable
        Seconds that never go back; for deadlines.
    wall : callable
        Unix time in seconds; for tokens and dates.
    sleep : callable or None
        Waits for seconds in the place of the real thing (also in the asynchronous client); None waits really.
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], None] | None = None
