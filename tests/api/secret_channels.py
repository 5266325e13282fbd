"""What tests of secrets need: the secrets, and every channel through which one could come out.

In tracebacks the frames of the tests themselves do not count.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import logging
import pickle
import traceback
import types
import warnings
from collections.abc import Callable
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from IPython.core.formatters import DisplayFormatter
from IPython.core.ultratb import VerboseTB
from rich.pretty import pretty_repr

from hemato_lab.api import Client, Policy, Timeouts, TokenAuth
from hemato_lab.errors import HematoError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from tests.api.conftest import Api

ONCE = Policy(attempts=1, call_s=2.0, upload_s=2.0, timeouts=Timeouts(1.0, 0.3, 1.0), body_limit=100_000)
TESTS = str(Path(__file__).parents[1])
LOGGERS = (None, "hemato_lab", "httpx", "httpcore", "asyncio", "urllib3")


# The secrets


def mark(name: str) -> str:
    """Return eight letters that stand nowhere but in this secret, and twice in a long one, so that half of it shows."""
    return "".join(chr(ord("g") + int(digit, 16)) for digit in hashlib.sha256(name.encode()).hexdigest()[:8])


def encoded(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


SHAPES: dict[str, Callable[[str], str]] = {
    "opaque": lambda m: f"{m}-{m}-{m}",
    "short": lambda m: m,
    "odd": lambda m: f"{m}/+~{m}==",
    "jwt": lambda m: f"{encoded({'alg': 'HS256'})}.{encoded({'sub': m, 'of': m})}.{m}{m}{m}",
    "word": lambda m: f"correct {m} pässwörd {m}",
    "long": lambda m: m * 30,
    "name": lambda m: f"{m[:4].title()} {m.title()}",
}
NAMES = {
    "opaque": "static-token session-1 session-2 login-1 login-2 login-3 login-4 login-5 login-6 login-7 login-8 "
    "refused-login transport-1 transport-2 transport-3 transport-4 transport-5 closed-port reset silence tls workflow "
    "plain signer-text signer-bytes signer-short s3-signature s3-credential s3-token gcs-signature query-token "
    "list-signature user-of-list insecure-list insecure-file insecure-callback",
    "short": "short-token-1 short-token-2 passphrase-1",
    "odd": "odd-token-1 odd-token-2 sas-signature proxy-password broken-proxy proxy-and-journal",
    "jwt": "jwt-token-1 jwt-token-2 jwt-session",
    "word": "password-1 password-2 callable-password passphrase-2 refused-password base-url-password",
    "long": "long-password long-token",
    "name": "tag-name tag-number tag-born file-name-1 file-name-2",
}
SECRETS = {name: SHAPES[shape](mark(name)) for shape, names in NAMES.items() for name in names.split()}
HASHED = ("password-1", "password-2", "long-password", "callable-password", "refused-password")
SECRETS |= {f"hash of {name}": hashlib.sha256(SECRETS[name].encode()).hexdigest() for name in HASHED}
TOKENS = [
    name for name in SECRETS if name.split("-")[0] in {"static", "short", "odd", "jwt", "long"} and "token" in name
]
TAGS = {name for name in SECRETS if name.startswith("tag-")}
"""The journal may hold tags: it is the one index of them (api/DECISIONS.md row 28)."""


def needles(name: str, value: str) -> list[str]:
    parts = {value, value[:16], value[-16:], mark(name), *(part for part in value.split(".") if len(part) > 30)}
    parts |= {base64.b64encode(value.encode()).decode()[:-4], value.encode().hex()}
    return [part.lower() for part in parts if len(part) >= 8]


# The channels


class World:
    """What a scenario brings to light.

    Attributes
    ----------
    errors, plain : list of Exception
        Those of the package, and those of others, of which only our own frames are looked at.
    objects : list
        Results, and what else is public.
    more : dict
        Secrets that are known only once they are made.
    """

    def __init__(self, open_api: Callable[..., Api], key: RSAPrivateKey, folder: Path, files: Path) -> None:
        self._open, self.key, self.folder, self.files = open_api, key, folder, files
        self.errors: list[Exception] = []
        self.plain: list[Exception] = []
        self.objects: list[Any] = []
        self.records: list[logging.LogRecord] = []
        self.warnings: list[warnings.WarningMessage] = []
        self.out, self.err = io.StringIO(), io.StringIO()
        self.taken: set[str] = set()
        self.more: dict[str, str] = {}
        self.apis: list[Api] = []

    def __getitem__(self, name: str) -> str:
        self.taken.add(name)
        return SECRETS[name]

    def open(self, token: str = "a-token", **options: Any) -> Api:  # noqa: S107 (no secret)
        api = self._open(**{"auth": TokenAuth(token), "policy": ONCE, **options})
        api.service.static_tokens.add(token)
        self.apis.append(api)
        self.objects += [api.client, api.client.journal, api.client._exchange, api.client._runner, options]
        return api

    def attempt(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        try:
            self.objects.append(function(*arguments, **options))
        except HematoError as error:
            self.errors.append(error)
        except Exception as error:  # noqa: BLE001 (a fault that is meant)
            self.plain.append(error)
        return self.objects[-1] if self.objects else None

    def make(self, *steps: tuple[Any, ...], **options: Any) -> None:
        """Make a client of the same kind with other options, and have it do something."""
        kind = self.apis[0].kind if self.apis else self.open().kind
        make = partial(kind, **{"region": "eu", "policy": ONCE, "journal": self.folder / "other.sqlite3", **options})
        before = len(self.errors) + len(self.plain)
        client = self.attempt(make)
        if len(self.errors) + len(self.plain) > before:
            return
        with asyncio.Runner() as loop:

            def call(name: str, *arguments: Any) -> Any:
                if kind is Client:
                    return getattr(client, name)(*arguments)

                async def awaited() -> Any:
                    return await getattr(client, name)(*arguments)

                return loop.run(awaited())

            for step in (*steps, ("close",)):
                self.attempt(call, *step)

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        keeper = logging.Handler(1)
        keeper.emit = self.records.append  # type: ignore[method-assign]
        for name in LOGGERS:
            logger = logging.getLogger(name)
            self._stack.callback(logger.setLevel, logger.level)
            logger.setLevel(1)
        logging.getLogger().addHandler(keeper)
        self._stack.callback(logging.getLogger().removeHandler, keeper)
        self.warnings = self._stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        self._stack.enter_context(redirect_stdout(self.out))
        self._stack.enter_context(redirect_stderr(self.err))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


Scenario = Callable[[World], None]
SCENARIOS: dict[str, tuple[set[str], Scenario]] = {}
"""By name: the secrets that it takes, and what it does."""


def scenario(*names: str) -> Callable[[Scenario], Scenario]:
    """Register a scenario and the secrets that it takes."""

    def register(function: Scenario) -> Scenario:
        SCENARIOS[function.__name__] = (set(names), function)
        return function

    return register


def chain(error: BaseException | None, seen: tuple[Any, ...] = ()) -> Iterator[BaseException]:
    """Yield an error and what it came of, also where the latter is marked as not to be shown."""
    if error is None or error in seen:
        return
    yield error
    yield from chain(error.__cause__, (*seen, error))
    yield from chain(error.__context__, (*seen, error))


def without_tests(trace: types.TracebackType | None, inside: str = "") -> types.TracebackType | None:
    if trace is None:
        return None
    rest = without_tests(trace.tb_next, inside)
    file = trace.tb_frame.f_code.co_filename
    if file.startswith(TESTS) or inside not in file:
        return rest
    return types.TracebackType(rest, trace.tb_frame, trace.tb_lasti, trace.tb_lineno)


def with_locals(error: BaseException, inside: str = "") -> str:
    trace = without_tests(error.__traceback__, inside)
    shown = traceback.TracebackException(type(error), error, trace, capture_locals=True, compact=True)
    return "".join(shown.stack.format() if inside else shown.format(chain=False))


def verbose(error: BaseException) -> str:
    return str(VerboseTB(theme_name="nocolor").text(type(error), error, without_tests(error.__traceback__), context=9))


def _lines(error: BaseException) -> list[tuple[types.CodeType, int]]:
    return [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)]


def of_each_place(show: Callable[[Any], Any]) -> Callable[[World], list[str]]:
    """Show one error of each kind and way to where it was raised; it is slow, and others look at what they all hold."""

    def shown(world: World) -> list[str]:
        every = [one for error in world.errors for one in chain(error)]
        places = {(type(one), *_lines(one)): one for one in every}
        return [str(show(one)) for one in places.values()]

    return shown


def of_errors(show: Callable[[Any], Any]) -> Callable[[World], list[str]]:
    return lambda world: [str(show(one)) for error in world.errors for one in chain(error)]


def of_objects(show: Callable[[Any], Any]) -> Callable[[World], list[str]]:
    return lambda world: [str(show(one)) for one in world.objects]


def pickled(error: BaseException) -> str:
    content = pickle.dumps(error)
    return content.decode("latin-1") + repr(vars(pickle.loads(content)))  # noqa: S301 (our own)


def displayed(one: Any) -> str:
    return repr(DisplayFormatter().format(one))


def on_disk(world: World) -> list[str]:
    files = [one for one in world.folder.rglob("*") if one.is_file()]
    return [
        f"{one}\n{one.read_bytes().decode('latin-1')}\n{one.read_bytes().decode(errors='replace')}" for one in files
    ]


CHANNELS: dict[str, Callable[[World], list[str]]] = {
    "log lines": lambda world: [logging.Formatter().format(record) for record in world.records],
    "log records": lambda world: [repr(vars(record)) for record in world.records],
    "warnings": lambda world: [f"{one.message!r} {one}" for one in world.warnings],
    "standard output": lambda world: [world.out.getvalue()],
    "standard error": lambda world: [world.err.getvalue()],
    "disk": on_disk,
    "str of errors": of_errors(str),
    "repr of errors": of_errors(repr),
    "args of errors": of_errors(lambda error: error.args),
    "attributes of errors": of_errors(vars),
    "pickles of errors": lambda world: [pickled(error) for error in world.errors],
    "tracebacks": of_errors(lambda error: "".join(traceback.format_exception(error, chain=False))),
    "local variables": lambda world: (
        of_errors(with_locals)(world)
        + [with_locals(one, "hemato_lab/") for error in world.plain for one in chain(error)]
    ),
    "verbose tracebacks": of_each_place(verbose),
    "notebooks, errors": of_errors(displayed),
    "repr": of_objects(repr),
    "str": of_objects(str),
    "notebooks": of_objects(displayed),
    "rich": lambda world: [pretty_repr(one) for one in (*world.objects, *world.errors)],
}


def hits(world: World) -> dict[str, list[str]]:
    """Return the secrets that are found in each channel, and the words around the first of them."""
    secrets = {name: needles(name, value) for name, value in (SECRETS | world.more).items()}
    found: dict[str, list[str]] = {}
    for channel, listen in CHANNELS.items():
        text = "\n".join(dict.fromkeys(listen(world))).lower()
        for name, parts in secrets.items():
            place = next((place for place in map(text.find, parts) if place >= 0), -1)
            if place >= 0 and not (channel == "disk" and name in TAGS):
                found.setdefault(channel, []).append(f"{name}: ...{text[max(0, place - 90) : place + 40]!r}...")
    return found
