"""Files a second that reach a server on loopback, against plain httpx with the same number under way.

``python -m tests.benchmarks.uploads``: 500 files of 200 kB, eight at a time, to a server in a process of its own. Ours
hashes every file, checks every acknowledgement and writes it to the journal; httpx only sends. Contenders take turns.
Exit status 1 when ours brings less than 60 % of httpx.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from hemato_lab.api import AsyncClient, Client, TokenAuth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FILES = 500
SIZE = 200_000
PARALLEL = 8
TURNS = 7
REQUIRED = 0.6
TOKEN = "token-of-the-benchmark"  # noqa: S105 (made up)
ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def server() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.api.loopback", TOKEN]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def contents(turn: int) -> list[bytes]:
    return [b"\xff\xd8\xff" + f"{turn} {number} ".encode() + os.urandom(SIZE) for number in range(FILES)]


def new_study(url: str) -> str:
    answer = httpx.post(f"{url}/pbs", json={}, headers={"Authorization": TOKEN})
    study_id: str = answer.json()["results"]["pbs_study_id"]
    return study_id


def plain_blocking(url: str, files: list[bytes]) -> float:
    address = f"{url}/pbs/{new_study(url)}/files"
    with httpx.Client(headers={"Authorization": TOKEN, "Content-Type": "image/jpeg"}) as client:
        start = time.perf_counter()
        with ThreadPoolExecutor(PARALLEL) as pool:
            answers = list(pool.map(lambda content: client.post(address, content=content), files))
        spent = time.perf_counter() - start
    assert all(answer.json()["status"] == 201 for answer in answers)
    return spent


def plain_awaited(url: str, files: list[bytes]) -> float:
    address = f"{url}/pbs/{new_study(url)}/files"

    async def all_of_them() -> float:
        places = asyncio.Semaphore(PARALLEL)
        async with httpx.AsyncClient(headers={"Authorization": TOKEN, "Content-Type": "image/jpeg"}) as client:

            async def one(content: bytes) -> httpx.Response:
                async with places:
                    return await client.post(address, content=content)

            start = time.perf_counter()
            answers = await asyncio.gather(*(one(content) for content in files))
            spent = time.perf_counter() - start
        assert all(answer.json()["status"] == 201 for answer in answers)
        return spent

    return asyncio.run(all_of_them())


def ours_blocking(url: str, files: list[bytes]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        with Client(base_url=url, auth=TokenAuth(TOKEN), journal=Path(folder) / "journal.sqlite3") as api:
            study = api.create().pbs_study_id
            start = time.perf_counter()
            sent = api.upload(study, files, parallel=PARALLEL)
            spent = time.perf_counter() - start
        assert len(sent) == FILES
    return spent


def ours_awaited(url: str, files: list[bytes]) -> float:
    async def all_of_them() -> float:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "journal.sqlite3"
            async with AsyncClient(base_url=url, auth=TokenAuth(TOKEN), journal=path) as api:
                study = (await api.create()).pbs_study_id
                start = time.perf_counter()
                sent = await api.upload(study, files, parallel=PARALLEL)
                spent = time.perf_counter() - start
            assert len(sent) == FILES
        return spent

    return asyncio.run(all_of_them())


CONTENDERS: dict[str, tuple[Callable[[str, list[bytes]], float], Callable[[str, list[bytes]], float]]] = {
    "Client": (ours_blocking, plain_blocking),
    "AsyncClient": (ours_awaited, plain_awaited),
}


def main() -> int:
    missed = 0
    with server() as url:
        for name, (ours, plain) in CONTENDERS.items():
            spent: dict[str, list[float]] = {"ours": [], "httpx": []}
            for turn in range(TURNS + 1):
                files = contents(turn)
                pair = {"httpx": plain(url, files), "ours": ours(url, files)}
                if turn:  # the first turn warms both up
                    for who, seconds in pair.items():
                        spent[who].append(seconds)
            ratios = [theirs / mine for mine, theirs in zip(spent["ours"], spent["httpx"], strict=True)]
            ratio = statistics.median(ratios)
            missed += ratio < REQUIRED
            rates = {who: FILES / statistics.median(seconds) for who, seconds in spent.items()}
            print(
                f"{name}: {rates['ours']:.0f} files/s, httpx {rates['httpx']:.0f}; ratio {ratio:.2f} "
                f"({min(ratios):.2f} to {max(ratios):.2f}), required {REQUIRED}"
            )
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
