"""``hemato-lab serve`` in a process of its own, as a user starts it, and requests to it by plain httpx."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import deque
from pathlib import Path
from typing import Any, Self

import httpx
import jwt

ROOT = Path(__file__).resolve().parents[2]
_START_S = 60


class Serving:
    """A twin on a folder; may be killed and started again at the same port.

    Attributes
    ----------
    access : dict
        What the first start printed: user, password, issuer, user id, key id, private key.
    """

    def __init__(self, folder: Path, *options: str, port: int = 0, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.options = options
        self.port = port
        self.access: dict[str, str] = {}
        self.lines: deque[str] = deque(maxlen=1000)
        self._environment = {**os.environ, **(environment or {})}
        self.process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and return when it answers."""
        command = [sys.executable, "-m", "hemato_lab", "serve", "--data", str(self.folder), "--port", str(self.port)]
        self.process = subprocess.Popen(  # noqa: S603
            [*command, *self.options],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._read(line)
            if line.startswith("The twin serves"):
                break
        else:
            raise AssertionError("it did not start: " + "".join(self.lines))
        self._reader = threading.Thread(target=self._read_on, args=(self.process.stdout,), daemon=True)
        self._reader.start()

    def _read_on(self, output: Any) -> None:
        with output:
            for line in output:
                self._read(line)

    def _read(self, line: str) -> None:
        self.lines.append(line)
        if found := re.search(r"http://127\.0\.0\.1:([0-9]+)", line):
            self.port = int(found[1])
        if found := re.match(r"  ([a-z]+(?: [a-z]+)?)(?: \([a-z]+\))?\s+(\S.*)$", line):
            self.access[found[1]] = found[2].strip()

    def kill(self) -> None:
        """End it as a power failure does: nothing is told, nothing is finished."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._read_to_the_end()

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(_START_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._read_to_the_end()

    def _read_to_the_end(self) -> None:
        """Wait until its output is closed, which its workers write to as well."""
        if self._reader is not None:
            self._reader.join(_START_S)

    def token(self, **changes: Any) -> str:
        """Return a token of the first user, signed with the first key; None leaves a claim out."""
        now = int(time.time())
        claims = {
            "jti": str(uuid.uuid4()),
            "iss": self.access["issuer"],
            "iat": now - 5,
            "exp": now + 900,
            "aud": ["127.0.0.1"],
            "sub": self.access["user id"],
            "role": "user",
            "kid": self.access["key id"],
        } | changes
        claims = {name: value for name, value in claims.items() if value is not None}
        key = Path(self.access["private key"]).read_bytes()
        return jwt.encode(claims, key, "RS256", headers={"kid": claims.get("kid")})

    def http(self, **changes: Any) -> httpx.Client:
        """Return a client of plain HTTP with a token."""
        headers = {"Authorization": self.token(**changes)}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60)


def results(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return the results of an answer in the envelope, which has to have this status."""
    document: dict[str, Any] = answer.json()
    assert (answer.status_code, document["status"]) == (status, status), document
    found: dict[str, Any] = document["results"]
    return found


def wait_for_end(client: httpx.Client, study_id: str, *, limit_s: float = 120) -> dict[str, Any]:
    """Poll a study until it is ready or failed."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        found = results(client.get(f"/pbs/{study_id}/status"), 200)
        if found["report_status"] in {"ready", "failed"}:
            return found
        time.sleep(0.1)
    raise AssertionError(f"study {study_id} did not end: {found}")
