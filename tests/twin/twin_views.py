"""The twin's database as the tests of the client see the fake service's memory: dictionaries, which can be changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hemato_lab.twin import accounts, studies
from hemato_lab.twin.database import transaction
from hemato_lab.twin.passwords import hashed
from tests.api.fake_service import StoredFile

if TYPE_CHECKING:
    from tests.api.recording import Received
    from tests.twin.twin_service import TwinService

TABLES = ("callbacks", "reports", "jobs", "idempotency", "files", "tags", "studies")


@dataclass
class Notes:
    """What was asked about a study; the twin's database has no need of it.

    Attributes
    ----------
    files : dict
        How often each file was acknowledged, in the order of their arrival.
    members : dict
        Ids of what each archive holds.
    """

    order: int
    request_id: str
    idempotency_key: str
    tasks_requested: int = 0
    status_reads: int = 0
    files: dict[str, int] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, received: Received, order: int) -> Notes:
        """Return the notes of a study that was made just now."""
        headers = received.headers
        notes = cls(order, headers.get("x-request-id", ""), headers.get("idempotency-key", ""))
        notes.tasks_requested = int(b'"list_url"' in received.body or b'"files"' in received.body)
        return notes


class StudyView:
    """One study; see `tests.api.fake_service.Study`."""

    def __init__(self, service: TwinService, study_id: str) -> None:
        self._service = service
        self.study_id = study_id
        self.notes = service.notes[study_id]

    @property
    def _study(self) -> studies.Study:
        with self._service.database() as connection:
            found = studies.study_by_id(connection, self.study_id)
        assert found is not None
        return found

    @property
    def request_id(self) -> str:
        return self.notes.request_id

    @property
    def idempotency_key(self) -> str:
        return self.notes.idempotency_key

    @property
    def tasks_requested(self) -> int:
        return self.notes.tasks_requested

    @property
    def tags(self) -> dict[str, str]:
        return dict(self._study.tags)

    @property
    def tasks(self) -> list[str]:
        return list(self._study.tasks)

    @property
    def callback_url(self) -> str:
        return self._study.callback_url

    @property
    def rbc_diameter(self) -> float | None:
        return self._study.rbc_diameter

    @property
    def files(self) -> FilesView:
        return FilesView(self._service, self)

    @property
    def file_ids(self) -> list[str]:
        return list(dict.fromkeys(one for key, stored in self.files.items() for one in (stored.members or [key])))

    @property
    def versions(self) -> int:
        with self._service.database() as connection:
            return studies.newest_report(connection, self.study_id)

    @versions.setter
    def versions(self, count: int) -> None:
        with self._service.database() as connection:
            while studies.newest_report(connection, self.study_id) < count:
                with transaction(connection):
                    self._service.worker.report_again(connection, self.study_id, self._service.now())


class StudiesView(Mapping[str, StudyView]):
    """All studies, in the order in which they were made."""

    def __init__(self, service: TwinService) -> None:
        self._service = service

    def __getitem__(self, study_id: str) -> StudyView:
        if study_id not in list(self):
            raise KeyError(study_id)
        return StudyView(self._service, study_id)

    def __iter__(self) -> Iterator[str]:
        with self._service.database() as connection:
            there = {row[0] for row in connection.execute("SELECT study_id FROM studies")}
        notes = self._service.notes
        return iter(sorted(there, key=lambda study_id: notes[study_id].order))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def clear(self) -> None:
        """Have all of them forgotten."""
        with self._service.database() as connection, transaction(connection):
            for table in TABLES:
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 (ours)


class FilesView(MutableMapping[str, StoredFile]):
    """The files of a study, archives in the place of what they hold; a change is one of its reports, too."""

    def __init__(self, service: TwinService, study: StudyView) -> None:
        self._service = service
        self._study = study

    def _rows(self) -> dict[str, int]:
        """Return the size of each file."""
        statement = "SELECT file_id, size FROM files WHERE study_id = ? AND archive_id IS NULL"
        with self._service.database() as connection:
            return dict(map(tuple, connection.execute(statement, (self._study.study_id,)).fetchall()))

    def __getitem__(self, file_id: str) -> StoredFile:
        notes = self._study.notes
        return StoredFile(self._rows()[file_id], notes.members.get(file_id, []), notes.files.get(file_id, 0))

    def __iter__(self) -> Iterator[str]:
        arrived = list(self._study.notes.files)
        return iter(sorted(self._rows(), key=lambda one: arrived.index(one) if one in arrived else -1))

    def __len__(self) -> int:
        return len(self._rows())

    def __delitem__(self, file_id: str) -> None:
        self._service.change("DELETE FROM files WHERE study_id = ? AND file_id = ?", (self._study.study_id, file_id))
        self._write_reports()

    def __setitem__(self, file_id: str, stored: StoredFile) -> None:
        values = (self._study.study_id, file_id, "", "jpeg", stored.length, None)
        self._service.change("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?)", values)
        self._write_reports()

    def _write_reports(self) -> None:
        with self._service.database() as connection, transaction(connection):
            file_ids = [one.file_id for one in studies.images_of(connection, self._study.study_id)]
            rows = connection.execute(
                "SELECT version, results FROM reports WHERE study_id = ?", (self._study.study_id,)
            ).fetchall()
            for version, results in rows:
                changed = json.dumps(json.loads(results) | {"file_ids": file_ids})
                connection.execute(
                    "UPDATE reports SET results = ? WHERE study_id = ? AND version = ?",
                    (changed, self._study.study_id, version),
                )


class AccountsView(MutableMapping[str, str]):
    """A column of the accounts, by the name of what it is of."""

    column: str
    name: str
    table: str

    def __init__(self, service: TwinService) -> None:
        self._service = service

    def __getitem__(self, name: str) -> str:
        statement = f"SELECT {self.column} FROM {self.table} WHERE {self.name} = ?"  # noqa: S608 (ours)
        with self._service.database() as connection:
            row = connection.execute(statement, (name,)).fetchone()
        if row is None:
            raise KeyError(name)
        return str(row[0])

    def __iter__(self) -> Iterator[str]:
        with self._service.database() as connection:
            rows = connection.execute(f"SELECT {self.name} FROM {self.table}").fetchall()  # noqa: S608 (ours)
        return iter([row[0] for row in rows])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __delitem__(self, name: str) -> None:
        self._service.change(f"DELETE FROM {self.table} WHERE {self.name} = ?", (name,))  # noqa: S608 (ours)


class UsersView(AccountsView):
    """E-mail addresses and the SHA-256 of their passwords, which can be written only."""

    table, name, column = "users", "email", "password"

    def __setitem__(self, email: str, pass_hash: str) -> None:
        if email not in self:
            options: dict[str, Any] = {"roles": accounts.ROLES, "regions": self._service.regions, "now": 0.0}
            with self._service.database() as connection, transaction(connection):
                organisation = accounts.organisation_of(connection, self._service.issuer)
                accounts.add_user(connection, organisation, email, **options)
        self._service.change("UPDATE users SET password = ? WHERE email = ?", (hashed(pass_hash), email))


class KeysView(AccountsView):
    """Registered public keys by id."""

    table, name, column = "keys", "key_id", "public_key_pem"

    def __setitem__(self, key_id: str, pem: str) -> None:
        with self._service.database() as connection, transaction(connection):
            organisation = accounts.organisation_of(connection, self._service.issuer)
            accounts.add_key(connection, organisation, pem, key_id=key_id, now=0.0)


class SessionsView:
    """Tokens of logins; clear them to have the twin refuse them all."""

    def __init__(self, service: TwinService) -> None:
        self._service = service
        self._tokens: list[str] = []

    def note(self, token: str) -> None:
        """Remember a token that was handed out."""
        self._tokens.append(token)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tokens)

    def clear(self) -> None:
        """Have it sign with another key from now on."""
        self._tokens.clear()
        self._service.change("DELETE FROM settings WHERE name LIKE 'session_key%'")
        self._service.restart()
