"""``hemato-lab gate``: whether a change of microscope, model or software is tolerable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hemato_lab.cli.output import print_notice, print_table, print_text, progress_bar
from hemato_lab.cli.places import named_path
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from pathlib import Path

    from hemato_lab.agreement.gate.model import GateResult

FILES: Final = ("gate.md", "gate.xml", "gate.json")
SHUT: Final = 1
"""Exit code of a gate that does not open; errors have codes from 2 on."""


def gate(
    baseline: Annotated[
        str,
        typer.Argument(
            help="Results folder of hemato-lab batch before the change; or a table (CSV, Parquet) with a column"
            " smear_id; or a report, or a folder of reports.",
            show_default=False,
        ),
    ],
    current: Annotated[str, typer.Argument(help="The same after the change.", show_default=False)],
    *,
    config: Annotated[
        str | None,
        typer.Option(help="TOML file with your tolerances; gate.toml of the package explains it."),
    ] = None,
    out: Annotated[str | None, typer.Option(help="Folder for gate.md, gate.xml (JUnit) and gate.json.")] = None,
    baseline_label: Annotated[
        str | None, typer.Option(help="What the baseline is called in the results; default its last folder or file.")
    ] = None,
    current_label: Annotated[str | None, typer.Option(help="The same for the current run.")] = None,
) -> None:
    """Compare two runs over the same smears, and tell whether the change is tolerable.

    Exit code 0: every metric passes. 1: a metric fails, or is undecided and the settings do not let that pass. 2 and
    more: nothing was judged, for example because a file cannot be read. The results name smears by their ids.
    For Research Use Only. Not for use in diagnostic procedures.
    """
    from hemato_lab.agreement.gate.judging import judge
    from hemato_lab.agreement.gate.settings import load_settings
    from hemato_lab.batch.metrics import read_metrics

    before, after = named_path(baseline, "BASELINE"), named_path(current, "CURRENT")
    settings = load_settings(None if config is None else named_path(config, "--config"))
    folder = None if out is None else _folder(named_path(out, "--out"))
    with progress_bar("cells", "smear") as progress:
        metrics = read_metrics(before, after, labels=(baseline_label, current_label), progress=progress)
    result = judge(metrics, settings)
    if folder is not None:
        _write(result, folder)
    _print(result)
    if not result.opens:
        raise typer.Exit(SHUT)


def _print(result: GateResult) -> None:
    from hemato_lab.agreement.gate.markdown import HEAD, row
    from hemato_lab.agreement.gate.plain import one_line

    print_table(f"{result.labels[0]} → {result.labels[1]}", HEAD, tuple(map(row, result.verdicts)))
    told = [verdict.reason for verdict in result.verdicts if verdict.decision != "pass"]
    if result.not_judged:
        told.append(f"Not judged: {', '.join(result.not_judged)}.")
    for line in ("", *told, *result.remarks, result.sentence):
        print_text(one_line(line))
    print_notice()


def _folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = "choose another folder with --out"
        raise ConfigError(f"cannot be made: {error.strerror}", subject=str(path), hint=hint) from error
    return path


def _write(result: GateResult, folder: Path) -> None:
    from hemato_lab.agreement.gate import junit, markdown
    from hemato_lab.export.writing import write_whole

    document = {"notice": RESEARCH_USE_NOTICE, **result.to_dict()}
    contents = (
        markdown.render(result),
        junit.render(result),
        f"{json.dumps(document, indent=2, allow_nan=False)}\n".encode("ascii"),
    )
    for name, content in zip(FILES, contents, strict=True):
        write_whole(folder / name, content)
