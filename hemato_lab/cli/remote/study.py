"""Studies: submitting, asking how far they are, fetching reports, all of it at once, and what was made before."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hemato_lab.cli.output import print_text, progress_bar
from hemato_lab.cli.places import NOTICE_FILE, RESULTS_FOLDER, folder_name, named_path
from hemato_lab.cli.remote.account import AsJSON  # noqa: TC001 (typer reads the annotations)
from hemato_lab.cli.remote.connection import Connection, connected
from hemato_lab.cli.remote.output import print_json, print_orphans, print_pairs, print_report, print_studies
from hemato_lab.errors import ConfigError
from hemato_lab.report import RESEARCH_USE_NOTICE

if TYPE_CHECKING:
    from hemato_lab.api import Client
    from hemato_lab.report import Report

Sources = Annotated[list[str], typer.Argument(help="An image, a folder, a ZIP; several images make one study.")]
StudyId = Annotated[str, typer.Argument(help="The pbs_study_id.")]
Task = Annotated[list[str] | None, typer.Option("--task", help="What to do; may be given several times.")]
Tag = Annotated[list[str] | None, typer.Option("--tag", help="key=value, never of a patient; several times.")]
ZipAbove = Annotated[
    float | None, typer.Option(help="Pack the images into ZIP archives when they have more megabytes than this.")
]
Diameter = Annotated[float | None, typer.Option("--rbc-diameter-px", help="Sent along; later material asks for it.")]


@connected
def submit(
    source: Annotated[list[str] | None, typer.Argument(help="Images, a folder or a ZIP to upload.")] = None,
    *,
    connection: Connection,
    list_url: Annotated[
        str | None,
        typer.Option(help="Have the service download the files of a list at this address; - reads it from input."),
    ] = None,
    list_file: Annotated[
        str | None, typer.Option(help="Send a list of files to download, from this JSON file.")
    ] = None,
    task: Task = None,
    tag: Tag = None,
    zip_above: ZipAbove = None,
    rbc_diameter_px: Diameter = None,
    as_json: AsJSON = False,
) -> None:
    """Submit a study and print its id without waiting for the report."""
    if sum(given is not None and given != [] for given in (source, list_url, list_file)) != 1:
        raise ConfigError("give files to upload, or --list-url, or --list-file", subject="submit")
    with connection.client() as api:
        if source:
            options: dict[str, Any] = {"zip_above": _bytes(zip_above), "rbc_diameter": rbc_diameter_px}
            study_id = _uploaded(api, source, task, _tags(tag), shown=not as_json, **options)
        else:
            study_id = _submitted(api, list_url, list_file, task)
    if as_json:
        print_json({"pbs_study_id": study_id})
    else:
        print_text(study_id)


def _uploaded(
    api: Client, source: list[str], task: list[str] | None, tags: dict[str, str], *, shown: bool, **options: Any
) -> str:
    study_id = api.create(tags).pbs_study_id
    print(f"hemato-lab: the study is {study_id}", file=sys.stderr)  # so that it is known even if an upload fails
    with progress_bar("uploading", "B", shown=shown) as progress:
        api.upload(study_id, source, progress=progress, **options)
    api.request_tasks(study_id, task)
    return study_id


def _submitted(api: Client, list_url: str | None, list_file: str | None, task: list[str] | None) -> str:
    from hemato_lab.api import FileList

    if list_file is not None:
        files = FileList.from_json(_text_of(list_file))
        return api.submit(files=files).pbs_study_id
    address = sys.stdin.readline().strip() if list_url == "-" else list_url
    return api.submit(address, tasks=task).pbs_study_id


@connected
def status(study: StudyId, *, connection: Connection, task: Task = None, as_json: AsJSON = False) -> None:
    """Ask how far a study is."""
    with connection.client() as api:
        found = api.status(study, task[0] if task else None)
    if as_json:
        print_json(found.raw)
    else:
        state = {"status": found.report_status, "progress": f"{found.progress:.0%}", "message": found.progress_message}
        print_pairs(study, state)


@connected
def report(
    study: StudyId,
    *,
    connection: Connection,
    wait_s: Annotated[
        float | None, typer.Option("--wait", min=0, help="Seconds to wait for it at most; not at all if not given.")
    ] = None,
    version: Annotated[int | None, typer.Option(min=1, help="An earlier revision; the latest if not given.")] = None,
    out: Annotated[str | None, typer.Option(help="Write the report as it came to this JSON file.")] = None,
    as_json: AsJSON = False,
) -> None:
    """Fetch the report of a study."""
    with connection.client() as api:
        if wait_s is not None:
            api.wait(study, deadline_s=wait_s)
        found = api.report(study, version)
    if out is not None:
        _write(named_path(out, "--out"), found.to_json(indent=2))
    if as_json:
        print_json(found.to_dict())
    else:
        print_report(found)


@connected
def run(
    source: Sources,
    *,
    connection: Connection,
    out: Annotated[
        str | None, typer.Option(help="Folder for report.json.", show_default=f"{RESULTS_FOLDER}/<name>_remote")
    ] = None,
    task: Task = None,
    tag: Tag = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Make a new study even if these files had one.")] = False,
    deadline_s: Annotated[float, typer.Option("--deadline", min=1, help="Seconds for all of it.")] = 3600.0,
    zip_above: ZipAbove = None,
    rbc_diameter_px: Diameter = None,
    as_json: AsJSON = False,
) -> None:
    """Upload, wait and fetch the report. Stopped or killed, the same command goes on where it was."""
    with connection.client() as api, progress_bar("uploading", "B", shown=not as_json) as progress:
        found = api.run(
            source,
            tasks=task,
            tags=_tags(tag),
            fresh=fresh,
            deadline_s=deadline_s,
            zip_above=_bytes(zip_above),
            progress=progress,
            rbc_diameter=rbc_diameter_px,
        )
    if as_json:
        print_json(_reports(found.report, found.task_reports))
        return
    name = f"{folder_name(Path(source[0]).name)}_remote"
    folder = named_path(out, "--out") if out is not None else RESULTS_FOLDER / name
    _write(folder / "report.json", _as_json(_reports(found.report, found.task_reports)))
    _write(folder / NOTICE_FILE, RESEARCH_USE_NOTICE)
    print_report(found.report)
    for name, each in found.task_reports.items():
        print_pairs(
            name, {"conclusion": each.conclusion, "positive": each.positive_count, "negative": each.negative_count}
        )
    print_text(f"{'An earlier run went on. ' if found.resumed else ''}Written to {folder / 'report.json'}")


@connected
def studies(
    *,
    connection: Connection,
    tag: Tag = None,
    orphans: Annotated[bool, typer.Option("--orphans", help="List calls whose study's id never came back.")] = False,
    as_json: AsJSON = False,
) -> None:
    """List the studies that were made from this machine; the service has no such list."""
    with connection.client(authenticated=False) as api:
        if orphans:
            lost = api.possible_orphans()
        else:
            found = api.studies(_tags(tag))
    if as_json:
        print_json([asdict(one) for one in (lost if orphans else found)])
    elif orphans:
        print_orphans(lost)
    else:
        print_studies(found)


def _reports(report: Report, task_reports: Any) -> Any:
    if not task_reports:
        return report.to_dict()
    return {name: each.raw for name, each in task_reports.items()}


def _tags(tag: list[str] | None) -> dict[str, str]:
    pairs = [each.partition("=") for each in tag or []]
    if not all(key and sign for key, sign, _ in pairs):
        raise ConfigError("is no key=value", subject="--tag", hint="for example --tag batch_id=7")
    return {key: value for key, _, value in pairs}


def _bytes(megabytes: float | None) -> int | None:
    return None if megabytes is None else int(megabytes * 1e6)


def _text_of(path: str) -> bytes:
    file = named_path(path, "--list-file")
    try:
        return file.read_bytes()
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise ConfigError(problem, subject=str(file), hint="check the path") from error


def _as_json(document: Any) -> str:
    import json

    return json.dumps(document, indent=2)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        problem = f"cannot be written: {error.strerror}"
        raise ConfigError(problem, subject=str(path), hint="choose another place with --out") from error
