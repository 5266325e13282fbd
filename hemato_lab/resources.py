"""Where the files that ship with the package are: sample data and models."""

from __future__ import annotations

from pathlib import Path

from hemato_lab.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """Return a folder that ships with the package, ``sample_data`` or ``models``.

    In an installed wheel these lie inside the package, in a source checkout beside it.

    Raises
    ------
    ConfigError
        If the installation lacks it.
    """
    for candidate in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise ConfigError(f"the installation has no {name}", hint="install hemato-lab again")
