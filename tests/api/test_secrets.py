"""More than 60 secrets go through the client, and none comes out: not in words, logs, tracebacks, notebooks or on disk.

Every channel is searched for every secret after every scenario, with both clients and on both ways to a service, and is
shown by a leak of its own to be one that would give a secret away.
"""

from __future__ import annotations

import base64
import logging
import socket
import sys
import threading
import warnings
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest
from cryptography.hazmat.primitives import serialization

from hemato_lab.api import CallbackSigner, FileList, KeyAuth, TokenAuth
from hemato_lab.api import requests as asks
from hemato_lab.api.effects import Send
from hemato_lab.api.hints import Hints
from hemato_lab.api.messages import Answer as Read
from hemato_lab.api.messages import Outgoing, Timeouts
from hemato_lab.errors import HematoError
from tests.api.conftest import POLICY
from tests.api.loopback import Behaviour
from tests.api.pictures import png
from tests.api.secret_channels import CHANNELS, SCENARIOS, SECRETS, World, hits, scenario
from tests.api.secret_scenarios import PNG, STUDY, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from tests.api.conftest import Api


@pytest.fixture
def world(
    open_api: Callable[..., Api], rsa_key: RSAPrivateKey, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> World:
    return World(open_api, rsa_key, tmp_path, tmp_path_factory.mktemp("given"))


# Keys


@scenario("passphrase-1", "passphrase-2")
def keys_of_our_own(world: World) -> None:
    names = {"issuer": "lab", "user_id": "u", "kid": "k"}
    key, pem = world.key, serialization.Encoding.PEM
    numbers = key.private_numbers()
    for name in ("d", "p", "q", "dmp1", "dmq1", "iqmp"):
        number = getattr(numbers, name)
        world.more |= {f"{name} of the key": str(number), f"{name} of the key, hex": f"{number:x}"}
    for name in ("passphrase-1", "passphrase-2"):
        lock = serialization.BestAvailableEncryption(world[name].encode())
        content = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, lock)
        plain = key.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
        for which, text in (("locked", content), ("open", plain)):
            world.more |= {f"{which} line {n}": line for n, line in enumerate(text.decode().splitlines()) if n % 8 == 3}
        path = world.files / f"{name}.pem"
        path.write_bytes(content)
        path.chmod(0o600)
        from_file = partial(KeyAuth.from_file, passphrase=world[name], **names)
        auth = world.attempt(from_file, path)
        world.attempt(from_file, path, passphrase=world[name] + "x")
        world.attempt(from_file, path, role="root")
        world.attempt(from_file, world.files / "missing")
        path.chmod(0o644)
        world.attempt(from_file, path)
        for broken in (plain[:-40], plain + plain[:99], content, b"", plain.replace(b"M", b"N")):
            world.attempt(KeyAuth, broken, **names)
        for options in ({"role": "root"}, {"kid": ""}):
            world.attempt(partial(KeyAuth, plain, **(names | options)))
        api = world.open(auth=auth)
        for status in (200, 401, 500):
            api.answer(*[lambda received, status=status: words(status, received.headers["authorization"])] * 2)
            world.attempt(api.call, "status", STUDY)
            world.attempt(api.call, "hello") if status != 401 else api.service.next_answers.clear()
        signed = {one.headers["authorization"] for one in api.service.received}
        world.more |= {f"token {number}": token for number, token in enumerate(signed)}


# Whole workflows


class SignedCallbacks:
    """Callbacks without a receiver."""

    def __init__(self, secret: str) -> None:
        self.hints = Hints()
        self.signer = CallbackSigner(secret=secret)
        self.made: list[str] = []

    def url(self, subject: str) -> str:
        self.made.append(self.signer.url("https://lab.example/hook", subject))
        return self.made[-1]

    def spend(self, subject: str) -> None:
        pass


@scenario("workflow", "plain", "tag-name", "tag-number", "tag-born", "file-name-1", "file-name-2")
def workflow_1(world: World) -> None:
    callbacks = SignedCallbacks(world["plain"] * 2)
    api = world.open(world["workflow"], callbacks=callbacks, policy=POLICY)
    tags = {"patient_name": world["tag-name"], "mrn": world["tag-number"], "note": f"born {world['tag-born']}"}
    files = [world.files / f"{world[name]}.png" for name in ("file-name-1", "file-name-2")]
    for number, path in enumerate(files):
        path.write_bytes(png(number))
    study = world.attempt(api.call, "create", tags).pbs_study_id
    world.attempt(api.call, "upload", study, files)
    for name in ("request_tasks", "wait", "report", "upload"):
        world.attempt(api.call, name, *((study, files) if name == "upload" else (study,)))
    world.attempt(api.call, "studies", tags)
    world.attempt(api.call, "run", files, tags=tags)
    for spoilt in range(5):  # the n-th request of a run is refused, and what it says is the token
        refuse = [api.service.process] * spoilt
        api.answer(*refuse, lambda received: words(400, received.headers["authorization"]))
        world.attempt(api.call, "run", files, tags=tags, fresh=True, parallel=1)
    api.answer(lambda _: words(400, "x"))
    world.attempt(api.call, "create", tags)
    world.more |= {f"callback {number}": url.rpartition(".")[2] for number, url in enumerate(callbacks.made)}
    world.objects.append(callbacks.signer)


PRESIGNED = {
    "s3-signature": "https://lab.s3.amazonaws.com/1.png?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature={}",
    "s3-credential": "https://lab.s3.amazonaws.com/2.png?X-Amz-Credential={}%2F20240307%2Feu-west-2",
    "s3-token": "https://lab.s3.amazonaws.com/3.png?X-Amz-Security-Token={}",
    "sas-signature": "https://lab.blob.core.windows.net/4.png?sv=2022-11-02&se=2024-03-07&sig={}",
    "gcs-signature": "https://storage.googleapis.com/5.png?X-Goog-Signature={}",
    "query-token": "https://lab.example/6.png?token={}",
    "list-signature": "https://lab.s3.amazonaws.com/list.json?X-Amz-Signature={}",
}


@scenario(*PRESIGNED)
def workflow_2(world: World) -> None:
    api = world.open(policy=POLICY)
    urls = [shape.format(quote(world[name], safe="")) for name, shape in PRESIGNED.items()]
    listed = FileList.of(urls, callback_url=urls[0])
    world.objects += [listed, asks.submit_list(urls[-1], ["pbs_v1"], urls[0]), asks.submit_list_file(listed.to_dict())]
    said = f"cannot fetch {' and '.join(urls)} <{urls[0]}>"
    for arguments, options in (((urls[-1],), {"callback_url": urls[0]}), ((), {"files": listed})):
        world.attempt(api.call, "submit", *arguments, **options)
        for status in (400, 429, 500):
            api.answer(*[words(status, said)] * (POLICY.attempts if status == 429 else 1))
            world.attempt(api.call, "submit", *arguments, **options)
        api.lose_answer()
        world.attempt(api.call, "submit", *arguments, **options)
    world.attempt(api.call, "possible_orphans")


# The way to the service


class Spoilt:
    """A transport, blocking and not, that fails with the secret in its words."""

    def __init__(self, kind: type[Exception]) -> None:
        self.kind = kind

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        headers = dict(request.headers)
        raise self.kind(f"cannot send {headers} {request.content!r}")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.handle_request(request)


FAILURES = {
    "transport-1": httpx.ConnectError,
    "transport-2": httpx.ReadTimeout,
    "transport-3": httpx.RemoteProtocolError,
    "transport-4": OSError,
    "transport-5": ValueError,
    "passphrase-1": httpx.InvalidURL,
}


@scenario(*FAILURES)
def transports_that_say_too_much(world: World) -> None:
    (world.files / "a.png").write_bytes(PNG)
    for name, kind in FAILURES.items():
        steps = [("create",), ("status", STUDY), ("upload", STUDY, world.files / "a.png"), ("hello",)]
        world.make(*steps, auth=TokenAuth(world[name]), transport=Spoilt(kind))
    assert len(world.plain) == 8, "faults that are none of a network are passed on"


@contextmanager
def listening(reply: Callable[[bytes], bytes]) -> Iterator[int]:
    """Answer whatever comes to a port with a function of its bytes; when that is nothing, say nothing."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection:
                    answer = reply(connection.recv(65536))
                    connection.sendall(answer) if answer else connection.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@scenario("closed-port", "reset", "silence", "tls", "static-token")
def a_network_that_fails(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    steps = [("create",), ("upload", STUDY, PNG), ("status", STUDY)]
    world.make(*steps, auth=TokenAuth(world["closed-port"]), base_url=f"http://127.0.0.1:{port}")
    api = world.open(world["reset"])
    wild = [Behaviour.RESET_BEFORE_READING, Behaviour.CLOSE_AFTER_PROCESSING, Behaviour.TRUNCATE_BODY, Behaviour.TWICE]
    for behaviour in wild if api.server else []:
        api.server.behaviours.append(behaviour)
        api.answer(lambda received: words(200, received.headers["authorization"]))
        world.attempt(api.call, "status", STUDY)
        api.service.next_answers.clear()
    said = {"silence": ("http", b""), "tls": ("https", b"HTTP/1.1 400 no\r\n\r\n")}
    for name, (scheme, reply) in said.items():
        with listening(lambda _, reply=reply: reply) as port:
            world.make(("status", STUDY), auth=TokenAuth(world[name]), base_url=f"{scheme}://127.0.0.1:{port}")
    for head in (b"HTP/9 ", b"HTTP/1.1 200 OK\r\nX Y: ", b"HTTP/1.1 200 ", b"HTTP/1.1 200 OK\r\nContent-Length: x"):
        with listening(lambda asked, head=head: head + asked) as port:
            world.make(("status", STUDY), auth=TokenAuth(world["static-token"]), base_url=f"http://127.0.0.1:{port}")


@scenario("proxy-password", "broken-proxy", "proxy-and-journal")
def proxies_of_the_environment(world: World) -> None:
    def via(name: str, port: int, scheme: str = "http", host: str = "127.0.0.1", **options: Any) -> None:
        environment.setenv("https_proxy", f"{scheme}://user:{quote(world[name], safe='')}@{host}:{port}")
        world.more[f"header of {name}"] = base64.b64encode(f"user:{world[name]}".encode()).decode()
        world.make(("status", STUDY), auth=TokenAuth("a-token"), trust_env=True, **options)

    def echo(asked: bytes) -> bytes:
        known = next(line for line in asked.split(b"\r\n") if line.lower().startswith(b"proxy-authorization"))
        return b"HTTP/1.1 407 " + known + b"\r\nX-Echo: " + known + b"\r\nContent-Length: 0\r\n\r\n"

    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("no_proxy", raising=False)
        environment.delenv("NO_PROXY", raising=False)
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        via("proxy-password", port)
        with listening(echo) as port:
            via("proxy-password", port)
        via("broken-proxy", 1080, "socks5")
        via("broken-proxy", 99_999_999)
        via("broken-proxy", 0, host="")
        via("proxy-and-journal", 1080, journal=world.files)
        via("proxy-and-journal", 1080, ca_file=world.files / "missing.pem")
    assert len(world.errors) == 7


@scenario("short-token-1", "hash of password-1", "tag-name", "file-name-1", "s3-signature", "callable-password")
def what_is_sent(world: World) -> None:
    token, name = world["short-token-1"], world["file-name-1"]
    requests = [
        asks.login("ali", world["hash of password-1"]),
        asks.create_study({"note": world["tag-name"]}),
        asks.upload(STUDY, world["callable-password"].encode(), "image/png", file_name=name),
        asks.request_tasks(STUDY, ["pbs_v1"], f"https://lab.example/?sig={world['s3-signature']}"),
    ]
    headers = {"authorization": token, "set-cookie": token}
    sent = [Outgoing(one, f"https://lab.example/?t={token}", headers, Timeouts(), 1.0) for one in requests]
    secrets = world.open().client._service.caller.secrets
    secrets.hold(token)
    world.objects += [*requests, *sent, *map(Send, sent), Read(200, headers, token.encode()), secrets]


# All of it


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_secret_comes_out(world: World, name: str, request: pytest.FixtureRequest) -> None:
    if name == "what_is_echoed" and "twin" in request.node.callspec.id:
        pytest.skip("what is echoed are the test's own answers, the same from any service")
    names, run = SCENARIOS[name]
    with world:
        run(world)
    assert world.taken == names
    assert world.errors or world.objects
    assert not any(api.service.next_answers for api in world.apis), "every answer was asked for"
    found = hits(world)
    assert not found, "\n".join(f"{channel}: {one}" for channel, ones in found.items() for one in ones)


def test_there_are_60_secrets_and_each_goes_through() -> None:
    assert len(set(SECRETS.values())) == len(SECRETS) >= 60
    assert set.union(*(names for names, _ in SCENARIOS.values())) == set(SECRETS)


def leak(world: World, secret: str, *lines: str, folder: str = "") -> None:
    """Have code that is none of the tests fail with a secret at hand."""
    path = world.files / folder / "leaky.py"
    path.parent.mkdir(exist_ok=True)
    source = "\n    ".join(("def leaky(secret):", *lines))
    path.write_text(source)
    names: dict[str, Any] = {"HematoError": HematoError}
    exec(compile(source, str(path), "exec"), names)  # noqa: S102 (our own)
    world.attempt(names["leaky"], secret)


def shown(**methods: Callable[[str], Any]) -> Callable[[World, str], None]:
    """Return a leak by an object that shows a secret by one method alone."""

    def show(world: World, secret: str) -> None:
        quiet = {"__repr__": lambda _: "quiet", "__str__": lambda _: "quiet"}
        loud = {name: lambda _, method=method: method(secret) for name, method in methods.items()}
        world.objects.append(type("Shown", (), quiet | loud)())

    return show


def fails(*lines: str) -> Callable[[World, str], None]:
    return lambda world, secret: leak(world, secret, *lines)


SAYS = fails("raise HematoError(secret)")
HAS = fails("error = HematoError('quiet')", "error.held = [secret]", "raise error")
LEAKS: dict[str, Callable[[World, str], Any]] = {
    "log lines": lambda _, secret: logging.getLogger("httpcore.http11").debug("complete %s", secret),
    "log records": lambda _, secret: logging.getLogger("hemato_lab.api").info("quiet", extra={"held": [secret]}),
    "warnings": lambda _, secret: warnings.warn(secret, UserWarning, stacklevel=1),
    "standard output": lambda _, secret: print(secret),
    "standard error": lambda _, secret: print(secret, file=sys.stderr),
    "disk": lambda world, secret: (world.folder / "journal.sqlite3-wal").write_bytes(b"\xff" + secret.encode()),
    **dict.fromkeys(("str of errors", "repr of errors", "args of errors", "tracebacks", "notebooks, errors"), SAYS),
    **dict.fromkeys(("attributes of errors", "pickles of errors"), HAS),
    **dict.fromkeys(("local variables", "verbose tracebacks"), fails("held = secret", "raise HematoError(held[:0])")),
    "repr": shown(__repr__=str),
    "str": shown(__str__=str),
    "notebooks": shown(_repr_html_=str),
    "rich": shown(__rich_repr__=lambda secret: iter([secret])),
}


@pytest.mark.parametrize("channel", CHANNELS)
def test_each_channel_would_give_a_secret_away(world: World, channel: str) -> None:
    assert hits(world) == {}
    with world:
        LEAKS[channel](world, SECRETS["password-1"])
    found = hits(world)[channel]
    assert [one.partition(":")[0] for one in found] == ["password-1"]


def test_every_secret_would_be_found_also_by_half_of_it_or_encoded(world: World) -> None:
    with world:
        for value in SECRETS.values():
            logging.getLogger("httpx").info("%s", value[: max(16, len(value) // 2)])
            print(base64.b64encode(value.encode()).decode())
    found = hits(world)
    for channel in ("log lines", "standard output"):
        assert {one.partition(": ")[0] for one in found[channel]} == set(SECRETS)


def test_what_an_error_came_of_would_give_a_secret_away(world: World) -> None:
    leak(
        world,
        SECRETS["password-1"],
        "try: raise ValueError(secret)",
        "except ValueError: raise HematoError('x') from None",
    )
    assert "str of errors" in hits(world), "also where it is not to be shown"


def test_only_our_own_frames_count_when_the_fault_is_another_library_s(world: World) -> None:
    leak(world, SECRETS["password-1"], "raise ValueError(secret)")
    assert hits(world) == {}
    leak(world, SECRETS["password-1"], "raise ValueError(secret)", folder="hemato_lab")
    assert list(hits(world)) == ["local variables"]
