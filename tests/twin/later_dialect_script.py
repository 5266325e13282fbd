"""A user's script in the vendor's later dialect, by plain requests (api/DECISIONS.md section 5).

Run as a script: address, issuer, key id, private key, image. It prints what it got, as JSON.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import jwt
import requests

TASK = "MALARIA_ANY_ANY"
POLLS = 600
TIMEOUT_S = 60


def token(issuer: str, key_id: str, private_key: str) -> str:
    """Return a token as the vendor's sample client signs it: without a role, and with a subject of its own choice."""
    now = int(time.time())
    claims = {
        "iss": issuer,
        "sub": "slide scanner 7",
        "aud": "127.0.0.1",
        "iat": now,
        "exp": now + 600,
        "jti": str(uuid.uuid4()),
        "kid": key_id,
    }
    return jwt.encode(claims, Path(private_key).read_bytes(), "RS256")


def results(answer: requests.Response) -> Any:
    """Return the results of an answer that has to be a success."""
    if not answer.ok:
        raise SystemExit(f"{answer.request.method} {answer.request.path_url}: {answer.status_code} {answer.text}")
    return answer.json()["results"]


def wait(session: requests.Session, study: str) -> dict[str, Any]:
    for _ in range(POLLS):
        status: dict[str, Any] = results(session.get(f"{study}/status/{TASK}", timeout=TIMEOUT_S))
        if status["report_status"] in {"ready", "failed"}:
            return status
        time.sleep(0.2)
    raise SystemExit("the study did not end")


def main(address: str, issuer: str, key_id: str, private_key: str, image: str) -> None:
    session = requests.Session()
    session.trust_env = False
    session.headers["Authorization"] = f"Bearer {token(issuer, key_id, private_key)}"
    heartbeat = results(session.get(f"{address}/heartbeat", timeout=TIMEOUT_S))
    hello = results(session.get(f"{address}/auth/hello", timeout=TIMEOUT_S))
    created = session.post(f"{address}/pbs", json={"purpose": "quality control", "batch_id": "7"}, timeout=TIMEOUT_S)
    study = f"{address}/pbs/{results(created)['pbs_study_id']}"
    content = Path(image).read_bytes()
    query = {"file_name": Path(image).name, "rbc_diameter": 70.0}
    form = session.post(f"{study}/files", params=query, files={"file": content}, timeout=TIMEOUT_S)
    uploads = [
        session.post(f"{study}/files", params=query, data=content, timeout=TIMEOUT_S),  # without a Content-Type
        session.post(
            f"{study}/files",
            params=query,
            data=content,
            headers={"Content-Type": "application/octet-stream"},
            timeout=TIMEOUT_S,
        ),
    ]
    asked = session.post(f"{study}/tasks", json={"tasks": [TASK]}, timeout=TIMEOUT_S)
    told = {
        "heartbeat": heartbeat,
        "hello": hello,
        "form": {"status": form.status_code, **form.json()},
        "uploads": [results(upload) for upload in uploads],
        "tasks": [asked.status_code, results(asked)],
        "status": wait(session, study),
        "report": results(session.get(f"{study}/reports/{TASK}", timeout=TIMEOUT_S)),
        "other_task": session.get(f"{study}/reports/pbs_v1", timeout=TIMEOUT_S).status_code,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
