"""A least-recently-used store of decoded pixels, bounded by bytes and safe to use from threads."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from hemato_lab.formats.limits import MEMBER_CACHE_BYTES, TILE_CACHE_BYTES, WHOLE_IMAGE_CACHE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from numpy.typing import NDArray


class ArrayCache:
    """Arrays by key. The newest is always kept, so that one item larger than the whole store still serves its tiles.

    Parameters
    ----------
    capacity_bytes : int
        Most bytes kept besides the newest item.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self.capacity_bytes = capacity_bytes
        self._forget_everything()
        if hasattr(os, "register_at_fork"):
            # A lock that another thread held at the fork would stay locked in the child for ever.
            os.register_at_fork(after_in_child=self._forget_everything)

    def _forget_everything(self) -> None:
        self._lock = threading.Lock()
        self._gates: dict[Hashable, threading.Lock] = {}
        self._items: OrderedDict[Hashable, NDArray[Any]] = OrderedDict()
        self._bytes = 0

    @property
    def held_bytes(self) -> int:
        """Bytes of all arrays now kept."""
        return self._bytes

    def clear(self) -> None:
        """Forget every array."""
        with self._lock:
            self._items.clear()
            self._bytes = 0

    def get(self, key: Hashable, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Return the array of `key`, made once even when several threads ask for it at the same time.

        The array is shared and must not be written to. Errors of `make` are passed on and nothing is kept.
        """
        with self._lock:
            found = self._lookup(key)
            if found is not None:
                return found
            gate = self._gates.setdefault(key, threading.Lock())
        with gate:
            with self._lock:
                found = self._lookup(key)
            if found is not None:
                return found
            try:
                made = make()
                made.setflags(write=False)
                with self._lock:
                    self._keep(key, made)
            finally:
                with self._lock:
                    self._gates.pop(key, None)
        return made

    def _lookup(self, key: Hashable) -> NDArray[Any] | None:
        found = self._items.get(key)
        if found is not None:
            self._items.move_to_end(key)
        return found

    def _keep(self, key: Hashable, made: NDArray[Any]) -> None:
        replaced = self._items.pop(key, None)
        self._bytes += made.nbytes - (0 if replaced is None else replaced.nbytes)
        self._items[key] = made
        while self._bytes > self.capacity_bytes and len(self._items) > 1:
            _, dropped = self._items.popitem(last=False)
            self._bytes -= dropped.nbytes


WHOLE_IMAGES = ArrayCache(WHOLE_IMAGE_CACHE_BYTES)
"""Decoded JPEG and PNG images of this process, by content."""
TILES = ArrayCache(TILE_CACHE_BYTES)
"""Decoded TIFF tiles and strips of this process, by content, page and position."""
MEMBERS = ArrayCache(MEMBER_CACHE_BYTES)
"""Unpacked TIFF members of ZIP archives."""
