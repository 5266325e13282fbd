"""Making tokens for a battery: valid ones for whom a judge knows, and those that differ from them in one thing."""

from __future__ import annotations

import base64
import hmac
import json
import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

Make = Callable[["Scene"], "str | None"]


@dataclass(frozen=True)
class Party:
    """A registered key and the organisation and user that it signs for."""

    organisation_id: str
    issuer: str
    user_id: str
    key_id: str
    key: RSAPrivateKey


@dataclass(frozen=True)
class Scene:
    """Whom the judge knows; region `dev`, hosts `host` and `other_host`.

    Attributes
    ----------
    now : int
        Unix time in seconds at which the tokens are judged.
    ours : Party
        Its user has the roles user, device and service, and not admin, and may use the region.
    theirs : Party
        Another organisation, whose user has every role.
    large : Party
        Our organisation and user, with a key of 4096 bits.
    revoked : Party
        Our organisation and user, with a key that was revoked.
    stranger : RSAPrivateKey
        Registered nowhere.
    email, disabled_id, far_id : str
        Address of our user; ids of one who is disabled and one who may not use this region, both with role user.
    session_key, session_key_id
        The twin's own.
    """

    now: int
    host: str
    other_host: str
    ours: Party
    theirs: Party
    large: Party
    revoked: Party
    stranger: RSAPrivateKey
    email: str
    disabled_id: str
    far_id: str
    session_key: bytes
    session_key_id: str


def is_sendable(authorization: str | None) -> bool:
    """Tell whether HTTP carries the header as it is."""
    return authorization is None or (
        authorization == authorization.strip() and all(" " <= letter <= "~" for letter in authorization)
    )


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def json_of(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def rs256(key: RSAPrivateKey, signed: bytes) -> bytes:
    return key.sign(signed, padding.PKCS1v15(), hashes.SHA256())


def public_pem(key: RSAPrivateKey) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(encoding, form)


def public_der(key: RSAPrivateKey) -> bytes:
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(encoding, form)


ABSENT: Any = object()
"""As a value: the member is left out."""


def ahead(seconds: int) -> Callable[[Scene], int]:
    """A date so many seconds after now."""
    return lambda scene: scene.now + seconds


def of(path: str) -> Callable[[Scene], Any]:
    """Something of the scene, as ``theirs.issuer``."""

    def found(scene: Scene) -> Any:
        value: Any = scene
        for name in path.split("."):
            value = getattr(value, name)
        return value

    return found


def turned(path: str, change: Callable[[str], Any]) -> Callable[[Scene], Any]:
    """Something of the scene, changed."""
    return lambda scene: change(of(path)(scene))


def changed(members: dict[str, Any], changes: dict[str, Any], scene: Scene) -> dict[str, Any]:
    made = {name: value(scene) if callable(value) else value for name, value in changes.items()}
    return {name: value for name, value in {**members, **made}.items() if value is not ABSENT}


def claims_of(scene: Scene, party: Party, **changes: Any) -> dict[str, Any]:
    claims = {
        "jti": "2d33d1d518",
        "iss": party.issuer,
        "iat": scene.now - 5,
        "exp": scene.now + 895,
        "aud": [scene.host],
        "sub": party.user_id,
        "role": "user",
        "kid": party.key_id,
    }
    return changed(claims, changes, scene)


Signs = Callable[[Scene, bytes], bytes]


def by(name: str) -> Signs:
    """RS256 with the key of a party, or of the stranger."""

    def sign(scene: Scene, signed: bytes) -> bytes:
        holder = getattr(scene, name)
        return rs256(getattr(holder, "key", holder), signed)

    return sign


def with_pss(scene: Scene, signed: bytes) -> bytes:
    return scene.ours.key.sign(signed, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def with_sha512(scene: Scene, signed: bytes) -> bytes:
    return scene.ours.key.sign(signed, padding.PKCS1v15(), hashes.SHA512())


def by_hmac(secret: Callable[[Scene], bytes], digest: str = "sha256") -> Signs:
    return lambda scene, signed: hmac.new(secret(scene), signed, digest).digest()


IN_SESSION = by_hmac(lambda scene: scene.session_key)
UNSIGNED: Signs = lambda *_: b""  # noqa: E731


def token(
    *,
    party: str = "ours",
    sign: Signs | None = None,
    header: dict[str, Any] | None = None,
    **claims: Any,
) -> Make:
    """A token of a party that is valid but for the changes to its header and claims, signed as it then is."""

    def make(scene: Scene) -> str:
        who = getattr(scene, party)
        first = changed({"alg": "RS256", "typ": "JWT", "kid": who.key_id}, header or {}, scene)
        return packed(scene, json_of(first), json_of(claims_of(scene, who, **claims)), sign or by(party))

    return make


def session(*, sign: Signs = IN_SESSION, header: dict[str, Any] | None = None, **claims: Any) -> Make:
    """A token as a login makes it, but for the changes."""
    first = {"alg": "HS256", "kid": of("session_key_id"), **(header or {})}
    return token(sign=sign, header=first, **{"kid": of("session_key_id"), **claims})


def packed(scene: Scene, header: bytes, payload: bytes, sign: Signs) -> str:
    signed = f"{encoded(header)}.{encoded(payload)}"
    return f"{signed}.{encoded(sign(scene, signed.encode()))}"


def text(*, header: Callable[[bytes], bytes] = bytes, payload: Callable[[bytes], bytes] = bytes) -> Make:
    """A token with a good signature whose JSON was written otherwise before it was signed."""

    def make(scene: Scene) -> str:
        first = json_of({"alg": "RS256", "typ": "JWT", "kid": scene.ours.key_id})
        return packed(scene, header(first), payload(json_of(claims_of(scene, scene.ours))), by("ours"))

    return make


def replaced(old: str, new: str) -> Callable[[bytes], bytes]:
    def replace(content: bytes) -> bytes:
        assert old.encode() in content
        return content.replace(old.encode(), new.encode())

    return replace


def with_member(member: str) -> Callable[[bytes], bytes]:
    """JSON text with one more member, written as it is given."""
    return lambda content: content[:-1] + b"," + member.encode() + b"}"


def with_exponent(content: bytes) -> bytes:
    """The same ``iat``, which JSON may write as 1682945423e0 too."""
    return re.sub(rb'("iat":\d+)', rb"\1e0", content)


def only(content: bytes) -> Callable[[bytes], bytes]:
    return lambda _: content


def header_of(write: Callable[[str], str | None], make: Make | None = None) -> Make:
    """An Authorization header written from a valid token."""
    return lambda scene: write(str((make or token())(scene)))


def parts(change: Callable[[str, str, str], str], make: Make | None = None) -> Make:
    """The segments of a valid token, put together otherwise."""
    return lambda scene: change(*str((make or token())(scene)).split("."))


def other_last_letter(segment: str) -> str:
    """The same bytes in base64url with other stray bits in the last letter."""
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    assert len(segment) % 4 in {2, 3}
    other = segment[:-1] + alphabet[alphabet.index(segment[-1]) ^ 1]
    padded = "=" * (-len(segment) % 4)
    assert base64.urlsafe_b64decode(other + padded) == base64.urlsafe_b64decode(segment + padded)
    return other


def stray_bits_in_claims(scene: Scene) -> str:
    """Signed as it is written, so that nothing but the spelling is wrong."""
    for length in range(3):
        first, second, _ = str(token(jti="x" * (10 + length))(scene)).split(".")
        if len(second) % 4:
            signed = f"{first}.{other_last_letter(second)}"
            return f"{signed}.{encoded(rs256(scene.ours.key, signed.encode()))}"
    raise AssertionError


def ordinary_base64(scene: Scene) -> str:
    """Plus and slash for minus and underscore in the signature."""
    for number in range(100):
        first, second, third = str(token(jti=f"token {number}")(scene)).split(".")
        other = third.replace("-", "+").replace("_", "/")
        if other != third:
            return f"{first}.{second}.{other}"
    raise AssertionError


def altered_signature(change: Callable[[bytes], bytes]) -> Make:
    """A valid token with its signature's bytes changed."""

    def alter(first: str, second: str, third: str) -> str:
        return f"{first}.{second}.{encoded(change(base64.urlsafe_b64decode(third + '==')))}"

    return parts(alter)


def claims_of_another(scene: Scene) -> str:
    """Header and signature of one valid token around the claims of another."""
    first, _, third = str(token()(scene)).split(".")
    return f"{first}.{str(token(role='device')(scene)).split('.')[1]}.{third}"


def header_of_another(scene: Scene) -> str:
    first = str(token(header={"typ": ABSENT})(scene)).split(".")[0]
    return ".".join([first, *str(token()(scene)).split(".")[1:]])


def jwk_of_stranger(scene: Scene) -> dict[str, str]:
    numbers = scene.stranger.public_key().public_numbers()
    return {"kty": "RSA", "n": encoded(numbers.n.to_bytes(256, "big")), "e": "AQAB"}


def of_length(fits: Callable[[int], bool]) -> Make:
    """A token with a long ``jti``, the first that has a fitting number of characters, counted down from 5,800."""

    def make(scene: Scene) -> str:
        short = str(token(jti="j")(scene))
        claims = len(json_of(claims_of(scene, scene.ours, jti="j")))
        others = len(short) - len(encoded(bytes(claims)))
        found = next(more for more in range(5800, 0, -1) if fits(others + len(encoded(bytes(claims + more)))))
        return str(token(jti="j" * (1 + found))(scene))

    return make
