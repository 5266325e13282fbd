"""Reading ``reference.toml`` and what a user puts in its place."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hemato_lab.errors import ConfigError
from hemato_lab.reference.model import Reference

if TYPE_CHECKING:
    import os

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ReferenceData:
    """The reference in use and what in it is the user's.

    Attributes
    ----------
    values : Reference
    overrides : mapping of str to JSON value
        By the path of each value that a user replaced, for example ``ranges.wbc.adult``.
    """

    values: Reference
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def provenance(self) -> Json:
        """Return version and overrides, JSON-ready."""
        return {"version": self.values.version, "overrides": dict(self.overrides)}


def load_reference(overrides: str | os.PathLike[str] | Mapping[str, Any] | None = None) -> ReferenceData:
    """Return the reference that ships, with single values replaced by a user's.

    Parameters
    ----------
    overrides : path, mapping or None
        A TOML file, or its content, with the tables of ``reference.toml`` in which only what differs need stand. A
        list replaces the whole list.

    Raises
    ------
    ConfigError
        If the file cannot be read, or a table, key or value is none that the reference has.
    """
    if overrides is None:
        return _shipped()
    subject = "overrides" if isinstance(overrides, Mapping) else str(overrides)
    own = dict(overrides) if isinstance(overrides, Mapping) else _read(Path(overrides))
    document = _shipped_document()
    changed: Json = {}
    merged = _merged(document, own, "", changed, subject)
    return ReferenceData(_validated(merged, subject), MappingProxyType(changed))


@cache
def _shipped() -> ReferenceData:
    return ReferenceData(_validated(_shipped_document(), "reference.toml"))


def _shipped_document() -> Json:
    return tomllib.loads((files("hemato_lab.reference") / "reference.toml").read_text(encoding="utf-8"))


def _read(path: Path) -> Json:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", subject=str(path), hint="name a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"is not TOML: {error}", subject=str(path), hint="see reference.toml") from error


def _merged(base: Json, own: Mapping[str, Any], path: str, changed: Json, subject: str) -> Json:
    merged = dict(base)
    for key, value in own.items():
        here = f"{path}.{key}" if path else key
        known = base.get(key)
        if isinstance(known, dict):
            if not isinstance(value, Mapping):
                raise ConfigError(f"{here} is a table of values", subject=subject, hint="see reference.toml")
            merged[key] = _merged(known, value, here, changed, subject)
        else:
            merged[key] = value
            if value != known:
                changed[here] = value
    return merged


def _validated(document: Json, subject: str) -> Reference:
    try:
        return Reference.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{place}: {first['msg']}", subject=subject, hint="see reference.toml") from error
