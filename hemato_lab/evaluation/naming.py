"""Bringing the names of a crop set and of a classifier to common ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hemato_lab.errors import ConfigError
from hemato_lab.vocabulary import is_a, lineage_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CommonNames:
    """The names that crops are scored by.

    Attributes
    ----------
    scored : tuple of str
        Names that the set's labels stand for, in the set's order.
    answers : tuple of str
        ``scored``, then what else the classifier can answer; such an answer is always wrong.
    of_label : mapping of str to str
        The scored name of each label of the set.
    of_class : mapping of str to str
        The answer that each class of the classifier stands for.
    """

    scored: tuple[str, ...]
    answers: tuple[str, ...]
    of_label: Mapping[str, str]
    of_class: Mapping[str, str]

    def pool(self, classes: Sequence[str], probabilities: Floats) -> Floats:
        """Add up the probabilities of the classes that stand for one answer; shape (n, len(answers))."""
        pooled = np.zeros((len(probabilities), len(self.answers)))
        for column, name in enumerate(classes):
            pooled[:, self.answers.index(self.of_class[name])] += probabilities[:, column]
        return pooled


def common_names(labels: Sequence[str], classes: Sequence[str], *, dataset: str, classifier: str) -> CommonNames:
    """Return the widest agreement between a set's labels and a classifier's classes.

    A label is scored by its own name when the classifier knows it or a kind of it, otherwise by the nearest wider name
    that is one of the classifier's classes ("early blast" by "blast"). A class stands for the nearest scored name that
    it is a kind of ("band neutrophil" for "neutrophil"), otherwise for itself.

    Raises
    ------
    ConfigError
        If the classifier has no name for a label, or one and the same for all labels of the set.
    """
    of_label = {label: _scored_name(label, classes) for label in labels}
    unknown = [label for label, name in of_label.items() if name is None]
    known = {label: name for label, name in of_label.items() if name is not None}
    scored = tuple(dict.fromkeys(known.values()))
    if unknown or (len(labels) > 1 and len(scored) < 2):
        missing = f"has no class for {', '.join(unknown)}" if unknown else "has one class for all labels"
        raise ConfigError(
            f"the classifier {classifier!r} {missing}; it tells apart {', '.join(classes)}",
            subject=dataset,
            hint="choose another classifier with --classifier",
        )
    of_class = {name: _nearest(name, scored) or name for name in classes}
    answers = tuple(dict.fromkeys([*scored, *of_class.values()]))
    return CommonNames(scored, answers, known, of_class)


def has_name(label: str, classes: Sequence[str]) -> bool:
    """Tell whether a classifier has a name for a label: its own, a kind of it or a wider one."""
    return _scored_name(label, classes) is not None


def _scored_name(label: str, classes: Sequence[str]) -> str | None:
    if any(is_a(name, label) for name in classes):
        return label
    return _nearest(label, classes)


def _nearest(name: str, among: Iterable[str]) -> str | None:
    wanted = set(among)
    return next((wider for wider in lineage_path(name) if wider in wanted), None)
