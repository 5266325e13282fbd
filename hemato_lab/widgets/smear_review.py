"""An analysis to look at and decide about: the viewer and the gallery of its cells, linked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import ipywidgets
import traitlets

from hemato_lab.widgets.base import Embedded
from hemato_lab.widgets.cell_gallery import CellGallery
from hemato_lab.widgets.compared_places import without_pixels
from hemato_lab.widgets.pages import Link, static_page
from hemato_lab.widgets.smear_viewer import SmearViewer

if TYPE_CHECKING:
    import os

    from hemato_lab.analysis import Analysis
    from hemato_lab.pipeline import Interpretation
    from hemato_lab.review import DecisionLog
    from hemato_lab.review.reviewing import Review
    from hemato_lab.smear import Smear

_HEIGHT_PX: Final = 1200
"""Of the frame that `SmearReview.embed` makes: viewer and gallery below each other."""
# Names before what counts in them.
_FROM_THE_GALLERY: Final = ("names", "colours", "decided_names", "decided")


class SmearReview(ipywidgets.VBox):  # type: ignore[misc]
    """Shows an analysis in a viewer and a gallery below it, and keeps what a reader decides.

    What is selected in one is selected in the other, and decisions are drawn in both.

    Parameters
    ----------
    analysis : Analysis or Review
        What was found. A `hemato_lab.review.Review` brings its own log, reader and blindness.
    decisions : DecisionLog or path, optional
        Where decisions are kept; default a file for this smear in the user's own folder for data. Those made earlier
        are found again by place, also after another detector found the cells.
    reader : str
        A free label of who decides, kept with each decision; never a patient.
    blind : bool
        A second reading: names, scores and first decisions are hidden in both.
    keep_picture : bool
        Whether a saved notebook keeps a picture of the smear; by default it holds no pixels.

    Attributes
    ----------
    viewer : SmearViewer
    gallery : CellGallery
    links : tuple of Link
        What the two have in common.

    Raises
    ------
    DecisionLogError
        If the log cannot be read or is of another smear.
    ConfigError
        If the reader's label cannot be used.
    """

    def __init__(
        self,
        analysis: Analysis | Review,
        *,
        decisions: DecisionLog | str | os.PathLike[str] | None = None,
        reader: str = "",
        blind: bool = False,
        keep_picture: bool = False,
    ) -> None:
        self.gallery = CellGallery(analysis, decisions, reader=reader, blind=blind)
        remarks = remarks_on_pixels(self.gallery.smear)
        self.viewer = SmearViewer(self.gallery.smear, self.gallery.detections, remarks=remarks)
        self.links = (
            Link((self.gallery, "selected"), (self.viewer, "selected")),
            *(Link((self.gallery, name), (self.viewer, name), is_one_way=True) for name in _FROM_THE_GALLERY),
        )
        for link in self.links:
            (traitlets.dlink if link.is_one_way else traitlets.link)(link.first, link.second)
        self._keep_picture = keep_picture
        super().__init__([self.viewer, self.gallery])

    @property
    def review(self) -> Review:
        """The reader's work: decisions, what holds of every cell, how far it is."""
        return self.gallery.review

    @property
    def decisions(self) -> DecisionLog:
        """The log in which decisions are kept."""
        return self.review.log

    @property
    def analysis(self) -> Analysis:
        """What was found, before decisions."""
        return self.review.analysis

    def corrected(self, interpretation: Interpretation | None = None) -> Analysis:
        """Return the analysis with the decisions carried out; see `hemato_lab.review.correct`."""
        return self.gallery.corrected(interpretation)

    def to_html(self, **options: Any) -> str:
        """Return a page of both that needs no kernel, server or network; on it nothing can be decided.

        Parameters
        ----------
        **options
            Of `hemato_lab.widgets.pages.static_page`.
        """
        return static_page([self.viewer, self.gallery], links=self.links, **options)

    def embed(self, height_px: int = _HEIGHT_PX, **options: Any) -> Embedded:
        """Return the page of `to_html` in a frame that is saved with the notebook, pixels and names included."""
        return Embedded(self.to_html(**options), height_px)

    def to_png(self) -> bytes:
        """Return a picture of the field in view with its cells, as a PNG file."""
        return self.viewer.to_png()

    def _repr_png_(self) -> bytes | None:
        # Whatever this returns a notebook saves.
        return self.to_png() if self._keep_picture else None

    def __repr__(self) -> str:
        progress = self.review.progress
        return f"SmearReview({progress.cells} cells, {progress.decided} decided)"


def remarks_on_pixels(smear: Smear) -> list[str]:
    """Return what a reader must know where images are not at hand; nothing where all are."""
    absent = without_pixels(smear)
    if not absent:
        return []
    where = "no image is" if len(absent) == len(smear) else f"{len(absent)} of {len(smear)} images are not"
    return [f"{where} at hand: places are drawn on plain ground, without pictures of the cells; open with smear="]
