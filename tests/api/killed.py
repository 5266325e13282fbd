"""A run that is killed at a chosen point, in a process of its own."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

from hemato_lab.api import Client, Policy, TokenAuth
from hemato_lab.api.runners import BlockingRunner
from tests.api.pictures import jpeg

TOKEN = "token-of-the-killed"  # noqa: S105 (made up)
TAGS = {"batch": "killed"}
FILES = [jpeg(number, "of the killed run " * 400) for number in range(6)]
QUICK = Policy(first_wait_s=0.01, poll_first_s=0.01)


def client(url: str, journal: str) -> Client:
    return Client(base_url=url, auth=TokenAuth(TOKEN), journal=journal, policy=QUICK)


def run_and_die(url: str, journal: str, point: int) -> None:
    """Run, and be killed by ``kill -9`` just before the run asks the world for its n-th thing."""
    count = 0
    guard = threading.Lock()
    do = BlockingRunner._do

    def do_or_die(self: BlockingRunner, effect: Any) -> Any:
        nonlocal count
        with guard:
            if count == point:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1
        return do(self, effect)

    BlockingRunner._do = do_or_die  # type: ignore[method-assign]
    with client(url, journal) as api:
        api.run(FILES, tags=TAGS, parallel=2)
