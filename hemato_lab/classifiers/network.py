"""Classifiers of single cells that are networks; everything about them is read from their files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import special

from hemato_lab.classifiers.base import Classification
from hemato_lab.classifiers.crops import CropShape, crop_density
from hemato_lab.errors import ModelError
from hemato_lab.networks import Network, load_network, model_sha256

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from hemato_lab.networks import NetworkCard
    from hemato_lab.smear import RGB

BATCH: Final = 64
"""Crops that the network is given at a time; the result is the same with any number."""


@dataclass(frozen=True)
class NetworkClassifier:
    """Names single cells by a network. The network is read when it is first needed.

    Attributes
    ----------
    name : str
        Of a network that ships with the package, or of `network`.
    network : Network or None
        Another network than the one that ships.
    """

    name: str
    network: Network | None = None

    @property
    def model_sha256(self) -> str:
        """SHA-256 of the network's file in hex; of a network that ships the file is not read for it."""
        return self.network.card.sha256 if self.network is not None else model_sha256(self.name)

    @property
    def classes(self) -> tuple[str, ...]:
        """Every name it can answer, terms of the vocabulary."""
        return self.card.classes

    @property
    def card(self) -> NetworkCard:
        """What the file says about the network."""
        return self._loaded.card

    @cached_property
    def shape(self) -> CropShape:
        """What the network looks at."""
        card = self.card
        return CropShape(card.crop_px or 0, card.rbc_diameter_px)

    @property
    def with_map(self) -> Mapping[str, float]:
        """How its answers go together with a map's (`NetworkCard.with_map`).

        Raises
        ------
        ModelError
            If the file does not say.
        """
        if not self.card.with_map:
            problem = "does not say how its answers go together with a map's"
            raise ModelError(problem, subject=self.name, hint="finish it with models/training/finish_malaria.py")
        return self.card.with_map

    @cached_property
    def _loaded(self) -> Network:
        network = load_network(self.name) if self.network is None else self.network
        if network.card.task != "classify":
            raise ModelError("does not name single cells", subject=self.name, hint="choose a classifier")
        return network

    def classify(self, crops: Sequence[RGB], *, rbc_diameter_px: float | None = None) -> Classification:
        """Classify crops that somebody else has cut.

        Parameters
        ----------
        crops : sequence of uint8 arrays of shape (height, width, 3)
            One cell in the middle of each, with its surroundings or on black.
        rbc_diameter_px : float or None
            Diameter of a red cell in pixels of the crops; None as in `hemato_lab.classifiers.crops.crop_density`.

        Returns
        -------
        Classification

        Raises
        ------
        ModelError
            If the network is missing or damaged.
        """
        side = self.shape.side
        densities = np.zeros((len(crops), 3, side, side), np.float32)
        for density, crop in zip(densities, crops, strict=True):
            density[:] = crop_density(crop, self.shape, rbc_diameter_px)
        return self.classify_densities(densities)

    def classify_densities(
        self, densities: NDArray[np.float32], *, together: Mapping[str, str] = MappingProxyType({})
    ) -> Classification:
        """Classify cells that were cut to `shape`.

        Parameters
        ----------
        densities : array of shape (n, 3, side, side), float32
            Optical density, 0 the background.
        together : mapping of str to str
            Classes that are counted for another one and not answered; those that the network lacks are passed over.

        Returns
        -------
        Classification
            Probabilities are those of the calibrated network: its logits divided by the temperature in its file, the
            mean of four mirrored views where the first was less sure than the file asks for. A cell is unknown when
            its best probability, or the logarithm of the sum of the exponentials of its logits (Liu et al.,
            Energy-based out-of-distribution detection, NeurIPS 2020), is below the least in the file.

        Raises
        ------
        ModelError
            If the network is missing or damaged.
        """
        card, logits = self.card, self._logits(densities)
        classes = list(card.classes)
        probabilities = self._probabilities(logits)
        for name, instead in together.items():
            if name in classes and instead in classes:
                probabilities[:, classes.index(instead)] += probabilities[:, classes.index(name)]
                probabilities = np.delete(probabilities, classes.index(name), axis=1)
                classes.remove(name)
        unknown = probabilities.max(axis=1, initial=0.0) < card.unknown["least_confidence"]
        unknown |= special.logsumexp(logits, axis=1) < card.unknown["least_evidence"]
        return Classification(tuple(classes), probabilities, unknown)

    def _logits(self, densities: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the logits of one look at each cell, and the mean of four where that was not sure."""
        logits = self._seen(densities)
        unsure = np.flatnonzero(self._probabilities(logits).max(axis=1, initial=0.0) < self.card.look_again_below)
        if len(unsure):
            again = densities[unsure]
            views = (again[..., ::-1], again[:, :, ::-1], again[:, :, ::-1, ::-1])
            logits[unsure] = np.mean([logits[unsure], *(self._seen(view) for view in views)], axis=0)
        return logits

    def _seen(self, densities: NDArray[np.float32]) -> NDArray[np.float64]:
        parts = [
            self._loaded.run(densities[start : start + BATCH] * np.float32(self.card.gain))[0]
            for start in range(0, len(densities), BATCH)
        ]
        return np.concatenate(parts).astype(np.float64) if parts else np.zeros((0, len(self.card.classes)))

    def _probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(special.softmax(logits / self.card.calibration["temperature"], axis=1))
