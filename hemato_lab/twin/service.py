"""Everything that the endpoints share: settings, database, store, judge of tokens, time and chance."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from hemato_lab import __version__
from hemato_lab.twin import studies
from hemato_lab.twin.accounts import AccountRegistry
from hemato_lab.twin.database import Writer, open_database, transaction
from hemato_lab.twin.fetching import FetchRules
from hemato_lab.twin.reporting import PRODUCER
from hemato_lab.twin.store import Store
from hemato_lab.twin.throttling import LoginThrottle
from hemato_lab.twin.tokens import TokenJudge

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

Result = TypeVar("Result")

VERSION: Final = f"hemato_lab_twin.{__version__}"
"""As ``version`` in answers; the vendor's begin with ``bb_api``."""
LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Settings:
    """How a twin is set up.

    Attributes
    ----------
    folder : Path
        Database, files and keys, which only their owner can read.
    region : str
        Which region it stands for; users need its permission.
    host_names : frozenset of str
        Names that a token's ``aud`` may have, and a request's Host.
    public_name : str
        Name by which others know the host, for links; empty for the address that it listens at.
    strict : bool
        Whether reports have nothing but what the vendor's document has.
    documented_callbacks : bool
        Whether callbacks are as bare as in the vendor's document (api/DECISIONS.md row 23).
    lenient_claims : bool
        Whether tokens of the later dialect's sample client are taken (section 5).
    fetch : FetchRules
        What may be downloaded from and called.
    wall : callable
        Unix time in seconds.
    seed : int or None
        Makes ids of studies repeatable; None makes them unpredictable.
    """

    folder: Path
    region: str = "dev"
    host_names: frozenset[str] = LOOPBACK_NAMES
    public_name: str = ""
    strict: bool = False
    documented_callbacks: bool = False
    lenient_claims: bool = False
    http_callbacks: bool = False
    fetch: FetchRules = field(default_factory=FetchRules)
    wall: Callable[[], float] = time.time
    seed: int | None = None
    most_upload_bytes: int = 2 << 30

    def __post_init__(self) -> None:
        # Workers and links within the folder must find it from wherever they are.
        object.__setattr__(self, "folder", self.folder.absolute())

    @property
    def hosts(self) -> frozenset[str]:
        """Every host that a token may be for."""
        return self.host_names | {f"{self.region}.api.hemato.ai"}


class Service:
    """What the endpoints work with; made and used in the thread of the event loop.

    Parameters
    ----------
    settings : Settings
        How it is set up.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.reader = open_database(settings.folder)
        self.writer = Writer(settings.folder)
        self.store = Store(settings.folder)
        self.accounts = AccountRegistry(self.reader)
        self.throttle = LoginThrottle()
        self.judge = TokenJudge(
            self.accounts,
            session_key=_setting(self.reader, "session_key", lambda: secrets.token_bytes(32)),
            session_key_id=_setting(self.reader, "session_key_id", lambda: str(uuid.uuid4()).encode()).decode(),
            hosts=settings.hosts,
            region=settings.region,
            wall=settings.wall,
            lenient_claims=settings.lenient_claims,
        )
        self.door = ThreadPoolExecutor(2, "twin-door")
        self.base_url = ""
        self.worker_count = 0
        self._chance = None if settings.seed is None else random.Random(settings.seed)  # noqa: S311 (repeatable)

    def now(self) -> float:
        """Return the time that is valid here, Unix time in seconds."""
        return self.settings.wall()

    def new_id(self) -> str:
        """Return the id of a new study."""
        if self._chance is None:
            return str(uuid.uuid4())
        while True:
            study_id = str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
            if studies.study_by_id(self.reader, study_id) is None:  # an earlier run with this seed made it
                return study_id

    async def write(self, change: Callable[[sqlite3.Connection], Result]) -> Result:
        """Change something; returns when it is on disk."""
        return await asyncio.wrap_future(self.writer.submit(change))

    def debug_info(self, begun_at: float) -> dict[str, Any]:
        """Return what every answer says of itself, as the vendor's sample does, and that a twin made it."""
        elapsed_ms = 1000 * (time.monotonic() - begun_at)
        return {"delta": f"{elapsed_ms:.6f}ms", "version": VERSION, "producer": PRODUCER}

    def close(self) -> None:
        """Make the changes that wait, and let go of the files."""
        self.door.shutdown(wait=False, cancel_futures=True)
        self.writer.close()
        self.reader.close()


def _setting(connection: sqlite3.Connection, name: str, make: Callable[[], bytes]) -> bytes:
    """Return a setting that is made once."""
    with transaction(connection):
        connection.execute("INSERT INTO settings VALUES (?, ?) ON CONFLICT DO NOTHING", (name, make()))
    return bytes(connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()[0])
