"""Detectors: from the pixels of a tile to a table of cells.

`DETECTORS` names them; each entry makes a detector for one calibrated field. A detector is called with a `Tile` and
returns the cells whose centre the tile's core owns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hemato_lab.detections import Detections
    from hemato_lab.imaging.calibration import FieldCalibration
    from hemato_lab.smear import Tile


class Detector(Protocol):
    """Finds the cells of one field, tile by tile; safe to call from several threads."""

    def __call__(self, tile: Tile) -> Detections:
        """Return the cells whose centre the tile's core owns, in canonical order."""
        ...


def _classical(calibration: FieldCalibration) -> Detector:
    from hemato_lab.detectors.classical import ClassicalDetector

    return ClassicalDetector(calibration)


DETECTORS: Final[dict[str, Callable[[FieldCalibration], Detector]]] = {"classical": _classical}
"""Detector factories by name."""


def make_detector(name: str, calibration: FieldCalibration) -> Detector:
    """Make the named detector for a field.

    Raises
    ------
    ConfigError
        If there is no detector of that name.
    """
    if name not in DETECTORS:
        raise ConfigError(f"no detector is called {name!r}", hint=f"there are: {', '.join(DETECTORS)}")
    return DETECTORS[name](calibration)
