"""What the gate judges and tolerates: ``gate.toml``, which explains every key, and what a user puts before it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    import os

Worse = Literal["lower", "higher", "any"]
SHIPPED: Final = "gate.toml"
_HINT: Final = "hemato_lab/agreement/gate/gate.toml explains every key"

Tolerance = Annotated[float, Field(ge=0)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Rule(_Table):
    """How one metric, or all whose name fits a pattern, is judged; ``gate.toml`` explains the keys."""

    match: Annotated[str, Field(min_length=1)]
    worse: Worse = "any"
    relative: Tolerance | None = None
    absolute: Tolerance | None = None
    these_smears_only: bool = False
    ignore: bool = False
    why: str = ""

    @model_validator(mode="after")
    def _tolerates_something(self) -> Self:
        if not self.ignore and self.relative is None and self.absolute is None:
            raise ValueError("a metric needs a relative or an absolute tolerance, or ignore = true")
        return self

    def fits(self, name: str) -> bool:
        """Tell whether it is about a metric: by its very name, which may look like a pattern, or by the pattern."""
        return name == self.match or fnmatchcase(name, self.match)


class _Keys(_Table):
    """What a user may set."""

    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    resamples: Annotated[int, Field(ge=100, le=100_000)] = 2000
    seed: Annotated[int, Field(ge=0)] = 20240918
    undecided: Literal["fail", "pass"] = "fail"
    least_smears: Annotated[int, Field(ge=1)] = 20
    most_missing: Annotated[float, Field(ge=0, le=1)] = 0.1
    metric: tuple[Rule, ...] = ()


class GateSettings(_Keys):
    """How a gate decides; ``gate.toml`` explains the keys.

    Attributes
    ----------
    metric : tuple of Rule
        A user's own.
    shipped : tuple of Rule
        Looked through after these.
    """

    shipped: tuple[Rule, ...] = ()

    def rule_for(self, name: str) -> Rule | None:
        """Return the first rule that fits a metric's name; None where none does, or it is ignored."""
        found = next((rule for rule in (*self.metric, *self.shipped) if rule.fits(name)), None)
        return None if found is None or found.ignore else found

    def top_keys(self) -> dict[str, Any]:
        """Return everything but the rules, JSON-ready."""
        return self.model_dump(exclude={"metric", "shipped"})


def load_settings(own: str | os.PathLike[str] | Mapping[str, Any] | None = None) -> GateSettings:
    """Return the settings that ship, with a user's before them.

    Parameters
    ----------
    own : path, mapping or None
        A TOML file, or its content. Its keys replace those that ship; its metrics are looked through first.

    Raises
    ------
    ConfigError
        If the file cannot be read, or a key or value is impossible.
    """
    shipped = tomllib.loads((files("hemato_lab.agreement.gate") / SHIPPED).read_text(encoding="utf-8"))
    rules = _validated(shipped, SHIPPED).metric
    subject = "settings" if isinstance(own, Mapping) else str(own)
    document = {} if own is None else dict(own) if isinstance(own, Mapping) else _read(Path(own))
    keys = _validated({**shipped, "metric": [], **document}, subject)
    return GateSettings(**dict(keys), shipped=rules)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", subject=str(path), hint="name a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"is not TOML: {error}", subject=str(path), hint=_HINT) from error


def _validated(document: Mapping[str, Any], subject: str) -> _Keys:
    try:
        return _Keys.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part + 1) if isinstance(part, int) else part for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{place or 'the file'}: {reason}", subject=subject, hint=_HINT) from error
