"""Every operation that the twin serves, in one table: the routes are made from it, and so is the OpenAPI document.

The vendor's document as api/DECISIONS.md section 1 reads it, the later dialect (section 5), and what is ours.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Place = Literal["query", "header"]
Form = Literal["envelope", "plain", "either", "page"]

_WHOLE_NUMBER: Final = {"type": "integer", "minimum": 1, "maximum": 999_999_999}
_COMMON: Final = (
    "bad_request",
    "unknown_host",
    "method_not_allowed",
    "not_acceptable",
    "throttled",
    "internal_error",
    "unavailable",
)
"""What any operation may refuse with."""
_OF_STRANGERS: Final = ("unauthorized", "forbidden_region")
_OF_BODIES: Final = ("body_too_large", "incomplete_body")
_OF_JSON: Final = ("bad_json", *_OF_BODIES)
_OF_TASKS: Final = ("bad_tasks", "conflicting_tasks", "unknown_task", "bad_callback_url")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an operation; all of them may be left out.

    Attributes
    ----------
    place : str
        Where it is sent.
    schema : mapping
        JSON Schema of its value.
    example : object
        A value that is accepted.
    is_family : bool
        Whether it stands for all parameters that begin with its name and a full stop.
    """

    name: str
    place: Place
    description: str
    schema: Mapping[str, Any]
    example: Any
    is_family: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes
    ----------
    method, path : str
        What is asked for; parts in braces are parameters.
    name : str
        Of its handler.
    summary : str
        What it does, in a line.
    success : int or None
        Status of an answer that is no refusal; None where there is no such answer.
    later_success : int or None
        The same for a request with a Bearer token, as in the later dialect, where it differs.
    results : str
        Name of the schema of what it answers, empty where it only refuses.
    own_refusals : tuple of str
        Codes of `hemato_lab.twin.refusals` beside those that any operation may refuse with.
    authenticated : bool
        Whether it needs a token.
    body : str
        Name of the schema of what it takes, empty for nothing.
    form : str
        ``envelope`` around the results, ``plain`` JSON, ``either`` of them, or a ``page`` for people.
    ours : bool
        Whether it is outside the vendor's surface.
    description : str
        What else has to be known.
    """

    method: str
    path: str
    name: str
    summary: str
    success: int | None
    results: str
    own_refusals: tuple[str, ...] = ()
    later_success: int | None = None
    authenticated: bool = True
    parameters: tuple[Parameter, ...] = ()
    body: str = ""
    form: Form = "envelope"
    ours: bool = False
    description: str = ""

    @property
    def is_page(self) -> bool:
        """Whether it answers people instead of programs."""
        return self.form == "page"

    @property
    def refusals(self) -> tuple[str, ...]:
        """Codes of every refusal that it may answer with."""
        return (*_COMMON, *(_OF_STRANGERS if self.authenticated else ()), *self.own_refusals)

    @property
    def identifier(self) -> str:
        """Its name, with the method in front where two share it; unique."""
        return self.name if _SHARED[self.name] == 1 else f"{self.method.lower()}_{self.name}"


_FILE_NAME: Final = Parameter(
    "file_name",
    "query",
    "Name of the file. Its ending tells the type where neither the header Content-Type nor content_type does.",
    {"type": "string", "maxLength": 500},
    "field_01.jpg",
)
_CONTENT_TYPE: Final = Parameter(
    "content_type",
    "query",
    "Type of the file where the header Content-Type is missing or generic.",
    {"enum": ["image/jpeg", "image/jpg", "image/png", "application/zip"]},
    "image/jpeg",
)
_DIAMETER: Final = Parameter(
    "rbc_diameter",
    "query",
    "Pixels across a normal red cell (later dialect). It becomes the scale of the study.",
    {"type": "number", "exclusiveMinimum": 0, "maximum": 10_000},
    70.5,
)
_VERSION: Final = Parameter(
    "version", "query", "Version of the report, from 1 on; the latest if it is left out.", _WHOLE_NUMBER, 1
)
_IDEMPOTENCY_KEY: Final = Parameter(
    "Idempotency-Key",
    "header",
    "Makes a repeated request the same one: it is answered with the study that the first one made (ours).",
    {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "3f0c9a52-create",
)
_TAG: Final = Parameter(
    "tag",
    "query",
    "Finds studies with this tag: tag.batch_id=7 those whose tag batch_id is 7. Several have to hold together.",
    {"type": "object", "propertyNames": {"pattern": "^tag[.]"}, "additionalProperties": {"type": "string"}},
    {"tag.batch_id": "7"},
    is_family=True,
)

OPERATIONS: Final = (
    Operation(
        "POST",
        "/auth/login",
        "login",
        "Log in with the hash of a password",
        202,
        "Login",
        ("bad_credentials", *_OF_JSON),
        authenticated=False,
        body="Credentials",
        description="The token is for the header Authorization, as it is or after the word Bearer, and lasts an hour.",
    ),
    *(
        Operation(
            method,
            "/auth/hello",
            "hello",
            "Ask what is made of a token",
            200,
            "Claims",
            ("unauthorized",),
            authenticated=False,
            description="The only place that says why a token is refused: every reason is in debug_info.reasons.",
        )
        for method in ("POST", "GET")
    ),
    Operation(
        "POST",
        "/pbs",
        "create",
        "Make a study, empty or of files that are downloaded",
        201,
        "StudyCreated",
        (
            "bad_tags",
            "bad_list",
            "bad_timestamp",
            "bad_download_url",
            "too_many_files",
            "bad_idempotency_key",
            "idempotency_key_reused",
            "forbidden_role",
            *_OF_TASKS,
            *_OF_JSON,
        ),
        parameters=(_IDEMPOTENCY_KEY,),
        body="NewStudy",
        description="With list_url, or with a list file as the body, it is workflow 2: files are downloaded, and the "
        "file_ids of the answer are provisional until then. Without them it waits for uploads (workflow 1).",
    ),
    Operation(
        "POST",
        "/pbs/{study_id}/files",
        "upload",
        "Upload an image, or a ZIP archive of images",
        201,
        "FileReceived",
        (
            "not_found",
            "study_closed",
            "bad_rbc_diameter",
            "empty_file",
            "unknown_file_type",
            "unsupported_file_type",
            "file_type_mismatch",
            "multipart_not_supported",
            "bad_image",
            "image_too_large",
            "bad_archive",
            "too_many_files",
            *_OF_BODIES,
        ),
        later_success=202,
        parameters=(_FILE_NAME, _CONTENT_TYPE, _DIAMETER),
        body="File",
        description="The body is the file itself, never a form. The same bytes again are the same file. "
        "Answered 202 to a request with a Bearer token, as in the later dialect.",
    ),
    Operation(
        "POST",
        "/pbs/{study_id}/tasks",
        "request_tasks",
        "Close a study for uploads and have it analysed",
        202,
        "TasksAccepted",
        ("not_found", "study_closed", "no_files", *_OF_TASKS, *_OF_JSON),
        body="TaskRequest",
    ),
    Operation("GET", "/pbs/{study_id}/status", "status", "Ask how far a study is", 200, "StudyStatus", ("not_found",)),
    Operation(
        "GET",
        "/pbs/{study_id}/status/{task}",
        "task_status",
        "Ask how far a task is (later dialect)",
        200,
        "StudyStatus",
        ("not_found",),
    ),
    Operation(
        "GET",
        "/pbs/{study_id}/report",
        "report",
        "Get the report of a study",
        200,
        "Report",
        ("not_found", "report_not_ready", "bad_version"),
        parameters=(_VERSION,),
        description="What the role of the token may not see is left out and named in debug_info.levels_omitted.",
    ),
    Operation(
        "GET",
        "/pbs/{study_id}/reports/{task}",
        "task_report",
        "Get the report of a task (later dialect)",
        200,
        "TaskReports",
        ("not_found", "report_not_ready", "bad_version"),
        parameters=(_VERSION,),
    ),
    Operation(
        "GET",
        "/heartbeat",
        "heartbeat",
        "Ask whether the service is alive",
        200,
        "Heartbeat",
        authenticated=False,
        form="either",
        description="Plain as in the vendor's document; in the envelope for a request with a Bearer token, as in the "
        "later dialect. The token itself is not looked at.",
    ),
    Operation(
        "GET",
        "/teapot",
        "teapot",
        "Be refused by a teapot, for debugging",
        None,
        "",
        ("teapot",),
        authenticated=False,
    ),
    Operation(
        "GET",
        "/_twin/studies",
        "studies",
        "Find studies by their tags",
        200,
        "StudiesFound",
        ("forbidden_role", "bad_tags"),
        parameters=(_TAG,),
        ours=True,
    ),
    Operation(
        "GET",
        "/_twin/overview",
        "overview",
        "See how all studies are, from this machine only",
        200,
        "Overview",
        ("not_found",),
        authenticated=False,
        form="plain",
        ours=True,
        description="Without tags and names of files. To other machines it does not exist.",
    ),
    Operation(
        "GET",
        "/openapi.json",
        "openapi",
        "Get this description",
        200,
        "Description",
        authenticated=False,
        form="plain",
        ours=True,
    ),
    Operation(
        "GET",
        "/",
        "page",
        "Watch studies in a browser, from this machine only",
        200,
        "Page",
        ("not_found",),
        authenticated=False,
        form="page",
        ours=True,
    ),
)
"""Every operation; a path may have several, one a method."""
_SHARED: Final = Counter(operation.name for operation in OPERATIONS)
