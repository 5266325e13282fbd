"""Typed answers of the service; what they do not know of is kept, and the JSON as it came is always at hand.

Shapes are those of the vendor's document, read by api/DECISIONS.md sections 1, 2 and 5. A model never shows a value
that was refused, because it may be a secret.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Self

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, SecretStr

from hemato_lab.report.document import number_of

TOKEN_NAME: Final = "HY_APP_AUTH_v1"  # noqa: S105 (the name of the member that holds it)
_FIT_FOR_A_HEADER: Final = re.compile(r"[!-~]+")
READY: Final = "ready"
FAILED: Final = "failed"
QUEUED: Final = "queued"
STATUSES: Final = (QUEUED, "processing", READY, FAILED)
"""What a study can be once tasks were requested (api/DECISIONS.md section 1)."""


def _name(value: Any) -> Any:
    """Refuse what cannot be an id: it becomes part of an address and of a file name."""
    if isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable() and value.split() == [value]:
        return value
    raise ValueError("is no id")


def _number(value: Any) -> Any:
    number = number_of(value)
    if number is None:
        raise ValueError("is no number")
    return float(number)


Identifier = Annotated[str, BeforeValidator(_name)]
LenientNumber = Annotated[float, BeforeValidator(_number)]
"""A number, also as a string (api/DECISIONS.md row 19)."""


class Wire(BaseModel):
    """Base of all: immutable, unknown members allowed, refused values not shown."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, hide_input_in_errors=True, populate_by_name=True)
    _raw: dict[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def raw(self) -> dict[str, Any]:
        """The whole JSON object as it came, with its envelope."""
        return self._raw

    @classmethod
    def of(cls, results: Any, raw: dict[str, Any]) -> Self:
        """Return the model of some results and remember the JSON that they came in."""
        model = cls.model_validate(results)
        model._raw = raw  # noqa: SLF001 (our own)
        return model

    def __repr_args__(self) -> Any:
        """Show the documented members only: what else a service sends is not known to be harmless."""
        return [(name, getattr(self, name)) for name in type(self).model_fields]


class StudyCreated(Wire):
    """Answer to ``POST /pbs``.

    Attributes
    ----------
    pbs_study_id : str
        Also read from ``pbs_id`` (api/DECISIONS.md row 1).
    file_ids : list of str
        Workflow 2 only, provisional until the files are downloaded.
    """

    pbs_study_id: Identifier = Field(validation_alias=AliasChoices("pbs_study_id", "pbs_id"))
    file_ids: list[Identifier] = Field(default_factory=list)


class FileReceived(Wire):
    """Answer to ``POST /pbs/{id}/files``: one id, for a ZIP also those of its members (api/DECISIONS.md row 13)."""

    pbs_study_id: Identifier = Field(validation_alias=AliasChoices("pbs_study_id", "pbs_id"))
    file_id: Identifier = ""
    file_ids: list[Identifier] = Field(default_factory=list)

    def model_post_init(self, context: Any, /) -> None:  # noqa: ARG002 (the library calls it so)
        """Refuse an answer that names no file."""
        if not self.file_id and not self.file_ids:
            raise ValueError("names no file")


class TasksAccepted(Wire):
    """Answer to ``POST /pbs/{id}/tasks``."""

    pbs_study_id: Identifier = Field(validation_alias=AliasChoices("pbs_study_id", "pbs_id"))
    tasks: list[str] = Field(default_factory=list)


class StudyStatus(Wire):
    """Answer to ``GET /pbs/{id}/status``.

    Attributes
    ----------
    report_status : str
        One of `STATUSES`, or a word that the document does not know (row 16).
    progress : float
        0 to 1.
    progress_message : str
        For people.
    """

    pbs_study_id: Identifier = Field(validation_alias=AliasChoices("pbs_study_id", "pbs_id"))
    report_status: str
    progress: LenientNumber = 0.0
    progress_message: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether the report can be fetched."""
        return self.report_status == READY

    @property
    def is_failed(self) -> bool:
        """Whether it never will be."""
        return self.report_status == FAILED


class User(Wire):
    """Who logged in."""

    email: str = ""
    id: str = ""
    screen_name: str = ""
    user_name: str = ""


class Login(Wire):
    """Answer to ``POST /auth/login``; the token is opaque (api/DECISIONS.md row 6) and never shown."""

    login_timestamp: str = ""
    token: dict[str, SecretStr] = Field(repr=False)
    user: User = Field(default_factory=User)

    def model_post_init(self, context: Any, /) -> None:  # noqa: ARG002 (the library calls it so)
        """Refuse an answer without a token that can be sent in a header."""
        if not _FIT_FOR_A_HEADER.fullmatch(self.session_token.get_secret_value()):
            raise ValueError("holds no token")

    @property
    def session_token(self) -> SecretStr:
        """The token of the session."""
        return self.token.get(TOKEN_NAME, SecretStr(""))

    @property
    def raw(self) -> dict[str, Any]:
        """The JSON as it came, without the token."""
        hidden = dict.fromkeys(self.token, "[redacted]")
        return {**self._raw, "results": {**self._raw.get("results", {}), "token": hidden}}


class Hello(Wire):
    """Whether the service accepts our token, and if not, why.

    Attributes
    ----------
    accepted : bool
        Whether it does.
    claims : dict
        What it read from the token.
    reasons : list of str
        Every reason of a refusal, in words.
    """

    accepted: bool
    claims: dict[str, Any] = Field(default_factory=dict)
    reasons: list[str] = Field(default_factory=list)

    def __str__(self) -> str:
        if self.accepted:
            return "The token is accepted."
        return "The token is refused: " + ("; ".join(self.reasons) or "the service gives no reason")


class Heartbeat(Wire):
    """Answer to ``GET /heartbeat``, which has no envelope in the document and has one in later material."""

    delta: str = ""
    heartbeat: str
    request_timestamp: LenientNumber = 0.0
    version: str = ""


class ModelFinding(Wire):
    """What one model says of the whole study; the three numbers are explained by nobody but the first.

    Attributes
    ----------
    model : str
        Its id.
    numbers : list of float
        The first is the likelihood of presence (api/DECISIONS.md section 5).
    """

    model: str
    numbers: list[LenientNumber]

    @property
    def likelihood(self) -> float | None:
        """The likelihood of presence, None where there is no number."""
        return self.numbers[0] if self.numbers else None


class TileLocation(Wire):
    """Pixels of a tile's corner in its image."""

    x: LenientNumber
    y: LenientNumber


class TileLikelihood(Wire):
    """How likely a tile shows what was looked for."""

    image_id: str
    tile_location: TileLocation
    likelihood: LenientNumber


class SummaryReport(Wire):
    """Summary of a task of the later dialect."""

    fields_of_view_processed: LenientNumber = 0.0
    model_findings: list[dict[str, list[LenientNumber]]] = Field(default_factory=list)

    @property
    def findings(self) -> list[ModelFinding]:
        """The same as typed values, in order."""
        return [
            ModelFinding(model=model, numbers=numbers)
            for entry in self.model_findings
            for model, numbers in entry.items()
        ]


class RawReports(Wire):
    """Findings of a task of the later dialect, as they come."""

    finding_stats: list[Any] = Field(default_factory=list)
    findings: list[Any] = Field(default_factory=list)


class TaskReport(Wire):
    """Report of one task of the later dialect: ``results.report.{TASK}`` (api/DECISIONS.md section 5)."""

    positive_count: LenientNumber = 0.0
    negative_count: LenientNumber = 0.0
    raw_reports: RawReports = Field(default_factory=RawReports)
    conclusion: str = ""
    """``present``, ``absent`` or ``indeterminate``."""
    summary_reports: SummaryReport = Field(default_factory=SummaryReport)
    tile_data: list[TileLikelihood] = Field(default_factory=list)
