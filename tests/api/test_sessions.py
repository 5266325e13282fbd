"""Tokens of sessions between two commands."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from hemato_lab.api.sessions import Sessions
from hemato_lab.errors import CredentialError

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS = "https://eu.api.hemato.ai"
TOKEN = SecretStr("token-of-a-session")


class Wall:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "sessions.json"


def token_of(sessions: Sessions, address: str = ADDRESS) -> str | None:
    found = sessions.authentication(address)
    return None if found is None else found._token.get_secret_value()


def test_a_session_is_kept_for_its_service_and_forgotten(path: Path) -> None:
    Sessions(path).keep(ADDRESS, TOKEN)
    assert token_of(Sessions(path)) == "token-of-a-session"
    assert token_of(Sessions(path), "https://us.api.hemato.ai") is None
    assert Sessions(path).forget(ADDRESS)
    assert not Sessions(path).forget(ADDRESS)
    assert token_of(Sessions(path)) is None


def test_a_session_ends_before_its_token_does(path: Path) -> None:
    wall = Wall()
    sessions = Sessions(path, wall)
    sessions.keep(ADDRESS, TOKEN)
    wall.now += 3299.0
    assert token_of(sessions) == "token-of-a-session"
    wall.now += 2.0
    assert token_of(sessions) is None
    sessions.keep("https://us.api.hemato.ai", TOKEN)
    assert list(json.loads(path.read_text())) == ["https://us.api.hemato.ai"], "what has ended is not kept"


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_only_the_owner_reads_it_and_a_file_open_to_others_is_not_believed(path: Path) -> None:
    sessions = Sessions(path)
    sessions.keep(ADDRESS, TOKEN)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0
    path.chmod(0o644)
    assert token_of(sessions) is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"https://eu.api.hemato.ai": 7}', '{"https://eu.api.hemato.ai": {}}'])
def test_a_damaged_file_counts_as_empty(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    path.chmod(0o600)
    assert token_of(Sessions(path)) is None


def test_a_file_that_cannot_be_written_says_so_without_the_token(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CredentialError, match="cannot be kept") as caught:
        Sessions(tmp_path / "file" / "sessions.json").keep(ADDRESS, TOKEN)
    assert "token-of" not in repr(caught.value)
    assert "token-of" not in repr(Sessions(tmp_path))
