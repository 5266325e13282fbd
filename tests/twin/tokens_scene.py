"""A scene made up for tests, a registry of its people, and a judge that knows them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import rsa

from hemato_lab.twin.tokens import RegisteredKey, RegisteredUser, TokenJudge
from tests.twin.tokens_making import Party, Scene, public_pem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

NOW = 1_682_945_428  # when the vendor's sample token was issued
REGION = "dev"


def new_key(bits: int = 2048) -> RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def made_up() -> Scene:
    """One scene for all tests of a process, as keys take long to make."""
    ours = Party("organisation-of-ours", "lab.example.com", "user-of-ours", "key-of-ours", new_key())
    names = (ours.organisation_id, ours.issuer, ours.user_id)
    return Scene(
        now=NOW,
        host="dev.api.hemato.ai",
        other_host="localhost",
        ours=ours,
        theirs=Party("organisation-of-theirs", "ward.example.org", "user-of-theirs", "key-of-theirs", new_key()),
        large=Party(*names, "large-key-of-ours", new_key(4096)),
        revoked=Party(*names, "revoked-key-of-ours", new_key()),
        stranger=new_key(),
        email="ana@lab.example.com",
        disabled_id="disabled-user-of-ours",
        far_id="far-user-of-ours",
        session_key=b"the session key of this made-up scene",
        session_key_id="key-of-sessions",
    )


class People:
    """The registry of a scene, which remembers who was looked for."""

    def __init__(self, scene: Scene) -> None:
        self.keys = {
            party.key_id: RegisteredKey(
                party.key_id,
                party.organisation_id,
                party.issuer,
                public_pem(party.key).decode(),
                party is scene.revoked,
            )
            for party in (scene.ours, scene.theirs, scene.large, scene.revoked)
        }
        far, many = frozenset({"eu"}), frozenset({"user", "device", "service"})
        self.users = {
            one.user_id: one
            for one in (
                self._user(scene.ours, scene.ours.user_id, scene.email, many),
                self._user(scene.ours, scene.disabled_id, "d@lab.example.com", frozenset({"user"}), disabled=True),
                self._user(scene.ours, scene.far_id, "f@lab.example.com", frozenset({"user"}), regions=far),
                self._user(scene.theirs, scene.theirs.user_id, "t@ward.example.org", many | {"admin"}),
            )
        }
        self.looked_for: list[str] = []

    @staticmethod
    def _user(
        party: Party,
        user_id: str,
        email: str,
        roles: frozenset[str],
        *,
        regions: frozenset[str] = frozenset({REGION}),
        disabled: bool = False,
    ) -> RegisteredUser:
        return RegisteredUser(user_id, party.organisation_id, party.issuer, email, "A", roles, regions, disabled)

    def key(self, key_id: str) -> RegisteredKey | None:
        return self.keys.get(key_id)

    def user(self, user_id: str) -> RegisteredUser | None:
        self.looked_for.append(user_id)
        return self.users.get(user_id)


def judge_of(scene: Scene, registry: People | None = None, **options: Any) -> TokenJudge:
    settings = {
        "session_key": scene.session_key,
        "session_key_id": scene.session_key_id,
        "hosts": (scene.host, scene.other_host),
        "region": REGION,
        "wall": lambda: scene.now,
        **options,
    }
    return TokenJudge(registry or People(scene), **settings)
