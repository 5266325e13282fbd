"""The stylesheets of all widgets as one, every rule below ``.hemato-lab``."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from hemato_lab.errors import ConfigError
from hemato_lab.widgets.esm import FOLDER

SHARED: Final = "style.css"
"""What all widgets share; the others, each of one widget, come after it."""


@lru_cache(maxsize=1)
def stylesheet() -> str:
    """Return all stylesheets in ``js/``.

    Raises
    ------
    ConfigError
        If the installation lacks them.
    """
    paths = sorted(FOLDER.glob("*.css"), key=lambda path: (path.name != SHARED, path.name))
    if not paths or paths[0].name != SHARED:
        raise ConfigError("is missing", subject=SHARED, hint="install hemato-lab again")
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)
