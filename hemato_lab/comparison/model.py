"""The comparison of two readings of one smear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    import os
    from pathlib import Path

    import pandas as pd
    from matplotlib.axes import Axes

    from hemato_lab.agreement.confusion import Confusion
    from hemato_lab.agreement.differences import BlandAltman
    from hemato_lab.agreement.kappa import ChanceCorrected, Kappa
    from hemato_lab.analysis.tables import Table
    from hemato_lab.comparison.cells import CellComparison
    from hemato_lab.comparison.diagnoses import DiagnosesComparison
    from hemato_lab.comparison.findings import FindingComparison
    from hemato_lab.comparison.narrative import NarrativeComparison
    from hemato_lab.comparison.pairing import FilePairing
    from hemato_lab.comparison.sides import Side
    from hemato_lab.comparison.statistics import StatisticComparison

Plot = Literal["difference", "names", "radii"]
PLOTS: Final[tuple[Plot, ...]] = get_args(Plot)
MOST_NAMES: Final = 500
"""In one table of names; its size is their square."""


@dataclass(frozen=True, repr=False)
class Comparison:
    """Two readings side by side; nothing in it says which one is right.

    Attributes
    ----------
    first, second : Side
        What was compared.
    pairing : FilePairing
        Which image of one is which of the other.
    cells : CellComparison
        Place by place.
    statistics : tuple of StatisticComparison
        Densities, shares and concentrations; empty where one side is no report.
    findings : tuple of FindingComparison
        Counts; empty where one side is no report.
    diagnoses : DiagnosesComparison
        Candidates by code and rank.
    narrative : NarrativeComparison
        Sentence by sentence.
    remarks : tuple of str
        What to know before reading it: images of one side alone, entries without a place, cells left out.
    """

    first: Side
    second: Side
    pairing: FilePairing
    cells: CellComparison
    statistics: tuple[StatisticComparison, ...]
    findings: tuple[FindingComparison, ...]
    diagnoses: DiagnosesComparison
    narrative: NarrativeComparison
    remarks: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, str]:
        """What the two sides are called."""
        return self.first.label, self.second.label

    @property
    def differing(self) -> tuple[str, ...]:
        """What differs: some of images, places, estimates, findings, candidates and text; empty where nothing does."""
        same = {
            "images": not self.pairing.first_only and not self.pairing.second_only,
            "places": self.cells.agree,
            "estimates": all(one.equal for one in self.statistics),
            "findings": all(one.equal for one in self.findings),
            "candidates": self.diagnoses.equal,
            "text": self.narrative.equal,
        }
        return tuple(part for part, alike in same.items() if not alike)

    @property
    def equal(self) -> bool:
        """Whether nothing differs: images, places, names, numbers, candidates and text."""
        return not self.differing

    def confusion(self) -> Confusion:
        """Return the table of the names that both sides give the cells that both list.

        What one side alone lists is no name: it would make every reader who misses a cell agree worse than chance.

        Raises
        ------
        ConfigError
            If there are more than `MOST_NAMES` names.
        """
        from hemato_lab.agreement.confusion import confusion

        paired = np.isin(self.cells["state"], ("matched", "reclassified"))
        names = [self.cells[f"{side}_common"][paired] for side in ("first", "second")]
        known = set(names[0].tolist()) | set(names[1].tolist())
        if len(known) > MOST_NAMES:
            problem = f"{len(known)} names are too many for a table"
            raise ConfigError(problem, subject=" and ".join(self.labels), hint="see to_frame() for the single cells")
        return confusion(*names, classes=[name for name in self.cells.names() if name in known], names=self.labels)

    def kappa(self) -> Kappa:
        """Return Cohen's kappa of the names of the cells that both sides list; raises as `confusion`."""
        from hemato_lab.agreement.kappa import cohen_kappa

        return cohen_kappa(self.confusion())

    def ac1(self) -> ChanceCorrected:
        """Return Gwet's AC1 of the same names, which rare ones do not pull down as they do kappa."""
        from hemato_lab.agreement.kappa import gwet_ac1

        return gwet_ac1(self.confusion())

    def tables(self) -> tuple[Table, ...]:
        """Return what the command line prints: the two sides, then cells, names, estimates, findings, candidates."""
        from hemato_lab.comparison import tables

        return tables.overview(self), *tables.levels(self)

    def to_frame(self) -> pd.DataFrame:
        """Return a pandas table, one row a place."""
        return self.cells.to_frame()

    @property
    def most_differing(self) -> int:
        """Index of the image (of both sides) with most places that differ, the first of equals; 0 if there is none."""
        differing = self.cells["file"][self.cells["state"] != "matched"]
        return int(np.argmax(np.bincount(differing, minlength=1)))

    def radii(self) -> BlandAltman:
        """Return the differences of the radii of paired cells, in radii of a red cell of their image.

        Reports write radii in whole pixels; between an analysis and a report only what reports list is compared, so
        that both are rounded.
        """
        from hemato_lab.agreement.differences import bland_altman

        unit = np.array(self.cells.rbc_diameter_px)[self.cells["file"]] / 2 if self.cells.files else np.empty(0)
        first, second = (self.cells[f"{side}_radius"] / unit for side in ("first", "second"))
        known = np.isfinite(first) & np.isfinite(second)
        return bland_altman(first[known], second[known], names=self.labels, unit="red-cell radii")

    def plot(self, kind: Plot = "difference", axes: Axes | None = None, *, image: int | None = None) -> Axes:
        """Draw the comparison.

        Parameters
        ----------
        kind : {"difference", "names", "radii"}
            Where in an image one side lists more; which names stand for which; how the radii of paired cells differ.
        axes : matplotlib.axes.Axes, optional
            Where to draw; default new axes of pyplot.
        image : int, optional
            Of those in both sides, for the difference; default that with most places that differ.

        Raises
        ------
        ConfigError
            If the kind is another word, or there is no such image.
        """
        from hemato_lab.comparison import plots

        if kind == "names":
            return plots.draw_names(self, axes)
        if kind == "radii":
            return plots.draw_radii(self, axes)
        if kind != "difference":
            raise ConfigError(f"there is no plot {kind!r}", hint=f"use one of {', '.join(PLOTS)}")
        return plots.draw_difference(self, image, axes)

    def to_dict(self) -> dict[str, Any]:
        """Return every figure JSON-ready, without the single cells; what is undefined is None."""
        from hemato_lab.comparison.document import to_dict

        return to_dict(self)

    def write(self, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
        """Write the files of `hemato_lab.comparison.writing.FILES` into a folder, which is made.

        Raises
        ------
        ConfigError
            If one cannot be written.
        """
        from hemato_lab.comparison.writing import write

        return write(self, folder)

    def _repr_html_(self) -> str:
        from hemato_lab.comparison.notebook import to_html

        return to_html(self)

    def __repr__(self) -> str:
        differing = ", ".join(self.differing) or "nothing"
        return f"Comparison({self.first.label!r}, {self.second.label!r}, differs: {differing})"
