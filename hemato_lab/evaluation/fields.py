"""A detector run over the images of a set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hemato_lab.detections import Detections
from hemato_lab.errors import ConfigError, InputError, ScaleNotCredibleError
from hemato_lab.evaluation.skipping import SkippedImage

if TYPE_CHECKING:
    from hemato_lab.evaluation.dataset import AnnotatedImage, DetectionSet

ScaleSource = Literal["estimated", "annotated"]


@dataclass(frozen=True, slots=True)
class FieldOutcome:
    """What a detector made of one image.

    Attributes
    ----------
    detections : Detections
        Every cell found, in pixels of the image; empty when the image was refused or unreadable.
    rbc_diameter_px : float or None
        Diameter of a red cell that the detector worked with, None when the image was refused or unreadable.
    unreadable : InputError or None
        Why the image could not be read, None when it was.
    """

    detections: Detections
    rbc_diameter_px: float | None
    unreadable: InputError | None = None

    @property
    def refused(self) -> bool:
        """Whether no credible scale was found, so that nothing was looked for."""
        return self.rbc_diameter_px is None and self.unreadable is None


Detect = Callable[[Path, float | None], FieldOutcome]
"""``detect(path, rbc_diameter_px)``: analyse one image. The diameter is the stated one in pixels, None when it is to be
estimated from the image. May raise `ScaleNotCredibleError` and any other `InputError`."""

Progress = Callable[[Iterable[FieldOutcome]], Iterable[FieldOutcome]]
"""Passes outcomes on and shows how far they are, as tqdm does."""


def detect_fields(
    dataset: DetectionSet,
    images: Sequence[AnnotatedImage],
    detect: Detect,
    *,
    scale: ScaleSource = "estimated",
    jobs: int = 1,
    progress: Progress = iter,
) -> list[FieldOutcome]:
    """Run a detector over images.

    Parameters
    ----------
    dataset, images
        The set and those of its images to look at.
    detect : Detect
        The detector.
    scale : {"estimated", "annotated"}
        Whether the size of a red cell is estimated from each image alone, or the annotated one is given to the
        detector.
    jobs : int
        Number of images looked at at the same time, in threads. The result does not depend on it.
    progress : Progress
        Wraps the outcomes as they arrive.

    Returns
    -------
    list of FieldOutcome
        One for each image, in their order. An image without a credible scale has a refused outcome, one that cannot be
        read an unreadable one.

    Raises
    ------
    ConfigError
        If the annotated scale is asked for and an image has none.
    """
    stated = [stated_diameter(dataset, image, scale) for image in images]

    def look(image: AnnotatedImage, diameter: float | None) -> FieldOutcome:
        try:
            return detect(image.path, diameter)
        except ScaleNotCredibleError:
            return FieldOutcome(Detections.empty(), None)
        except InputError as error:
            return FieldOutcome(Detections.empty(), None, error)

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        try:
            return list(progress(pool.map(look, images, stated)))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def readable(
    images: Sequence[AnnotatedImage], outcomes: Sequence[FieldOutcome]
) -> tuple[list[AnnotatedImage], list[FieldOutcome], tuple[SkippedImage, ...]]:
    """Set the images that could not be read aside; the first reason is raised when there is no other image."""
    looked_at = list(zip(images, outcomes, strict=True))
    skipped = tuple(
        SkippedImage(image.file_name, outcome.unreadable) for image, outcome in looked_at if outcome.unreadable
    )
    if len(skipped) == len(looked_at):
        raise skipped[0].error
    read = [(image, outcome) for image, outcome in looked_at if outcome.unreadable is None]
    return [image for image, _ in read], [outcome for _, outcome in read], skipped


def stated_diameter(dataset: DetectionSet, image: AnnotatedImage, scale: ScaleSource) -> float | None:
    """Return the red-cell diameter in pixels that an image is given with, None when it is to be estimated.

    Raises
    ------
    ConfigError
        If the annotated one is asked for and there is none.
    """
    if scale == "estimated":
        return None
    diameter = dataset.cell_diameter_px(image)
    if diameter is None:
        raise ConfigError(
            f"{image.file_name} has no annotated red-cell diameter", subject=dataset.name, hint="use --scale estimated"
        )
    return diameter
