"""Reading ``rules.toml``, or a user's file in its place."""

from __future__ import annotations

import hashlib
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from hemato_lab.diagnosis.model import RuleBase
from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    import os

    from pydantic_core import ErrorDetails

_HINT: Final = "correct it; the comments at the top of the rules.toml that ships explain every key"


def load_rules(path: str | os.PathLike[str] | None = None) -> RuleBase:
    """Return the rules that ship, or those of a file that replaces them as a whole.

    Raises
    ------
    ConfigError
        If the file cannot be read, or a rule in it cannot be used; it names the rule.
    """
    return _shipped() if path is None else parse_rules(_text(path), subject=str(path))


def rules_sha256(path: str | os.PathLike[str] | None = None) -> str:
    """Return the SHA-256 of the rules in use, so that a report says which they were.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    """
    return hashlib.sha256(_text(path).encode()).hexdigest()


def _text(path: str | os.PathLike[str] | None) -> str:
    if path is None:
        return (files("hemato_lab.diagnosis") / "rules.toml").read_text(encoding="utf-8")
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", subject=str(path), hint="name a TOML file") from error
    except UnicodeDecodeError as error:
        raise ConfigError("is not text in UTF-8", subject=str(path), hint="name a TOML file") from error


def parse_rules(text: str, *, subject: str = "rules.toml") -> RuleBase:
    """Return the rules of a TOML document.

    Raises
    ------
    ConfigError
        If it is not TOML, or a rule in it cannot be used; it names the rule.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is not TOML: {error}", subject=subject, hint=_HINT) from error
    try:
        return RuleBase.model_validate(document)
    except ValidationError as error:
        raise _as_config_error(error.errors(include_url=False)[0], document, subject) from error


@cache
def _shipped() -> RuleBase:
    return parse_rules(_text(None))


def _as_config_error(first: ErrorDetails, document: dict[str, Any], subject: str) -> ConfigError:
    message = first["msg"].removeprefix("Value error, ")
    match first["loc"]:
        case ("rule", int(index), *rest):
            rule = document["rule"][index]
            name = rule.get("id", f"number {index + 1}") if isinstance(rule, dict) else f"number {index + 1}"
            place = ".".join(str(part) for part in rest)
            return ConfigError(f"rule {name}: {place + ': ' if place else ''}{message}", subject=subject, hint=_HINT)
        case place:
            where = ".".join(str(part) for part in place)
            return ConfigError(f"{where}: {message}" if where else message, subject=subject, hint=_HINT)
