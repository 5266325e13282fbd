"""Both clients, without sockets and with them: addresses, calls that change nothing, studies, and odd answers."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hemato_lab.api import AsyncClient, Client, KeyAuth, PrivacyWarning, ServiceWarning, TokenAuth
from hemato_lab.errors import (
    ConfigError,
    CredentialError,
    InsecureAddressError,
    NotAcceptableError,
    NotFoundError,
    RedirectRefusedError,
    RegionError,
    SchemaMismatchError,
    UnavailableError,
)
from tests.api.conftest import POLICY
from tests.api.recording import Answer
from tests.api.transports import redirect

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from tests.api.conftest import Api
    from tests.api.recording import Received

CLIENTS = pytest.mark.parametrize("kind", [Client, AsyncClient])


# Addresses


@CLIENTS
def test_there_is_no_default_region(kind: Any) -> None:
    with pytest.raises(RegionError, match=r"one of dev, qa, us, ca, eu"):
        kind()
    with pytest.raises(RegionError):
        kind("uk")


@CLIENTS
@pytest.mark.parametrize(
    "address", ["http://twin.example", "http://10.0.0.1:8000", "ftp://127.0.0.1", "twin", "https://u:p@h"]
)
def test_an_address_that_is_not_safe_is_refused(kind: Any, address: str) -> None:
    with pytest.raises(InsecureAddressError):
        kind(base_url=address)


@pytest.mark.parametrize("region", ["dev", "qa", "us", "ca", "eu"])
def test_who_sends_to_dev_or_qa_is_told_that_it_is_not_protected(
    open_api: Callable[..., Api], capsys: pytest.CaptureFixture[str], region: str
) -> None:
    api = open_api(region)
    said = capsys.readouterr()
    assert said.out == ""
    if region in {"dev", "qa"} and api.server is None:
        assert f"{region}.api.hemato.ai is not HIPAA compliant" in said.err
        assert "staff of the vendor may inspect it" in said.err
    else:  # production, or this machine
        assert said.err == ""


# Calls that change nothing


def test_heartbeat_needs_no_credentials(open_api: Callable[..., Api]) -> None:
    api = open_api(auth=None)
    beat = api.call("heartbeat")
    assert re.fullmatch("[0-9a-f]{20}", beat.heartbeat)
    assert beat.version == api.service.version
    assert [(one.method, one.path) for one in api.asked()] == [("GET", "/heartbeat")]
    assert "authorization" not in api.asked()[0].headers


def test_everything_else_needs_them(open_api: Callable[..., Api]) -> None:
    api = open_api(auth=None)
    for name, arguments in {"create": (), "status": ("s",), "hello": (), "upload": ("s", b"\xff\xd8\xff")}.items():
        with pytest.raises(CredentialError, match="needs credentials"):
            api.call(name, *arguments)
    assert api.asked() == []


def test_hello_of_a_good_token(api: Api) -> None:
    said = api.call("hello")
    assert said.accepted
    assert said.claims["sub"] == api.service.subject
    assert said.reasons == []
    assert str(said) == "The token is accepted."


def test_hello_of_a_refused_token_gives_every_reason_in_words(
    open_api: Callable[..., Api], rsa_key: RSAPrivateKey
) -> None:
    api = open_api(auth=KeyAuth(rsa_key, issuer="lab", user_id="u", kid="nobody's"))
    api.service.host = "us.api.hemato.ai"
    said = api.call("hello")
    assert not said.accepted
    assert said.claims == {}
    key, audience = said.reasons
    assert "the key id (kid) is not registered" in key
    assert "the token is for another host (aud)" in audience
    assert str(said) == f"The token is refused: {key}; {audience}"
    assert len(api.asked()) == 1


def test_hello_of_a_key_that_nobody_registered(open_api: Callable[..., Api], rsa_key: RSAPrivateKey) -> None:
    said = open_api(auth=KeyAuth(rsa_key, issuer="lab.example.com", user_id="user-7", kid="nobody's")).call("hello")
    assert not said.accepted
    (reason,) = said.reasons
    assert "the key id (kid) is not registered" in reason


def test_hello_tells_that_the_clocks_differ(open_api: Callable[..., Api]) -> None:
    api = open_api(auth=TokenAuth("another"), ahead_s=5000)
    with api.another(ahead_s=-5000) as behind:
        for one, direction in ((api, "ahead of"), (behind, "behind")):
            found = re.search(rf"this machine is (\d+) s {direction} the service's", one.call("hello").reasons[-1])
            assert found is not None
            assert abs(int(found[1]) - 5000) < 60


# Studies and their tags


def test_create_and_find_again(api: Api) -> None:
    first = api.study(batch="7", stain="giemsa")
    second = api.study(batch="8", stain="giemsa")
    assert {study_id: study.tags for study_id, study in api.service.studies.items()} == {
        first: {"batch": "7", "stain": "giemsa"},
        second: {"batch": "8", "stain": "giemsa"},
    }
    found = api.call("studies", {"stain": "giemsa"})
    assert [one.study_id for one in found] == [second, first]
    assert [one.study_id for one in api.call("studies", {"stain": "giemsa", "batch": "7"})] == [first]
    assert api.call("studies", {"batch": "9"}) == []
    assert dict(found[0].tags) == {"batch": "8", "stain": "giemsa"}
    assert (found[0].state, found[0].workflow, found[0].tasks) == ("open", 1, ())
    assert len(api.asked()) == 2, "the index is here, not there"


def test_every_creation_has_a_key_of_its_own_and_every_try_an_id(api: Api) -> None:
    api.answer(api.service.error(503, "unavailable"))
    api.study()
    api.study()
    first, again, second = api.asked("/pbs")
    assert first.headers["idempotency-key"] == again.headers["idempotency-key"] != second.headers["idempotency-key"]
    assert len({one.headers["x-request-id"] for one in (first, again, second)}) == 3


@pytest.mark.parametrize("tags", [{"batch": 7}, {7: "batch"}, {"batch": None}])
def test_tags_are_text(api: Api, tags: Any) -> None:
    with pytest.raises(ConfigError, match="pairs of text"):
        api.call("create", tags)
    assert api.asked() == []


def test_personal_tags_are_warned_of_before_they_leave(api: Api) -> None:
    with pytest.warns(PrivacyWarning) as caught:
        api.study(patient_name="x", contact="ali@example.com", patient_proxy_id="p-7")
    sentences = sorted(str(one.message) for one in caught)
    assert len(sentences) == 2
    assert sentences[0].startswith("the tag 'contact' looks like an e-mail address")
    assert sentences[1].startswith("the tag 'patient_name' looks like personal data")
    assert "ali@" not in "".join(sentences)
    (study,) = api.service.studies.values()
    assert study.tags["contact"] == "ali@example.com", "it is warned of, not changed"


# Answers that are not as they should be


def test_unavailable_is_tried_again_after_the_time_that_the_service_asks(api: Api) -> None:
    api.answer(api.service.error(503, "unavailable", headers={"retry-after": "0.25"}))
    api.answer(api.service.error(429, "throttled"))
    assert api.study() in api.service.studies
    assert len(api.asked("/pbs")) == 3
    if api.moved is not None:
        assert api.moved.waits == [0.25, 0.01]  # the second is half of the longest wait, as the jitter is 0.5


def test_tries_come_to_an_end(open_api: Callable[..., Api]) -> None:
    api = open_api(policy=replace(POLICY, attempts=3))
    api.answer(*[api.service.error(503, "unavailable")] * 4)
    with pytest.raises(UnavailableError):
        api.call("status", "any")
    assert len(api.asked()) == 3


@pytest.mark.parametrize(("status", "kind"), [(404, NotFoundError), (406, NotAcceptableError)])
def test_what_will_not_change_is_asked_once(api: Api, status: int, kind: type[Exception]) -> None:
    api.answer(api.service.error(status, "no"))
    with pytest.raises(kind):
        api.call("status", "any")
    assert len(api.asked()) == 1


def test_redirects_are_not_followed(api: Api) -> None:
    study_id = api.study()
    api.answer(*[redirect(302)] * 3)
    with pytest.raises(RedirectRefusedError):
        api.call("status", study_id)
    assert {one.path for one in api.asked()} == {"/pbs", f"/pbs/{study_id}/status"}


def test_a_body_that_contradicts_the_status_is_warned_of(api: Api) -> None:
    study_id = api.study()

    def contradict(received: Received) -> Answer:
        answer = api.service.process(received)
        return Answer(202, answer.headers, answer.body)

    api.answer(contradict)
    with pytest.warns(ServiceWarning, match="body says status 200, HTTP says 202"):
        assert api.call("status", study_id).report_status == api.service.word_for_open


def test_an_answer_about_another_study_is_not_believed(api: Api) -> None:
    mine, other = api.study(), api.study()

    def mixed_up(received: Received) -> Answer:
        answer = api.service.process(received)
        return Answer(answer.status, answer.headers, answer.body.replace(mine.encode(), other.encode()))

    api.answer(mixed_up)
    assert api.call("status", mine).pbs_study_id == mine, "it is asked again"
    assert len(api.asked("/status")) == 2
    api.answer(*[mixed_up] * 3)
    with pytest.raises(SchemaMismatchError, match="another study"):
        api.call("status", mine)
    assert len(api.asked("/status")) == 5


def test_a_study_that_came_before_is_no_new_one(api: Api) -> None:
    first = api.study()
    api.answer(api.service.success(201, {"pbs_study_id": first}))
    second = api.study()
    assert second != first
    assert len(api.call("studies")) == 2
