"""Secrets that a service echoes, logins that it answers in the wrong shape, and what is refused on this machine."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from hemato_lab.api import CallbackSigner, FileList, KeyAuth, PasswordAuth, TokenAuth
from tests.api.fake_reports import documented_report
from tests.api.recording import Answer
from tests.api.secret_channels import SECRETS, TOKENS, World, scenario

STUDY = "c7d453a9-676d-4b9f-a505-8a9021b76dfd"
PNG = b"\x89PNG\r\n\x1a\n and whatever follows"


def envelope(
    status: int = 200, headers: dict[str, str] | None = None, stated: int | None = None, **parts: Any
) -> Answer:
    body = json.dumps({"status": status if stated is None else stated, **parts}).encode()
    return Answer(status, {"content-type": "application/json", **(headers or {})}, body)


def raw(body: str | bytes, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, headers or {}, body.encode() if isinstance(body, str) else body)


def words(status: int, token: str, http: int | None = None) -> Answer:
    """Return an error that says a token wherever there are words, also where they are cut."""
    debug = {"authorization": token, token: [{"deep": token}], "long": "x" * 1990 + token, "many": (token + " ") * 99}
    error = f"{'x' * 480} {token} {'x' * 1490} {token}"
    parts = {"error": error, "user_message": token * 60, "debug_info": debug, "results": {"token": token}}
    return envelope(status if http is None else http, {"retry-after": token}, status, **parts)


HEADERS = {
    "location": "https://elsewhere.invalid/?to={}",
    "set-cookie": "session={}",
    "www-authenticate": "Bearer realm={}",
    "x-echo": "{}",
    "date": "{}",
}


def heads(status: int, token: str) -> Answer:
    return envelope(status, {name: value.format(token) for name, value in HEADERS.items()}, results={})


def about(**parts: Any) -> Answer:
    return envelope(results={"pbs_study_id": STUDY, **parts})


def report(token: str) -> Answer:
    document = documented_report(STUDY, [token], 1)
    document["pathology_report"] = f"made for {token}"
    document["morphological_findings"] = {f"ring {token}": {"count": "1", "heat_map": []}}
    return envelope(results=document)


def deep(token: str) -> Answer:
    return raw("[" * 99 + json.dumps(token) + "]" * 99)


Echo = tuple[str, tuple[Any, ...], Callable[[str], Answer]]
ECHOES: list[Echo] = [
    *[
        ("status", (STUDY,), partial(words, status))
        for status in (400, 401, 403, 404, 405, 406, 409, 418, 429, 500, 503)
    ],
    ("status", (STUDY,), lambda t: words(403, t, http=200)),
    ("create", (), lambda t: words(500, t)),
    ("upload", (STUDY, PNG), lambda t: words(400, t)),
    ("report", (STUDY,), lambda t: words(404, t)),
    ("hello", (), lambda t: envelope(401, debug_info={"reasons": [t, f"{t} is bad"], "token": t}, error=t)),
    ("hello", (), lambda t: envelope(results={"authorization": t, "aud": [t]})),
    *[("status", (STUDY,), partial(heads, status)) for status in (200, 302, 307, 401, 500)],
    ("status", (STUDY,), lambda t: raw(f"<html>{t}</html>")),
    ("status", (STUDY,), lambda t: raw(f"<html>{t}</html>", 502)),
    ("status", (STUDY,), lambda t: raw(f'{{"status": 200, "results": "{t}')),
    ("status", (STUDY,), lambda t: raw(f'{{"{t}": 1, "{t}": 2}}')),
    ("status", (STUDY,), lambda t: raw(f'{{"results": {{"{t}": NaN}}}}')),
    ("status", (STUDY,), lambda t: raw(json.dumps([t]))),
    ("status", (STUDY,), deep),
    ("status", (STUDY,), lambda t: raw(json.dumps({"results": json.loads("[" * 80 + json.dumps(t) + "]" * 80)}))),
    ("status", (STUDY,), lambda t: raw(t * 20_000)),
    ("status", (STUDY,), lambda t: raw(t, headers={"content-encoding": "gzip"})),
    ("status", (STUDY,), lambda t: raw(gzip.compress(t.encode()) + t.encode(), headers={"content-encoding": "gzip"})),
    ("status", (STUDY,), lambda t: raw(t, headers={"content-encoding": t})),
    ("status", (STUDY,), lambda t: envelope(results=t)),
    ("status", (STUDY,), lambda t: envelope(results={"pbs_study_id": t, "report_status": "ready"})),
    ("status", (STUDY,), lambda t: about(report_status=t, progress=0.5, progress_message=t)),
    ("status", (STUDY,), lambda t: about(report_status="queued", progress=t)),
    ("status", (STUDY,), lambda t: about(report_status={t: t})),
    ("wait", (STUDY,), lambda t: about(report_status="failed", progress_message=f"{t} failed")),
    ("create", (), lambda t: envelope(201, results={"pbs_study_id": t})),
    ("create", (), lambda t: envelope(201, results={"pbs_study_id": [t], t: t})),
    ("request_tasks", (STUDY,), lambda t: about(tasks=[t])),
    ("request_tasks", (STUDY,), lambda t: about(tasks={t: t})),
    ("upload", (STUDY, PNG), lambda t: about(file_id=t)),
    ("upload", (STUDY, PNG + b"!"), lambda t: about(file_ids=[t, {t: t}])),
    ("report", (STUDY,), report),
    ("report", (STUDY,), lambda t: about(file_ids=[], morphological_findings={t: t})),
    ("report", (STUDY,), lambda t: envelope(202, results=None, user_message=t)),
]


@scenario(*TOKENS)
def what_is_echoed(world: World) -> None:
    for number, name in enumerate(TOKENS):
        api = world.open(world[name], auth_scheme=("raw", "bearer")[number % 2])
        for method, arguments, answer in ECHOES:
            api.answer(lambda received, answer=answer: answer(received.headers["authorization"].split()[-1]))
            world.attempt(api.call, method, *arguments)
        api.answer(about(report_status=SECRETS[name]))
        world.attempt(api.call, "wait", STUDY, deadline_s=0.4)


# Logging in


def logged_in(token: Any, **more: Any) -> Answer:
    return envelope(202, results={"token": token, **more})


SHAPES: dict[str, Callable[[str], Answer]] = {
    "login-1": logged_in,
    "login-2": lambda t: logged_in({"OTHER": t}),
    "login-3": lambda t: logged_in([t]),
    "login-4": lambda t: logged_in({"HY_APP_AUTH_v1": {"value": t}}),
    "login-5": lambda t: logged_in({t: 5, "HY_APP_AUTH_v1": 5}),
    "login-6": lambda t: logged_in({"HY_APP_AUTH_v1": f"{t} {t}"}),
    "login-7": lambda t: envelope(202, results=t),
    "login-8": lambda t: envelope(401, debug_info={"token": {"HY_APP_AUTH_v1": t}, "access_token": t}),
}


@scenario(*SHAPES)
def logins_of_the_wrong_shape(world: World) -> None:
    for name, answer in SHAPES.items():
        api = world.open(auth=PasswordAuth("ali", "a password"))
        api.answer(answer(world[name]), answer(world[name]))
        world.attempt(api.call, "login")
        world.attempt(api.call, "create")


PASSWORDS = ("password-1", "password-2", "long-password")
SESSIONS = ("session-1", "session-2", "jwt-session")


@scenario(
    *SESSIONS, *PASSWORDS, "callable-password", *(f"hash of {name}" for name in (*PASSWORDS, "callable-password"))
)
def sessions(world: World) -> None:
    for name, session in zip(PASSWORDS, SESSIONS, strict=True):
        for auth in (PasswordAuth("ali", world[name]), PasswordAuth("ali", pass_hash=world[f"hash of {name}"])):
            api = world.open(world[session], auth=auth)
            world.objects += [auth, auth.log_in]
            api.answer(logged_in({"HY_APP_AUTH_v1": world[session]}, extra=world[session]), api.service.process)
            world.attempt(api.call, "login")
            world.attempt(api.call, "hello")
            for status in (200, 401, 500):
                api.answer(lambda received, status=status: words(status, json.loads(received.body)["pass_hash"]))
                world.attempt(api.call, "login")
            api.answer(lambda received: raw(received.body))
            world.attempt(api.call, "login")
    api = world.open(auth=PasswordAuth("ali", partial(world.__getitem__, "callable-password")))
    api.answer(lambda received: words(400, json.loads(received.body)["pass_hash"]))
    held = api.client._service.caller.authentication._pass_hash.get_secret_value()
    assert held == world["hash of callable-password"]
    world.attempt(api.call, "create")


# Credentials that are refused, and addresses


@scenario(
    "refused-password", "hash of refused-password", "refused-login", "signer-text", "signer-bytes", "signer-short"
)
def credentials_that_are_refused(world: World) -> None:
    word, digest, token = world["refused-password"], world["hash of refused-password"], world["refused-login"]
    text, content = world["signer-text"] * 2, world["signer-bytes"].encode() * 2
    names = {"issuer": "lab", "user_id": "u", "kid": "k"}

    def locked() -> str:
        secret = word
        raise RuntimeError(secret)

    for make in (
        partial(PasswordAuth, "", word),
        partial(PasswordAuth, "", pass_hash=digest),
        partial(PasswordAuth, "ali", word, pass_hash=digest),
        partial(PasswordAuth, "ali", pass_hash=digest + "0"),
        partial(PasswordAuth, "ali", pass_hash=word),
        partial(PasswordAuth, "ali", word.encode()),
        partial(PasswordAuth, "ali", word + "\udc80"),
        partial(TokenAuth, f"Bearer {token}"),
        partial(TokenAuth, f"{token}\r\nX: y"),
        partial(TokenAuth, token + "é"),
        partial(KeyAuth, token.encode(), **names),
        partial(KeyAuth, token, **names),
        partial(CallbackSigner, secret=world["signer-short"]),
        partial(CallbackSigner, secret=text, lifetime_s=0),
        partial(CallbackSigner, secret=content, tolerance_s=-1.0),
        partial(CallbackSigner, secret=content + b"\xff", lifetime_s=float("nan")),
    ):
        before = len(world.errors)
        world.attempt(make)
        assert len(world.errors) == before + 1
    world.attempt(PasswordAuth, "ali", locked)
    for secret in (text, content):
        signer = CallbackSigner(secret=secret)
        url = signer.url("https://lab.example/hook", "a-study")
        world.more[f"signature of {secret[:4]!r}"] = url.rpartition(".")[2]
        world.objects.append(signer)
        for target in (url[:-1], url.replace("a-study", "b-study"), url + "?" + url, "https://lab.example/" + url):
            world.attempt(signer.verify, target)
        world.attempt(signer.url, f"http://lab.example/{url}", "a-study")


BAD = (
    "https://user:{}@127.0.0.1/x",
    "http://user:{}@lab.example",
    "https://{}@lab.example",
    "http:/{}",
    "https://h/?{}",
)


@scenario("base-url-password", "user-of-list", "insecure-list", "insecure-file", "insecure-callback")
def addresses_that_are_refused(world: World) -> None:
    api = world.open()
    good = "https://lab.example/list.json"
    for shape in BAD:
        world.make(base_url=shape.format(world["base-url-password"]))
        bad = {name: shape.format(world[name]) for name in ("user-of-list", "insecure-file", "insecure-callback")}
        world.attempt(api.call, "submit", bad["user-of-list"])
        world.attempt(api.call, "submit", good, callback_url=bad["insecure-callback"])
        world.attempt(FileList.of, [good, bad["insecure-file"]])
        world.attempt(FileList.of, [good], callback_url=bad["insecure-callback"])
        world.attempt(FileList.from_json, json.dumps({"files": [bad["insecure-file"]]}))
    world.attempt(api.call, "submit", f"http://lab.example/?sig={world['insecure-list']}")
    world.attempt(api.call, "submit", good, files=FileList.of([f"{good}?sig={world['insecure-list']}"]))
    world.attempt(FileList.of, [f"{good}?sig={world['insecure-list']}"], sample_collection_timestamp="soon")
    world.attempt(FileList.from_json, f'{{"files": ["{good}?sig={world["insecure-list"]}"')
