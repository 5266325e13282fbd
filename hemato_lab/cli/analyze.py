"""``hemato-lab analyze``: from images to a table of cells, densities and a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemato_lab.cli.output import prepare_folder, print_notice, print_tables, progress_bar, write_files

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis


def analyze(
    source: Annotated[
        list[Path], typer.Argument(help="An image, a folder, a ZIP or a slide; several images make one smear.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder for the report, tables and pictures.")] = Path("hemato_lab_out"),
    um_per_px: Annotated[float | None, typer.Option(help="Pixel size in micrometres, when known.")] = None,
    rbc_diameter_px: Annotated[
        float | None, typer.Option(help="Pixels across a normal red cell, when known; else it is estimated.")
    ] = None,
    detector: Annotated[str, typer.Option(help="Which detector finds the cells.")] = "classical",
    rbc_per_ul: Annotated[float, typer.Option(help="Red cells per microlitre, for concentrations.")] = 5.0e6,
    tile_size: Annotated[int | None, typer.Option(help="Side of a tile in pixels; changes nothing but memory.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Tiles that are worked on at a time.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON and write no files.")] = False,
) -> None:
    """Find, measure and count the cells of a smear. For Research Use Only."""
    from hemato_lab.export import render
    from hemato_lab.formats import open_smear
    from hemato_lab.pipeline import analyze as run

    if not as_json:
        prepare_folder(out)
    smear = open_smear(source[0] if len(source) == 1 else source, um_per_px=um_per_px, rbc_diameter_px=rbc_diameter_px)
    analysis = run(
        smear,
        detector=detector,
        rbc_per_ul=rbc_per_ul,
        tile_size=tile_size,
        threads=threads,
        progress=progress_bar("analysing", shown=not as_json),
    )
    if as_json:
        typer.echo(render(analysis, "json").decode(), nl=False)
        return
    report_to_user(analysis, out)


def report_to_user(analysis: Analysis, out: Path) -> None:
    """Print the tables, write the files and say where they are."""
    print_tables(analysis)
    for path in write_files(analysis, out):
        typer.echo(f"wrote {path}")
    print_notice()
