"""Schemathesis against the twin and its own OpenAPI document: no 5xx, no status or answer that is not documented."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hemato_lab.twin.refusals import STATUS_OF
from hemato_lab.twin.surface import OPERATIONS
from tests.twin.described import validator
from tests.twin.fuzzed_twin import FuzzedTwin, uploads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis import Case

    from hemato_lab.twin.surface import Operation

CASES = 700
SLOW_CASES = 100_000
OPEN_STUDIES = 8
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    allow_header_conformance,
]
ACCEPTED = ["", "*/*", "application/json", "text/html, */*;q=0.1", "application/json;q=0", "image/png", "a/b;q=?,;"]
UPLOADS = uploads()
PRINTED = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30).map(str.strip)
EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        "Accept": st.sampled_from(ACCEPTED) | PRINTED,
        "X-Request-Id": PRINTED,
        "Idempotency-Key": st.sampled_from(["one", "two"]) | PRINTED,
        "Content-Type": st.sampled_from(["", "image/png", "multipart/form-data; boundary=x", "text/plain"]) | PRINTED,
    },
)


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzedTwin]:
    with FuzzedTwin(tmp_path_factory.mktemp("twin")) as running:
        yield running


@pytest.fixture(scope="module")
def served(twin: FuzzedTwin) -> Any:
    """The document as the twin serves it."""
    return schemathesis.openapi.from_url(f"{twin.url}/openapi.json")


def has_input(operation: Operation) -> bool:
    return bool("{" in operation.path or operation.parameters or operation.body)


@st.composite
def requests_of(draw: st.DrawFn, operation: Operation, described: Any, twin: FuzzedTwin, opened: list[str]) -> Any:
    """Give a case and the headers to send with it: as documented or not, of a study that is there or not."""
    modes = list(GenerationMode) if has_input(operation) else [GenerationMode.POSITIVE]
    mode = draw(st.sampled_from(modes))
    case: Case = draw(described.as_strategy(generation_mode=mode))
    if "study_id" in (case.path_parameters or {}) and draw(st.integers(0, 4)):
        case.path_parameters = {**case.path_parameters, "study_id": draw(st.sampled_from([*twin.closed, *opened]))}
    if operation.body == "File" and draw(st.booleans()):
        case.body = draw(st.sampled_from(UPLOADS))
    if operation.body == "Credentials" and draw(st.booleans()):
        case.body = twin.credentials
    if draw(st.integers(0, 19)) == 0:
        case.method = draw(st.sampled_from(["PUT", "DELETE", "PATCH", "OPTIONS", "GETS"]))
    headers = draw(EXTRAS) if not has_input(operation) or draw(st.integers(0, 3)) == 0 else {}
    if draw(st.integers(0, 9)):
        kinds = ["valid"] * 8 + sorted(twin.tokens)
        headers["Authorization"] = twin.tokens[draw(st.sampled_from(kinds))]
    return case, headers


def fuzz(operation: Operation, described: Any, twin: FuzzedTwin, cases: int) -> Counter[int]:
    """Ask so many times, check each answer, and return how often each status came."""
    opened = [twin.open_study() for _ in range(OPEN_STUDIES)] if "study_id" in operation.path else []
    statuses: Counter[int] = Counter()

    @settings(max_examples=cases, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck))
    @given(requests_of(operation, described, twin, opened))
    def ask(wish: tuple[Case, dict[str, str]]) -> None:
        case, headers = wish
        answer = case.call(base_url=twin.url, session=twin.session, headers=headers, timeout=60)
        statuses[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)
        if operation.form == "envelope" or answer.status_code >= 400:
            check_envelope(answer)

    ask()
    return statuses


def check_envelope(answer: Any) -> None:
    """See that all five members are there, and say the same as the status."""
    document = answer.json()
    assert set(document) == {"status", "results", "error", "user_message", "debug_info"}
    assert document["status"] == answer.status_code
    assert bool(document["error"]) is bool(document["user_message"]) is (answer.status_code >= 400)
    assert STATUS_OF.get(document["error"], answer.status_code) == answer.status_code


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.identifier)
def test_documented_answers_only(operation: Operation, served: Any, twin: FuzzedTwin) -> None:
    cases = -(-CASES // len(OPERATIONS))
    described = served[operation.path][operation.method]
    statuses = fuzz(operation, described, twin, cases)
    for more in (2, 4, 8):  # chance may ask for nothing that is there, or for nothing that is not
        if (operation.success or 418) in statuses and max(statuses) >= 400:
            break
        statuses += fuzz(operation, described, twin, more * cases)
    assert statuses.total() >= cases
    assert (operation.success or 418) in statuses, "nothing was asked that could be answered"
    assert max(statuses) >= 400


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.identifier)
def test_documented_answers_only_for_long(operation: Operation, served: Any, twin: FuzzedTwin) -> None:
    cases = -(-SLOW_CASES // len(OPERATIONS))
    assert fuzz(operation, served[operation.path][operation.method], twin, cases).total() >= cases


NAMES = ["pbs", "auth", "login", "status", "report", "_twin", "..", ".", "", "%2e%2e", "%2F", "%00", "%zz"]
TARGETS = st.lists(st.sampled_from(NAMES) | st.text("abcABC019-_~!$&'()*+,;=:@%", max_size=8), max_size=6).map("/".join)


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]),
    target=TARGETS,
    query=st.text("abc=&%+;?/.[]09", max_size=20),
    body=st.binary(max_size=60),
)
def test_any_path_is_answered_in_the_envelope(
    twin: FuzzedTwin, method: str, target: str, query: str, body: bytes
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", int(twin.url.rpartition(":")[2]), timeout=60)
    with closing(connection):
        connection.request(method, f"/{target}?{query}", body, {"Authorization": twin.tokens["valid"]})
        answer = connection.getresponse()
        content = answer.read()
    assert answer.status in {200, 201, 400, 404, 405}
    if answer.status >= 400:
        document = json.loads(content)
        validator({"$ref": "#/components/schemas/Refusal"}).validate(document)
        assert document["status"] == answer.status == STATUS_OF[document["error"]]


def wander(served: Any, twin: FuzzedTwin, walks: int) -> Counter[tuple[str, int]]:
    """Follow the document's links, check each answer, and return how often which came."""
    seen: Counter[tuple[str, int]] = Counter()

    class Walk(served.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Case) -> dict[str, Any]:  # noqa: ARG002 (the library calls it so)
            headers = {"Authorization": twin.tokens["valid"]}
            return {"base_url": twin.url, "session": twin.session, "headers": headers, "timeout": 60}

        def validate_response(self, response: Any, case: Case, **_: Any) -> None:
            seen[case.operation.label, response.status_code] += 1
            case.validate_response(response, checks=CHECKS)

    Walk.run(
        settings=settings(
            max_examples=walks,
            stateful_step_count=8,
            phases=[Phase.generate],
            database=None,
            suppress_health_check=list(HealthCheck),
        )
    )
    return seen


def test_links_lead_from_a_study_that_is_made_to_what_can_be_done_with_it(served: Any, twin: FuzzedTwin) -> None:
    seen = wander(served, twin, 20)
    for reached in ("status", "tasks", "report", "files"):
        assert any(label.endswith(f"/{reached}") for label, _ in seen)
    assert seen["GET /pbs/{study_id}/status", 200]


@pytest.mark.slow
def test_links_lead_on_for_long(served: Any, twin: FuzzedTwin) -> None:
    assert wander(served, twin, 1000).total() > 4000
