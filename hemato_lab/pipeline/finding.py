"""Finding and naming the cells of a smear: which detector, which models, from which score on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from hemato_lab.classifiers import NETWORKS
from hemato_lab.detections import Detections
from hemato_lab.detectors import DEFAULT_DETECTOR, SHIPPED_MODEL, check_detector, make_detector
from hemato_lab.errors import ConfigError
from hemato_lab.imaging.cell_size import SIZE_NETWORK
from hemato_lab.imaging.tiling import margin_px, read_tile, tile_cores
from hemato_lab.networks import Network, load_network, model_sha256, read_network
from hemato_lab.pipeline import naming

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from hemato_lab.detectors import Detector
    from hemato_lab.imaging.calibration import FieldCalibration
    from hemato_lab.imaging.scale import Each
    from hemato_lab.smear import Field, Smear, Tile, Window

LARGEST_SINGLE_TILE: Final = 6_000_000
"""Pixels of a field that is one tile unless a tile size is given."""
DEFAULT_TILE_SIZE: Final = 4096


@dataclass(frozen=True)
class Finder:
    """How the cells of a smear are found and named; made by `make_finder`.

    Attributes
    ----------
    detector : str
        One of `hemato_lab.detectors.DETECTORS`.
    model : Network or None
        Another detection network than the one that ships.
    names : bool
        Whether classifiers name the cells.
    minimum_score : float or None
        Cells below are left out; None takes the detector's own score for each class.
    measured : bool
        Whether cells are outlined and measured.
    """

    detector: str
    model: Network | None
    names: bool
    minimum_score: float | None
    measured: bool

    def models(self) -> dict[str, str]:
        """Return the SHA-256 of every model that an analysis uses, by its name.

        The ruler is one of them: it reads whether a scale is stated or not.
        """
        used = {SIZE_NETWORK: model_sha256(SIZE_NETWORK)}
        if self.model is not None:
            used[self.model.card.name] = self.model.card.sha256
        elif self.detector == DEFAULT_DETECTOR:
            used[SHIPPED_MODEL] = model_sha256(SHIPPED_MODEL)
        if self.names:
            used |= {name: model_sha256(name) for name in (naming.PARASITE_NETWORK, *NETWORKS)}
        return used

    def named_by(self) -> dict[str, str]:
        """Return, for every name that a network can give, that network; empty where cells are not named."""
        return nameable() if self.names else {}

    def cells(
        self,
        smear: Smear,
        calibrations: Sequence[FieldCalibration],
        *,
        tile_size: int | None,
        threads: int,
        progress: Callable[[int, int], None] | None,
    ) -> Detections:
        """Return the cells of all fields; their order does not depend on which tile was done first."""
        margin = margin_px(smear.scale.rbc_diameter_px) if smear.scale else 0
        readers = self._readers(calibrations)
        work = [(index, core) for index, field in enumerate(smear.fields) for core in cores_of(field, tile_size)]

        def on_tile(item: tuple[int, Window]) -> Detections:
            index, core = item
            return readers[index](read_tile(smear.fields[index], index, core, margin))

        found: list[Detections] = []
        with _mapping(min(threads, len(work))) as each:
            for done, table in enumerate(each(on_tile, work), start=1):
                found.append(table)
                if progress is not None:
                    progress(done, len(work))
        return Detections.concatenate(found).sorted()

    def _readers(self, calibrations: Sequence[FieldCalibration]) -> list[_FieldReader]:
        classifiers = naming.load_classifiers() if self.names else None
        return [
            _FieldReader(
                make_detector(self.detector, calibration, model=self.model, measured=self.measured),
                # Stain tells cells apart, and a grey picture shows none.
                naming.make_namer(calibration, classifiers) if classifiers and calibration.levels.has_colour else None,
                self.minimum_score,
            )
            for calibration in calibrations
        ]


def nameable() -> dict[str, str]:
    """Return, for every name that a network that ships can give, that network."""
    return {name: network for network in NETWORKS for name in load_network(network).card.classes}


@contextmanager
def _mapping(threads: int) -> Iterator[Each]:
    """Give what applies a function to many things; in this thread alone where it is the only one."""
    if threads <= 1:
        yield map
        return
    with ThreadPoolExecutor(threads) as pool:
        yield pool.map


@dataclass(frozen=True)
class _FieldReader:
    """Finds and names the cells of one field's tiles."""

    detector: Detector
    namer: naming.CellNamer | None
    minimum_score: float | None

    def __call__(self, tile: Tile) -> Detections:
        cells = self.detector(tile)
        cells = cells.select(reported(cells, self.detector.operating_scores, self.minimum_score))
        return cells if self.namer is None else self.namer(tile, cells)


def reported(cells: Detections, operating: Mapping[str, float], minimum: float | None) -> NDArray[np.bool_]:
    """Tell which cells reach the score from which on they are reported, shape (n,)."""
    if minimum is not None:
        return np.asarray(cells["score"] >= minimum)
    least = np.ones(len(cells))
    for name, score in operating.items():
        least[cells["name"] == name] = score
    return np.asarray(cells["score"] >= least)


def make_finder(
    detector: str,
    *,
    model: str | os.PathLike[str] | None = None,
    names: bool | None = None,
    minimum_score: float | None = None,
    measured: bool = True,
) -> Finder:
    """Make the finder of a detector by name.

    Parameters
    ----------
    detector : str
        One of `hemato_lab.detectors.DETECTORS`.
    model : path or None
        ONNX file of a detection network, instead of the one that ships.
    names : bool or None
        Whether classifiers name the cells; None: unless the detector works without any model.
    minimum_score : float or None
        See `Finder`.
    measured : bool
        See `Finder`.

    Raises
    ------
    ConfigError
        If there is no such detector, or it takes no model.
    ModelError
        If the file is no network that can be used.
    """
    check_detector(detector)
    if model is not None and detector != DEFAULT_DETECTOR:
        raise ConfigError(f"the detector {detector!r} takes no model", hint=f"use the detector {DEFAULT_DETECTOR!r}")
    with_names = detector == DEFAULT_DETECTOR if names is None else names
    network = None if model is None else read_network(model)
    if network is not None:
        from hemato_lab.detectors.onnx import check_network

        check_network(network.card)
    return Finder(detector, network, with_names, minimum_score, measured)


def cores_of(field: Field, tile_size: int | None) -> list[Window]:
    """Return the cores of a field's tiles; without a size small fields are taken whole."""
    if tile_size is None and field.window.area > LARGEST_SINGLE_TILE:
        return tile_cores(field, DEFAULT_TILE_SIZE)
    return tile_cores(field, tile_size)
