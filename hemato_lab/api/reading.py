"""What is needed to read an answer, and a word of warning about one."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hemato_lab.api.messages import Request
    from hemato_lab.api.redaction import Secrets

logger = logging.getLogger(__name__)


class ServiceWarning(UserWarning):
    """The service contradicts itself or its document, in a way that can be lived with."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is needed to read an answer: what was asked, our clock, and the secrets to blot out.

    Contradictions that can be lived with are left in `remarks`; the caller warns of them when all else is done.
    """

    request: Request
    now: float
    secrets: Secrets
    skew_s: float = 0.0
    remarks: list[str] = field(default_factory=list)

    @property
    def subject(self) -> str:
        """What errors are about."""
        return self.request.study_id or self.request.name


def warn_of_service(message: str) -> None:
    """Warn of a contradiction that can be lived with."""
    logger.warning(message)
    warnings.warn(message, ServiceWarning, stacklevel=2)
