"""Texts that every browser and every file can hold."""

from __future__ import annotations

import re
from typing import Any, Final

_BROKEN: Final = re.compile("[\ud800-\udfff]")
"""Half a sign: what Python makes of a byte in a file's name that is not UTF-8."""
_INSTEAD: Final = "\N{REPLACEMENT CHARACTER}"


def readable(value: Any) -> Any:
    """Return JSON-ready content whose texts can be written as UTF-8.

    Parameters
    ----------
    value : JSON-ready
        Texts anywhere in it; keys of dictionaries stay as they are.

    Returns
    -------
    JSON-ready
        The same with a replacement character for each byte of a name that could not be read.
    """
    if isinstance(value, str):
        return value if value.isascii() else _BROKEN.sub(_INSTEAD, value)
    if isinstance(value, dict):
        return {key: readable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [readable(one) for one in value]
    return value
