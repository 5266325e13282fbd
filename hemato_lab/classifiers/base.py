"""What every classifier of single cells promises."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hemato_lab.smear import RGB

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Classification:
    """Probabilities of every class for every crop.

    Attributes
    ----------
    classes : tuple of str
        Terms of the vocabulary.
    probabilities : array of shape (crops, classes)
        Rows sum to 1; read-only.
    unknown : array of shape (crops,), dtype bool
        Crops of which the classifier says that it does not know them, whatever their most probable class; read-only.
        An empty array at construction says that all are known.
    """

    classes: tuple[str, ...]
    probabilities: Floats
    unknown: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))

    def __post_init__(self) -> None:
        table = np.array(self.probabilities, dtype=np.float64)
        if table.ndim != 2 or table.shape[1] != len(self.classes):
            raise ConfigError(f"probabilities of shape {table.shape} do not fit {len(self.classes)} classes")
        table.flags.writeable = False
        unknown = np.array(self.unknown, np.bool_) if len(self.unknown) else np.zeros(len(table), np.bool_)
        if unknown.shape != (len(table),):
            raise ConfigError(f"{len(table)} crops cannot have unknown ones of shape {unknown.shape}")
        unknown.flags.writeable = False
        object.__setattr__(self, "probabilities", table)
        object.__setattr__(self, "unknown", unknown)

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def names(self) -> NDArray[np.str_]:
        """The most probable class of every crop, shape (crops,)."""
        return np.asarray(np.array(self.classes)[np.argmax(self.probabilities, axis=1)])

    @property
    def confidences(self) -> Floats:
        """The probability of that class, shape (crops,)."""
        return np.asarray(np.max(self.probabilities, axis=1))


class Classifier(Protocol):
    """Names single cells. One object may be used from several threads."""

    @property
    def name(self) -> str:
        """As in the registry."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Every name it can answer, terms of the vocabulary."""
        ...

    @property
    def model_sha256(self) -> str | None:
        """SHA-256 of the model file in hex, None for a classifier without one."""
        ...

    def classify(self, crops: Sequence[RGB], *, rbc_diameter_px: float | None = None) -> Classification:
        """Classify crops; no crop gives an empty result.

        Parameters
        ----------
        crops : sequence of uint8 arrays of shape (height, width, 3)
            One cell in the middle of each.
        rbc_diameter_px : float or None
            Diameter of a red cell in pixels of the crops, None if not known; not every classifier needs it.
        """
        ...
