"""Crops of single cells -> names with probabilities.

`CLASSIFIERS` is the registry: a plain dict from a name to a function that makes the classifier, the learned ones first.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hemato_lab.classifiers.base import Classifier

__all__ = ["CLASSIFIERS", "NETWORKS", "make_classifier"]


def _network(name: str) -> Classifier:
    from hemato_lab.classifiers.network import NetworkClassifier

    return NetworkClassifier(name)


def _measured() -> Classifier:
    from hemato_lab.classifiers.malaria import MeasuredMalariaClassifier

    return MeasuredMalariaClassifier()


NETWORKS: Final = ("malaria", "red-cell-shape", "white-cells")
"""Classifiers that are networks, by the names of their files."""
CLASSIFIERS: Final[dict[str, Callable[[], Classifier]]] = {
    **{name: partial(_network, name) for name in NETWORKS},
    "classical": _measured,
}


def make_classifier(name: str) -> Classifier:
    """Return a new classifier by its registered name.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    if name not in CLASSIFIERS:
        raise ConfigError(f"unknown classifier {name!r}", hint=f"choose one of {', '.join(sorted(CLASSIFIERS))}")
    return CLASSIFIERS[name]()
