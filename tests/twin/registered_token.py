"""Registers a public key with a twin as its administrator does, and prints a token signed with the private one.

Run as a script: folder of the twin, issuer, user id, public key, private key.
"""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import jwt

ROOT = Path(__file__).resolve().parents[2]


def register(folder: str, issuer: str, public_key: str) -> str:
    """Register a public key and return its id."""
    command = [sys.executable, "-m", "hemato_lab", "serve", "admin", "add-key", issuer, str(Path(public_key).resolve())]
    done = subprocess.run(  # noqa: S603
        [*command, "--data", folder], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return done.stdout.split()[-1]


def claims(issuer: str, user_id: str, key_id: str, **changes: Any) -> dict[str, Any]:
    """Return the claims of the vendor's table."""
    now = int(time.time())
    return {
        "aud": ["127.0.0.1"],
        "exp": now + 3600,
        "iat": now,
        "iss": issuer,
        "jti": str(uuid.uuid4()),
        "sub": user_id,
        "role": "user",
        "kid": key_id,
    } | changes


def main(folder: str, issuer: str, user_id: str, public_key: str, private_key: str) -> None:
    made = claims(issuer, user_id, register(folder, issuer, public_key))
    print(jwt.encode(made, Path(private_key).read_bytes(), "RS256"))


if __name__ == "__main__":
    main(*sys.argv[1:])
