"""A file that leads a browser to an address without naming the address among the arguments of a program."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_PAGE: Final = (
    '<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer">'
    '<meta http-equiv="refresh" content="0;url={address}"><title>hemato-lab</title>'
    '<p><a href="{address}">hemato-lab view</a></p>'
)


@contextmanager
def doorway(address: str) -> Iterator[str]:
    """Give the ``file:`` address of a page that leads to an address; it is this user's alone, and temporary.

    Parameters
    ----------
    address : str
        May hold a secret: the arguments of a started browser, which every user of this machine can read, then do not.
    """
    with tempfile.TemporaryDirectory(prefix="hemato_lab-") as folder:  # it is made with mode 0700
        path = Path(folder) / "open.html"
        path.touch(mode=0o600)
        path.write_text(_PAGE.format(address=escape(address)), encoding="utf-8")
        yield path.as_uri()
