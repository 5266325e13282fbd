"""Who calls: forged and invalid tokens are refused for the right reasons, and unusual ones that are valid accepted."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.api import KeyAuth
from hemato_lab.errors import ConfigError
from hemato_lab.twin.tokens import Bearer, Verdict
from tests.twin.tokens_battery import BAD, VALID
from tests.twin.tokens_making import ABSENT, UNSIGNED, by, claims_of, is_sendable, of, public_pem, session, token
from tests.twin.tokens_mutants import CHANGES, mutants
from tests.twin.tokens_scene import NOW, People, judge_of, made_up, new_key

if TYPE_CHECKING:
    from hemato_lab.twin.tokens import TokenJudge
    from tests.twin.tokens_battery import Case
    from tests.twin.tokens_making import Scene


@pytest.fixture(scope="module")
def scene() -> Scene:
    return made_up()


@pytest.fixture
def judge(scene: Scene) -> TokenJudge:
    return judge_of(scene)


def test_the_battery_is_as_large_as_promised() -> None:
    assert len(BAD) >= 90
    assert len(VALID) >= 30
    names = [case.name for case in (*BAD, *VALID)]
    assert len(set(names)) == len(names)
    scene = made_up()
    made = [case.make(scene) for case in (*BAD, *VALID)]
    assert len(set(made)) == len(made)
    assert sum(is_sendable(one) for one in made[: len(BAD)]) >= 90


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
def test_bad_tokens_are_refused_for_every_reason_that_applies(case: Case, scene: Scene, judge: TokenJudge) -> None:
    verdict = judge.judge(case.make(scene))
    assert sorted(verdict.reasons) == sorted(case.reasons)
    assert verdict.bearer is None
    assert not verdict.region_permitted


@pytest.mark.parametrize("case", VALID, ids=lambda case: case.name)
def test_unusual_tokens_that_are_valid_are_accepted(case: Case, scene: Scene, judge: TokenJudge) -> None:
    verdict = judge.judge(case.make(scene))
    assert verdict.reasons == ()
    claims = verdict.claims
    organisation = scene.theirs.organisation_id if claims["sub"] == scene.theirs.user_id else scene.ours.organisation_id
    assert verdict.bearer == Bearer(organisation, claims["sub"], claims["role"])
    assert verdict.region_permitted == (claims["sub"] != scene.far_id)


def assert_no_mutant_is_accepted(count: int, seed: int) -> None:
    scene = made_up()
    judge = judge_of(scene)
    made = [str(case.make(scene)) for case in VALID]
    valid = [one for one in made if " " not in one]
    assert len(valid) >= 30
    chance = random.Random(seed)  # noqa: S311 (repeatable)
    seen: Counter[str] = Counter()
    for name, authorization in mutants(valid, count, chance):
        verdict = judge.judge(authorization)
        assert verdict.bearer is None, (name, authorization)
        assert verdict.reasons, (name, authorization)
        seen[name] += 1
    assert set(seen) == {change.__name__ for change in CHANGES}
    assert seen.total() == count


def test_no_mutant_of_a_valid_token_is_accepted() -> None:
    assert_no_mutant_is_accepted(2_000, seed=0)


@pytest.mark.slow
def test_no_mutant_of_a_hundred_thousand_is_accepted() -> None:
    assert_no_mutant_is_accepted(100_000, seed=1)


@given(
    st.one_of(st.none(), st.text(), st.text("eyJ.=AQ-_ ,Bbear\n"), st.binary().map(lambda one: one.decode("latin-1")))
)
def test_anything_is_refused_without_an_error(authorization: str | None) -> None:
    verdict = judge_of(made_up()).judge(authorization)
    assert verdict.bearer is None
    assert verdict.reasons


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_value_of_any_claim_is_judged_without_an_error(value: object) -> None:
    scene = made_up()
    judge = judge_of(scene)
    for name in ("jti", "iss", "iat", "exp", "aud", "sub", "role", "kid", "nbf"):
        verdict = judge.judge(session(**{name: value})(scene))
        assert (verdict.bearer is None) == bool(verdict.reasons)


def test_a_key_of_the_client_is_accepted(scene: Scene, judge: TokenJudge) -> None:
    ours = scene.ours
    auth = KeyAuth(ours.key, issuer=ours.issuer, user_id=ours.user_id, kid=ours.key_id)
    claims = auth.claims(scene.host, NOW)
    verdict = judge.judge("Bearer " + jwt.encode(claims, ours.key, "RS256", {"kid": ours.key_id}))
    assert verdict == Verdict(claims, (), Bearer(ours.organisation_id, ours.user_id, "service"), region_permitted=True)


def test_a_session_is_a_token_with_all_claims_that_lives_for_an_hour(scene: Scene) -> None:
    registry = People(scene)
    now = [NOW + 0.75]
    judge = judge_of(scene, registry, wall=lambda: now[0])
    session = judge.new_session(registry.users[scene.ours.user_id], "device")
    unchecked = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(session, scene.session_key, ["HS256"], unchecked, audience=scene.host)
    assert claims == {
        "jti": claims["jti"],
        "iss": scene.ours.issuer,
        "iat": NOW,
        "exp": NOW + 3600,
        "aud": ["dev.api.hemato.ai", "localhost"],
        "sub": scene.ours.user_id,
        "role": "device",
        "kid": scene.session_key_id,
    }
    assert judge.judge(session).bearer == Bearer(scene.ours.organisation_id, scene.ours.user_id, "device")
    again = judge.new_session(registry.users[scene.ours.user_id], "device")
    assert jwt.decode(again, scene.session_key, ["HS256"], unchecked, audience=scene.host)["jti"] != claims["jti"]
    now[0] = NOW + 3599.5
    assert judge.judge(session).reasons == ()
    now[0] = NOW + 3600.0
    assert judge.judge(session).reasons == ("token_expired",)


def test_a_session_ends_with_its_user(scene: Scene) -> None:
    registry = People(scene)
    judge = judge_of(scene, registry)
    user = registry.users[scene.ours.user_id]
    session = judge.new_session(user, "user")
    registry.users[user.user_id] = replace(user, roles=frozenset({"device"}))
    assert judge.judge(session).reasons == ("role_not_held",)
    registry.users[user.user_id] = replace(user, disabled=True)
    assert judge.judge(session).reasons == ("user_disabled",)
    del registry.users[user.user_id]
    assert judge.judge(session).reasons == ("unknown_user",)


def test_a_key_ends_when_it_is_revoked(scene: Scene) -> None:
    registry = People(scene)
    judge = judge_of(scene, registry)
    valid = token()(scene)
    assert judge.judge(valid).reasons == ()
    registry.keys[scene.ours.key_id] = replace(registry.keys[scene.ours.key_id], revoked=True)
    assert judge.judge(valid).reasons == ("revoked_key",)


def test_a_registered_key_with_the_id_of_sessions_is_never_used(scene: Scene) -> None:
    registry = People(scene)
    registry.keys[scene.session_key_id] = replace(registry.keys[scene.ours.key_id], key_id=scene.session_key_id)
    forged = session(header={"alg": "RS256"}, sign=by("ours"))(scene)
    assert set(judge_of(scene, registry).judge(forged).reasons) == {"algorithm_not_allowed", "bad_signature"}


def test_who_cannot_sign_learns_nothing_of_users(scene: Scene) -> None:
    registry = People(scene)
    judge = judge_of(scene, registry)
    subjects = (scene.ours.user_id, scene.disabled_id, scene.theirs.user_id, "nobody")
    for party, sign in (("ours", by("stranger")), ("ours", UNSIGNED), ("revoked", by("revoked"))):
        verdicts = [
            judge.judge(token(party=party, sign=sign, sub=sub, role=role, iss=iss)(scene)).reasons
            for sub in subjects
            for role in ("admin", "user")
            for iss in (scene.ours.issuer, "elsewhere")
        ]
        assert len(set(verdicts)) == 1
    assert judge.judge(session(sign=UNSIGNED, sub=scene.disabled_id)(scene)).reasons == ("bad_signature",)
    assert registry.looked_for == []


LENIENT = (
    ({"role": ABSENT, "sub": "whoever"}, (), "service"),
    ({"role": ABSENT}, (), "service"),
    ({"sub": "whoever", "role": "service"}, (), "service"),
    ({"sub": of("theirs.user_id"), "role": ABSENT}, (), "service"),
    ({"role": "device"}, (), "device"),
    ({"sub": "whoever", "role": "admin"}, ("role_not_held",), None),
    ({"role": "admin"}, ("role_not_held",), None),
    ({"sub": "whoever", "role": "root"}, ("unknown_role",), None),
    ({"sub": "whoever", "role": None}, ("wrong_type_role",), None),
    ({"sub": ABSENT, "role": ABSENT}, ("missing_claim_sub",), None),
    ({"sub": "", "role": ABSENT}, ("wrong_type_sub",), None),
    ({"sub": of("disabled_id"), "role": ABSENT}, ("user_disabled", "role_not_held"), None),
    ({"sub": of("far_id"), "role": ABSENT}, ("role_not_held",), None),
    ({"sub": "whoever", "role": ABSENT, "iss": of("theirs.issuer")}, ("unknown_issuer",), None),
    ({"sub": "whoever", "role": ABSENT, "jti": ABSENT}, ("missing_claim_jti",), None),
)


@pytest.mark.parametrize(("claims", "reasons", "role"), LENIENT)
def test_lenient_judges_take_the_later_dialect_as_a_service_and_no_more(
    claims: dict[str, object], reasons: tuple[str, ...], role: str | None, scene: Scene
) -> None:
    verdict = judge_of(scene, lenient_claims=True).judge(token(**claims)(scene))
    assert verdict.reasons == reasons
    ours = scene.ours.organisation_id
    assert verdict.bearer == (None if role is None else Bearer(ours, verdict.claims["sub"], role))
    assert verdict.region_permitted == (role is not None)


FORGIVEN = {"missing_claim_role", "unknown_user"}


@pytest.mark.parametrize("case", [case for case in BAD if not FORGIVEN & case.reasons], ids=lambda case: case.name)
def test_lenient_judges_refuse_all_else(case: Case, scene: Scene) -> None:
    verdict = judge_of(scene, lenient_claims=True).judge(case.make(scene))
    assert sorted(verdict.reasons) == sorted(case.reasons)
    assert verdict.bearer is None


def test_sessions_are_judged_strictly_by_lenient_judges(scene: Scene) -> None:
    judge = judge_of(scene, lenient_claims=True)
    assert judge.judge(session(role=ABSENT)(scene)).reasons == ("missing_claim_role",)
    assert judge.judge(session(sub="whoever", role="service")(scene)).reasons == ("unknown_user",)


def test_claims_of_a_refused_token_are_those_that_were_sent(scene: Scene, judge: TokenJudge) -> None:
    claims = claims_of(scene, scene.ours, sub="nobody")
    assert judge.judge(token(sub="nobody", sign=by("stranger"))(scene)).claims == claims
    assert judge.judge("no token").claims == {}


@pytest.mark.parametrize(
    "options", [{"session_key": b"k" * 31}, {"session_key_id": ""}, {"hosts": ()}], ids=["key", "id", "hosts"]
)
def test_a_judge_needs_a_key_and_a_host(options: dict[str, object], scene: Scene) -> None:
    with pytest.raises(ConfigError):
        judge_of(scene, **options)


@pytest.mark.parametrize("other", [new_key(1024), ed25519.Ed25519PrivateKey.generate()], ids=["short", "not RSA"])
def test_keys_that_should_not_have_been_registered_are_an_error(other: object, scene: Scene) -> None:
    registry = People(scene)
    key = replace(registry.keys[scene.ours.key_id], public_key_pem=public_pem(other).decode())
    registry.keys[scene.ours.key_id] = key
    with pytest.raises(ConfigError, match="2048 bits"):
        judge_of(scene, registry).judge(token()(scene))


def test_nothing_secret_is_shown(scene: Scene, judge: TokenJudge) -> None:
    verdict = judge.judge(token()(scene))
    assert "jti" not in repr(verdict)
    assert "BEGIN" not in repr(People(scene).keys)
    assert scene.session_key.decode() not in repr(judge)
