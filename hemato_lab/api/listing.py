"""The list of files of workflow 2, which the service downloads: built here, checked before anybody reads it.

The addresses in it are as a rule presigned: whoever has one has the image. They are shown nowhere and logged nowhere.
"""

from __future__ import annotations

import json
import re
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from hemato_lab.api.privacy import warn_of_personal_tags
from hemato_lab.api.redaction import bare
from hemato_lab.api.regions import is_loopback
from hemato_lab.errors import ConfigError, InsecureAddressError, ReportFormatError
from hemato_lab.report.document import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_FILES: Final = 10_000
_RFC3339: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_PROXY_NUMBER: Final = "patient_proxy_medical_record_number"


def checked_download_address(address: str) -> str:
    """Return an address that the service is to download from or to call, once it is sure that it may be.

    Raises
    ------
    InsecureAddressError
        If it is not https (plain http is for loopback alone), or holds a user name. The address is not repeated, as its
        query may be a signature.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except (ValueError, AttributeError):
        host = None
    if not host or address.split() != [address] or not address.isprintable() or "\\" in address:
        raise InsecureAddressError("is no address of a file", subject="an address", hint="give https://host/path")
    if parts.username is not None or parts.password is not None:
        raise InsecureAddressError("the address holds a user name", subject=host, hint="use a presigned address")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise InsecureAddressError("the service downloads over https alone", subject=host, hint="use https")
    return address


def _address(value: Any) -> str:
    try:
        return checked_download_address(value)
    except InsecureAddressError as error:
        raise ValueError(error.problem) from None


def _timestamp(value: Any) -> str:
    """Return a time as RFC 3339, which the document asks for and its own sample misses (api/DECISIONS.md row 25)."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("needs a time zone")
        return value.isoformat()
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("is no RFC 3339 time such as 2021-01-02T15:04:05+07:00")
    datetime.fromisoformat(value.upper())
    return value


Address = Annotated[str, BeforeValidator(_address)]


class FileList(BaseModel):
    """One peripheral blood study of files that the service downloads.

    Attributes
    ----------
    peripheral_blood_sample_id : str
        Our own id of the sample; a random one when none is given. Signed callbacks carry it.
    patient_proxy_medical_record_number : str
        A pseudonym, never the number itself.
    sample_collection_timestamp : str or datetime or None
        RFC 3339, with its time zone.
    clinical_tasks_requested : tuple of str
        What to do.
    files : tuple of str
        Addresses to download from, each once.
    callback_url : str or None
        Called when the files are there and when the report is.

    Raises
    ------
    ConfigError
        From `of` and `from_json`, if one of them cannot be used; values are not repeated.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    peripheral_blood_sample_id: str = Field(default_factory=lambda: str(uuid.uuid4()), min_length=1, max_length=200)
    patient_proxy_medical_record_number: str | None = Field(default=None, max_length=200)
    sample_collection_timestamp: Annotated[
        str | None, BeforeValidator(lambda v: None if v is None else _timestamp(v))
    ] = None
    clinical_tasks_requested: tuple[str, ...] = Field(default=("pbs_v1",), min_length=1)
    files: tuple[Address, ...] = Field(min_length=1, max_length=MOST_FILES)
    callback_url: Annotated[str | None, BeforeValidator(lambda v: None if v is None else _address(v))] = None

    @field_validator("files")
    @classmethod
    def _each_once(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(files)) != len(files):
            raise ValueError("names a file twice")
        return files

    @field_validator("clinical_tasks_requested")
    @classmethod
    def _names(cls, tasks: tuple[str, ...]) -> tuple[str, ...]:
        if not all(task and task.split() == [task] for task in tasks):
            raise ValueError("holds what is no name of a task")
        return tasks

    @classmethod
    @bare
    def of(cls, files: Sequence[str], **parts: Any) -> FileList:
        """Return the list of some addresses; `parts` are the other attributes.

        Raises
        ------
        ConfigError
            If one of them cannot be used.
        """
        return cls._checked({"files": tuple(files), **parts})

    @classmethod
    @bare
    def from_json(cls, text: str | bytes) -> FileList:
        """Read a list from its JSON, strictly: no comments, no unknown members (api/DECISIONS.md row 25).

        Raises
        ------
        ConfigError
            If it is none.
        """
        try:
            document = parse(text)
        except ReportFormatError:
            raise ConfigError("is no JSON", subject="the list of files", hint="comments are none either") from None
        if not isinstance(document, dict):
            raise ConfigError("is no JSON object", subject="the list of files")
        return cls._checked(document)

    @classmethod
    def _checked(cls, parts: dict[str, Any]) -> FileList:
        try:
            made = cls.model_validate(parts)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place, reason = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
            raise ConfigError(reason, subject=f"the list of files, {place}", hint="see FileList") from None
        if made.patient_proxy_medical_record_number:
            warn_of_personal_tags({_PROXY_NUMBER: made.patient_proxy_medical_record_number})
        return made

    def __repr_args__(self) -> Any:
        """Show no address, whoever asks."""
        return [("peripheral_blood_sample_id", self.peripheral_blood_sample_id), ("files", len(self.files))]

    def __repr__(self) -> str:
        return f"FileList({self.peripheral_blood_sample_id!r}, {len(self.files)} files)"

    __str__ = __repr__

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object, its members in the document's order; what is not known is left out."""
        return {key: value for key, value in self.model_dump(mode="json").items() if value is not None}

    def to_json(self, *, indent: int | None = 2) -> str:
        """Return the JSON text to put where the service can fetch it."""
        return json.dumps(self.to_dict(), indent=indent)
