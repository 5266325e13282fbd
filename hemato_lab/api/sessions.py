"""Tokens of sessions that a user logged in for, so that the next command need not ask for the password again.

One file for each user of the machine, readable by its owner alone. A token is good for an hour at most (vendor's
document, ``iat``), and is forgotten here before that; the password is never kept.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from hemato_lab.api.auth import SESSION_LIFETIME_S, TokenAuth
from hemato_lab.errors import CredentialError

if TYPE_CHECKING:
    from collections.abc import Callable


class Sessions:
    """The sessions of one user of this machine, by address of the service.

    Parameters
    ----------
    path : path-like or None
        The file; one in the user's own folder for such data when None.
    wall : callable
        Unix time in seconds.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, wall: Callable[[], float] = time.time) -> None:
        if path is None:
            from platformdirs import user_state_path

            path = user_state_path("hemato_lab") / "sessions.json"
        self._path = Path(path)
        self._wall = wall

    def __repr__(self) -> str:
        return f"Sessions({str(self._path)!r})"

    def keep(self, address: str, token: SecretStr) -> None:
        """Keep the token of a new session.

        Raises
        ------
        CredentialError
            If the file cannot be written.
        """
        entries = self._valid()
        entries[address] = {"token": token.get_secret_value(), "until": self._wall() + SESSION_LIFETIME_S}
        content = SecretStr(json.dumps(entries))
        del entries  # a traceback that shows local variables shows those of this frame
        self._write(content)

    def forget(self, address: str) -> bool:
        """Forget a session; tells whether there was one."""
        entries = self._valid()
        found = entries.pop(address, None) is not None
        content = SecretStr(json.dumps(entries))
        del entries
        if found:
            self._write(content)
        return found

    def authentication(self, address: str) -> TokenAuth | None:
        """Return the session's token as a way to authenticate, None where there is none that is still good."""
        entry = self._valid().get(address)
        return None if entry is None else TokenAuth(entry["token"])

    def _valid(self) -> dict[str, Any]:
        """Return what is still good; a file that is damaged or open to others counts as empty."""
        try:
            if os.name == "posix" and self._path.stat().st_mode & 0o077:
                return {}
            entries = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        if not isinstance(entries, dict):
            return {}
        now = self._wall()
        return {
            address: entry
            for address, entry in entries.items()
            if isinstance(entry, dict)
            and isinstance(entry.get("token"), str)
            and isinstance(entry.get("until"), int | float)
            and entry["until"] > now
        }

    def _write(self, content: SecretStr) -> None:
        fresh = self._path.with_name(f"{self._path.name}.{secrets.token_hex(8)}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(content.get_secret_value())
            fresh.replace(self._path)
        except OSError as error:
            problem = f"the session cannot be kept: {error.strerror or 'unknown reason'}"
        else:
            return
        with suppress(OSError):
            fresh.unlink()
        raise CredentialError(problem, subject=str(self._path), hint="check the folder")
