"""Where the folder of a set is looked for on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from hemato_lab.errors import ConfigError

VARIABLE: Final = "HEMATO_LAB_DATASETS"
"""Environment variable that names a folder of annotated sets, one folder each."""


def stated_folder() -> Path | None:
    """Return the folder that the environment names, None when the variable is unset or empty.

    Raises
    ------
    ConfigError
        If it names something that is no folder.
    """
    stated = os.environ.get(VARIABLE)
    if not stated:
        return None
    folder = Path(stated)
    if not folder.is_dir():
        raise ConfigError(f"{VARIABLE} names no folder", subject=stated, hint="correct the variable or unset it")
    return folder


def cache_folder() -> Path:
    """Return the folder of the user's cache that downloaded sets lie in; it need not exist."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("hemato_lab")) / "datasets"
