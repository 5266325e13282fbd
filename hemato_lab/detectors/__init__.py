"""Detectors: from the pixels of a tile to a table of cells.

`DETECTORS` names them; each entry makes a detector for one calibrated field. A detector is called with a `Tile` and
returns the cells whose centre the tile's core owns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hemato_lab.detections import Detections
    from hemato_lab.imaging.calibration import FieldCalibration
    from hemato_lab.networks import Network
    from hemato_lab.smear import Tile


class Detector(Protocol):
    """Finds the cells of one field, tile by tile; safe to call from several threads."""

    def __call__(self, tile: Tile) -> Detections:
        """Return the cells whose centre the tile's core owns, in canonical order."""
        ...

    @property
    def operating_scores(self) -> Mapping[str, float]:
        """Score from which on a cell of each class of `hemato_lab.vocabulary.DETECTOR_CLASSES` is reported."""
        ...


class MakeDetector(Protocol):
    """Makes a detector for a field."""

    def __call__(self, calibration: FieldCalibration, *, model: Network | None, measured: bool) -> Detector:
        """See `make_detector`."""
        ...


def _classical(calibration: FieldCalibration, *, model: Network | None, measured: bool) -> Detector:
    from hemato_lab.detectors.classical import ClassicalDetector

    if model is not None:
        raise ConfigError("the classical detector uses no model", hint="leave the model out, or use the detector onnx")
    del measured  # it finds cells by measuring them
    return ClassicalDetector(calibration)


def _onnx(calibration: FieldCalibration, *, model: Network | None, measured: bool) -> Detector:
    from hemato_lab.detectors.onnx import NetworkDetector
    from hemato_lab.networks import load_network

    return NetworkDetector(calibration, load_network(SHIPPED_MODEL) if model is None else model, measured=measured)


SHIPPED_MODEL: Final = "detector-int8"
"""Network of the detector ``onnx``: the eight-bit version of ``detector``, which finds the same cells in less time."""
DETECTORS: Final[dict[str, MakeDetector]] = {"onnx": _onnx, "classical": _classical}
"""Detector factories by name."""
DEFAULT_DETECTOR: Final = "onnx"


def check_detector(name: str) -> None:
    """Refuse the name of a detector that does not exist.

    Raises
    ------
    ConfigError
        Naming those that do.
    """
    if name not in DETECTORS:
        raise ConfigError(f"no detector is called {name!r}", hint=f"there are: {', '.join(DETECTORS)}")


def make_detector(
    name: str, calibration: FieldCalibration, *, model: Network | None = None, measured: bool = True
) -> Detector:
    """Make the named detector for a field.

    Parameters
    ----------
    name : str
        One of `DETECTORS`.
    calibration : FieldCalibration
        Of the field.
    model : Network or None
        For the detector ``onnx``: another network than the one that ships.
    measured : bool
        Whether cells are outlined and measured; a detector that finds them so does it anyway.

    Raises
    ------
    ConfigError
        If there is no detector of that name, or the model is not for it.
    ModelError
        If the shipped model is missing or damaged.
    """
    check_detector(name)
    return DETECTORS[name](calibration, model=model, measured=measured)
