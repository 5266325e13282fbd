"""``hemato-lab view``: a smear to look at and to decide about in a browser, without Jupyter."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hemato_lab.cli.output import print_text
from hemato_lab.cli.places import named_path
from hemato_lab.cli.reading import (
    RbcDiameterPx,
    Stated,
    Threads,
    UmPerPx,
    analysed,
    opened,
    read_results,
    results_of,
)
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from pathlib import Path

    from hemato_lab.widgets.loopback import LoopbackServer
    from hemato_lab.widgets.smear_review import SmearReview

_ONLY_LOOK: Final = "Nothing was analysed: this page is for looking, without cells and decisions."


def view(
    smear: Annotated[
        list[str], typer.Argument(help="An image, a folder, a ZIP or a slide; several images make one smear.")
    ],
    *,
    results: Annotated[
        str | None,
        typer.Option(help="Folder of results of this smear, as hemato-lab analyze writes: nothing is analysed again."),
    ] = None,
    analyse: Annotated[
        bool, typer.Option("--analyse/--no-analyse", help="Find the cells first; without, there is nothing to decide.")
    ] = True,
    decisions: Annotated[
        str | None,
        typer.Option(
            help="File in which decisions are kept.", show_default="one of this smear in the user's own folder for data"
        ),
    ] = None,
    reader: Annotated[str, typer.Option(help="Who decides: any label, kept with each decision; no patient.")] = "",
    blind: Annotated[
        bool, typer.Option("--blind", help="A second reading: names, scores and earlier decisions are hidden.")
    ] = False,
    um_per_px: UmPerPx = None,
    rbc_diameter_px: RbcDiameterPx = None,
    threads: Threads = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where it listens; 0 for any that is free.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
) -> None:
    """Look at a smear and its cells in a browser, and decide about them. For Research Use Only.

    The page comes from this machine and is for this machine alone; Ctrl-C ends it. Decisions are on disk when the page
    shows them, and are found again by place the next time, also when the cells were detected anew.
    """
    stated = Stated(um_per_px, rbc_diameter_px, threads)
    log = None if decisions is None else named_path(decisions, "--decisions")
    folder = None if results is None else _results(named_path(results, "--results"))
    _check(smear, folder, analyse=analyse, decides=log is not None or blind or bool(reader))
    if folder is None and not analyse:
        _look(smear, stated, port, browser=browser)
        return
    analysis = analysed(opened(smear, stated), stated) if folder is None else read_results(folder, smear, stated)
    from hemato_lab.widgets.loopback import LoopbackServer
    from hemato_lab.widgets.smear_review import SmearReview

    review = SmearReview(analysis, decisions=log, reader=reader, blind=blind)
    words = "A blind second reading. " if blind else ""
    words += "Every decision is kept on this machine when it is made."
    server = LoopbackServer(
        [review.viewer, review.gallery], title=analysis.smear.name, words=words, port=port, tell=print_text
    )
    _print_standing(review)
    _serve(server, browser=browser)


def _results(folder: Path) -> Path:
    """Refuse what is no folder of results before images are opened."""
    if results_of([str(folder)]) is None:
        hint = "name a folder with report.json and cells.csv, as hemato-lab analyze writes"
        raise ConfigError("holds no results of an analysis", subject=str(folder), hint=hint)
    return folder


def _check(smear: list[str], results: Path | None, *, analyse: bool, decides: bool) -> None:
    """Refuse options that contradict each other."""
    if (named := results_of(smear)) is not None:
        problem = "holds results, which have no pixels to look at"
        raise ConfigError(problem, subject=str(named), hint="name the images, and this folder with --results")
    if results is None and not analyse and decides:
        problem = "without an analysis there are no cells to decide about"
        raise ConfigError(problem, subject="--no-analyse", hint="leave out --decisions, --reader and --blind")


def _look(smear: list[str], stated: Stated, port: int, *, browser: bool) -> None:
    """Show a smear without cells."""
    from hemato_lab.widgets.loopback import LoopbackServer
    from hemato_lab.widgets.smear_viewer import SmearViewer

    shown = opened(smear, stated)
    server = LoopbackServer([SmearViewer(shown)], title=shown.name, words=_ONLY_LOOK, port=port, tell=print_text)
    _serve(server, browser=browser)


def _print_standing(review: SmearReview) -> None:
    progress, log = review.review.progress, review.decisions
    print_text(f"{progress.cells} cells, {progress.decided} of them decided; decisions are kept in {log.path}")
    if log.remark:
        print_text(log.remark)
    if progress.unattached:
        print_text(f"{progress.unattached} earlier decisions are about cells that this analysis does not list; kept")
    for line in log.damaged:
        print_text(f"line {line.number} of the decisions cannot be read and is kept: {line.reason}")


def _serve(server: LoopbackServer, *, browser: bool) -> None:
    """Answer until Ctrl-C."""
    from hemato_lab.widgets.loopback.doorway import doorway

    stopped = threading.Event()
    earlier = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with server:
            print_text(f"open {server.address}")
            print_text(f"This address is for this machine and for you alone. Ctrl-C ends it. {RESEARCH_USE_NOTICE}")
            sys.stdout.flush()
            with doorway(server.address_for_one()) if browser else nullcontext() as page:
                if page is not None:
                    _open_browser(page)
                stopped.wait()
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
    print_text("stopped")


def _open_browser(page: str) -> None:
    """Open a browser where there is a screen; a browser of the terminal would take that over."""
    import webbrowser

    has_screen = any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    if has_screen or os.name == "nt" or sys.platform == "darwin":
        webbrowser.open(page)
