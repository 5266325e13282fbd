"""Tokens that a judge has to refuse, each with the reasons that are right, and unusual ones that it has to accept.

`BAD` and `VALID` are tables to read: name, how the Authorization header is made, what must be said of it. They are made
from a `Scene`, which is whom a judge knows. To send the same over HTTP, fill a twin with the people of a scene, set its
clock to `Scene.now`, and send ``case.make(scene)`` as the header, where `is_sendable` says that HTTP can carry it; None
means that there is no header. Some lines name the hosts of region dev.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.twin.tokens_making import (
    ABSENT,
    IN_SESSION,
    UNSIGNED,
    ahead,
    altered_signature,
    by,
    by_hmac,
    claims_of_another,
    header_of,
    header_of_another,
    jwk_of_stranger,
    of,
    of_length,
    only,
    ordinary_base64,
    other_last_letter,
    parts,
    public_der,
    public_pem,
    replaced,
    session,
    stray_bits_in_claims,
    text,
    token,
    turned,
    with_exponent,
    with_member,
    with_pss,
    with_sha512,
)

if TYPE_CHECKING:
    from tests.twin.tokens_making import Make


@dataclass(frozen=True)
class Case:
    """One line of a table: for bad tokens every reason, in any order; for valid ones none."""

    name: str
    make: Make
    reasons: frozenset[str] = frozenset()


def bad(name: str, make: Make, *reasons: str) -> Case:
    return Case(name, make, frozenset(reasons))


NOT_ALLOWED, FORGED, MALFORMED = "algorithm_not_allowed", "bad_signature", "malformed_token"
TWICE, MISSING, UNKNOWN_KEY, DIFFER = "duplicate_claim", "missing_token", "unknown_key", "key_ids_differ"
EXPIRED, FUTURE, AUDIENCE = "token_expired", "token_issued_in_future", "wrong_audience"

NAMES = ("jti", "iss", "iat", "exp", "aud", "sub", "role", "kid")
HS256, NO_KID = {"alg": "HS256"}, {"kid": ABSENT}
PEM = lambda scene: public_pem(scene.ours.key)  # noqa: E731
DER = lambda scene: public_der(scene.ours.key)  # noqa: E731
SECRET = of("session_key")
OUR_KEY_IN_CAPITALS = turned("ours.key_id", str.upper)
THEIR_KEY, OUR_USER, OUR_NAME = of("theirs.key_id"), of("ours.user_id"), of("ours.issuer")
CLAIMS_ALONE = lambda scene, signed: by("ours")(scene, signed.split(b".")[1])  # noqa: E731

NO_TOKEN = (
    bad("no header", lambda _: None, MISSING),
    bad("empty header", lambda _: "", MISSING),
    bad("Bearer and nothing", lambda _: "Bearer", MISSING),
    bad("Bearer and spaces", lambda _: "Bearer   ", MISSING),
    bad("bearer and nothing", lambda _: "bearer", MISSING),
    bad("two headers", header_of(lambda one: f"{one}, {one}"), "several_authorizations"),
    bad("two headers, the first empty", header_of(lambda one: f", {one}"), "several_authorizations"),
    bad("two headers, Bearer", header_of(lambda one: f"Bearer {one},Bearer {one}"), "several_authorizations"),
    bad("9,000 letters", header_of(lambda one: one + "A" * 9000), "token_too_long"),
    bad("a megabyte of dots", lambda _: "." * 1_000_000, "token_too_long"),
    bad("more than 8,192 letters, else valid", of_length(lambda length: length <= 8195), "token_too_long"),
)
SHAPE = (
    bad("words", lambda _: "HEMATO_AI_AUTH_TOKEN", MALFORMED),
    bad("one segment", parts(lambda first, *_: first), MALFORMED),
    bad("two segments", parts(lambda first, second, _: f"{first}.{second}"), MALFORMED),
    bad("four segments", header_of(lambda one: f"{one}.{one[:10]}"), MALFORMED),
    bad("five segments, as encrypted tokens have", parts(lambda *each: ".".join([*each, *each[:2]])), MALFORMED),
    bad("empty header segment", parts(lambda _, second, third: f".{second}.{third}"), MALFORMED),
    bad("empty claims segment", parts(lambda first, _, third: f"{first}..{third}"), MALFORMED),
    bad("dots alone", lambda _: "..", MALFORMED),
    bad("dot at the end", header_of(lambda one: one + "."), MALFORMED),
    bad("scheme Basic", header_of(lambda one: f"Basic {one}"), MALFORMED),
    bad("scheme Token", header_of(lambda one: f"Token {one}"), MALFORMED),
    bad("Bearer twice", header_of(lambda one: f"Bearer Bearer {one}"), MALFORMED),
    bad("Bearer without a space", header_of(lambda one: f"Bearer{one}"), MALFORMED),
    bad("Bearer and a tabulator", header_of(lambda one: f"Bearer\t{one}"), MALFORMED),
    bad("in quotes", header_of(lambda one: f'"{one}"'), MALFORMED),
    bad("space inside", header_of(lambda one: f"{one[:40]} {one[40:]}"), MALFORMED),
    bad("line break at the end", header_of(lambda one: one + "\n"), MALFORMED),
    bad("letter beyond ASCII", header_of(lambda one: one[:-1] + "é"), MALFORMED),
    bad("digit of another script", header_of(lambda one: one[:-1] + "٣"), MALFORMED),
    bad("padded signature", header_of(lambda one: one + "=="), MALFORMED),
    bad("padded header", parts(lambda first, second, third: f"{first}=.{second}.{third}"), MALFORMED),
    bad("ordinary base64 in the signature", ordinary_base64, MALFORMED),
    bad("stray bits in the signature", parts(lambda a, b, c: f"{a}.{b}.{other_last_letter(c)}"), MALFORMED),
    bad("stray bits in the claims, signed so", stray_bits_in_claims, MALFORMED),
    bad("a letter too many in the signature", header_of(lambda one: one + "AAA"), MALFORMED),
)
JSON = (
    bad("header is no JSON", text(header=only(b"RS256")), MALFORMED),
    bad("claims are no JSON", text(payload=only(b"sub=me")), MALFORMED),
    bad("claims are a list", text(payload=lambda one: b"[" + one + b"]"), MALFORMED),
    bad("header is a list", text(header=lambda one: b"[" + one + b"]"), MALFORMED),
    bad("claims are text", text(payload=only(b'"sub"')), MALFORMED),
    bad("claims are null", text(payload=only(b"null")), MALFORMED),
    bad("two objects", text(payload=lambda one: one + one), MALFORMED),
    bad("comma at the end", text(payload=with_member("")), MALFORMED),
    bad("comment", text(payload=lambda one: one + b"//"), MALFORMED),
    bad("Latin-1", text(payload=lambda one: one.replace(b"2d33", b"\xe933")), MALFORMED),
    bad("UTF-16", text(payload=lambda one: one.decode().encode("utf-16")), MALFORMED),
    bad("UTF-32 without a mark", text(payload=lambda one: one.decode().encode("utf-32-le")), MALFORMED),
    bad("byte order mark", text(payload=lambda one: b"\xef\xbb\xbf" + one), MALFORMED),
    bad("NaN", text(payload=with_member('"x":NaN')), MALFORMED),
    bad("minus infinity", text(payload=with_member('"x":-Infinity')), MALFORMED),
    bad("a number too large for a float", text(payload=with_member('"x":1e400')), MALFORMED),
    bad("a number of 5,000 digits", text(payload=with_member('"x":' + "9" * 5000)), MALFORMED),
    bad("300 lists", text(payload=with_member('"x":[' + "[]," * 299 + "0]")), MALFORMED),
    bad("nested 20 deep", text(payload=with_member('"x":' + "[" * 20 + "]" * 20)), MALFORMED),
    bad("nested 2,500 deep", text(payload=with_member('"x":' + "[" * 2500 + "]" * 2500)), MALFORMED),
    bad("brackets that never close", text(payload=only(b"[" * 5000)), MALFORMED),
    bad("half a surrogate in sub", text(payload=replaced('"sub":"', '"sub":"\\ud800')), MALFORMED),
    bad("half a surrogate in a name", text(payload=with_member('"\\uDFFF":1')), MALFORMED),
    bad("control character in a text", text(payload=replaced('"jti":"', '"jti":"\n')), MALFORMED),
    bad("role twice", text(payload=with_member('"role":"device"')), TWICE),
    bad("role twice, the same", text(payload=with_member('"role":"user"')), TWICE),
    bad("kid twice, once in escapes", text(payload=with_member('"\\u006bid":"key-7"')), TWICE),
    bad("a name twice further in", text(payload=with_member('"x":{"y":1,"y":2}')), TWICE),
    bad("alg twice", text(header=with_member('"alg":"none"')), TWICE),
)
CLAIMS = (
    bad("no jti", token(jti=ABSENT), "missing_claim_jti"),
    bad("no iss", token(iss=ABSENT), "missing_claim_iss"),
    bad("no iat", token(iat=ABSENT), "missing_claim_iat"),
    bad("no exp", token(exp=ABSENT), "missing_claim_exp"),
    bad("no aud", token(aud=ABSENT), "missing_claim_aud"),
    bad("no sub", token(sub=ABSENT), "missing_claim_sub"),
    bad("no role", token(role=ABSENT), "missing_claim_role"),
    bad("no role in a session", session(role=ABSENT), "missing_claim_role"),
    bad("no role, of who is no service", token(sub=of("far_id"), role=ABSENT), "missing_claim_role"),
    bad("no kid but in the header", token(kid=ABSENT), "missing_claim_kid"),
    bad("no claims at all", text(payload=only(b"{}")), *(f"missing_claim_{name}" for name in NAMES)),
    bad("Role for role", token(role=ABSENT, Role="user"), "missing_claim_role"),
    bad("iat as text", token(iat="1682945423"), "wrong_type_iat"),
    bad("iat as a float", token(iat=1682945423.0), "wrong_type_iat"),
    bad("iat with an exponent", text(payload=with_exponent), "wrong_type_iat"),
    bad("iat true", token(iat=True), "wrong_type_iat"),
    bad("iat null", token(iat=None), "wrong_type_iat"),
    bad("iat in a list", token(iat=[1682945423]), "wrong_type_iat"),
    bad("iat of 400 digits", token(iat=10**400), "wrong_type_iat"),
    bad("exp as text", token(exp="1682946323"), "wrong_type_exp"),
    bad("exp as a date", token(exp="2023-05-01T13:05:23Z"), "wrong_type_exp"),
    bad("exp null", token(exp=None), "wrong_type_exp"),
    bad("exp beyond whole numbers of JSON", token(exp=2**53 + 1), "wrong_type_exp"),
    bad("nbf as text", token(nbf="1682945423"), "wrong_type_nbf"),
    bad("jti a number", token(jti=7), "wrong_type_jti"),
    bad("jti empty", token(jti=""), "wrong_type_jti"),
    bad("iss a list", token(iss=turned("ours.issuer", lambda name: [name])), "wrong_type_iss"),
    bad("aud a number", token(aud=1), "wrong_type_aud"),
    bad("aud an empty list", token(aud=[]), "wrong_type_aud"),
    bad("aud a list with a number", token(aud=["dev.api.hemato.ai", 1]), "wrong_type_aud"),
    bad("aud an object", token(aud={"dev.api.hemato.ai": 1}), "wrong_type_aud"),
    bad("sub a number", token(sub=7), "wrong_type_sub"),
    bad("sub a list", token(sub=turned("ours.user_id", lambda name: [name])), "wrong_type_sub"),
    bad("role a list", token(role=["user"]), "wrong_type_role"),
    bad("role null", token(role=None), "wrong_type_role"),
    bad("kid a number", token(kid=7, header={"kid": 7}), "wrong_type_kid"),
    bad("kid a list", token(kid=turned("ours.key_id", lambda name: [name]), header={"kid": ABSENT}), "wrong_type_kid"),
    bad(
        "kid an object",
        token(kid=turned("ours.key_id", lambda name: {"id": name}), header={"kid": ABSENT}),
        "wrong_type_kid",
    ),
)
ALGORITHM = (
    bad("alg none, unsigned", token(header={"alg": "none"}, sign=UNSIGNED), NOT_ALLOWED, FORGED),
    bad("alg nOnE, unsigned", token(header={"alg": "nOnE"}, sign=UNSIGNED), NOT_ALLOWED, FORGED),
    bad("alg none, signed well", token(header={"alg": "none"}), NOT_ALLOWED),
    bad("alg absent", token(header={"alg": ABSENT}), NOT_ALLOWED),
    bad("alg null", token(header={"alg": None}), NOT_ALLOWED),
    bad("alg a list", token(header={"alg": ["RS256"]}), NOT_ALLOWED),
    bad("alg in small letters", token(header={"alg": "rs256"}), NOT_ALLOWED),
    bad("HS256 with the public key in PEM", token(header=HS256, sign=by_hmac(PEM)), NOT_ALLOWED, FORGED),
    bad("HS256 with the public key in DER", token(header=HS256, sign=by_hmac(DER)), NOT_ALLOWED, FORGED),
    bad("the same, named RS256", token(sign=by_hmac(PEM)), FORGED),
    bad("HS256 with the key of sessions", token(header=HS256, sign=IN_SESSION), NOT_ALLOWED, FORGED),
    bad("HS256 with an empty secret", token(header=HS256, sign=by_hmac(lambda _: b"")), NOT_ALLOWED, FORGED),
    bad("RS512", token(header={"alg": "RS512"}, sign=with_sha512), NOT_ALLOWED, FORGED),
    bad("PS256", token(header={"alg": "PS256"}, sign=with_pss), NOT_ALLOWED, FORGED),
    bad("PS256, named RS256", token(sign=with_pss), FORGED),
    bad("session named RS256", session(header={"alg": "RS256"}), NOT_ALLOWED),
    bad("session with a registered key", session(header={"alg": "RS256"}, sign=by("ours")), NOT_ALLOWED, FORGED),
    bad("session HS512", session(header={"alg": "HS512"}, sign=by_hmac(SECRET, "sha512")), NOT_ALLOWED, FORGED),
    bad("session with an empty secret", session(sign=by_hmac(lambda _: b"")), FORGED),
    bad("session with its id as secret", session(sign=by_hmac(lambda scene: scene.session_key_id.encode())), FORGED),
    bad("session unsigned", session(header={"alg": "none"}, sign=UNSIGNED), NOT_ALLOWED, FORGED),
    bad("half a session's signature", parts(lambda *each: ".".join([*each[:2], each[2][:20]]), session()), FORGED),
)
HEADER = (
    bad("crit", token(header={"crit": ["exp"]}), "unsupported_header_crit"),
    bad("b64 false", token(header={"b64": False}), "unsupported_header_b64"),
    bad("zip", token(header={"zip": "DEF"}), "unsupported_header_zip"),
    bad("enc", token(header={"enc": "A128GCM"}), "unsupported_header_enc"),
    bad("typ of another kind of token", token(header={"typ": "at+jwt"}), "unsupported_header_typ"),
    bad("typ a list", token(header={"typ": ["JWT"]}), "unsupported_header_typ"),
    bad("brings its own key", token(header={"jwk": jwk_of_stranger}, sign=by("stranger")), FORGED),
    bad("says where its key is", token(header={"jku": "https://127.0.0.1/keys"}, sign=by("stranger")), FORGED),
    bad("kids differ", token(header={"kid": of("theirs.key_id")}), DIFFER),
    bad("kids differ, signed by the header's", token(header={"kid": THEIR_KEY}, sign=by("theirs")), DIFFER, FORGED),
    bad("kid of the header empty", token(header={"kid": ""}), DIFFER),
    bad("kid of the header null", token(header={"kid": None}), DIFFER),
    bad("kid of the header in capitals", token(header={"kid": OUR_KEY_IN_CAPITALS}), DIFFER),
)
KEY = (
    bad("key unknown", token(kid="key-8", header=NO_KID, sign=by("stranger")), UNKNOWN_KEY),
    bad("kid is a path", token(kid=turned("ours.key_id", "../keys/{}".format), header=NO_KID), UNKNOWN_KEY),
    bad("kid is SQL", token(kid="' OR '1'='1", header=NO_KID), UNKNOWN_KEY),
    bad("kid is a device", token(kid="/dev/null", header=NO_KID, sign=by_hmac(lambda _: b"")), UNKNOWN_KEY),
    bad("kid in capitals", token(kid=OUR_KEY_IN_CAPITALS, header=NO_KID), UNKNOWN_KEY),
    bad("kid with a space", token(kid=turned("ours.key_id", "{} ".format), header=NO_KID), UNKNOWN_KEY),
    bad("kid with NUL", token(kid=turned("ours.key_id", "{}\0".format), header=NO_KID), UNKNOWN_KEY),
    bad("kid is a wildcard", token(kid="%", header=NO_KID), UNKNOWN_KEY),
    bad("key revoked", token(party="revoked"), "revoked_key"),
    bad("key revoked, signed by another", token(party="revoked", sign=by("ours")), "revoked_key", FORGED),
)
SIGNATURE = (
    bad("signed by a stranger", token(sign=by("stranger")), FORGED),
    bad("signed by the other organisation", token(sign=by("theirs")), FORGED),
    bad("signed by another key of ours", token(sign=by("large")), FORGED),
    bad("unsigned, named RS256", token(sign=UNSIGNED), FORGED),
    bad("signature of zeros", altered_signature(lambda one: bytes(len(one))), FORGED),
    bad("signature of ones", altered_signature(lambda one: b"\xff" * len(one)), FORGED),
    bad("signature cut", altered_signature(lambda one: one[:-1]), FORGED),
    bad("signature longer", altered_signature(lambda one: one + b"\0"), FORGED),
    bad("signature with a zero before", altered_signature(lambda one: b"\0" + one), FORGED),
    bad("signature backwards", altered_signature(lambda one: one[::-1]), FORGED),
    bad("signature in hex", altered_signature(lambda one: one.hex().encode()), FORGED),
    bad("one bit of the signature", altered_signature(lambda one: one[:-1] + bytes([one[-1] ^ 1])), FORGED),
    bad("claims of another token", claims_of_another, FORGED),
    bad("header of another token", header_of_another, FORGED),
    bad("signature of the claims alone", token(sign=CLAIMS_ALONE), FORGED),
    bad("forged, of a user who does not exist", token(sub="nobody", sign=by("stranger")), FORGED),
    bad("forged, of a disabled user", token(sub=of("disabled_id"), sign=by("stranger")), FORGED),
    bad("forged and expired", token(exp=ahead(-1), sign=by("stranger")), FORGED, EXPIRED),
)
VALUES = (
    bad("issued in a second", token(iat=ahead(1)), FUTURE),
    bad("issued in an hour", token(iat=ahead(3600), exp=ahead(7200)), FUTURE),
    bad("iat in milliseconds", token(iat=1682945423000), FUTURE),
    bad("not before a second from now", token(nbf=ahead(1)), "token_not_yet_valid"),
    bad("an hour and a second old", token(iat=ahead(-3601)), EXPIRED),
    bad("as the vendor's sample, 41.7 h", token(iat=ahead(-86_400), exp=ahead(63_600)), EXPIRED),
    bad("ends now", token(exp=ahead(0)), EXPIRED),
    bad("ended a second ago", token(exp=ahead(-1)), EXPIRED),
    bad("exp 0", token(exp=0), EXPIRED),
    bad("exp negative", token(exp=-(2**53)), EXPIRED),
    bad("iat negative", token(iat=-1), EXPIRED),
    bad("session an hour and a second old", session(iat=ahead(-3601)), EXPIRED),
    bad("aud of another region", token(aud=["eu.api.hemato.ai"]), AUDIENCE),
    bad("aud in capitals", token(aud="DEV.api.hemato.ai"), AUDIENCE),
    bad("aud an address", token(aud="https://dev.api.hemato.ai"), AUDIENCE),
    bad("aud with a port", token(aud="dev.api.hemato.ai:443"), AUDIENCE),
    bad("aud with a dot at the end", token(aud="dev.api.hemato.ai."), AUDIENCE),
    bad("aud the end of the host", token(aud="api.hemato.ai"), AUDIENCE),
    bad("aud longer than the host", token(aud="dev.api.hemato.ai.example.com"), AUDIENCE),
    bad("aud a wildcard", token(aud=["*", "*.api.hemato.ai"]), AUDIENCE),
    bad("aud with commas", token(aud="dev.api.hemato.ai,eu.api.hemato.ai"), AUDIENCE),
    bad("role root", token(role="root"), "unknown_role"),
    bad("role in capitals", token(role="User"), "unknown_role"),
    bad("role with a space", token(role="user "), "unknown_role"),
    bad("role of others", token(role="admin"), "role_not_held"),
    bad("role of others in a session", session(role="admin"), "role_not_held"),
    bad("iss of the other organisation", token(iss=of("theirs.issuer")), "unknown_issuer"),
    bad("iss in capitals", token(iss=turned("ours.issuer", str.upper)), "unknown_issuer"),
    bad("iss with a slash", token(iss=turned("ours.issuer", "{}/".format)), "unknown_issuer"),
    bad("iss of the other organisation in a session", session(iss=of("theirs.issuer")), "unknown_issuer"),
    bad("user unknown", token(sub="nobody"), "unknown_user"),
    bad("user by e-mail address", token(sub=of("email")), "unknown_user"),
    bad("user in capitals", token(sub=turned("ours.user_id", str.upper)), "unknown_user"),
    bad("user of the other organisation", token(sub=of("theirs.user_id")), "unknown_user"),
    bad("user unknown in a session", session(sub="nobody"), "unknown_user"),
    bad("user disabled", token(sub=of("disabled_id")), "user_disabled"),
    bad("user disabled in a session", session(sub=of("disabled_id")), "user_disabled"),
    bad(
        "their key for us", token(party="theirs", iss=of("ours.issuer"), sub=OUR_USER), "unknown_issuer", "unknown_user"
    ),
    bad("much at a time", token(exp=0, aud="x", role="y", sub="z"), EXPIRED, AUDIENCE, "unknown_role", "unknown_user"),
)
BAD = (*NO_TOKEN, *SHAPE, *JSON, *CLAIMS, *ALGORITHM, *HEADER, *KEY, *SIGNATURE, *VALUES)
VALID = (
    Case("as it is", token()),
    Case("Bearer", header_of(lambda one: f"Bearer {one}")),
    Case("bearer", header_of(lambda one: f"bearer {one}")),
    Case("BEARER and spaces", header_of(lambda one: f"BEARER   {one}")),
    Case("8,190 letters or a few more", of_length(lambda length: length <= 8192)),
    Case("aud as text", token(aud=of("host"))),
    Case("aud the other host", token(aud=of("other_host"))),
    Case("aud among others", token(aud=["eu.api.hemato.ai", "dev.api.hemato.ai", "dev.api.hemato.ai"])),
    Case("issued now", token(iat=ahead(0))),
    Case("an hour old to the second", token(iat=ahead(-3600), exp=ahead(1))),
    Case("ends in a second", token(exp=ahead(1))),
    Case("ends in ten years", token(exp=ahead(315_360_000))),
    Case("ends at the last date", token(exp=2**53)),
    Case("not before now", token(nbf=ahead(0))),
    Case("not before long ago", token(nbf=0)),
    Case("role device", token(role="device")),
    Case("role service", token(role="service")),
    Case("role admin of the other organisation", token(party="theirs", role="admin")),
    Case("key of 4096 bits", token(party="large")),
    Case("no kid in the header", token(header={"kid": ABSENT})),
    Case("no typ", token(header={"typ": ABSENT})),
    Case("typ in small letters", token(header={"typ": "jwt"})),
    Case("unknown member of the header", token(header={"x": [1, {"y": None}]})),
    Case("an address of keys that nobody looks at", token(header={"jku": "https://127.0.0.1/keys"})),
    Case("a key of its own that nobody looks at", token(header={"jwk": jwk_of_stranger})),
    Case("claims of other makers", token(name="Ana", scope=["a", "b"], more={"deep": [[[1.5, None, False]]]})),
    Case("nested 15 deep", token(more=json.loads("[" * 15 + "]" * 15))),
    Case("200 lists", token(more=[[]] * 199)),
    Case("jti a time", token(jti="1682945428455621477")),
    Case("jti in other scripts", token(jti="идентификатор 🩸")),
    Case("JSON with spaces and lines", text(payload=lambda one: b" " + one.replace(b",", b" ,\r\n\t") + b"\n")),
    Case("names and values in escapes", text(payload=replaced('"role":"user"', '"\\u0072ole":"\\u0075ser"'))),
    Case("a character beyond 16 bits in escapes", text(payload=replaced('"2d33', '"\\ud83e\\ude78'))),
    Case("UTF-8 without escapes", text(payload=replaced('"2d33', '"é🩸'))),
    Case("empty name", token(**{"": 1})),
    Case("session", session()),
    Case("session, no kid in the header", session(header={"kid": ABSENT})),
    Case("session of the role device, Bearer", header_of(lambda one: f"Bearer {one}", session(role="device"))),
    Case("session an hour old to the second", session(iat=ahead(-3600), exp=ahead(1))),
    Case("no permission for the region", token(sub=of("far_id"))),
)
