"""What one smear of a batch is: its files, and what is known about them beforehand."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self

from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class SmearEntry:
    """One smear of a batch; nothing of it has been opened yet.

    Attributes
    ----------
    smear_id : str
        Unique in the batch, and encodable as UTF-8; the smear's name in its report.
    paths : tuple of str
        Absolute paths of its files (images, one slide, or one archive) in natural order. A file may be missing: then
        this smear fails, and no other.
    tags : mapping of str to str
        Free labels, never of a patient's identity.
    um_per_px : float or None
        Pixel size in micrometres, where it is stated.
    rbc_diameter_px : float or None
        Diameter of a normal red cell in pixels, where it is stated.
    patient : str
        A pseudonym that smears of one patient share; empty when unknown. Limits of agreement are clustered by it.
    remote_study_id : str
        Study of the remote service that read the same smear; empty when there is none.
    reference : str
        Path of what it is compared with: a report, or a folder with an annotated set; empty when there is nothing.

    Raises
    ------
    ConfigError
        If there is no id or no file, or a value has the wrong kind.
    """

    smear_id: str
    paths: tuple[str, ...]
    tags: Mapping[str, str] = field(default_factory=dict)
    um_per_px: float | None = None
    rbc_diameter_px: float | None = None
    patient: str = ""
    remote_study_id: str = ""
    reference: str = ""

    def __post_init__(self) -> None:
        _check_id(self.smear_id)
        if not self.paths or not _are_texts(self.paths) or "" in self.paths:
            raise ConfigError("a smear has no files", subject=self.smear_id, hint="list at least one image")
        if not all(map(_are_texts, dict(self.tags).items())):
            raise ConfigError("tags are pairs of text", subject=self.smear_id)
        object.__setattr__(self, "paths", tuple(self.paths))
        object.__setattr__(self, "tags", dict(self.tags))

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON object; paths that are not UTF-8 survive ASCII JSON alone."""
        members = {one.name: getattr(self, one.name) for one in fields(self)}
        return {**members, "paths": list(self.paths), "tags": dict(self.tags)}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Return the entry that `to_dict` wrote.

        Raises
        ------
        ConfigError
            If the object is of no entry.
        """
        try:
            return cls(**{**document, "paths": tuple(document["paths"])})
        except (TypeError, KeyError) as error:
            raise ConfigError(f"an entry of a batch cannot be read: {error}") from error


def _check_id(smear_id: Any) -> None:
    if not isinstance(smear_id, str) or not smear_id.strip():
        raise ConfigError("a smear has no id", hint="give each smear an id")
    try:
        smear_id.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ConfigError("a smear's id is no valid text", subject=ascii(smear_id), hint="rename the smear") from error


def _are_texts(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)
