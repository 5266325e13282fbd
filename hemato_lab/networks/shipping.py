"""The networks that ship with the package: ONNX files in ``models``, each with a line in ``SHA256SUMS``."""

from __future__ import annotations

import re
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Final

from hemato_lab.errors import ConfigError, ModelError
from hemato_lab.networks.runtime import Network, read_network
from hemato_lab.resources import shipped

if TYPE_CHECKING:
    from pathlib import Path

_SUMS: Final = "SHA256SUMS"
_LINE: Final = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9][A-Za-z0-9._-]*)")
_SUFFIX: Final = ".onnx"
_one_at_a_time: Final = Lock()


def load_network(name: str) -> Network:
    """Return a network that ships with the package, the same object every time.

    Parameters
    ----------
    name : str
        The name of its file without ``.onnx``, for example ``"detector"``.

    Raises
    ------
    ConfigError
        If no network of that name ships.
    ModelError
        If its file is missing, is not the one that was shipped, or breaks a rule of `read_network`.
    """
    path, sha256 = shipped("models") / f"{name}{_SUFFIX}", model_sha256(name)
    with _one_at_a_time:
        return _loaded(path, sha256)


def model_sha256(name: str) -> str:
    """Return the SHA-256 that the file of a shipped network must have, in hex; the file itself is not read.

    Raises
    ------
    ConfigError
        If no network of that name ships.
    ModelError
        If the list of the shipped files is missing or damaged.
    """
    sums = _read_sums(shipped("models") / _SUMS)
    if name not in sums:
        raise ConfigError(f"no network is called {name!r}", hint=f"there are: {', '.join(sorted(sums)) or 'none'}")
    return sums[name]


@cache
def _loaded(path: Path, sha256: str) -> Network:
    return read_network(path, sha256)


def _read_sums(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError("cannot be read", subject=str(path), hint="install hemato-lab again") from error
    sums: dict[str, str] = {}
    for index, line in enumerate(lines, start=1):
        found = _LINE.fullmatch(line)
        if found is None or found[2].removesuffix(_SUFFIX) in sums:
            problem = f"line {index} is damaged, or names a file again"
            raise ModelError(problem, subject=str(path), hint="install hemato-lab again")
        if found[2].endswith(_SUFFIX):
            sums[found[2].removesuffix(_SUFFIX)] = found[1]
    return sums
