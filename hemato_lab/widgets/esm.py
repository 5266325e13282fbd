"""Modules of JavaScript joined into the one that a widget, a page or a server hands to the browser.

The sources in ``js/`` are plain modules. An import stands on one line, ``import { a, b } from "./file.js";``, and an
export is the word ``export`` before a declaration; so taking the imports and that word away, with every module after
those it needs, leaves one module that means the same. Top-level names must differ over all joined files.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Final

from hemato_lab.errors import ConfigError

FOLDER: Final = Path(__file__).resolve().parent / "js"
_IMPORT: Final = re.compile(r'^import \{ ?(?P<names>[\w$, ]+?) ?\} from "\./(?P<file>\w+\.js)";$', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?=(?:async function|function|class|const|let)\b)", re.MULTILINE)
_DECLARED: Final = re.compile(
    r"^(?P<export>export )?(?:async function|function|class|const|let)\b\*? *(?P<name>[\w$]+)", re.MULTILINE
)
_LEFT_OVER: Final = re.compile(r"^(?:import\b|export\b(?! default \{)|var\b|(?:const|let) [\[{])", re.MULTILINE)


@lru_cache(maxsize=16)
def bundle(entry: str) -> str:
    """Return a module and everything that it imports as one module.

    Parameters
    ----------
    entry : str
        Name of a file in ``js/``, for example ``smear_viewer.js``.

    Returns
    -------
    str
        JavaScript without imports. The entry's ``export default`` stays; what other files export becomes plain names.

    Raises
    ------
    ConfigError
        If a file is missing or breaks one of the rules above.
    """
    ordered = _in_order(entry)
    declared: dict[str, str] = {}
    for name, source in ordered.items():
        _check(name, source, ordered)
        for found in _DECLARED.finditer(source):
            if (other := declared.setdefault(found["name"], name)) != name:
                raise _broken(name, f"declares {found['name']}, which {other} declares too")
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", source)).strip() + "\n" for source in ordered.values())


def _in_order(entry: str) -> dict[str, str]:
    """Return the sources of the entry and all it needs by name, each after those that it imports."""
    found: dict[str, str] = {}

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise _broken(name, "imports itself through " + ", ".join(above[above.index(name) + 1 :] or above[-1:]))
        if name in found:
            return
        source = _read(name)
        for imported in _IMPORT.finditer(source):
            visit(imported["file"], (*above, name))
        found[name] = source

    visit(entry, ())
    return found


def _read(name: str) -> str:
    try:
        return (FOLDER / name).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", subject=name, hint="install hemato-lab again") from error


def _check(name: str, source: str, sources: dict[str, str]) -> None:
    if wrong := _LEFT_OVER.search(_IMPORT.sub("", _EXPORT.sub("", source))):
        line = source.count("\n", 0, source.index(wrong[0])) + 1
        raise _broken(name, f"has an import, export or declaration of another form near line {line}")
    for imported in _IMPORT.finditer(source):
        offered = {one["name"] for one in _DECLARED.finditer(sources[imported["file"]]) if one["export"]}
        wanted = {one.strip() for one in imported["names"].split(",")}
        if missing := sorted(wanted - offered):
            raise _broken(name, f"imports {', '.join(missing)}, which {imported['file']} does not export")


def _broken(name: str, problem: str) -> ConfigError:
    return ConfigError(problem, subject=name, hint="the rules of such files stand in hemato_lab/widgets/esm.py")
