"""Whatever a server answers, a typed result or a typed error comes of it, and the error says what is the matter."""

from __future__ import annotations

import json
import pickle
import random
import warnings
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from hemato_lab.api import Client, Journal, Policy, ServiceWarning, TokenAuth, requests
from hemato_lab.api.answers import read
from hemato_lab.api.messages import Answer, Request
from hemato_lab.api.models import Hello, StudyStatus, Wire
from hemato_lab.api.reading import Reading
from hemato_lab.api.redaction import Secrets
from hemato_lab.errors import (
    APIError,
    BadRequestError,
    ClockSkewError,
    ExpiredTokenError,
    ForbiddenError,
    HematoError,
    MethodNotAllowedError,
    NotAcceptableError,
    NotFoundError,
    NotJSONError,
    RedirectRefusedError,
    ReportNotReadyError,
    SchemaMismatchError,
    ServerError,
    StudyClosedError,
    TeapotError,
    ThrottledError,
    UnauthorizedError,
    UnavailableError,
)
from hemato_lab.report import Report
from tests.api.mutants import CALLS, CLAIMS, NOW, STUDY, TASK, envelope, mutant

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def reading(request: Request, now: float = NOW, *secrets: str) -> Reading:
    held = Secrets()
    for secret in secrets:
        held.hold(secret)
    return Reading(request, now, held)


def outcome(name: str, answer: Answer, now: float = NOW) -> Any:
    """Return what a call makes of an answer: its result or its error. Nothing else may come out."""
    request, understand, _, _ = CALLS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ServiceWarning)
        try:
            return understand(answer, reading(request, now))
        except HematoError as error:
            return error


def assert_presentable(found: Any) -> None:
    """Assert that what came out can be shown, passed on to another process, and written again."""
    if isinstance(found, HematoError):
        assert str(found).isprintable()
        assert len(str(found)) < 1500
        assert str(pickle.loads(pickle.dumps(found))) == str(found)  # noqa: S301 (our own)
    elif isinstance(found, Report):
        assert Report.from_json(found.to_json()) == found
    else:
        assert isinstance(found, Wire)
        assert isinstance(found.raw, dict)
        repr(found)


def test_5000_malformed_answers() -> None:
    chance = random.Random(1)  # noqa: S311 (repeatable, not secret)
    names = sorted(CALLS)
    results, errors = 0, set()
    for number in range(5000):
        name = names[number % len(names)]
        found = outcome(name, mutant(name, chance))
        assert_presentable(found)
        results += not isinstance(found, HematoError)
        errors.add(type(found) if isinstance(found, HematoError) else None)
    assert 500 < results < 2500, "most mutants are noticed, and what does not matter is let through"
    assert {NotJSONError, SchemaMismatchError, ReportNotReadyError, UnauthorizedError, RedirectRefusedError} <= errors


@pytest.mark.parametrize("depth", [70, 700])
def test_what_is_too_deep_to_be_copied_is_refused(depth: int) -> None:
    """It can be parsed; it is what is done with it later that would fail."""
    _, _, status, document = CALLS["report"]
    results = {**document["results"], "hemato_lab": "@"}
    text = json.dumps({**document, "results": results}).replace('"@"', '{"a":' * depth + "1" + "}" * depth)
    assert type(outcome("report", Answer(status, {}, text.encode()))) is SchemaMismatchError


@pytest.mark.parametrize("strange", ["", "a b", "a\n", "\u202eb", "\0", "x" * 201, "\ud800", 7, None, ["a"]], ids=repr)
def test_an_id_that_is_none_is_refused(strange: Any) -> None:
    """It becomes part of an address, of a line of a log, and of a row of the journal."""
    for name in ("create", "submit"):
        _, _, status, document = CALLS[name]
        spoilt = {**document["results"], **({"file_ids": [strange]} if name == "submit" else {"pbs_study_id": strange})}
        found = outcome(name, Answer(status, {}, json.dumps({**document, "results": spoilt}).encode()))
        assert type(found) is SchemaMismatchError


@pytest.mark.parametrize("name", CALLS)
def test_the_good_answers_are_read(name: str) -> None:
    """Else the mutants of what is refused anyway would prove nothing."""
    _, _, status, document = CALLS[name]
    found = outcome(name, Answer(status, {}, json.dumps(document).encode()))
    assert not isinstance(found, HematoError)
    assert_presentable(found)


def ways(api: Client) -> dict[str, Callable[[], Any]]:
    return {
        "hello": api.hello,
        "heartbeat": api.heartbeat,
        "create": api.create,
        "submit": lambda: api.submit("https://example.com/list"),
        "upload": lambda: api.upload(STUDY, [b"\xff\xd8\xff one"]),
        "tasks": lambda: api.request_tasks(STUDY),
        "status": lambda: api.status(STUDY),
        "report": lambda: api.report(STUDY),
        "task report": lambda: api.task_report(STUDY, TASK),
    }


def test_300_of_them_through_the_client(tmp_path: Path) -> None:
    chance = random.Random(2)  # noqa: S311 (repeatable, not secret)
    prepared = Answer(0, {}, b"")

    def respond(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(prepared.status, headers=dict(prepared.headers), content=prepared.body)

    kinds = set()
    for number in range(300):
        with (
            Journal(tmp_path / f"{number % 10}.sqlite3") as journal,
            Client(
                "eu",
                auth=TokenAuth("some-token"),
                transport=httpx.MockTransport(respond),
                journal=journal,
                policy=Policy(attempts=1),
            ) as api,
        ):
            calls = ways(api)
            name = sorted(calls)[number % len(calls)]
            prepared = mutant(name, chance)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ServiceWarning)
                try:
                    calls[name]()
                    kinds.add("result")
                except HematoError as error:
                    kinds.add(error.code)
    assert {"result", "not-json", "schema-mismatch", "outcome-unknown"} <= kinds


TABLE: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    405: MethodNotAllowedError,
    406: NotAcceptableError,
    418: TeapotError,
    429: ThrottledError,
    500: ServerError,
    503: UnavailableError,
}
NOT_READY = {"report", "task report"}


def refused(status: int, error: str = "", debug: Any = None, user: str = "", headers: Any = None) -> Answer:
    document = {"status": status, "results": {}, "error": error, "user_message": user, "debug_info": debug}
    return Answer(status, headers or {}, json.dumps(document).encode())


@pytest.mark.parametrize("name", CALLS)
def test_every_status_has_its_error(name: str) -> None:
    for status in (*range(100, 200), *range(300, 600)):
        found = outcome(name, refused(status, "why"))
        if name == "hello" and status == 401:
            assert isinstance(found, Hello)
        elif name in NOT_READY and status == 404:
            assert type(found) is ReportNotReadyError
        elif 300 <= status < 400:
            assert type(found) is RedirectRefusedError
        else:
            assert type(found) is TABLE.get(status, APIError)
            assert (found.status, found.error) == (status, "why")


@pytest.mark.parametrize("name", CALLS)
def test_the_status_in_the_body_is_heard_too(name: str) -> None:
    """A good HTTP status around a bad answer (api/DECISIONS.md row 11)."""
    for status in range(400, 600):
        said = {"status": status, "results": {}, "error": "why"}
        found = outcome(name, Answer(200, {}, json.dumps(said).encode()))
        kind = Hello if name == "hello" and status == 401 else TABLE.get(status, APIError)
        assert type(found) is (ReportNotReadyError if name in NOT_READY and status == 404 else kind)
        if isinstance(found, APIError):
            assert found.outcome == "unknown", "HTTP says that it was done"


@pytest.mark.parametrize("name", [name for name in CALLS if name != "heartbeat"])
def test_a_status_in_the_body_that_contradicts_the_rest_is_remarked(name: str) -> None:
    request, understand, good, document = CALLS[name]
    for status in (*range(100, 600), -1, 0, 600, 10**30):
        given = reading(request)
        understand(Answer(good, {}, json.dumps({**document, "status": status}).encode()), given)
        assert len(given.remarks) == (status != good)


def test_a_remark_becomes_a_warning(tmp_path: Path) -> None:
    body = json.dumps({**CALLS["status"][3], "status": 201})
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body))
    with (
        Client("eu", auth=TokenAuth("some-token"), transport=transport, journal=tmp_path / "j.sqlite3") as api,
        pytest.warns(ServiceWarning, match="the body says status 201, HTTP says 200"),
    ):
        assert api.status(STUDY).is_ready


def test_what_is_said_to_people_and_to_engineers_is_kept_apart() -> None:
    """Api/DECISIONS.md row 34; secrets are in none of the three parts."""
    secret = "the-token-of-somebody"  # noqa: S105 (made up)
    debug = {"trace": f"at {secret}", "deep": [{"a": secret}], secret: 1}
    answer = refused(400, f"E17 {secret}", debug, f"Please look again, {secret}\n")
    with pytest.raises(BadRequestError) as caught:
        read(StudyStatus, answer, reading(requests.status(STUDY), NOW, secret))
    error = caught.value
    assert error.user_message == "Please look again, [redacted]"
    assert error.error == "E17 [redacted]"
    assert error.debug_info == {"trace": "at [redacted]", "deep": [{"a": "[redacted]"}], "[redacted]": 1}
    assert str(error).startswith(f"{STUDY}: Please look again, [redacted] (")
    assert "E17" not in str(error)
    assert secret not in repr(error) + str(vars(error))


def test_half_a_secret_does_not_pass_where_words_are_cut() -> None:
    secret = "0123456789abcdef" * 4
    for length in range(440, 500, 7):
        found = outcome("status", refused(500, "w" * length + " " + secret, user="w" * length + " " + secret))
        assert "0123" not in found.error + found.user_message + str(found)


def test_a_long_error_is_cut_and_read_at_once() -> None:
    """A megabyte of what blotting out of secrets is slow with: seconds would be minutes."""
    long = {"text": "x-amz-" * 170_000, "list": ["a." * 500] * 2000}
    found = outcome("status", refused(500, "a." * 500_000, long, "x-amz-" * 170_000))
    assert len(found.error) == len(found.user_message) == 500
    assert len(json.dumps(found.debug_info)) < 500_000


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("token_expired", ExpiredTokenError),
        ("The token is too old", ExpiredTokenError),
        ("token_issued_in_future", ClockSkewError),
        ("clock skew", ClockSkewError),
        ("bad_signature", UnauthorizedError),
        ("Your API key is not correctly signed or expired.", UnauthorizedError),
        ("", UnauthorizedError),
    ],
)
def test_an_expired_token_and_clocks_that_differ_are_told_apart(error: str, kind: type[HematoError]) -> None:
    same = {"date": formatdate(NOW, usegmt=True)}
    assert type(outcome("status", refused(401, error, headers=same))) is kind
    for ahead in (3600, -3600):
        found = outcome("status", refused(401, error, headers={"date": formatdate(NOW + ahead, usegmt=True)}))
        assert type(found) is ClockSkewError


def test_a_wrong_password_is_not_the_clock() -> None:
    found = outcome("login", refused(401, "bad_credentials", headers={"date": formatdate(NOW + 3600, usegmt=True)}))
    assert type(found) is UnauthorizedError


REASONS = {
    "token_expired": "the token has expired",
    "token_issued_in_future": "issued in the future",
    "token_too_old": "more than an hour ago",
    "wrong_audience": "another host",
    "bad_signature": "does not fit the registered public key",
    "unknown_key": "is not registered",
    "key_ids_differ": "KEY_IDS_DIFFER",
    "unknown-kid": "is not registered",
    "unknown_issuer": "no known organisation",
    "algorithm_not_allowed": "RS256",
    "unknown_role": "admin, user, device, service",
    "missing_claim_role": "the claim role is missing",
    "wrong_type_iat": "the claim iat is not of the documented type",
    "malformed_token": "no JSON Web Token",
    "missing_token": "no token was sent",
    "duplicate_claim": "twice",
}


def test_hello_says_every_reason_in_words() -> None:
    found = outcome("hello", refused(401, "token_expired", {"reasons": [*REASONS, "Ask Ali about it", 7, None]}))
    assert not found.accepted
    assert len(found.reasons) == len(REASONS) + 1
    for (code, words), said in zip(REASONS.items(), found.reasons, strict=False):
        assert code in said
        assert words.lower() in said.lower()
    assert found.reasons[-1] == "Ask Ali about it"
    assert str(found).startswith("The token is refused: the token has expired (token_expired); ")


def test_hello_has_a_reason_wherever_there_is_one() -> None:
    assert outcome("hello", refused(401, "bad_signature", user="No.")).reasons == ["No."]
    assert "does not fit" in outcome("hello", refused(401, "bad_signature")).reasons[0]
    late = refused(401, headers={"date": formatdate(NOW - 90, usegmt=True)})
    assert outcome("hello", late).reasons == ["the clock of this machine is 90 s ahead of the service's"]
    assert "gives no reason" in str(outcome("hello", Answer(401, {}, b"<html>")))
    assert outcome("hello", Answer(200, {}, json.dumps(envelope(200, CLAIMS)).encode())).claims == CLAIMS


@pytest.mark.parametrize("name", ["upload", "tasks", "status", "report", "task report"])
def test_results_of_another_study_are_refused(name: str) -> None:
    _, _, status, document = CALLS[name]
    other = {**document, "results": {**document["results"], "pbs_study_id": "another"}}
    found = outcome(name, Answer(status, {}, json.dumps(other).encode()))
    assert type(found) is SchemaMismatchError
    assert "another study" in str(found)


def test_a_closed_study_and_a_report_that_is_not_there_yet() -> None:
    assert type(outcome("upload", refused(400, "study_closed"))) is StudyClosedError
    assert type(outcome("upload", refused(400, "Study closed: no more files"))) is StudyClosedError
    assert type(outcome("upload", refused(400, "bad_file"))) is BadRequestError
    for name in sorted(NOT_READY):
        for answer in (
            refused(404),
            Answer(404, {}, b"<html>"),
            Answer(202, {}, b"{}"),
            Answer(200, {}, b'{"status":202}'),
        ):
            assert type(outcome(name, answer)) is ReportNotReadyError
