"""The OpenAPI document: valid, true to the vendor's document, and with examples that are what they say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from schemathesis.specs.openapi.definitions import OPENAPI_31

from hemato_lab.report import RESEARCH_USE_NOTICE
from hemato_lab.twin.openapi import document
from hemato_lab.twin.refusals import MESSAGE_OF, STATUS_OF
from hemato_lab.twin.surface import OPERATIONS
from tests.api import test_documented_examples as vendor
from tests.twin.described import answer_schema, described, operations, validator

STUDY_PATH = "/pbs/{study_id}"
LOGIN = {
    "status": 202,
    "results": {
        "login_timestamp": "1682945428455621477",
        "token": {"HY_APP_AUTH_v1": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9E....."},
        "user": {
            "email": "ali@example.com",
            "id": "03349841-588d-56b3-b93c-52d0983f9c75",
            "screen_name": "Ali",
            "user_name": "ali@example.com",
        },
    },
    "debug_info": {"delta": "463.021938ms", "version": "bb_api.362.pbs_tasks.dfd119b"},
}
HEARTBEAT = {
    "delta": "59.078µs",
    "heartbeat": "a7ef8fba741237f693c3",
    "request_timestamp": 1680716829,
    "version": "bb_api.331.develop.18ff645",
}
SAMPLE_ANSWERS = [
    ("POST", "/auth/login", 202, LOGIN),
    ("POST", "/pbs", 201, vendor.CREATED),
    ("POST", "/pbs", 201, vendor.SUBMITTED),
    ("POST", f"{STUDY_PATH}/files", 201, vendor.RECEIVED),
    ("POST", f"{STUDY_PATH}/tasks", 202, vendor.ACCEPTED),
    ("GET", f"{STUDY_PATH}/status", 200, vendor.STATUS),
    ("GET", f"{STUDY_PATH}/report", 200, vendor.REPORT),
    ("GET", "/heartbeat", 200, HEARTBEAT),
]
SAMPLE_BODIES = [
    ("/auth/login", {"user": "ali@example.com", "pass_hash": "5e884898da28047151d0e56f8dc62927" * 2}),
    ("/pbs", {"tags": {"patient_proxy_id": ""}}),
    ("/pbs", {"list_url": "https://example.com/samples/1/files.json", "tasks": ["pbs_v1"]}),
    ("/pbs", vendor.LIST_FILE),
    (f"{STUDY_PATH}/tasks", {"diagnostic_tasks": ["pbs_v1"], "callback_url": "https://example.com/pbs_report_is_ready/1/"}),
]  # fmt: skip
VENDOR_SURFACE = {
    ("POST", "/auth/login"),
    ("POST", "/auth/hello"),
    ("POST", "/pbs"),
    ("POST", f"{STUDY_PATH}/files"),
    ("POST", f"{STUDY_PATH}/tasks"),
    ("GET", f"{STUDY_PATH}/status"),
    ("GET", f"{STUDY_PATH}/report"),
    ("GET", "/heartbeat"),
}
ERROR_TABLE = {"400", "401", "403", "404", "405", "406", "418", "429", "500", "503"}


def test_document_is_openapi_3_1() -> None:
    Draft202012Validator(OPENAPI_31).validate(described())
    assert described()["openapi"] == "3.1.0"


def test_meta_schema_would_tell() -> None:
    broken = {**described(), "paths": {"no-slash": {}}}
    assert list(Draft202012Validator(OPENAPI_31).iter_errors(broken))


@pytest.mark.parametrize("name", described()["components"]["schemas"])
def test_every_schema_is_one_and_leads_somewhere(name: str) -> None:
    schema = described()["components"]["schemas"][name]
    Draft202012Validator.check_schema(schema)
    list(validator(schema).iter_errors({}))  # a reference that leads nowhere raises


def _references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(_references, node.values()))
    return set().union(*map(_references, node)) if isinstance(node, list) else set()


def test_every_reference_leads_to_a_schema_and_every_schema_is_used() -> None:
    names = {f"#/components/schemas/{name}" for name in described()["components"]["schemas"]}
    assert _references(described()) == names


def test_everything_of_the_vendor_is_there() -> None:
    assert {(method, path) for method, path, _ in operations()} >= VENDOR_SURFACE


def test_statuses_are_those_of_the_vendors_table_and_of_success() -> None:
    statuses = {status for _, _, operation in operations() for status in operation["responses"]}
    assert statuses == ERROR_TABLE | {"200", "201", "202"}


def test_identifiers_are_unique() -> None:
    identifiers = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(identifiers)) == len(identifiers) == len(OPERATIONS)


def test_every_path_parameter_is_described() -> None:
    for _, path, operation in operations():
        named = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
        assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}


def _media() -> list[Any]:
    found = []
    for method, path, operation in operations():
        where = f"{method} {path}"
        if "requestBody" in operation:
            found += [pytest.param(media, id=f"{where} body") for media in operation["requestBody"]["content"].values()]
        for status, response in operation["responses"].items():
            found += [pytest.param(media, id=f"{where} {status}") for media in response["content"].values()]
        for callback in operation.get("callbacks", {}).get("studyChanged", {}).values():
            found += [pytest.param(*callback["post"]["requestBody"]["content"].values(), id=f"{where} callback")]
    return found


@pytest.mark.parametrize("media", _media())
def test_every_example_is_valid(media: dict[str, Any]) -> None:
    is_file = media["schema"] == {"$ref": "#/components/schemas/File"}
    assert bool(media.get("examples")) is not is_file  # a picture is no text, so no example can be given
    for example in media.get("examples", {}).values():
        validator(media["schema"]).validate(example["value"])


def test_every_example_of_a_parameter_is_valid() -> None:
    parameters = [one for _, _, operation in operations() for one in operation.get("parameters", ())]
    assert len({one["name"] for one in parameters}) == 8
    for one in parameters:
        validator(one["schema"]).validate(one["example"])


@pytest.mark.parametrize(("method", "path", "status", "sample"), SAMPLE_ANSWERS)
def test_the_vendors_sample_answers_are_valid(method: str, path: str, status: int, sample: dict[str, Any]) -> None:
    validator(answer_schema(method, path, status)).validate(sample)


@pytest.mark.parametrize(("method", "path", "status", "sample"), SAMPLE_ANSWERS)
def test_an_answer_without_any_one_of_its_members_is_not(
    method: str, path: str, status: int, sample: dict[str, Any]
) -> None:
    judge = validator(answer_schema(method, path, status))
    results = sample.get("results", sample)
    optional = {"feature_statistics", "morphological_findings", "diagnostic_report", "pathology_report"}
    if sample is vendor.SUBMITTED:
        optional.add("file_ids")  # only workflow 2 has some
    for name in results:
        rest = {key: value for key, value in results.items() if key != name}
        answer = {**sample, "results": rest} if "results" in sample else rest
        assert judge.is_valid(answer) is (name in optional), name


@pytest.mark.parametrize(("path", "sample"), SAMPLE_BODIES)
def test_the_vendors_sample_bodies_are_valid(path: str, sample: dict[str, Any]) -> None:
    schema = described()["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    validator(schema).validate(sample)


@pytest.mark.parametrize(
    "body",
    [
        {"tags": {"number": 1}},
        {"tags": ["a"]},
        {"batch_id": 7},
        {"list_url": "https://example.com/list.json"},
        {"files": ["https://example.com/1.png"]},
        {"files": [], "tasks": ["pbs_v1"]},
        {"list_url": "https://example.com/list.json", "tasks": []},
        {"list_url": "https://example.com/list.json", "tasks": ["pbs_v2"]},
    ],
)
def test_what_no_study_can_be_made_of_is_not_valid(body: dict[str, Any]) -> None:
    assert not validator({"$ref": "#/components/schemas/NewStudy"}).is_valid(body)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.identifier)
def test_refusals_are_told_with_their_codes_and_words(operation: Any) -> None:
    responses = described()["paths"][operation.path][operation.method.lower()]["responses"]
    told = {}
    for status, response in responses.items():
        for code, example in response["content"].get("application/json", {"examples": {}})["examples"].items():
            if not code.startswith("success"):
                told[code] = int(status), example["value"]["user_message"]
    assert told == {code: (STATUS_OF[code], MESSAGE_OF[code]) for code in operation.refusals}


def test_a_code_of_another_operation_is_not_valid() -> None:
    judge = validator(answer_schema("GET", f"{STUDY_PATH}/status", 404))
    answer = {"status": 404, "results": {}, "error": "not_found", "user_message": "No.", "debug_info": {}}
    assert judge.is_valid(answer)
    assert not judge.is_valid({**answer, "error": "report_not_ready"})
    assert not judge.is_valid({**answer, "status": 400})
    assert not judge.is_valid({**answer, "user_message": ""})
    assert not judge.is_valid({**answer, "results": {"pbs_study_id": vendor.STUDY}})


def test_who_has_to_show_a_token() -> None:
    raw, bearer = [{"raw": []}, {"bearer": []}]
    security = {operation["operationId"]: operation["security"] for _, _, operation in operations()}
    assert {name for name, needed in security.items() if needed == [raw, bearer]} == {
        "create", "upload", "request_tasks", "status", "task_status", "report", "task_report", "studies",
    }  # fmt: skip
    assert security["post_hello"] == security["get_hello"] == [raw, bearer, {}]
    assert security["heartbeat"] == [{}, bearer]
    assert security["login"] == security["teapot"] == []


def test_throttled_clients_are_told_when_and_misled_ones_what_there_is() -> None:
    for _, _, operation in operations():
        responses = operation["responses"]
        assert responses["429"]["headers"]["Retry-After"]["required"]
        assert responses["503"]["headers"]["Retry-After"]["required"]
        assert responses["405"]["headers"]["Allow"]["required"]


def test_numbers_that_the_vendor_does_not_explain_are_marked_as_ours() -> None:
    schemas = described()["components"]["schemas"]
    for name in ("score", "confidence", "clinical-significance"):
        assert schemas["Diagnosis"]["properties"][name]["description"].startswith("Ours")
    for name in ("positive_count", "negative_count", "raw_reports"):
        assert schemas["TaskReport"]["properties"][name]["description"].startswith("Ours")
    assert "ours" in schemas["FileId"]["description"]


def test_what_is_ours_is_kept_apart() -> None:
    ours = {path for _, path, operation in operations() if operation["tags"] == ["twin"]}
    assert ours == {"/", "/openapi.json", "/_twin/studies", "/_twin/overview"}


def test_version_servers_and_notice() -> None:
    made = document(version="1.2.3", servers=["https://localhost:1"])
    assert made["info"]["version"] == "1.2.3"
    assert made["servers"] == [{"url": "https://localhost:1"}]
    assert RESEARCH_USE_NOTICE in made["info"]["description"]
    assert "servers" not in document(version="1.2.3")


def test_it_is_json_and_the_same_each_time() -> None:
    text = json.dumps(document(version="1"), allow_nan=False)
    assert json.loads(text) == document(version="1")
