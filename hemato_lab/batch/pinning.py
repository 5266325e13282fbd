"""What results rest on besides the images: versions, models, ranges, rules, options."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from hemato_lab.batch.model import Settings

_agreed: Final[set[str]] = set()
"""Digests that this process has found to be its own too."""
_one_at_a_time: Final = threading.Lock()


def pinned(settings: Settings) -> dict[str, Any]:
    """Return everything that a byte of the results may depend on besides the images; JSON-ready.

    Files that a user names are known by their content, so that they may lie elsewhere on another machine or day.

    Raises
    ------
    ConfigError, ModelError
        If a setting is impossible or a file cannot be used.
    """
    from hemato_lab import __version__
    from hemato_lab.diagnosis import rules_sha256
    from hemato_lab.formats.opening import stated_scale
    from hemato_lab.pipeline.finding import make_finder
    from hemato_lab.pipeline.reporting import LIBRARIES
    from hemato_lab.pipeline.steps import check_settings
    from hemato_lab.reference import load_reference

    decided = settings.interpretation
    check_settings(
        detector=settings.detector, model=settings.model, rbc_per_ul=settings.rbc_per_ul, interpretation=decided
    )
    stated_scale(settings.um_per_px, settings.rbc_diameter_px)
    finder = make_finder(settings.detector, model=settings.model, names=settings.names)
    document = {
        "version": __version__,
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "detector": settings.detector,
        "models": finder.models(),
        "model": None if settings.model is None else Path(settings.model).name,
        "names": finder.names,
        "rbc_per_ul": settings.rbc_per_ul,
        "patient": decided.context.to_dict(),
        "level": decided.level,
        "codes": decided.code_system,
        "reference": _content_sha256(load_reference(decided.reference).provenance()),
        "rules": rules_sha256(decided.rules),
        "um_per_px": settings.um_per_px,
        "rbc_diameter_px": settings.rbc_diameter_px,
        "files": list(settings.files),
    }
    return dict(json.loads(json.dumps(document)))


def digest(document: dict[str, Any]) -> str:
    """Return the SHA-256, in hex, of what `pinned` returned."""
    return _content_sha256(document)


def check_agreed(settings: Settings, agreed: str) -> None:
    """Refuse to work with other versions, models, ranges or rules than the coordinator; looked up once a process.

    Raises
    ------
    ConfigError
        If this process has others.
    """
    with _one_at_a_time:
        if not agreed or agreed in _agreed:
            return
        if digest(pinned(settings)) != agreed:
            raise ConfigError(
                "this worker has other versions, models, ranges or rules than the coordinator",
                hint="install the same on all machines, and give them the same files under the same paths",
            )
        _agreed.add(agreed)


def _content_sha256(document: Any) -> str:
    plain = json.dumps(document, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(plain.encode()).hexdigest()
