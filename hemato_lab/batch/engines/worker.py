"""A process that carries out one work after the other: ``python -m hemato_lab.batch.engines.worker``.

It reads work from its standard input and ends as soon as that is closed: when the coordinator ends, however it does.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.batch.engines.frames import receive, send
from hemato_lab.formats import caching

if TYPE_CHECKING:
    from typing import IO

READY: Final = "ready"
"""The first that a worker sends: it runs, and what ends it from now on is its work."""
_CACHE_BYTES: Final = 64 << 20
"""Decoded images kept: a few fields, so that several workers fit into a small machine."""


def main() -> None:
    """Run a worker process."""
    answers = _private_output()
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(waiting,), name="batch-coordinator-watch", daemon=True).start()
    caching.WHOLE_IMAGES.capacity_bytes = _CACHE_BYTES
    send(answers, READY)
    while True:
        task, work = waiting.get()
        send(answers, task(work))


def _listen(waiting: queue.SimpleQueue[Any]) -> None:
    while True:
        try:
            waiting.put(receive(sys.stdin.buffer))
        except EOFError:
            os._exit(0)
        except BaseException:  # noqa: BLE001 (work that cannot be unpacked here: the coordinator learns it by our end)
            traceback.print_exc()
            os._exit(1)


def _private_output() -> IO[bytes]:
    """Return the standard output, and have everything else that is printed go to the standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


if __name__ == "__main__":
    main()
