"""`analyze`: the list of steps."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.analysis import Analysis
from hemato_lab.detectors import DEFAULT_DETECTOR
from hemato_lab.errors import ConfigError
from hemato_lab.formats import open_smear
from hemato_lab.imaging.calibration import FieldCalibration, calibrate
from hemato_lab.imaging.content import content_of
from hemato_lab.imaging.illumination import fit_illumination
from hemato_lab.imaging.quality import measure_optics, quality_gates
from hemato_lab.imaging.scale import Each, ScaleReading, read_scale
from hemato_lab.pipeline.finding import make_finder
from hemato_lab.pipeline.interpretation import Interpretation
from hemato_lab.pipeline.interpreting import interpret, named_by_measurement, reading_of
from hemato_lab.pipeline.reading import without_unreadable
from hemato_lab.pipeline.reporting import compose_report, provenance_of
from hemato_lab.smear import Smear
from hemato_lab.vocabulary import RBC

if TYPE_CHECKING:
    from hemato_lab.detections import Detections
    from hemato_lab.formats.opening import Paths, Pixels

FEWEST_RBC_PER_UL, MOST_RBC_PER_UL = 0.3e6, 12.0e6
"""No patient's red-cell count lies beyond."""
LEAST_TILE_SIZE: Final = 64
"""Smaller tiles would read little but margin, many times over."""

Progress = Callable[[int, int], None]
"""Called with tiles done and tiles in all."""


def analyze(
    smear: Smear | Paths | Pixels,
    *,
    detector: str = DEFAULT_DETECTOR,
    model: str | os.PathLike[str] | None = None,
    names: bool | None = None,
    rbc_per_ul: float | None = None,
    interpretation: Interpretation | None = None,
    minimum_score: float | None = None,
    measured: bool = True,
    tile_size: int | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> Analysis:
    """Find, measure and count the cells of a smear and write its report.

    Parameters
    ----------
    smear : Smear, path, list of paths, array or list of arrays
        From `hemato_lab.open_smear`, or anything that it opens.
    detector : str
        One of `hemato_lab.detectors.DETECTORS`.
    model : path or None
        ONNX file of a detection network to use instead of the one that ships, for the detector ``onnx``.
    names : bool or None
        Whether classifiers name the cells by type, parasite and shape; None: unless the detector works without models.
    rbc_per_ul : float or None
        Red cells per microlitre for concentrations by the ratio method: the patient's count, or an assumption that the
        user makes. None takes that of the blood count in `interpretation`, and without one the usual assumption, on
        which no diagnosis is based.
    interpretation : Interpretation or None
        Patient, reference ranges, rules, code system and level of the report; None for the defaults.
    minimum_score : float or None
        Cells below this score are left out; None takes the score of each class that the detector was tuned for, at
        which its counts are right on average.
    measured : bool
        Whether cells are outlined and measured; without, their features are NaN where the detector does not need them.
    tile_size : int or None
        Side of a tile's core in pixels, 64 or more; None takes small fields whole and large ones in tiles of 4096. The
        result is the same, bit for bit, for every tile size and number of threads.
    threads : int
        Fields and tiles that are worked on at a time.
    progress : callable, optional
        Told the number of tiles done and in all.

    Returns
    -------
    Analysis
        With the scale that was used in its smear. Fields that turned out to be unreadable are in ``smear.skipped``.

    Raises
    ------
    ScaleNotCredibleError
        If no scale is stated and none can be read from the red cells.
    InputError
        If no field can be read.
    ConfigError
        If an argument is impossible.
    ModelError
        If a model is missing, damaged or not made for this.
    """
    decided = interpretation or Interpretation()
    check_settings(
        detector=detector,
        model=model,
        rbc_per_ul=rbc_per_ul,
        interpretation=decided,
        tile_size=tile_size,
        threads=threads,
    )
    finder = make_finder(detector, model=model, names=names, minimum_score=minimum_score, measured=measured)
    opened = smear if isinstance(smear, Smear) else open_smear(smear)

    def analyse(readable: Smear) -> Analysis:
        with _field_by_field(readable, threads) as each:
            illuminations = dict(enumerate(each(fit_illumination, readable.fields)))
            reading = read_scale(readable, illuminations, each=each)
        scaled = replace(readable, scale=reading.scale)
        calibrations = [
            calibrate(field, reading.scale, illuminations[index]) for index, field in enumerate(scaled.fields)
        ]
        found = finder.cells(scaled, calibrations, tile_size=tile_size, threads=threads, progress=progress)
        quality = _quality(scaled, calibrations, found, reading)
        cells = reading_of(scaled, calibrations, found, quality, detector=finder.detector, names=finder.names)
        cells = replace(cells, detections=named_by_measurement(cells, decided))
        interpreted = interpret(cells, decided, rbc_per_ul=rbc_per_ul)
        parameters = {
            "detector": detector,
            # Its name alone: folders are the user's own, and the SHA-256 says which file it was.
            "model": None if model is None else Path(os.fspath(model)).name,
            "names": finder.names,
            "rbc_per_ul": rbc_per_ul,
            "minimum_score": minimum_score,
            "measured": measured,
        }
        provenance = provenance_of(scaled, parameters, finder.models(), interpreted, decided)
        report = compose_report(cells, interpreted, provenance, level=decided.level)
        return Analysis(scaled, cells.detections, report, provenance, quality)

    return without_unreadable(opened, analyse)


@contextmanager
def _field_by_field(smear: Smear, threads: int) -> Iterator[Each]:
    """Give what applies a function to every field; one field alone stays in this thread, where Ctrl-C stops it."""
    if threads == 1 or len(smear) == 1:
        yield map
        return
    with ThreadPoolExecutor(threads) as pool:
        yield pool.map


def check_settings(
    *,
    detector: str = DEFAULT_DETECTOR,
    model: str | os.PathLike[str] | None = None,
    rbc_per_ul: float | None = None,
    interpretation: Interpretation | None = None,
    tile_size: int | None = None,
    threads: int = 1,
) -> None:
    """Refuse what no smear can be analysed with, before anything is read.

    Raises
    ------
    ConfigError
        If an argument of `analyze` is impossible.
    ModelError
        If the model cannot be used.
    """
    make_finder(detector, model=model)
    (interpretation or Interpretation()).check()
    if threads < 1:
        raise ConfigError(f"{threads} threads are impossible", hint="use 1 or more")
    if tile_size is not None and tile_size < LEAST_TILE_SIZE:
        raise ConfigError(
            f"a tile size of {tile_size} pixels is too small", hint=f"use {LEAST_TILE_SIZE} or more, or none"
        )
    if rbc_per_ul is not None and not FEWEST_RBC_PER_UL <= rbc_per_ul <= MOST_RBC_PER_UL:
        raise ConfigError(
            f"{rbc_per_ul:g} red cells per microlitre are impossible",
            hint="give the number itself: 4.8e6 for a count of 4.8 million",
        )


def _quality(
    smear: Smear, calibrations: Sequence[FieldCalibration], detections: Detections, reading: ScaleReading
) -> dict[str, Any]:
    """Judge every field; by field name."""
    quality: dict[str, Any] = {}
    for index, field in enumerate(smear.fields):
        calibration = calibrations[index]
        found = detections.select(detections["field"] == index)
        red = found.select(found.of_kind(RBC))
        overlapped = red.columns.get("overlapped", np.full(len(red), np.nan))
        # Cells that were not outlined are neither apart nor split: they say nothing about the share.
        measured = np.isfinite(overlapped)
        quality[field.name] = quality_gates(
            measure_optics(field, calibration),
            content_of(calibration, found),
            overlapped=int(np.count_nonzero(overlapped[measured])),
            overlap_measured=int(np.count_nonzero(measured)),
            area_mm2=reading.scale.area_mm2(calibration.lit_pixels),
            scale_disagreement=reading.disagreement(index),
        )
    return quality
