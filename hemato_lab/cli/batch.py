"""``hemato-lab batch``: any number of smears, with a journal that lets a run go on after whatever stopped it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hemato_lab.cli.analyze import check_scale
from hemato_lab.cli.batch_progress import BatchProgress
from hemato_lab.cli.interpretation import interpretation_of
from hemato_lab.cli.options import CodeSystem, Detector, Model, Names, ReferenceFile, RulesFile  # noqa: TC001 (typer reads the annotations)
from hemato_lab.cli.output import print_notice, print_table, print_text
from hemato_lab.cli.places import named_path, results_folder
from hemato_lab.cli.remote import show_what_goes_on
from hemato_lab.cli.remote.connection import Connection, connected
from hemato_lab.detectors import DEFAULT_DETECTOR
from hemato_lab.pipeline.interpretation import CODE_SYSTEMS, LEVELS
from hemato_lab.reference.context import AGE_GROUPS, SEXES, UNITS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hemato_lab.batch.entries import SmearEntry
    from hemato_lab.batch.model import BatchResult, Settings
    from hemato_lab.batch.overview import Overview
    from hemato_lab.batch.run import Stage

SOME_FAILED: Final = 11
"""Exit code when the batch ended and a smear failed."""
_MOST_PRINTED: Final = 20
"""Failed smears that the terminal shows."""


@connected
def batch(
    source: Annotated[
        list[str],
        typer.Argument(help="Folders (searched with all below), patterns, slides, ZIPs, or a manifest (CSV, Parquet)."),
    ],
    *,
    connection: Connection,
    out: Annotated[str, typer.Option(help="Folder for the results; named again, the batch goes on there.")],
    one_field_a_smear: Annotated[
        bool, typer.Option("--one-field-a-smear", help="Every image is a smear; else the images of a folder are one.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes on this machine.", show_default="one a processor")
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(help="Dask cluster instead: tcp://host:8786, local:8, or local:2-8 (adaptive)."),
    ] = None,
    per_task: Annotated[int, typer.Option(min=1, help="Smears a Dask task, for smears of one small field.")] = 1,
    window: Annotated[
        int | None,
        typer.Option(min=1, help="Smears in flight: so many are redone after a crash.", show_default="2 a worker"),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again what failed before, and take changed files as they are.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove the results in the folder first.")] = False,
    pictures: Annotated[bool, typer.Option("--pictures", help="Write a picture of each smear.")] = False,
    pages: Annotated[bool, typer.Option("--pages", help="Write a page (HTML) of each smear.")] = False,
    cells_table: Annotated[
        bool, typer.Option("--cells-table", help="Write all cells of all smears as cells.parquet.")
    ] = False,
    compare_with: Annotated[
        str | None,
        typer.Option(help="Annotated set, report, or results of another batch; for smears whose manifest names none."),
    ] = None,
    remote: Annotated[
        bool, typer.Option("--remote", help="Have the remote service read every smear too, and compare.")
    ] = False,
    remote_listed: Annotated[
        bool, typer.Option("--remote-listed", help="Fetch only the studies that the manifest names, and compare.")
    ] = False,
    um_per_px: Annotated[
        float | None, typer.Option(help="Pixel size in micrometres, for smears whose manifest states no scale.")
    ] = None,
    rbc_diameter_px: Annotated[
        float | None, typer.Option(help="Pixels across a normal red cell, likewise; else it is estimated.")
    ] = None,
    detector: Detector = DEFAULT_DETECTOR,
    model: Model = None,
    names: Names = None,
    rbc_per_ul: Annotated[
        float | None,
        typer.Option(help="Red cells per microlitre of every patient, for concentrations.", show_default="assumed"),
    ] = None,
    blood_count: Annotated[
        str | None,
        typer.Option(help=f"Of every patient, as wbc=12.3,plt=90: {', '.join(f'{k} {u}' for k, u in UNITS.items())}."),
    ] = None,
    age_group: Annotated[str | None, typer.Option(help=f"Of every patient: {', '.join(AGE_GROUPS)}.")] = None,
    sex: Annotated[str | None, typer.Option(help=f"Of every patient: {', '.join(SEXES)}.")] = None,
    level: Annotated[str, typer.Option(help=f"Last level of the reports: {', '.join(LEVELS)}.")] = LEVELS[-1],
    icd: CodeSystem = CODE_SYSTEMS[0],
    reference: ReferenceFile = None,
    rules: RulesFile = None,
) -> None:
    """Analyse many smears; run the same command again to go on after any stop.

    A manifest has the column path, and where wanted smear_id, patient, um_per_px, rbc_diameter_px, remote_study_id,
    reference, and tag:KEY. One smear that fails never stops the others. The status is 0 when all smears are done, 11
    when some failed. For Research Use Only. Not for use in diagnostic procedures.
    """
    from hemato_lab.batch.model import Settings
    from hemato_lab.batch.overview import write_overview
    from hemato_lab.batch.running import LOCAL, run_batch
    from hemato_lab.batch.sources import read_entries

    check_scale(um_per_px, rbc_diameter_px)
    interpretation = interpretation_of(
        blood_count=blood_count, age_group=age_group, sex=sex, level=level, icd=icd, reference=reference, rules=rules
    )
    settings = Settings(
        detector=detector,
        model=None if model is None else str(named_path(model, "--model")),
        names=names,
        rbc_per_ul=rbc_per_ul,
        interpretation=interpretation,
        um_per_px=um_per_px,
        rbc_diameter_px=rbc_diameter_px,
        files=_files(pictures=pictures, pages=pages),
    )
    folder = results_folder(named_path(out, "--out"), source)
    entries = read_entries(source, one_field_a_smear=one_field_a_smear, results=folder)
    if compare_with is not None:
        entries = _with_references(entries, named_path(compare_with, "--compare-with"))
    with ExitStack() as opened:
        later = _later(entries, settings, connection, opened, every_smear=remote, listed=remote_listed)
        progress = opened.enter_context(BatchProgress(folder, entries, later, fresh=fresh))
        result = run_batch(
            entries,
            folder,
            settings=settings,
            engine=LOCAL if dask is None else dask,
            workers=workers,
            per_task=per_task,
            window=window,
            retry_failed=retry_failed,
            fresh=fresh,
            later=later,
            progress=progress,
        )
    _report(result, write_overview(result, cells_table=cells_table), progress)


def _files(*, pictures: bool, pages: bool) -> tuple[str, ...]:
    from hemato_lab.batch.folders import PICTURE_FILE, SMEAR_PAGE_FILE

    return tuple(name for name, wanted in ((PICTURE_FILE, pictures), (SMEAR_PAGE_FILE, pages)) if wanted)


def _with_references(entries: tuple[SmearEntry, ...], path: Path) -> tuple[SmearEntry, ...]:
    from hemato_lab.batch.sources import with_references

    referred = with_references(entries, path)
    without = sum(not entry.reference for entry in referred)
    if without:
        print_text(f"{without} of {len(referred)} smears have nothing to be compared with in {path}")
    return referred


def _later(
    entries: Sequence[SmearEntry],
    settings: Settings,
    connection: Connection,
    opened: ExitStack,
    *,
    every_smear: bool,
    listed: bool,
) -> list[Stage]:
    """Return the stages after the analysis; the client that they need stays open as long as ``opened``."""
    from hemato_lab.batch.comparing import with_reference, with_remote
    from hemato_lab.batch.remote import RemoteReading

    stages: list[Stage] = []
    if every_smear or listed:
        show_what_goes_on()
        client = opened.enter_context(connection.client())
        reading = RemoteReading(client, every_smear=every_smear, rbc_diameter_px=settings.rbc_diameter_px)
        stages += [reading, with_remote(reading.applies_to)]
    if any(entry.reference for entry in entries):
        stages.append(with_reference())
    return stages


def _report(result: BatchResult, overview: Overview, progress: BatchProgress) -> None:
    """Print how the batch went and where the files are; some failed is an exit code of its own."""
    from hemato_lab.batch.page import totals

    summed = totals(overview.summary)
    print_table(summed.caption, summed.head, summed.rows)
    for line in filter(None, (progress.taken_over(), *overview.remarks)):
        print_text(line)
    print_text("")
    if result.failed:
        _print_failures(result, progress)
    for line in overview.left_out:
        print_text(f"left out {line}")
    for path in overview.files:
        print_text(f"wrote {path}")
    print_notice()
    if result.failed:
        raise typer.Exit(SOME_FAILED)


def _print_failures(result: BatchResult, progress: BatchProgress) -> None:
    from hemato_lab.batch.page import failures

    failed, earlier = failures(result.outcomes), progress.not_tried_again(result.failed)
    print_table(failed.caption, failed.head, failed.rows[:_MOST_PRINTED])
    print_text(f"{_more(len(result.failed))}{failed.note}")
    if earlier:
        print_text(f"{len(earlier)} of them failed in an earlier run; --retry-failed tries again")
    print_text("")


def _more(failed: int) -> str:
    return f"{failed - _MOST_PRINTED} more are in summary.csv. " if failed > _MOST_PRINTED else ""
