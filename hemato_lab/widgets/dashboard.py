"""`app`: open, analyse, look, decide, compare and export without a line of code."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import ipywidgets

from hemato_lab.comparison import compare
from hemato_lab.errors import ConfigError, HematoError
from hemato_lab.export import write
from hemato_lab.export.reading import read_analysis
from hemato_lab.export.writing import EXPORTERS, suffix_of
from hemato_lab.formats import open_smear
from hemato_lab.pipeline import analyze
from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.review.decision import checked_reader
from hemato_lab.widgets.background import Work, unexpected
from hemato_lab.widgets.comparison_viewer import ComparisonViewer
from hemato_lab.widgets.dashboard_parts import (
    FILE,
    RESULTS_FOLDER,
    Analysing,
    Comparing,
    Exporting,
    Messages,
    Opening,
    Tone,
    on_click,
)
from hemato_lab.widgets.smear_review import SmearReview
from hemato_lab.widgets.smear_viewer import SmearViewer

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from hemato_lab.analysis import Analysis
    from hemato_lab.comparison import Comparison
    from hemato_lab.pipeline.steps import Progress
    from hemato_lab.smear import Smear

State = Literal["empty", "opened", "analysed"]
_REPORTS: Final = ("json", "html", "pdf", "txt")
_TABS: Final = ("Look and decide", "Compare", "Export")


def app(folder: str | os.PathLike[str] = ".", *, reader: str = "") -> Dashboard:
    """Return a dashboard over the smears of a folder.

    Parameters
    ----------
    folder : path
        A folder with images, or with folders of images; or one image. It can be changed in the dashboard.
    reader : str
        A free label of who decides, kept with each decision; never a patient.

    Returns
    -------
    Dashboard
        Shown by a notebook when it is the last line of a cell. What was made is in its attributes.

    Raises
    ------
    ConfigError
        If the reader's label cannot be used.
    """
    return Dashboard(folder, reader=reader)


class Dashboard(ipywidgets.VBox):  # type: ignore[misc]
    """Opens, analyses, shows, compares and exports smears.

    What goes wrong is told in one line, never as a traceback. What is typed, listed and said of folders and files
    travels in messages: a notebook that is saved together with the state of its widgets holds none of it.

    Attributes
    ----------
    smear : Smear or None
        What is open.
    analysis : Analysis or None
        What was found on it, before decisions.
    review : SmearReview or None
        Where it is looked at and decided.
    comparison : Comparison or None
        The last one.
    """

    def __init__(self, folder: str | os.PathLike[str] = ".", *, reader: str = "") -> None:
        self.smear: Smear | None = None
        self.analysis: Analysis | None = None
        self.review: SmearReview | None = None
        self.comparison: Comparison | None = None
        self._reader = checked_reader(reader)
        self.messages = Messages()
        self.opening = Opening(Path(folder))
        self.analysing = Analysing()
        self.comparing = Comparing()
        self.exporting = Exporting(EXPORTERS)
        self.shown = ipywidgets.VBox([])
        self.work = Work(self.analysing.show_progress, self._done, self._failed)
        self._after: Callable[[Any], object] = self._show_analysis
        self._state: State = "empty"
        tabs = ipywidgets.Tab([self.shown, self.comparing.box, self.exporting.box], titles=_TABS)
        notice = ipywidgets.HTML(f"<small>{RESEARCH_USE_NOTICE}</small>")
        super().__init__([self.opening.box, self.analysing.box, self.messages.box, tabs, notice])
        self._connect()
        self._set_state("empty")
        self._told(self._list_folder)

    def __repr__(self) -> str:
        return f"Dashboard({self._state})"

    def _connect(self) -> None:
        """Let every control do its work, with whatever goes wrong told in the line of messages."""
        self.opening.folder.observe(lambda _: self._told(self._list_folder), "value")
        self.exporting.format.observe(lambda _: self._suggest_file(), "value")
        for button, action in (
            (self.opening.open, self._open),
            (self.analysing.analyse, self._analyse),
            (self.analysing.cancel, self.work.stop),
            (self.comparing.compare, self._compare_readings),
            (self.exporting.write, self._export),
        ):
            on_click(button, partial(self._told, action))

    def _told(self, action: Callable[[], None]) -> None:
        try:
            action()
        except HematoError as error:
            self.messages.say(str(error), "warned")
        except Exception as error:  # noqa: BLE001 (a notebook would show a traceback)
            self.messages.say(unexpected(error), "warned")

    def _set_state(self, state: State) -> None:
        """Allow what can be done now."""
        self._state = state
        self._set_busy(busy=self.work.is_running)

    def _set_busy(self, *, busy: bool) -> None:
        self.opening.open.disabled = busy
        self.analysing.analyse.disabled = busy or self._state == "empty"
        self.analysing.cancel.disabled = not busy
        self.comparing.compare.disabled = busy or self._state != "analysed"
        self.exporting.write.disabled = busy or self._state != "analysed"

    def _list_folder(self) -> None:
        count = self.opening.list_folder()
        if count:
            self.messages.say(f"{count} to choose from. Choose a smear and open it.")
        else:
            self.opening.chosen()

    def _open(self) -> None:
        chosen = self.opening.chosen()
        if chosen.kind == "results":
            undecidable = self._show_analysis(read_analysis(chosen.path))
            words = "They hold no pixels: to see the pictures, analyse the images."
            tone: Tone = "warned" if undecidable else "said"
            self.messages.say(f"Opened the results in {chosen.path}. {words}{undecidable}", tone)
            return
        um_per_px, rbc_diameter_px = self.opening.scale()
        self.smear = open_smear(chosen.path, um_per_px=um_per_px, rbc_diameter_px=rbc_diameter_px)
        self.analysis = self.review = self.comparison = None
        self.shown.children = (SmearViewer(self.smear),)
        self.comparing.place.children = ()
        self._set_state("opened")
        self.messages.say(f"Opened {self.smear.name}: {_counted(len(self.smear), 'field')}.{_skipped(self.smear)}")

    def _analyse(self) -> None:
        smear, detector = self._opened(), self.analysing.detector.value
        self._start(
            lambda progress: analyze(smear, detector=detector, progress=progress), self._show_analysis, smear.name
        )

    def _opened(self) -> Smear:
        if self.smear is None:
            raise ConfigError("no smear is open", hint="choose a smear and open it")
        return self.smear

    def _start(self, task: Callable[[Progress], Any], after: Callable[[Any], object], name: str) -> None:
        self._after = after
        self.messages.say(f"Analysing {name} ...")
        self.analysing.show_progress(0, 1)
        # Before the work, which may end before this function does.
        self._set_busy(busy=True)
        self.work.start(task)

    def _done(self, result: Any) -> None:
        self._after(result)
        self.analysing.hide_progress()
        self._set_busy(busy=False)

    def _failed(self, why: str) -> None:
        self.analysing.hide_progress()
        self.messages.say(f"The analysis did not end: {why}", "warned")
        self._set_busy(busy=False)

    def _show_analysis(self, analysis: Analysis) -> str:
        """Show an analysis; return what there is to say where decisions cannot be kept."""
        self.analysis, self.smear, self.comparison = analysis, analysis.smear, None
        undecidable = self._show_review(analysis)
        self.comparing.place.children = ()
        self._set_state("analysed")
        self._suggest_file()
        found = _counted(len(analysis.detections), "candidate cell")
        text = f"Analysed {analysis.smear.name}: {found}.{_skipped(analysis.smear)}{undecidable}"
        self.messages.say(text, "warned" if undecidable else "said")
        return undecidable

    def _show_review(self, analysis: Analysis) -> str:
        """Show the analysis, to be decided about where this is possible; return why it is not."""
        try:
            self.review = SmearReview(analysis, reader=self._reader)
        except HematoError as error:
            self.review = None
            self.shown.children = (SmearViewer(analysis.smear, analysis.detections),)
            return f" It can be looked at and exported, but nothing can be decided: {error}"
        self.shown.children = (self.review,)
        return ""

    def _compare_readings(self) -> None:
        analysis, kind = self._corrected(), self.comparing.kind.value
        if kind == FILE:
            self._show_comparison(compare(analysis, self.comparing.reading()))
            return
        labels = ("this analysis", f"the {kind} detector")
        self._start(
            lambda progress: compare(
                analysis, analyze(analysis.smear, detector=kind, progress=progress), labels=labels
            ),
            self._show_comparison,
            analysis.smear.name,
        )

    def _show_comparison(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self.comparing.place.children = (ComparisonViewer(comparison),)
        differing = ", ".join(comparison.differing) or "nothing"
        self.messages.say(f"Compared {comparison.labels[0]} and {comparison.labels[1]}; differs: {differing}.")

    def _corrected(self) -> Analysis:
        """Return the analysis with the decisions so far; without any it is the analysis itself."""
        return self._analysed() if self.review is None else self.review.corrected()

    def _analysed(self) -> Analysis:
        if self.analysis is None:
            raise ConfigError("nothing was analysed yet", hint="open a smear and analyse it")
        return self.analysis

    def _export(self) -> None:
        target = self.exporting.target()
        analysis = self._corrected() if self.exporting.corrected.value else self._analysed()
        if target.parent == self._results_folder():
            _make_folder(target.parent)
        self.messages.say(f"Wrote {write(analysis, target, self.exporting.format.value)}")

    def _suggest_file(self) -> None:
        if self.analysis is None:
            return
        chosen = self.exporting.format.value
        suffix = suffix_of(self.analysis, chosen)
        name = f"report.{suffix}" if chosen in _REPORTS else f"{chosen}.{suffix}"
        self.exporting.path.value = str(self._results_folder() / name)

    def _results_folder(self) -> Path:
        return RESULTS_FOLDER / ("smear" if self.smear is None else _plain(self.smear.name))


def _plain(name: str) -> str:
    """Return a name without signs that mean something to a file system."""
    return "".join(sign if sign.isalnum() or sign in "-_" else "_" for sign in name)[:60].strip("_") or "smear"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"cannot be made: {error.strerror}", subject=str(folder), hint="name a folder that is yours"
        ) from error


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _skipped(smear: Smear) -> str:
    """Return what to say of files that were left out."""
    if not smear.skipped:
        return ""
    first = smear.skipped[0]
    return f" {_counted(len(smear.skipped), 'file')} left out; the first, {first.name}: {first.reason}"
