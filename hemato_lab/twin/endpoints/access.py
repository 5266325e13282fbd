"""Who calls: login, hello, and the health of the service."""

from __future__ import annotations

import asyncio
import math
import re
import secrets
import time
from typing import TYPE_CHECKING, Final

from hemato_lab.twin.accounts import ROLES
from hemato_lab.twin.exchange import Answer
from hemato_lab.twin.passwords import matches
from hemato_lab.twin.refusals import Refusal
from hemato_lab.twin.service import VERSION

if TYPE_CHECKING:
    from hemato_lab.twin.exchange import Call
    from hemato_lab.twin.service import Service

_HASH: Final = re.compile("[0-9a-fA-F]{64}")
_LARGEST_LOGIN: Final = 4 << 10
"""Bytes; who is not known yet is not listened to for long."""


async def login(service: Service, call: Call) -> Answer:
    """Hand out a token for a user's name and the hash of the password; slow for who fails often."""
    body = await call.document(_LARGEST_LOGIN)
    user, pass_hash = body.get("user"), body.get("pass_hash")
    if not isinstance(user, str) or not isinstance(pass_hash, str) or not _HASH.fullmatch(pass_hash):
        raise Refusal("bad_request", {"expected": {"user": "e-mail address", "pass_hash": "hex SHA-256"}})
    wait_s = service.throttle.wait_s(user, call.peer)
    if wait_s > 0:
        raise Refusal("throttled", headers={"retry-after": str(math.ceil(wait_s))})
    stored = service.accounts.password_of(user)
    # Threads of its own: uploads that wait for the disk must not keep anyone outside.
    right = await asyncio.get_running_loop().run_in_executor(service.door, matches, pass_hash.lower(), stored)
    found = service.accounts.user_by_email(user) if right else None
    if found is None or found.disabled:
        service.throttle.failed(user, call.peer)
        raise Refusal("bad_credentials")
    service.throttle.succeeded(user, call.peer)
    role = next(role for role in ROLES if role in found.roles)
    person = {
        "email": found.email,
        "id": found.user_id,
        "screen_name": found.screen_name,
        "user_name": found.email,
    }
    results = {
        "login_timestamp": str(int(service.now() * 1_000_000_000)),
        "token": {"HY_APP_AUTH_v1": service.judge.new_session(found, role)},
        "user": person,
    }
    return Answer(202, results)


async def hello(service: Service, call: Call) -> Answer:
    """Tell what is made of a token: its claims, or every reason to refuse it; the only place that does."""
    verdict = service.judge.judge(call.headers.get("authorization"))
    if verdict.bearer is None:
        raise Refusal("unauthorized", {"reasons": list(verdict.reasons)})
    return Answer(200, dict(verdict.claims))


async def heartbeat(service: Service, call: Call) -> Answer:
    """Tell that the service is alive; enveloped for who speaks the later dialect, which a Bearer header shows."""
    begun = time.perf_counter()
    document = {
        "heartbeat": secrets.token_hex(10),
        "request_timestamp": int(service.now()),
        "version": VERSION,
    }
    document["delta"] = f"{1e6 * (time.perf_counter() - begun):.3f}µs"
    if call.is_later:
        return Answer(200, document)
    return Answer.plain(document)


async def teapot(service: Service, call: Call) -> Answer:
    """Be a teapot (api/DECISIONS.md row 35)."""
    del service, call
    raise Refusal("teapot")
