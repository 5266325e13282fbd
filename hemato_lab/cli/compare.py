"""``hemato-lab compare``: two readings of one smear side by side, cell by cell and figure by figure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from hemato_lab.agreement import DEFAULT_GATE
from hemato_lab.cli.analyze import check_scale, processors
from hemato_lab.cli.options import Model  # noqa: TC001 (typer reads the annotations)
from hemato_lab.cli.output import print_notice, print_table, print_text, progress_bar
from hemato_lab.cli.places import RESULTS_FOLDER, folder_name, named_path, results_folder
from hemato_lab.cli.remote.connection import Connection, connected
from hemato_lab.detectors import DEFAULT_DETECTOR, DETECTORS
from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from hemato_lab.comparison.model import Comparison
    from hemato_lab.comparison.pairing import PairBy
    from hemato_lab.comparison.sides import Source
    from hemato_lab.report import Report
    from hemato_lab.smear import Smear

REMOTE: Final = "remote:"
_TEXT: Final = "text"
"""A service may sign its text, as a twin does: that alone is no difference of the readings."""


@connected
def compare(
    first: Annotated[str, typer.Argument(help="Images to analyse here, a report, an annotated set, or remote:STUDY.")],
    second: Annotated[str, typer.Argument(help="The other reading, in any of these forms.")],
    *,
    connection: Connection,
    out: Annotated[
        str | None,
        typer.Option(
            help="Folder for comparison.json, cells.csv, statistics.csv, difference.png and comparison.html.",
            show_default=f"{RESULTS_FOLDER}/<first>_and_<second>",
        ),
    ] = None,
    first_label: Annotated[str, typer.Option(help="What to call the first reading.", show_default="its name")] = "",
    second_label: Annotated[str, typer.Option(help="What to call the second reading.", show_default="its name")] = "",
    gate: Annotated[
        float, typer.Option(help="Centres of a pair are at most so many red-cell radii apart.")
    ] = DEFAULT_GATE,
    class_aware: Annotated[bool, typer.Option("--class-aware", help="Pair only cells whose names agree.")] = False,
    pair_by: Annotated[str, typer.Option(help="How images are recognised: content, name or order.")] = "content",
    rbc_diameter_px: Annotated[
        float | None, typer.Option(help="Pixels across a normal red cell, where neither side states it.")
    ] = None,
    um_per_px: Annotated[float | None, typer.Option(help="Pixel size in micrometres, for images to analyse.")] = None,
    detector: Annotated[str, typer.Option(help=f"For images to analyse: {', '.join(DETECTORS)}.")] = DEFAULT_DETECTOR,
    model: Model = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Tiles that are worked on at a time.", show_default="one a processor")
    ] = None,
    fail_if_different: Annotated[
        bool, typer.Option("--fail-if-different", help="End with status 1 if anything but the text differs.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON and write no files.")] = False,
) -> None:
    """Compare two readings of one smear: cells, names, estimates, findings, candidates and text.

    A reading is a folder or image that is analysed here; report.json or a folder that holds one; a folder with
    annotations.json; or remote:STUDY for the report of a study, with the options of hemato-lab remote. The status is 0
    also when they differ, unless --fail-if-different is given. For Research Use Only. Not for use in diagnostic
    procedures.
    """
    from hemato_lab.comparison.comparing import compare as run

    _check(gate, pair_by, detector, model)
    check_scale(um_per_px, rbc_diameter_px)
    folder = None if as_json or out is None else _folder(named_path(out, "--out"), first, second)
    opener = _Opener(
        connection, detector, model, um_per_px, rbc_diameter_px, threads or processors(), shown=not as_json
    )
    # Whatever cannot be opened is told before anything is analysed.
    found = [opener.found(text) for text in (first, second)]
    sides = [opener.read(one) for one in found]
    comparison = run(
        sides[0],
        sides[1],
        gate=gate,
        class_aware=class_aware,
        pair_files_by=cast("PairBy", pair_by),
        rbc_diameter_px=rbc_diameter_px,
        labels=(first_label, second_label),
    )
    if as_json:
        import json

        print_text(json.dumps(comparison.to_dict(), indent=2, allow_nan=False))
    else:
        name = f"{_short(first)}_and_{_short(second)}"
        _report(comparison, folder or _folder(RESULTS_FOLDER / name, first, second))
    if fail_if_different and set(comparison.differing) - {_TEXT}:
        raise typer.Exit(1)


def _check(gate: float, pair_by: str, detector: str, model: str | None) -> None:
    """Refuse settings that cannot be used, before any work is done."""
    from hemato_lab.comparison.pairing import PAIR_BY
    from hemato_lab.pipeline.steps import check_settings

    if not (math.isfinite(gate) and gate > 0):
        raise ConfigError(f"a gate of {gate:g} is impossible", subject="--gate", hint=f"use {DEFAULT_GATE:g}")
    if pair_by not in PAIR_BY:
        raise ConfigError(f"{pair_by!r} is unknown", subject="--pair-by", hint=f"use one of {', '.join(PAIR_BY)}")
    check_settings(detector=detector, model=None if model is None else named_path(model, "--model"))


@dataclass(frozen=True)
class _Opener:
    """Turns what is named on the command line into readings."""

    connection: Connection
    detector: str
    model: str | None
    um_per_px: float | None
    rbc_diameter_px: float | None
    threads: int
    shown: bool

    def found(self, text: str) -> Report | Path | Smear:
        """Return what a text names: the report of a study, the path of a reading, or images to analyse."""
        from hemato_lab.formats import open_smear

        if text.startswith(REMOTE):
            return self._fetched(text.removeprefix(REMOTE))
        path = named_path(text, "reading")
        if _is_reading(path):
            return path
        return open_smear(path, um_per_px=self.um_per_px, rbc_diameter_px=self.rbc_diameter_px)

    def read(self, found: Report | Path | Smear) -> Source:
        """Return the reading, for images by analysing them."""
        from hemato_lab.pipeline import analyze
        from hemato_lab.smear import Smear

        if not isinstance(found, Smear):
            return found
        network = None if self.model is None else named_path(self.model, "--model")
        with progress_bar(f"analysing {found.name}", "tile", shown=self.shown) as progress:
            return analyze(found, detector=self.detector, model=network, threads=self.threads, progress=progress)

    def _fetched(self, study_id: str) -> Report:
        if not study_id:
            raise ConfigError("names no study", subject=REMOTE, hint=f"write {REMOTE} and its pbs_study_id")
        with self.connection.client() as api:
            return api.report(study_id)


def _is_reading(path: Path) -> bool:
    """Tell whether a path is a report or an annotated set; anything else is images to analyse."""
    from hemato_lab.comparison.results_folder import REPORT_FILE
    from hemato_lab.evaluation.dataset import ANNOTATIONS_FILE

    if path.is_dir():
        return any((path / name).is_file() for name in (REPORT_FILE, ANNOTATIONS_FILE))
    return path.suffix.lower() == ".json"


def _folder(folder: Path, *readings: str) -> Path:
    """Make the folder for the files; pictures there must not be taken for images the next time."""
    paths = [Path(text) for text in readings if not text.startswith(REMOTE)]
    return results_folder(folder, [path for path in paths if not _is_reading(path)])


def _short(text: str) -> str:
    return folder_name(text.removeprefix(REMOTE) if text.startswith(REMOTE) else Path(text).absolute().stem)


def _report(comparison: Comparison, folder: Path) -> None:
    """Write the files, then print the tables and where the files are."""
    from hemato_lab.comparison import tables

    written = comparison.write(folder)
    for table in (tables.overview(comparison), *tables.levels(comparison)):
        if table.rows:
            print_table(table.caption, table.head, table.rows)
            print_text("")
    text = comparison.narrative.to_text()
    if text:
        print_text(f"Pathology reports\n{text}\n")
    for remark in comparison.remarks:
        print_text(f"note: {remark}")
    for path in written:
        print_text(f"wrote {path}")
    print_notice()
