"""From what is named on a command line to an analysis: read back from results, or made of images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemato_lab.cli.analyze import check_scale, processors
from hemato_lab.cli.output import progress_bar
from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis
    from hemato_lab.smear import Smear

Images = Annotated[
    list[str] | None,
    typer.Option("--images", help="The images that were analysed, to show pixels of results; may be repeated."),
]
UmPerPx = Annotated[float | None, typer.Option(help="Pixel size in micrometres, of images to analyse, when known.")]
RbcDiameterPx = Annotated[
    float | None, typer.Option(help="Pixels across a normal red cell, of images to analyse, when known.")
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Tiles that are worked on at a time.", show_default="one a processor")
]


@dataclass(frozen=True, slots=True)
class Stated:
    """The options of images to analyse; refused at once where they are impossible."""

    um_per_px: float | None = None
    rbc_diameter_px: float | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        check_scale(self.um_per_px, self.rbc_diameter_px)

    @property
    def scaled(self) -> bool:
        """Whether a scale is stated."""
        return self.um_per_px is not None or self.rbc_diameter_px is not None


def results_of(sources: list[str]) -> Path | None:
    """Return the folder of results that is named, None where images are."""
    from hemato_lab.export.reading import holds_results

    if len(sources) == 1 and holds_results(sources[0]):
        return Path(sources[0])
    mixed = next((source for source in sources if holds_results(source)), None)
    if mixed is not None:
        problem = "is a folder of results, and of these one is taken at a time"
        raise ConfigError(problem, subject=mixed, hint="name nothing else, and its images with --images")
    return None


def read_results(folder: Path, images: list[str] | None, stated: Stated) -> Analysis:
    """Read a folder of results, with pixels where the images are given.

    Raises
    ------
    ConfigError
        If a scale is stated: the analysis has one.
    HematoError
        As `hemato_lab.export.reading.read_analysis`.
    """
    from hemato_lab.export.reading import read_analysis

    if stated.scaled:
        problem = "is analysed already, with a scale of its own"
        raise ConfigError(problem, subject=str(folder), hint="leave --um-per-px and --rbc-diameter-px out")
    return read_analysis(folder, images or None)


def opened(sources: list[str], stated: Stated) -> Smear:
    """Open images with the scale that is stated."""
    from hemato_lab.formats import open_smear

    return open_smear(sources, um_per_px=stated.um_per_px, rbc_diameter_px=stated.rbc_diameter_px)


def analysed(smear: Smear, stated: Stated) -> Analysis:
    """Analyse a smear with a progress bar."""
    from hemato_lab.pipeline import analyze

    with progress_bar("analysing", "tile") as progress:
        return analyze(smear, threads=stated.threads or processors(), progress=progress)
