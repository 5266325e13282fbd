"""Every cell as a small picture, to be accepted, rejected or renamed by a reader."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import traitlets

from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.review.reviewing import Review
from hemato_lab.vocabulary import TERMS
from hemato_lab.widgets.base import Answer, SmearWidget
from hemato_lab.widgets.cards import CardStore
from hemato_lab.widgets.cells import colours_of, encode_cells, name_indices
from hemato_lab.widgets.choices import checked_choices
from hemato_lab.widgets.crops import CropStore
from hemato_lab.widgets.gallery_files import file_of, formats_of
from hemato_lab.widgets.gallery_picture import contact_sheet
from hemato_lab.widgets.meanwhile import DONE, in_words, said_meanwhile
from hemato_lab.widgets.settings import checked_rows

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike

    from hemato_lab.analysis import Analysis
    from hemato_lab.detections import Detections
    from hemato_lab.pipeline import Interpretation
    from hemato_lab.review import DecisionLog
    from hemato_lab.smear import Smear
    from hemato_lab.widgets.base import Answerer
    from hemato_lab.widgets.messages import Card, Decide, Export, Plain

ORDERS: Final = ("confidence", "disagreement", "size")
CANDIDATE: Final = "candidate"
"""Label of the line of a card that says what a model calls the cell."""


class CellGallery(SmearWidget):
    """Shows the cells of an analysis as pictures of one scale and takes a reader's decisions.

    Every decision is on the disk before the gallery shows it. Those of earlier sessions, and about cells that another
    model has found meanwhile, are found again by place.

    Parameters
    ----------
    analysis : Analysis or Review
        What was found. A `hemato_lab.review.Review` brings its own log, reader and blindness.
    decisions : DecisionLog, path or None
        Where decisions are kept; None for a file of this smear in the user's own folder for data.
    reader : str
        A label for who decides, kept with each decision; empty by default.
    blind : bool
        A second reading: neither names nor colours, scores or first decisions are shown, and the order is shuffled.
    choices : iterable, optional
        Names that one key gives, as pairs of key and name or names alone; default
        `hemato_lab.widgets.choices.DEFAULT_CHOICES`.
    disagreement : array-like of shape (n,), optional
        For each cell how much readings disagree about it, for the order of that name; NaN where not known.
    title : str, optional
        Shown above; default the smear's name. It is no part of a saved notebook.
    **settings
        Any of the traits below, and `keep_picture` of `SmearWidget`.

    Attributes
    ----------
    order : str
        One of `ORDERS`: least sure name, largest disagreement or largest cell first.
    reverse : bool
        Whether the order is turned round.
    grouped : bool
        Whether cells of one name stand together.
    only : list of str
        Names to show; empty shows all.
    open_only : bool
        Whether only cells without a decision are listed.
    selected : list of int
        Rows of the table.
    choices : list of [key, name]
    progress : dict
        ``cells``, ``decided``, ``accepted``, ``rejected``, ``renamed``, ``unattached``.
    cells, names, colours, um_per_px, rbc_diameter_px, confidence, disagreement, decided, decided_names, blind
        What is shown, as the browser needs it; not meant to be set by hand.

    Raises
    ------
    DecisionLogError
        If the log cannot be read or is of another smear.
    ConfigError
        If a choice, the reader's label or the disagreement cannot be used.
    """

    ENTRY = "cell_gallery.js"
    SET_BY_READERS = frozenset({"order", "reverse", "grouped", "only", "open_only", "selected"})

    cells = traitlets.Bytes().tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    colours = traitlets.List(traitlets.Unicode()).tag(sync=True)
    um_per_px = traitlets.Float(None, allow_none=True).tag(sync=True)
    rbc_diameter_px = traitlets.Float(None, allow_none=True).tag(sync=True)
    selected = traitlets.List(traitlets.Int()).tag(sync=True)
    decided = traitlets.Bytes().tag(sync=True)
    decided_names = traitlets.Bytes().tag(sync=True)
    confidence = traitlets.Bytes().tag(sync=True)
    disagreement = traitlets.Bytes().tag(sync=True)
    order = traitlets.Enum(ORDERS, "confidence").tag(sync=True)
    reverse = traitlets.Bool(default_value=False).tag(sync=True)
    grouped = traitlets.Bool(default_value=True).tag(sync=True)
    only = traitlets.List(traitlets.Unicode()).tag(sync=True)
    open_only = traitlets.Bool(default_value=False).tag(sync=True)
    blind = traitlets.Bool(default_value=False).tag(sync=True)
    choices = traitlets.List(traitlets.List(traitlets.Unicode(), minlen=2, maxlen=2)).tag(sync=True)
    progress = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        analysis: Analysis | Review,
        decisions: DecisionLog | str | os.PathLike[str] | None = None,
        *,
        reader: str = "",
        blind: bool = False,
        choices: Iterable[str | tuple[str, str]] | None = None,
        disagreement: ArrayLike | None = None,
        title: str | None = None,
        **settings: Any,
    ) -> None:
        if isinstance(analysis, Review):
            self._review = analysis
        else:
            self._review = Review(analysis, decisions, reader=reader, blind=blind)
        self._shown_version = -1
        self._title = self.smear.name if title is None else title
        self._crops, self._cards = CropStore(self.smear, self.detections), CardStore(self.smear, self.detections)
        scale = self.smear.known_scale
        um_per_px = None if scale is None else scale.um_per_px
        encoded = encode_cells(self.detections, um_per_px)
        self._own_names = encoded.names
        pairs = checked_choices(choices)
        names = self._listed_names([name for _, name in pairs])
        super().__init__(
            cells=encoded.cells,
            names=names,
            colours=colours_of_cells(names),
            um_per_px=um_per_px,
            rbc_diameter_px=None if scale is None else scale.rbc_diameter_px,
            confidence=_confidence(self.detections).astype("<f4").tobytes(),
            disagreement=_checked_disagreement(disagreement, len(self.detections)),
            blind=self._review.blind,
            choices=pairs,
            **settings,
        )
        self._show()
        self._review.listen(self._follow)

    @property
    def review(self) -> Review:
        """The reader's work: decisions, states, the corrected analysis."""
        return self._review

    @property
    def smear(self) -> Smear:
        """Whose cells are shown."""
        return self._review.analysis.smear

    @property
    def detections(self) -> Detections:
        """The cells as they are shown: in a blind reading without names and scores. `selected` counts their rows."""
        return self._review.shown

    @traitlets.validate("selected")
    def _check_selected(self, proposal: dict[str, Any]) -> list[int]:
        return checked_rows(proposal["value"], len(self.detections), "table")

    def decide(self, rows: Sequence[int], action: str, name: str = "") -> int:
        """Decide about cells as a reader would in the gallery; return how many were decided anew.

        See `hemato_lab.review.Review.decide` for arguments and errors.
        """
        return len(self._review.decide(rows, action, name))

    def undo(self) -> int:
        """Take back what was decided last; return of how many cells."""
        return len(self._review.undo())

    def redo(self) -> int:
        """Decide again what was taken back last; return of how many cells."""
        return len(self._review.redo())

    def refresh(self) -> None:
        """Show what other windows and processes have decided meanwhile."""
        self._review.refresh()
        self._follow()

    def corrected(self, interpretation: Interpretation | None = None) -> Analysis:
        """Return the analysis with the decisions carried out; see `hemato_lab.review.correct`."""
        return self._review.corrected(interpretation)

    def answerers(self) -> Mapping[str, Answerer]:
        """Return what answers crops, cards, decisions and files besides hello."""
        own: dict[str, Answerer] = {
            "crops": self._crops.answer,
            "card": self._answer_card,
            "decide": self._answer_decide,
            "undo": self._answer_undo,
            "redo": self._answer_redo,
            "export": self._answer_export,
        }
        return {**super().answerers(), **own}

    def hello(self) -> dict[str, Any]:
        """Return title, field names, what can be saved, and whether decisions are taken."""
        self.refresh()
        return {
            "title": self._title,
            "field_names": [field.name for field in self.smear.fields],
            "notice": RESEARCH_USE_NOTICE,
            "can_decide": True,
            "reader": self._review.reader,
            "formats": [[key, words] for key, words in formats_of(self._review).items()],
            "other_names": [name for name in _other_names() if name not in {name for _, name in self.choices}],
            "damaged_lines": len(self._review.log.damaged),
        }

    def _answer_card(self, wanted: Card) -> Answer:
        lines = self._cards.lines(wanted.row)
        if self.blind:
            lines = [line for line in lines if line[0] != CANDIDATE]
        held = self._review.attached.by_row.get(wanted.row)
        if held is None:
            return Answer({"lines": lines})
        by = f" by {held.reader}" if held.reader else ""
        said = f"{in_words(held)}{by}, {held.time[:16].replace('T', ' ')} UTC"
        return Answer({"lines": [*lines, ["decision", said]]})

    def _answer_decide(self, wanted: Decide) -> Answer:
        shown = self._shown_decisions
        self.refresh()
        others = said_meanwhile(shown, self._review.attached.by_row, wanted.rows)
        done = self.decide(wanted.rows, wanted.action, wanted.name)
        what = f"{DONE[wanted.action]}{f' as {wanted.name}' if wanted.name else ''}"
        said = f"{_cells(done)} {what}" if done else "nothing new was decided"
        return Answer({"done": done, "said": f"{said}; {others}" if others else said})

    def _answer_undo(self, _: Plain) -> Answer:
        rows = self._review.undo()
        said = f"decisions on {_cells(len(rows))} taken back" if rows else "there is nothing to take back"
        return Answer({"done": len(rows), "said": said, "rows": list(rows)})

    def _answer_redo(self, _: Plain) -> Answer:
        rows = self._review.redo()
        said = f"decisions on {_cells(len(rows))} made again" if rows else "there is nothing to make again"
        return Answer({"done": len(rows), "said": said, "rows": list(rows)})

    def _answer_export(self, wanted: Export) -> Answer:
        self.refresh()
        name, content = file_of(self._review, wanted.format)
        # The file may hold what was decided while it was made.
        self.refresh()
        return Answer({"done": 1, "said": f"{name} is ready", "name": name}, [content])

    def _follow(self) -> None:
        if self._review.version != self._shown_version:
            self._show()

    def _show(self) -> None:
        """Take over what holds now, and what others decide meanwhile."""
        version = -1
        while version != self._review.version:
            version = self._review.version
            self._take_over()
            self._shown_version = version

    def _take_over(self) -> None:
        """Set all traits that follow from decisions; one message a view, whatever changed."""
        given = self._review.names
        self._shown_decisions = self._review.attached.by_row
        names = self._listed_names([*self.names, *given])
        indices = name_indices(np.array(given, np.str_), ["", *names]) - 1
        progress = self._review.progress
        counts = {key: getattr(progress, key) for key in ("cells", "accepted", "rejected", "renamed", "unattached")}
        with self.hold_sync():
            if names != self.names:
                self.names, self.colours = names, colours_of_cells(names)
            self.decided = self._review.states.tobytes()
            self.decided_names = indices.astype("<i2").tobytes()
            self.progress = {**counts, "decided": progress.decided}

    def _listed_names(self, names: Iterable[str]) -> list[str]:
        """Return the names of the table, whose places the cells refer to, and others after them."""
        return list(dict.fromkeys([*self._own_names, *(name for name in names if name)]))

    def to_png(self) -> bytes:
        """Return the cells of each name, the least sure first, as a sheet of pictures."""
        stream = io.BytesIO()
        contact_sheet(self._crops, _confidence(self.detections)).save(stream, "PNG")
        return stream.getvalue()

    def __repr__(self) -> str:
        progress = self._review.progress
        return f"CellGallery({progress.cells} cells, {progress.decided} decided)"


def colours_of_cells(names: Sequence[str]) -> list[str]:
    """Return the colour of each name, grey for what is no term of the vocabulary."""
    known = colours_of(names)
    return [colour if name in TERMS else "#777777" for name, colour in zip(names, known, strict=True)]


def _other_names() -> tuple[str, ...]:
    from hemato_lab.review.decision import names_for_cells

    return names_for_cells()


def _confidence(detections: Detections) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return how sure the name of each cell is: of the classifier where one named it, else of the detector."""
    named = detections.columns.get("name_confidence")
    return detections["score"] if named is None else np.where(np.isfinite(named), named, detections["score"])


def _checked_disagreement(values: ArrayLike | None, cells: int) -> bytes:
    if values is None:
        return b""
    array = np.asarray(values, np.float64)
    if array.shape != (cells,):
        problem = f"a disagreement of shape {array.shape} does not fit {cells} cells"
        raise ConfigError(problem, hint="give one number a cell, NaN where it is not known")
    return array.astype("<f4").tobytes()


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"
