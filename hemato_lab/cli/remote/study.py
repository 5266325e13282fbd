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
from hemato_lab.cli.remote.output import (
    print_json,
    print_orphans,
    print_pairs,
    print_report,
    print_studies,
    print_task_report,
)
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
Fresh = Annotated[bool, typer.Option("--fresh", help="Make a new study even if these files had one.")]
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
    fresh: Fresh = False,
    zip_above: ZipAbove = None,
    rbc_diameter_px: Diameter = None,
    as_json: AsJSON = False,
) -> None:
    """Submit a study and print its id without waiting for the report. Stopped, the same command goes on."""
    if sum(given is not None and given != [] for given in (source, list_url, list_file)) != 1:
        raise ConfigError("give files to upload, or --list-url, or --list-file", subject="submit")
    if not source and (tag or zip_above is not None or rbc_diameter_px is not None):
        raise ConfigError("--tag, --zip-above and --rbc-diameter-px are for files to upload", subject="submit")
    with connection.client() as api:
        if source:
            with progress_bar("uploading", "B", shown=not as_json) as progress:
                study_id = api.start(
                    source,
                    tasks=task,
                    tags=_tags(tag),
                    fresh=fresh,
                    zip_above=_bytes(zip_above),
                    progress=progress,
                    rbc_diameter=rbc_diameter_px,
                ).pbs_study_id
        else:
            study_id = _submitted(api, list_url, list_file, task)
    if as_json:
        print_json({"pbs_study_id": study_id})
    else:
        print_text(study_id)


def _submitted(api: Client, list_url: str | None, list_file: str | None, task: list[str] | None) -> str:
    from hemato_lab.api import FileList

    if list_file is not None:
        files = FileList.from_json(_text_of(list_file))
        return api.submit(files=files, tasks=task).pbs_study_id
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
    task: Annotated[str | None, typer.Option(help="Whose report; only the later dialect tells them apart.")] = None,
    version: Annotated[int | None, typer.Option(min=1, help="An earlier revision; the latest if not given.")] = None,
    out: Annotated[str | None, typer.Option(help="Write the report as it came to this JSON file.")] = None,
    as_json: AsJSON = False,
) -> None:
    """Fetch the report of a study."""
    path = None if out is None else named_path(out, "--out")
    of_task = None
    with connection.client() as api:
        if wait_s is not None:
            api.wait(study, task=task, deadline_s=wait_s)
        if connection.dialect == "2024":
            of_task = api.task_report(study, task)
            document = of_task.raw
        else:
            found = api.report(study, version)
            document = found.to_dict()
    if path is not None:
        _write(path, _as_json(document))
    if as_json:
        print_json(document)
    elif of_task is not None:
        print_task_report(task or "report", of_task)
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
    fresh: Fresh = False,
    deadline_s: Annotated[float, typer.Option("--deadline", min=1, help="Seconds for all of it.")] = 3600.0,
    zip_above: ZipAbove = None,
    rbc_diameter_px: Diameter = None,
    as_json: AsJSON = False,
) -> None:
    """Upload, wait and fetch the report. Stopped or killed, the same command goes on where it was."""
    more = f"_and_{len(source) - 1}_more" if len(source) > 1 else ""
    name = f"{folder_name(Path(source[0]).stem)}{more}_remote"
    folder = None if as_json else _folder(named_path(out, "--out") if out is not None else RESULTS_FOLDER / name)
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
    document = _reports(found.report, found.task_reports)
    if folder is None:
        print_json(document)
        return
    _write(folder / "report.json", _as_json(document))
    _write(folder / NOTICE_FILE, RESEARCH_USE_NOTICE)
    for each_task, each in found.task_reports.items():
        print_task_report(each_task, each)
    if not found.task_reports:
        print_report(found.report)
    earlier = "These files had a study already; --fresh makes a new one. " if found.resumed else ""
    print_text(f"{earlier}Written to {folder / 'report.json'}")


@connected
def studies(
    *,
    connection: Connection,
    tag: Tag = None,
    orphans: Annotated[bool, typer.Option("--orphans", help="List calls whose study's id never came back.")] = False,
    settle: Annotated[str | None, typer.Option(help="X-Request-Id of an orphan that was looked after.")] = None,
    as_json: AsJSON = False,
) -> None:
    """List the studies that were made from this machine; the service has no such list. Without a region, of all."""
    from hemato_lab.api import Journal

    service = None if connection.place == (None, None) else connection.address
    with Journal.of_user() as journal:
        if settle is not None and not journal.settle(settle):
            raise ConfigError("is no possible orphan", subject=settle, hint="see --orphans")
        found: list[Any] = journal.possible_orphans(service) if orphans else journal.studies(service, _tags(tag))
    if as_json:
        print_json([asdict(one) for one in found])
    elif orphans:
        print_orphans(found)
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
    if len({key for key, _, _ in pairs}) != len(pairs):
        raise ConfigError("gives one key two values", subject="--tag")
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


def _folder(path: Path) -> Path:
    """Make the folder for results before anything is sent."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"cannot be made: {error.strerror}"
        raise ConfigError(problem, subject=str(path), hint="choose another folder with --out") from error
    return path


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        problem = f"cannot be written: {error.strerror}"
        raise ConfigError(problem, subject=str(path), hint="choose another place with --out") from error
