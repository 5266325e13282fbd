"""JSON Schemas (2020-12) of what the API takes and answers, by name.

Shapes are those of the vendor's document and its later dialect (api/DECISIONS.md sections 1 and 5). Descriptions say
"ours" where the vendor explains nothing and a meaning had to be chosen.
"""

from __future__ import annotations

import re
from typing import Any, Final

from hemato_lab.report.schema import report_schema
from hemato_lab.twin.bodies import LONGEST_TAG, MOST_TAGS
from hemato_lab.twin.list_files import LONGEST_ID
from hemato_lab.twin.studies import MOST_FILES, TASKS

Schema = dict[str, Any]

FILE_TYPES: Final = ("image/jpeg", "image/png", "application/zip")
_PLACE: Final = "#/components/schemas/"
_REFERENCE: Final = re.compile(r"#/\$defs/(\w+)")


def reference(name: str) -> Schema:
    """Return a reference to a schema of `schemas`."""
    return {"$ref": _PLACE + name}


def schemas() -> dict[str, Schema]:
    """Return every schema of the API by its name."""
    return {**_shared(), **_taken(), **_answered(), **_of_reports(), **_of_task_reports(), **_of_callbacks(), **_ours()}


def _object(members: Schema, required: str = "", *, description: str = "", others: Any = True) -> Schema:
    """Return the schema of an object; `required` names members, `others` is what further members may be."""
    schema: Schema = {"type": "object", "properties": members}
    if description:
        schema["description"] = description
    if required:
        schema["required"] = required.split()
    if others is not True:
        schema["additionalProperties"] = others
    return schema


def _text(description: str = "", **rules: Any) -> Schema:
    return {"type": "string", **({"description": description} if description else {}), **rules}


def _number(description: str, kind: str = "number", **rules: Any) -> Schema:
    return {"type": kind, "description": description, **rules}


def _list(items: Schema, description: str = "", **rules: Any) -> Schema:
    return {"type": "array", "items": items, **({"description": description} if description else {}), **rules}


def _shared() -> dict[str, Schema]:
    return {
        "StudyId": _text("Id of a study.", format="uuid"),
        "FileId": _text(
            "sha224-i- and the SHA-224 of the file's bytes in hex. What is hashed is ours: the vendor does not say.",
            pattern="^sha224-i-[0-9a-f]{56}$",
        ),
        "Task": {"enum": list(TASKS), "description": "pbs_v1 of the document, MALARIA_ANY_ANY of the later dialect."},
        "Tasks": _list(reference("Task"), minItems=1),
        "Address": _text("https, or http to this machine; without a user name.", format="uri", maxLength=8000),
        "Tags": _object(
            {},
            description="Pairs of text to find the study by. Nothing that names a patient belongs here.",
            others=_text(maxLength=LONGEST_TAG),
        )
        | {"maxProperties": MOST_TAGS},
        "ReportStatus": {"enum": ["queued", "processing", "ready", "failed"]},
        "Progress": _number("Share of the work that is done.", minimum=0, maximum=1),
    }


def _taken() -> dict[str, Schema]:
    """Return schemas of bodies."""
    address, tasks = reference("Address"), reference("Tasks")
    listed = {
        "tasks": tasks,
        "diagnostic_tasks": tasks,
        "clinical_tasks_requested": tasks,
        "callback_url": address,
        "tags": reference("Tags"),
    }
    return {
        "Credentials": _object(
            {"user": _text("E-mail address."), "pass_hash": _text("Hex SHA-256.", pattern="^[0-9a-f]{64}$")},
            "user pass_hash",
        ),
        **_new_studies(address, listed),
        "TaskRequest": _object(
            {key: value for key, value in listed.items() if key != "tags"},
            description="The tasks may have any of their three names; two of them have to agree.",
        )
        | _with_tasks(),
        "File": _text("The bytes of a JPEG or PNG image, or of a ZIP archive of such.", format="binary"),
    }


def _new_studies(address: Schema, listed: dict[str, Schema]) -> dict[str, Schema]:
    """Return schemas of what makes a study: uploads, the address of a list, or the list itself."""
    a_name = _text(maxLength=LONGEST_ID)
    of_sample = {
        "files": _list(address, "Addresses to download from, as a rule presigned.", minItems=1, maxItems=MOST_FILES),
        "peripheral_blood_sample_id": a_name,
        "patient_proxy_medical_record_number": a_name | {"description": "A pseudonym, never the number itself."},
        "sample_collection_timestamp": _text("RFC 3339 with a time zone.", format="date-time"),
    }
    return {
        "NewStudy": {"anyOf": [reference(name) for name in ("StudyOfUploads", "StudyOfList", "ListFile")]},
        "StudyOfUploads": _object(
            {"tags": reference("Tags"), "list_url": False, "files": False},
            description="Workflow 1. Text members beside or instead of tags are tags too (later dialect).",
            others=_text(maxLength=LONGEST_TAG),
        ),
        "StudyOfList": _object(
            {"list_url": address, **listed},
            "list_url",
            description="Workflow 2 with the address of a list file. The tasks may have any of their three names.",
        )
        | _with_tasks(),
        "ListFile": _object(
            {**of_sample, **listed},
            "files",
            description="Workflow 2 with the list file itself as the body. Further text members are tags.",
            others=_text(maxLength=LONGEST_TAG),
        )
        | _with_tasks(),
    }


def _with_tasks() -> Schema:
    names = ("tasks", "diagnostic_tasks", "clinical_tasks_requested")
    return {"anyOf": [{"required": [name]} for name in names]}


def _answered() -> dict[str, Schema]:
    """Return schemas of ``results``."""
    return {"Login": _login(), "Claims": _claims(), **_of_steps(), "Heartbeat": _heartbeat()}


def _login() -> Schema:
    person = {"email": _text(), "id": _text(), "screen_name": _text(), "user_name": _text()}
    return _object(
        {
            "login_timestamp": _text("Nanoseconds since 1970.", pattern="^[0-9]+$"),
            "token": _object({"HY_APP_AUTH_v1": _text("Opaque.")}, "HY_APP_AUTH_v1"),
            "user": _object(person, " ".join(person)),
        },
        "login_timestamp token user",
    )


def _of_steps() -> dict[str, Schema]:
    study, file = reference("StudyId"), reference("FileId")
    member_files = _list(file)
    return {
        "StudyCreated": _object({"pbs_study_id": study, "file_ids": member_files}, "pbs_study_id"),
        "FileReceived": _object(
            {"pbs_study_id": study, "file_id": file, "file_ids": member_files},
            "pbs_study_id file_id",
            description="For an archive file_id is its own and file_ids are those of its images.",
        ),
        "TasksAccepted": _object({"pbs_study_id": study, "tasks": reference("Tasks")}, "pbs_study_id tasks"),
        "StudyStatus": _object(
            {
                "pbs_study_id": study,
                "report_status": reference("ReportStatus"),
                "progress": reference("Progress"),
                "progress_message": _text("For people."),
            },
            "pbs_study_id report_status progress progress_message",
            description="A study that waits for files is queued without progress.",
        ),
    }


def _heartbeat() -> Schema:
    return _object(
        {
            "delta": _text("Time it took, with its unit."),
            "heartbeat": _text("Another one each time."),
            "request_timestamp": _number("Seconds since 1970."),
            "version": _text(),
        },
        "delta heartbeat request_timestamp version",
    )


def _claims() -> Schema:
    texts = ("jti", "iss", "sub", "role", "kid")
    times = ("iat", "exp")
    return _object(
        {
            **{name: _text() for name in texts},
            **{name: _number("Seconds since 1970.", "integer") for name in times},
            "aud": {"anyOf": [_text(), _list(_text())]},
        },
        "jti iss iat exp aud kid",
        description="The claims of the token that was sent.",
    )


def _of_reports() -> dict[str, Schema]:
    """Return the report's own schema in parts; only places and explanations differ from the file."""
    parts = report_schema()["$defs"]
    del parts["envelope"], parts["file_id"]
    moved = {_public_name(name): _moved(schema) for name, schema in parts.items()}
    members = moved["Diagnosis"]["properties"]
    members["score"]["description"] = "Ours: 1 to 10, how far the findings point to this disease and to no other."
    members["confidence"]["description"] = "Ours: the probability from 0 to 1 that the findings themselves are true."
    members["clinical-significance"]["description"] = (
        "Ours: A incidental, B routine follow-up, C work-up within days, D potentially life-threatening, so that a "
        "person has to look the same day. Reports of the vendor may mean something else by it."
    )
    return moved


def _public_name(name: str) -> str:
    return "Report" if name == "results" else name.title().replace("_", "")


def _moved(node: Any) -> Any:
    """Return a part of a schema with its references leading to `_PLACE`."""
    if isinstance(node, list):
        return [_moved(each) for each in node]
    if not isinstance(node, dict):
        return node
    found = _REFERENCE.fullmatch(str(node.get("$ref", "")))
    return reference(_public_name(found[1])) if found else {key: _moved(value) for key, value in node.items()}


def _of_task_reports() -> dict[str, Schema]:
    """Return schemas of the later dialect's reports; what the numbers mean is told in `task_reports`."""
    raw = _object(
        {"finding_stats": _list({"type": "object"}), "findings": _list({"type": "object"})},
        "finding_stats findings",
        description="Ours: counts by name, and every cell of these names.",
    )
    task_report = _object(
        {
            "positive_count": _number("Ours: red cells with a parasite.", "integer", minimum=0),
            "negative_count": _number("Ours: red cells searched, without.", "integer", minimum=0),
            "raw_reports": raw,
            "conclusion": {"enum": ["present", "absent", "indeterminate"], "description": "A count, not a diagnosis."},
            "summary_reports": _summary(),
            "tile_data": _list(_tile()),
        },
        "positive_count negative_count raw_reports conclusion summary_reports tile_data",
    )
    reports = {"type": "object", "additionalProperties": reference("TaskReport"), "description": "By task."}
    together = _object({"pbs_study_id": reference("StudyId"), "report": reports}, "pbs_study_id report")
    return {"TaskReport": task_report, "TaskReports": together}


def _summary() -> Schema:
    three = _list(
        {"type": "number"},
        "The likelihood of presence; ours: lower and upper 95 % limit of the share of parasitised red cells.",
        minItems=3,
        maxItems=3,
    )
    return _object(
        {
            "fields_of_view_processed": _number("Images that were looked at.", "integer", minimum=0),
            "model_findings": _list({"type": "object", "additionalProperties": three}, "By the model's id."),
        },
        "fields_of_view_processed model_findings",
    )


def _tile() -> Schema:
    pixels = _number("Ours: pixels from the left or top of the image.", minimum=0)
    return _object(
        {
            "image_id": reference("FileId"),
            "tile_location": _object({"x": pixels, "y": pixels}, "x y"),
            "likelihood": _number("Ours: score of the cell in it that looks most parasitised.", minimum=0, maximum=1),
        },
        "image_id tile_location likelihood",
        description="Ours: a tile of 512 pixels that holds red cells.",
    )


def _of_callbacks() -> dict[str, Schema]:
    study = reference("StudyId")
    return {
        "Callback": _object(
            {
                "pbs_stody_id": study,
                "pbs_study_id": study,
                "report_status": reference("ReportStatus"),
                "progress": reference("Progress"),
                "version": _number("Ours: of the report.", "integer", minimum=1),
                "report_link": _text("Where the report is.", format="uri"),
                "file_ids": _list(reference("FileId")),
                "files": _list(_object({}), "Ours: size, format and sanity check of what was downloaded."),
            },
            description="Only a hint: ask for the status. The misspelled name is the vendor's. Empty for workflow 2 "
            "where the twin keeps to the vendor's document.",
        )
    }


def _ours() -> dict[str, Schema]:
    """Return schemas of what is outside the vendor's surface."""
    call = _object(
        {"event": _text(), "state": _text(), "attempts": {"type": "integer"}, "problem": _text()},
        "event state attempts problem",
    )
    shown = {
        "pbs_study_id": reference("StudyId"),
        "report_status": reference("ReportStatus"),
        "progress": reference("Progress"),
        "progress_message": _text(),
        "created": _number("Seconds since 1970."),
        "files": _number("Images.", "integer", minimum=0),
        "tasks": _list(reference("Task")),
        "versions": _number("Of its report.", "integer", minimum=0),
        "callbacks": _list(call),
    }
    jobs = {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}}
    return {
        "StudyShown": _object(shown, " ".join(shown)),
        "StudiesFound": _object(
            {"studies": _list({"allOf": [reference("StudyShown"), _object({"tags": reference("Tags")}, "tags")]})},
            "studies",
        ),
        "Overview": _object(
            {
                "version": _text(),
                "region": _text(),
                "workers": _number("Processes that analyse.", "integer", minimum=0),
                "jobs": jobs,
                "studies": _list(reference("StudyShown")),
            },
            "version region workers jobs studies",
        ),
        "Description": _object({"openapi": _text()}, "openapi", description="An OpenAPI document."),
        "Page": _text("HTML."),
    }
