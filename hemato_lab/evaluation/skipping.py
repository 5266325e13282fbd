"""Images and crops that cannot be read: set aside and named, so that one of them does not end a long run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hemato_lab.errors import InputError


@dataclass(frozen=True, slots=True)
class SkippedImage:
    """A file of a set that was left out.

    Attributes
    ----------
    file_name : str
        Its path below the set's folder.
    error : InputError
        Why it could not be read.
    """

    file_name: str
    error: InputError

    def to_json(self) -> dict[str, str]:
        """Return file and reason."""
        return {"file": self.file_name, "reason": self.error.problem}
