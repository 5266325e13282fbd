"""Both clients, without sockets and with them: workflow 2, and what is known when the answer to it is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hemato_lab.api import FileList, PasswordAuth
from hemato_lab.errors import (
    BadRequestError,
    ConfigError,
    CredentialError,
    InsecureAddressError,
    OutcomeUnknownError,
    ServerError,
    UnavailableError,
)
from hemato_lab.formats.stored import file_id_of
from tests.api.conftest import POLICY
from tests.api.pictures import jpeg
from tests.api.transports import html_page, redirect

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.conftest import Api

LIST_URL = "https://lab.example/samples/1/files.json?signature=secret"
FILE = "https://lab.example/field.png?signature=secret"
CALLBACK = "https://lab.example/callbacks/1"


def test_the_address_of_a_list(api: Api) -> None:
    created = api.call("submit", LIST_URL, tasks=["pbs_v1"], callback_url=CALLBACK)
    (study,) = api.service.studies.values()
    assert created.pbs_study_id == study.study_id
    assert created.file_ids == [file_id_of(LIST_URL.encode())]
    assert (study.tasks, study.callback_url) == (["pbs_v1"], CALLBACK)
    (noted,) = api.call("studies")
    assert (noted.study_id, noted.workflow, noted.state) == (study.study_id, 2, "tasks accepted")
    assert b"secret" not in api.journal.path.read_bytes(), "a signed address is kept nowhere"


def test_a_list_that_is_sent_along(api: Api) -> None:
    files = FileList.of([FILE], peripheral_blood_sample_id="sample-7", callback_url=CALLBACK)
    created = api.call("submit", files=files)
    (study,) = api.service.studies.values()
    assert (created.pbs_study_id, created.file_ids) == (study.study_id, [file_id_of(FILE.encode())])
    assert (study.tasks, study.callback_url) == (["pbs_v1"], CALLBACK)
    assert api.call("studies")[0].reference == "sample-7"


def test_a_callback_counts_if_the_list_names_none(api: Api) -> None:
    api.call("submit", files=FileList.of([FILE]), callback_url=CALLBACK)
    (study,) = api.service.studies.values()
    assert study.callback_url == CALLBACK


def test_then_it_goes_on_as_in_workflow_1(api: Api) -> None:
    study_id = api.call("submit", LIST_URL).pbs_study_id
    assert api.call("wait", study_id).is_ready
    assert api.call("report", study_id).file_ids == (file_id_of(LIST_URL.encode()),)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({}, ConfigError),
        ({"list_url": LIST_URL, "files": FileList.of([FILE])}, ConfigError),
        ({"list_url": LIST_URL, "tasks": []}, ConfigError),
        ({"list_url": "http://lab.example/files.json"}, InsecureAddressError),
        ({"list_url": "https://user:word@lab.example/files.json"}, InsecureAddressError),
        ({"list_url": LIST_URL, "callback_url": "http://lab.example/hook"}, InsecureAddressError),
    ],
)
def test_what_cannot_be_meant_is_refused_before_it_leaves(
    api: Api, options: dict[str, Any], kind: type[Exception]
) -> None:
    with pytest.raises(kind) as caught:
        api.call("submit", **options)
    assert "secret" not in str(caught.value)
    assert api.asked() == []


def test_a_lost_answer_leaves_a_possible_orphan(api: Api) -> None:
    api.lose_answer()
    with pytest.raises(OutcomeUnknownError, match="may have been made") as caught:
        api.call("submit", LIST_URL)
    assert (caught.value.outcome, caught.value.retryable) == ("unknown", False)
    (asked,) = api.asked("/pbs")
    (made,) = api.service.studies.values()
    (orphan,) = api.call("possible_orphans")
    assert api.call("settle_orphan", "of nobody") is False
    assert api.call("settle_orphan", orphan.request_id) is True
    assert api.call("possible_orphans") == [], "it was looked after"
    assert orphan.request_id == made.request_id == asked.headers["x-request-id"]
    assert (orphan.workflow, orphan.service) == (2, api.client._endpoint.base_url)
    assert api.call("studies") == []


@pytest.mark.parametrize("spoilt", ["500", "page", "cut"])
def test_an_answer_that_tells_nothing_is_as_good_as_lost(api: Api, spoilt: str) -> None:
    answers: dict[str, Any] = {
        "500": api.service.error(500, "internal"),
        "page": html_page(200),
        "cut": lambda received: replace(api.service.process(received), body=b'{"status": 201, "resu'),
    }
    api.answer(answers[spoilt])
    with pytest.raises(OutcomeUnknownError):
        api.call("submit", LIST_URL)
    assert len(api.asked()) == 1
    assert len(api.call("possible_orphans")) == 1


def test_what_certainly_was_not_done_is_done_again(api: Api) -> None:
    api.answer(api.service.error(503, "unavailable"), api.service.error(429, "throttled"))
    created = api.call("submit", LIST_URL)
    assert list(api.service.studies) == [created.pbs_study_id]
    assert len(api.asked("/pbs")) == 3
    assert api.call("possible_orphans") == []


@pytest.mark.parametrize(("status", "kind"), [(400, BadRequestError), (503, UnavailableError)])
def test_a_refusal_is_one(open_api: Callable[..., Api], status: int, kind: type[Exception]) -> None:
    api = open_api(policy=replace(POLICY, attempts=2))
    api.answer(*[api.service.error(status, "no")] * 2)
    with pytest.raises(kind):
        api.call("submit", LIST_URL)
    assert api.call("possible_orphans") == []


def test_a_redirect_of_it_is_not_followed(api: Api) -> None:
    api.answer(redirect(307))
    with pytest.raises(OutcomeUnknownError, match="redirect-refused"):
        api.call("submit", LIST_URL)
    assert len(api.asked()) == 1


@pytest.mark.parametrize("name", ["create", "submit"])
def test_what_never_left_is_no_orphan(open_api: Callable[..., Api], name: str) -> None:
    api = open_api(auth=None)
    with pytest.raises(CredentialError):
        api.call(name, *([LIST_URL] if name == "submit" else []))
    assert api.asked() == []
    assert api.call("possible_orphans") == []


def test_a_login_that_fails_is_not_taken_for_a_submission(open_api: Callable[..., Api]) -> None:
    api = open_api(auth=PasswordAuth("ali@example.com", "a password"), policy=replace(POLICY, attempts=2))
    api.answer(*[api.service.error(500, "internal")] * 20)
    with pytest.raises(ServerError):
        api.call("submit", LIST_URL)
    assert api.asked("/pbs") == []
    assert api.call("possible_orphans") == []


# Workflow 1 may be asked again, because a study without files costs nothing


def test_an_orphan_of_workflow_1_is_known_too(api: Api) -> None:
    api.lose_answer()
    study_id = api.study()
    lost, found = api.service.studies.values()
    assert found.study_id == study_id
    (orphan,) = api.call("possible_orphans")
    assert (orphan.request_id, orphan.workflow) == (lost.request_id, 1)
    assert [one.study_id for one in api.call("studies")] == [study_id]


def test_a_service_that_honours_the_key_makes_no_orphan(api: Api) -> None:
    api.service.honour_idempotency_key = True
    api.lose_answer()
    study_id = api.study()
    assert list(api.service.studies) == [study_id]
    first, second = api.asked("/pbs")
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


def test_a_run_whose_creation_was_lost_takes_up_its_study(open_api: Callable[..., Api]) -> None:
    api = open_api(policy=replace(POLICY, attempts=1))
    api.service.honour_idempotency_key = True
    api.lose_answer()
    with pytest.raises(OutcomeUnknownError):
        api.call("run", [jpeg()])
    with api.another() as later:
        done = later.call("run", [jpeg()])
    assert list(api.service.studies) == [done.pbs_study_id]


def test_orphans_are_told_by_service(open_api: Callable[..., Api]) -> None:
    api = open_api(policy=replace(POLICY, attempts=1))
    api.answer(api.service.error(500, "internal"))
    with pytest.raises(OutcomeUnknownError):
        api.study()
    assert len(api.call("possible_orphans")) == 1
    elsewhere = open_api("us")
    assert elsewhere.call("possible_orphans") == []
    assert len(api.call("possible_orphans")) == 1
