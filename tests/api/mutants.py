"""Good answers to every documented call, and thousands that are not quite good."""

from __future__ import annotations

import copy
import json
from email.utils import formatdate
from functools import partial
from typing import TYPE_CHECKING, Any

from hemato_lab.api import requests
from hemato_lab.api.answers import read, read_bare, read_hello, read_report, read_task_report
from hemato_lab.api.messages import Answer, Request
from hemato_lab.api.models import (
    FileReceived,
    Heartbeat,
    Login,
    StudyCreated,
    StudyStatus,
    TaskReport,
    TasksAccepted,
)
from tests.api.fake_reports import documented_report, later_report

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from hemato_lab.api.reading import Reading

NOW = 1_700_000_000.0
STUDY, FILE = "c7d453a9-676d-4b9f-a505-8a9021b76dfd", "sha224-i-" + "4d" * 28
TASK = "MALARIA_ANY_ANY"
ALIVE = {"delta": "59.078µs", "heartbeat": "a7ef8fba741237f693c3", "request_timestamp": 1680716829, "version": "331"}
PERSON = {"email": "ali@example.com", "id": "03349841", "screen_name": "Ali", "user_name": "ali@example.com"}
LOGIN = {"login_timestamp": "1682945428455621477", "token": {"HY_APP_AUTH_v1": "eyJhbGciOi.J9.x"}, "user": PERSON}
CLAIMS = {"aud": ["us.api.hemato.ai"], "exp": 1683095428, "iat": 1682945428, "iss": "1st.example.com", "role": "user"}
STATUS = {"pbs_study_id": STUDY, "report_status": "ready", "progress": 1.0, "progress_message": "Reports are ready"}


def envelope(status: int, results: Any) -> dict[str, Any]:
    return {"status": status, "results": results, "error": "", "user_message": "", "debug_info": {"version": "1"}}


Call = tuple[Request, "Callable[[Answer, Reading], Any]", int, dict[str, Any]]
# Every documented call: what is asked, who reads the answer, and a good answer.
CALLS: dict[str, Call] = {
    "login": (requests.login("ali@example.com", "ab" * 32), partial(read, Login), 202, envelope(202, LOGIN)),
    "hello": (requests.hello(), read_hello, 200, envelope(200, CLAIMS)),
    "heartbeat": (requests.heartbeat(), partial(read_bare, Heartbeat), 200, ALIVE),
    "later heartbeat": (requests.heartbeat(), partial(read_bare, Heartbeat), 200, envelope(200, ALIVE)),
    "create": (requests.create_study({}), partial(read, StudyCreated), 201, envelope(201, {"pbs_study_id": STUDY})),
    "submit": (
        requests.submit_list("https://example.com/list", ["pbs_v1"]),
        partial(read, StudyCreated),
        201,
        envelope(201, {"pbs_study_id": STUDY, "file_ids": [FILE]}),
    ),
    "upload": (
        requests.upload(STUDY, b"x", "image/png"),
        partial(read, FileReceived),
        201,
        envelope(201, {"pbs_study_id": STUDY, "file_id": FILE, "file_ids": [FILE]}),
    ),
    "tasks": (
        requests.request_tasks(STUDY, ["pbs_v1"]),
        partial(read, TasksAccepted),
        202,
        envelope(202, {"pbs_study_id": STUDY, "tasks": ["pbs_v1"]}),
    ),
    "status": (requests.status(STUDY), partial(read, StudyStatus), 200, envelope(200, STATUS)),
    "report": (requests.report(STUDY), read_report, 200, envelope(200, documented_report(STUDY, [FILE], 1))),
    "task report": (
        requests.task_report(STUDY, TASK),
        partial(read_task_report, TaskReport, TASK),
        200,
        envelope(200, later_report(STUDY, [FILE], TASK)),
    ),
}
VERBATIM = {
    "@DEEP@": "[" * 10_000 + "]" * 10_000,
    "@DEEP OBJECTS@": '{"a":' * 3_000 + "1" + "}" * 3_000,
    "@DEEP ENOUGH@": "[" * 400 + "]" * 400,
    "@NAN@": "NaN",
    "@INFINITY@": "-Infinity",
    "@1E999@": "1e999",
    "@DIGITS@": "9" * 400,
    "@TOO MANY DIGITS@": "9" * 5000,
    "@TWICE@": '{"a": 1, "a": 2}',
    "@HALF A SURROGATE@": '"\\ud800"',
    "@ESCAPE@": '"\\x41"',
}
"""What `json.dumps` would not write, in the place of strings that it does."""
ODD: list[Any] = [
    *VERBATIM,
    *(None, True, False, 0, -1, 1.5, 10**30, 1e308, "", " ", "x" * 300_000, "null", "NaN", "1e999", "\u202e\0\x1b[2J"),
    *([], {}, [[]], [None], {"": ""}, {"a": {"b": {"c": []}}}, [1, "2", None], "another-study", 404, 503, "500", -200),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of everything within some JSON."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield (*path, key)
        yield from places(member, (*path, key))


def changed(document: dict[str, Any], chance: random.Random) -> bytes:
    """Return a document of which some members were dropped, renamed, doubled or replaced."""
    document = copy.deepcopy(document)
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        found = list(places(document))
        if not found:
            break
        *path, last = chance.choice(found)
        holder: Any = document
        for step in path:
            holder = holder[step]
        deed = chance.randrange(5)
        if deed == 0:
            del holder[last]
        elif deed == 1 and isinstance(holder, dict):
            holder[chance.choice(["", "é", str(last).upper(), f"{last} ", "pbs_id", "results", "\ud800"])] = holder.pop(
                last
            )
        elif deed == 2:
            holder[last] = [holder[last], copy.deepcopy(holder[last])]
        elif deed == 3 and isinstance(holder[last], int | float):
            holder[last] = str(holder[last])
        else:
            holder[last] = copy.deepcopy(chance.choice(ODD))
    text = json.dumps(document)
    for mark, verbatim in VERBATIM.items():
        text = text.replace(f'"{mark}"', verbatim)
    return text.encode()


def spoilt(good: bytes, chance: random.Random) -> bytes:
    """Return bytes that were hurt on the way, or never were what they should be."""
    flipped = bytearray(good)
    for _ in range(chance.randint(1, 8)):
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
    key, _, rest = good.partition(b":")
    choices = [
        *(good[: chance.randrange(len(good))], good[chance.randrange(len(good)) :], bytes(flipped), bytes(flipped)),
        *(b"\xef\xbb\xbf" + good, good.decode().encode("utf-16"), good.decode().encode("utf-32-be"), good + good),
        *(
            key + b":" + rest.rstrip(b"}") + b"," + key.lstrip(b"{") + b": 1}",
            b"[" + good + b"]",
            good + b"\0",
            b"\xff",
        ),
        *(b"<!DOCTYPE html><html></html>", b"", b" \n", b"null", b"7", b'"text"', b"NaN", b"[" * 10_000, b"{" * 10_000),
        *(chance.randbytes(chance.randint(1, 200)), good.replace(b'"', b"'"), b"\x1f\x8b\x08" + good, b"}" + good),
    ]
    return chance.choice(choices)


def mutant(name: str, chance: random.Random) -> Answer:
    """Return an answer to a call that is not quite the good one."""
    _, _, status, document = CALLS[name]
    body = changed(document, chance)
    if chance.random() < 0.4:
        body = spoilt(json.dumps(document).encode(), chance)
    if chance.random() < 0.2:
        status = chance.choice([chance.randint(100, 599), 200, 401, 404, 202, 400])
    headers = {"date": chance.choice([formatdate(NOW, usegmt=True), "now", "", "Fri, 31 Dec 9999 23:59:59 -2359"])}
    headers["retry-after"] = chance.choice(["1", "soon", "-1", "9" * 999])
    return Answer(status, headers, body)
