"""``hemato-lab demo``: analyse the sample smears that ship with the package."""

from __future__ import annotations

from typing import Annotated

import typer

from hemato_lab.cli.analyze import processors, report_to_user
from hemato_lab.cli.output import print_text, progress_bar
from hemato_lab.cli.places import RESULTS_FOLDER, named_path, results_folder


def demo(
    *,
    out: Annotated[str, typer.Option(help="Folder for the results.")] = f"{RESULTS_FOLDER}/demo",
) -> None:
    """Analyse the sample smears, print the reports and write them to files. For Research Use Only."""
    from hemato_lab.formats import open_smear
    from hemato_lab.pipeline import analyze
    from hemato_lab.resources import shipped

    below = named_path(out, "--out")
    samples = sorted(path for path in shipped("sample_data").iterdir() if path.is_dir())
    folders = [results_folder(below / sample.name, [sample]) for sample in samples]
    for sample, folder in zip(samples, folders, strict=True):
        with progress_bar(sample.name, "tile", shown=True) as progress:
            analysis = analyze(open_smear(sample), threads=processors(), progress=progress)
        report_to_user(analysis, folder)
        print_text("")
