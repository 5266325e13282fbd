"""What a role may do (ours: the vendor names roles, and not what they may).

================  =====  ====  =======  ======
may               admin  user  service  device
================  =====  ====  =======  ======
make studies      yes    yes   yes      yes
upload, tasks     yes    yes   yes      yes
have files        yes    yes   yes      no
downloaded
report            all    all   all      levels 1 and 2
search studies    yes    yes   yes      no
================  =====  ====  =======  ======

A device sends what it sees. It has no use for the text, which is for people, and should not be able to have the server
call other addresses, or to look through the studies of others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hemato_lab.twin.refusals import Refusal

if TYPE_CHECKING:
    from hemato_lab.twin.tokens import Bearer

_MAY_DOWNLOAD: Final = frozenset({"admin", "user", "service"})
_MAY_SEARCH: Final = frozenset({"admin", "user", "service"})


def refuse_downloads(bearer: Bearer) -> None:
    """Refuse workflow 2 to roles that may not have files downloaded.

    Raises
    ------
    Refusal
        ``forbidden_role``.
    """
    _refuse(bearer, _MAY_DOWNLOAD)


def refuse_search(bearer: Bearer) -> None:
    """Refuse the search for studies to roles that may not look through them.

    Raises
    ------
    Refusal
        ``forbidden_role``.
    """
    _refuse(bearer, _MAY_SEARCH)


def _refuse(bearer: Bearer, permitted: frozenset[str]) -> None:
    if bearer.role not in permitted:
        raise Refusal("forbidden_role", {"role": bearer.role, "permitted": sorted(permitted)})
