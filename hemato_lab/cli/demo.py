"""``hemato-lab demo``: analyse the sample smears that ship with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hemato_lab.cli.analyze import report_to_user
from hemato_lab.cli.output import prepare_folder, progress_bar


def demo(
    *,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("hemato_lab_out/demo"),
) -> None:
    """Analyse the sample smears, print the reports and write them to files. For Research Use Only."""
    from hemato_lab.formats import open_smear
    from hemato_lab.pipeline import analyze
    from hemato_lab.resources import shipped

    for folder in sorted(path for path in shipped("sample_data").iterdir() if path.is_dir()):
        analysis = analyze(open_smear(folder), progress=progress_bar(folder.name, shown=True))
        report_to_user(analysis, prepare_folder(out / folder.name))
        typer.echo("")
