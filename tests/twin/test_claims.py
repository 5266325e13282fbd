"""What a token says: how it is read, and what is held against it that lies in itself."""

from __future__ import annotations

from typing import Any

import pytest

from hemato_lab.twin.claims import (
    CLAIMS,
    LONGEST_AUTHORIZATION,
    UnreadableTokenError,
    is_well_typed,
    presented_token,
    reasons_of_claims,
    reasons_of_header,
    unpacked,
)

# RFC 7515 appendix A.2: a token as it stands there, its header, claims and the first bytes of its signature
RFC_7515_A2 = (
    "eyJhbGciOiJSUzI1NiJ9"
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7"
)
NOW = 1_682_945_428
VALID = {
    "jti": "1",
    "iss": "lab",
    "iat": NOW,
    "exp": NOW + 1,
    "aud": "dev.api.hemato.ai",
    "sub": "ana",
    "role": "user",
    "kid": "key",
}


def reasons(now: float = NOW, **changes: Any) -> list[str]:
    return list(reasons_of_claims({**VALID, **changes}, hosts=("dev.api.hemato.ai",), now=now))


def test_the_token_of_the_standard_is_read_as_it_says() -> None:
    token = unpacked(RFC_7515_A2)
    assert token.header == {"alg": "RS256"}
    assert token.claims == {"iss": "joe", "exp": 1_300_819_380, "http://example.com/is_root": True}
    assert list(token.signature[:6]) == [112, 46, 33, 137, 67, 232]
    assert token.signed.decode() == RFC_7515_A2.rpartition(".")[0]


@pytest.mark.parametrize("authorization", ["a.b.c", "Bearer a.b.c", "bEARER   a.b.c"])
def test_a_token_stands_alone_or_after_bearer(authorization: str) -> None:
    assert presented_token(authorization) == "a.b.c"


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        (None, "missing_token"),
        ("", "missing_token"),
        ("BEARER ", "missing_token"),
        ("a" * (LONGEST_AUTHORIZATION + 1), "token_too_long"),
        ("," * (LONGEST_AUTHORIZATION + 1), "token_too_long"),
        ("a,b", "several_authorizations"),
    ],
)
def test_what_is_no_token_has_a_reason(authorization: str | None, reason: str) -> None:
    with pytest.raises(UnreadableTokenError) as refused:
        presented_token(authorization)
    assert refused.value.reason == reason
    assert presented_token("a" * LONGEST_AUTHORIZATION) == "a" * LONGEST_AUTHORIZATION


def test_claims_that_are_well_are_held_against_nobody() -> None:
    assert reasons() == []
    assert reasons(aud=["other", "dev.api.hemato.ai"], nbf=NOW, more=None) == []


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_is_required_unless_it_may_be_absent(name: str) -> None:
    claims = {key: value for key, value in VALID.items() if key != name}
    found = list(reasons_of_claims(claims, hosts=("dev.api.hemato.ai",), now=NOW))
    assert found == [f"missing_claim_{name}"]
    assert list(reasons_of_claims(claims, hosts=("dev.api.hemato.ai",), now=NOW, optional=(name,))) == []


@pytest.mark.parametrize(
    ("now", "changes", "reason"),
    [
        (NOW - 0.001, {}, "token_issued_in_future"),
        (NOW, {}, None),
        (NOW + 0.999, {}, None),
        (NOW + 1.0, {}, "token_expired"),
        (NOW + 3600.0, {"exp": NOW + 9999}, None),
        (NOW + 3600.001, {"exp": NOW + 9999}, "token_expired"),
        (NOW + 0.5, {"nbf": NOW + 1}, "token_not_yet_valid"),
    ],
)
def test_dates_are_compared_to_the_fraction_of_a_second(
    now: float, changes: dict[str, int], reason: str | None
) -> None:
    assert reasons(now, **changes) == ([] if reason is None else [reason])


def test_a_reason_does_not_hide_another() -> None:
    found = reasons(iat="x", exp=NOW, aud="elsewhere", role="root", sub=None)
    assert found == ["wrong_type_iat", "wrong_type_sub", "token_expired", "wrong_audience", "unknown_role"]
    assert reasons(iat=NOW - 3601, exp=NOW - 1) == ["token_expired"]


@pytest.mark.parametrize("name", ["iat", "exp", "nbf"])
def test_dates_are_whole_numbers(name: str) -> None:
    assert all(is_well_typed(name, value) for value in (0, -1, NOW, 2**53, -(2**53)))
    others = (True, False, 1.0, "1", None, [1], {}, 2**53 + 1, -(2**53) - 1, 10**4000)
    assert not any(is_well_typed(name, value) for value in others)


@pytest.mark.parametrize("name", ["jti", "iss", "sub", "role", "kid"])
def test_names_are_text(name: str) -> None:
    assert is_well_typed(name, "0")
    assert not any(is_well_typed(name, value) for value in ("", None, 0, True, ["a"], {}, b"a"))


def test_an_audience_is_text_or_a_list_of_texts() -> None:
    assert all(is_well_typed("aud", value) for value in ("a", ["a"], ["a", "a"]))
    assert not any(is_well_typed("aud", value) for value in ("", [], [""], ["a", None], [["a"]], {"a": 1}, None, 1))


def test_a_header_is_held_against_the_algorithm_of_the_key() -> None:
    token = unpacked(RFC_7515_A2)
    assert list(reasons_of_header(token, "RS256")) == []
    assert list(reasons_of_header(token, "HS256")) == ["algorithm_not_allowed"]
