"""``hemato-lab analyze``: from images to a table of cells, densities and a report."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from hemato_lab.cli.interpretation import interpretation_of
from hemato_lab.cli.options import CodeSystem, Detector, Model, Names, ReferenceFile, RulesFile  # noqa: TC001 (typer reads the annotations)
from hemato_lab.cli.output import print_notice, print_tables, print_text, progress_bar, write_files
from hemato_lab.cli.places import RESULTS_FOLDER, folder_name, named_path, results_folder
from hemato_lab.detectors import DEFAULT_DETECTOR
from hemato_lab.errors import ConfigError, ScaleNotCredibleError
from hemato_lab.pipeline.interpretation import CODE_SYSTEMS, LEVELS
from hemato_lab.reference.context import AGE_GROUPS, SEXES, UNITS

if TYPE_CHECKING:
    from pathlib import Path

    from hemato_lab.analysis import Analysis


def analyze(
    source: Annotated[
        list[str], typer.Argument(help="An image, a folder, a ZIP or a slide; several images make one smear.")
    ],
    *,
    out: Annotated[
        str | None,
        typer.Option(help="Folder for the report, tables and pictures.", show_default=f"{RESULTS_FOLDER}/<smear name>"),
    ] = None,
    um_per_px: Annotated[float | None, typer.Option(help="Pixel size in micrometres, when known.")] = None,
    rbc_diameter_px: Annotated[
        float | None, typer.Option(help="Pixels across a normal red cell, when known; else it is estimated.")
    ] = None,
    detector: Detector = DEFAULT_DETECTOR,
    model: Model = None,
    names: Names = None,
    rbc_per_ul: Annotated[
        float | None,
        typer.Option(
            help="Red cells per microlitre, for concentrations.",
            show_default="that of --blood-count, else 5e6 is assumed and no diagnosis rests on it",
        ),
    ] = None,
    blood_count: Annotated[
        str | None,
        typer.Option(
            help=f"Values of an analyser, as wbc=12.3,plt=90: {', '.join(f'{k} {u}' for k, u in UNITS.items())}."
        ),
    ] = None,
    age_group: Annotated[str | None, typer.Option(help=f"Of the patient: {', '.join(AGE_GROUPS)}.")] = None,
    sex: Annotated[str | None, typer.Option(help=f"Of the patient: {', '.join(SEXES)}.")] = None,
    level: Annotated[str, typer.Option(help=f"Last level of the report: {', '.join(LEVELS)}.")] = LEVELS[-1],
    icd: CodeSystem = CODE_SYSTEMS[0],
    reference: ReferenceFile = None,
    rules: RulesFile = None,
    tile_size: Annotated[
        int | None, typer.Option(help="Side of a tile in pixels, 64 or more; changes nothing but memory.")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Fields and tiles that are worked on at a time.", show_default="one a processor"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON and write no files.")] = False,
) -> None:
    """Find, measure and count the cells of a smear. For Research Use Only."""
    from hemato_lab.formats import open_smear
    from hemato_lab.pipeline import analyze as run
    from hemato_lab.pipeline.steps import check_settings

    at_a_time = threads or processors()
    network = None if model is None else named_path(model, "--model")
    interpretation = interpretation_of(
        blood_count=blood_count, age_group=age_group, sex=sex, level=level, icd=icd, reference=reference, rules=rules
    )
    check_settings(
        detector=detector,
        model=network,
        rbc_per_ul=rbc_per_ul,
        interpretation=interpretation,
        tile_size=tile_size,
        threads=at_a_time,
    )
    check_scale(um_per_px, rbc_diameter_px)
    folder = None if as_json or out is None else results_folder(named_path(out, "--out"), source)
    smear = open_smear(source, um_per_px=um_per_px, rbc_diameter_px=rbc_diameter_px)
    if folder is None and not as_json:
        folder = results_folder(RESULTS_FOLDER / folder_name(smear.name), source)
    with progress_bar("analysing", "tile", shown=not as_json) as progress:
        analysis = run(
            smear,
            detector=detector,
            model=network,
            names=names,
            rbc_per_ul=rbc_per_ul,
            interpretation=interpretation,
            tile_size=tile_size,
            threads=at_a_time,
            progress=progress,
        )
    report_to_user(analysis, folder)


def processors() -> int:
    """Return how many processors there are to work on."""
    return os.cpu_count() or 1


def check_scale(um_per_px: float | None, rbc_diameter_px: float | None) -> None:
    """Refuse a stated scale that is impossible, by the names of its options.

    Raises
    ------
    ConfigError
        If a value is impossible, or the two contradict each other.
    """
    from hemato_lab.formats.opening import stated_scale

    try:
        stated_scale(um_per_px, rbc_diameter_px)
    except ScaleNotCredibleError as error:
        raise ConfigError(_by_option(error.problem), hint=_by_option(error.hint)) from error


def _by_option(text: str) -> str:
    return text.replace("um_per_px", "--um-per-px").replace("rbc_diameter_px", "--rbc-diameter-px")


def report_to_user(analysis: Analysis, folder: Path | None) -> None:
    """Write the files, then print the tables and where the files are; without a folder print the report as JSON."""
    if folder is None:
        from hemato_lab.export import render

        print_text(render(analysis, "json").decode(), end="")
        return
    written = write_files(analysis, folder)
    print_tables(analysis)
    for path in written:
        print_text(f"wrote {path}")
    print_notice()
