"""What worker processes get to see of the environment of the coordinator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hemato_lab.batch.engines import ONE_THREAD

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_THE_CLIENT: Final = "HEMATO_LAB_"
"""How variables begin that hold the credentials and the address of a remote service."""
_OF_PROXIES: Final = "_PROXY"
"""How variables end that may hold a user's name and password for the network."""


def is_private(name: str) -> bool:
    """Tell whether an environment variable is for the coordinator alone: workers never use a network."""
    upper = name.upper()
    return upper.startswith(_OF_THE_CLIENT) or upper.endswith(_OF_PROXIES)


def worker_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a worker: that of its coordinator without credentials, and one thread a library."""
    return {name: value for name, value in environment.items() if not is_private(name)} | ONE_THREAD
