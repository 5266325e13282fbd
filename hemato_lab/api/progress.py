"""Progress of an upload: told to a function, or drawn as a bar in a terminal or notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[int, int], None]
"""Called with the bytes that the service has and the bytes of all files; from several threads, one at a time."""


@contextmanager
def told(progress: Progress | bool) -> Iterator[Progress | None]:  # noqa: FBT001 (the user's word for a bar is True)
    """Give the function to tell: the one that was handed in, that of a new bar for True, None for False."""
    if progress is False:
        yield None
        return
    if progress is not True:
        yield progress
        return
    from tqdm.auto import tqdm

    with tqdm(desc="uploading", unit="B", unit_scale=True, leave=False) as bar:

        def advance(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield advance
