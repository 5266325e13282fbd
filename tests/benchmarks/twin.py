"""The twin under load, and its uploads against a bare server: ``python -m tests.benchmarks.twin``.

``uploads``: the same files to ``hemato-lab serve``, which checks, hashes and forces each to disk before it answers, and
to a bare Starlette application on uvicorn that streams each body to a file and forces nothing. In turns, eight at a
time.

``load``: 50 clients, each with ten studies, at the same time: make, upload, request tasks, poll, fetch the report,
while the worker analyses. Latency of the small requests, errors, and the memory of the server and its worker together.

Exit status 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np

from tests.twin.conftest import image_bytes
from tests.twin.serving import ROOT, Serving

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUIRED_SHARE = 0.5
REQUIRED_P99_S = 0.25
REQUIRED_MB = 600
CLIENTS = 50
STUDIES = 10
PARALLEL = 8
TURNS = 5
BARE = """
import socket, sys, tempfile, uuid, os
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
folder = sys.argv[1]
async def upload(request):
    with open(os.path.join(folder, uuid.uuid4().hex), "wb") as file:
        async for piece in request.stream():
            file.write(piece)
    return JSONResponse({"status": 201})
listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
listening.bind(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
app = Starlette(routes=[Route("/{rest:path}", upload, methods=["POST"])])
uvicorn.Server(uvicorn.Config(app, access_log=False, log_config=None)).run(sockets=[listening])
"""


@contextmanager
def bare_server(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-c", BARE, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


async def send_all(url: str, path: str, token: str, contents: list[bytes]) -> float:
    headers = {"Authorization": token, "Content-Type": "image/png"}
    places = asyncio.Semaphore(PARALLEL)
    limits = httpx.Limits(max_connections=PARALLEL, max_keepalive_connections=PARALLEL)
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=120, limits=limits) as client:

        async def one(content: bytes) -> httpx.Response:
            async with places:
                return await client.post(path, content=content)

        start = time.perf_counter()
        answers = await asyncio.gather(*(one(content) for content in contents))
        spent = time.perf_counter() - start
    assert all(answer.json()["status"] == 201 for answer in answers)
    return spent


def of_size(number: int, size: int) -> list[bytes]:
    """Return pictures that no server has seen: a small one each, and random bytes behind it that decoders ignore."""
    head = image_bytes(7)
    return [head + os.urandom(size) for _ in range(number)]


def uploads() -> bool:
    met = True
    with tempfile.TemporaryDirectory() as folder, Serving(Path(folder, "twin"), "--workers", "0") as serving:
        Path(folder, "bare").mkdir()
        with bare_server(Path(folder, "bare")) as bare, serving.http() as client:
            for number, size in ((400, 200_000), (40, 5_000_000)):
                ours, theirs = [], []
                for _ in range(TURNS):
                    contents = of_size(number, size)
                    study = client.post("/pbs", json={}).json()["results"]["pbs_study_id"]
                    token = serving.token()
                    theirs.append(asyncio.run(send_all(bare, "/files", token, contents)))
                    ours.append(asyncio.run(send_all(serving.url, f"/pbs/{study}/files", token, contents)))
                share = statistics.median(theirs) / statistics.median(ours)
                rate = number * size / statistics.median(ours) / 1e6
                met &= share >= REQUIRED_SHARE
                print(f"{number} files of {size / 1e6:g} MB: {rate:.0f} MB/s, {share:.2f} of bare streaming to disk")
    return met


class Memory(threading.Thread):
    """Samples the memory of a process and its children; shared pages are counted once (PSS)."""

    def __init__(self, process_id: int) -> None:
        super().__init__(daemon=True)
        self._process_id = process_id
        self.stopped = threading.Event()
        self.most_mb = 0.0

    def run(self) -> None:
        while not self.stopped.wait(0.5):
            self.most_mb = max(self.most_mb, sum(map(_proportional_mb, self._family())))

    def _family(self) -> list[int]:
        children = Path(f"/proc/{self._process_id}/task/{self._process_id}/children").read_text().split()
        threads = Path(f"/proc/{self._process_id}/task").iterdir()
        children += [one for thread in threads for one in (thread / "children").read_text().split()]
        return [self._process_id, *{int(one) for one in children}]


def _proportional_mb(process_id: int) -> float:
    try:
        lines = Path(f"/proc/{process_id}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


async def one_client(url: str, token: str, number: int, spent: list[float], errors: list[str]) -> None:
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": token}, timeout=60) as client:

        async def small(method: str, path: str, expected: int, **options: object) -> dict[str, object]:
            start = time.perf_counter()
            answer = await client.request(method, path, **options)  # type: ignore[arg-type]
            spent.append(time.perf_counter() - start)
            if answer.status_code != expected:
                errors.append(f"{method} {path}: {answer.status_code}")
            found: dict[str, object] = answer.json()["results"]
            return found

        for study in range(STUDIES):
            study_id = (await small("POST", "/pbs", 201, json={"tags": {"client": str(number)}}))["pbs_study_id"]
            for file in range(2):
                answer = await client.post(
                    f"/pbs/{study_id}/files",
                    params={"file_name": f"{file}.png", "rbc_diameter": "16"},
                    headers={"Content-Type": "image/png"},
                    content=image_bytes(100_000 * number + 10 * study + file, side=96),
                )
                if answer.status_code != 201:
                    errors.append(f"upload: {answer.status_code}")
            await small("POST", f"/pbs/{study_id}/tasks", 202, json={"diagnostic_tasks": ["pbs_v1"]})
            while (await small("GET", f"/pbs/{study_id}/status", 200))["report_status"] not in {"ready", "failed"}:
                await asyncio.sleep(0.5)
            await small("GET", f"/pbs/{study_id}/report", 200)


def load() -> bool:
    spent: list[float] = []
    errors: list[str] = []
    with tempfile.TemporaryDirectory() as folder, Serving(Path(folder)) as serving:
        assert serving.process is not None
        memory = Memory(serving.process.pid)
        memory.start()

        async def everyone() -> None:
            await asyncio.gather(
                *(one_client(serving.url, serving.token(), number, spent, errors) for number in range(CLIENTS))
            )

        start = time.perf_counter()
        asyncio.run(everyone())
        took = time.perf_counter() - start
        memory.stopped.set()
        memory.join()
    p50, p99 = np.percentile(spent, (50, 99))
    print(
        f"{CLIENTS} clients x {STUDIES} studies in {took:.0f} s: {len(errors)} errors; {len(spent)} small requests, "
        f"median {1000 * p50:.0f} ms, p99 {1000 * p99:.0f} ms; memory at most {memory.most_mb:.0f} MB"
    )
    for error in errors[:10]:
        print("  ", error)
    return not errors and p99 < REQUIRED_P99_S and memory.most_mb < REQUIRED_MB


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("uploads", "load", "all"), default="all")
    what = parser.parse_args().what
    met = [run() for name, run in (("uploads", uploads), ("load", load)) if what in {name, "all"}]
    return int(not all(met))


if __name__ == "__main__":
    raise SystemExit(main())
