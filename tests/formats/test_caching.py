from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from hemato_lab.formats.caching import ArrayCache

if TYPE_CHECKING:
    from collections.abc import Callable


def filled(value: int, size: int = 100) -> Callable[[], np.ndarray]:
    return lambda: np.full(size, value, np.uint8)


def forbidden() -> np.ndarray:
    pytest.fail("was made again")


def test_the_least_recently_used_goes_first() -> None:
    cache = ArrayCache(300)
    for key in range(3):
        cache.get(key, filled(key))
    cache.get(0, forbidden)
    cache.get(3, filled(3))
    assert cache.held_bytes == 300
    cache.get(0, forbidden)
    made = []
    cache.get(1, lambda: made.append(1) or filled(1)())
    assert made == [1]


def test_one_item_larger_than_everything_is_kept() -> None:
    cache = ArrayCache(10)
    cache.get("small", filled(1, 5))
    cache.get("large", filled(2, 5000))
    cache.get("large", forbidden)
    assert cache.held_bytes == 5000
    cache.clear()
    assert cache.held_bytes == 0


def test_kept_arrays_cannot_be_written_to() -> None:
    array = ArrayCache(1000).get("key", filled(1))
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 2


def test_errors_are_passed_on_and_not_kept() -> None:
    cache = ArrayCache(1000)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            cache.get("key", lambda: np.zeros(1 // 0))
    assert cache.get("key", filled(3))[0] == 3


def test_threads_make_each_item_once() -> None:
    cache, made, barrier = ArrayCache(10_000), [], threading.Barrier(8)

    def make(key: int) -> np.ndarray:
        made.append(key)
        return filled(key)()

    def work() -> None:
        barrier.wait()
        for key in range(50):
            assert cache.get(key, lambda key=key: make(key))[0] == key

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == list(range(50))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_lock_held_at_a_fork_does_not_stop_the_child() -> None:
    cache = ArrayCache(1000)
    with cache._lock:
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            os._exit(int(cache.get("key", filled(7))[0]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
