"""Valid tokens changed at random, in the ways that damage and attackers change them."""

from __future__ import annotations

import base64
import json
import string
from typing import TYPE_CHECKING, Any

from tests.twin.tokens_making import encoded, json_of

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Sequence

    Change = Callable[[random.Random, str, Sequence[str]], str]

LETTERS = string.ascii_letters + string.digits + "-_"
OTHERS = LETTERS + "".join(map(chr, (*range(32, 127), *range(160, 256), 0, 9, 10, 13)))
VALUES: tuple[Any, ...] = (
    0,
    -1,
    2**53,
    True,
    None,
    "",
    "admin",
    "user",
    "none",
    [],
    ["admin"],
    {},
    1.5,
    "key-of-theirs",
)


def replace_letter(chance: random.Random, token: str, valid: Sequence[str]) -> str:
    place = chance.randrange(len(token))
    return token[:place] + chance.choice(LETTERS) + token[place + 1 :]


def replace_by_anything(chance: random.Random, token: str, valid: Sequence[str]) -> str:
    place = chance.randrange(len(token))
    return token[:place] + chance.choice(OTHERS) + token[place + 1 :]


def replace_last_letter(chance: random.Random, token: str, valid: Sequence[str]) -> str:
    segments = token.split(".")
    number = chance.randrange(3)
    segments[number] = segments[number][:-1] + chance.choice(LETTERS)
    return ".".join(segments)


def change_case(chance: random.Random, token: str, valid: Sequence[str]) -> str:
    place = chance.randrange(len(token))
    return token[:place] + token[place].swapcase() + token[place + 1 :]


def insert(chance: random.Random, token: str, valid: Sequence[str]) -> str:
    place = chance.randrange(len(token) + 1)
    return token[:place] + "".join(chance.choices(OTHERS + "." * 20 + "=" * 20, k=chance.randint(1, 4))) + token[place:]


def drop(chance: random.Random, token: str, valid: Sequence[str]) -> str:
    place = chance.randrange(len(token))
    return token[:place] + token[place + chance.randint(1, 8) :]


def cut(chance: random.Random, token: str, valid: Sequence[str]) -> str:
    place = chance.randrange(len(token))
    return chance.choice((token[:place], token[place:]))


def swap(chance: random.Random, token: str, valid: Sequence[str]) -> str:
    letters = list(token)
    one, other = chance.randrange(len(letters)), chance.randrange(len(letters))
    letters[one], letters[other] = letters[other], letters[one]
    return "".join(letters)


def repeat(chance: random.Random, token: str, valid: Sequence[str]) -> str:
    first, last = sorted((chance.randrange(len(token)), chance.randrange(len(token))))
    return token[:last] + token[first:]


def flip_bits(chance: random.Random, token: str, valid: Sequence[str]) -> str:
    """In the bytes of a segment, which is then spelled as it should be."""
    segments = token.split(".")
    number = chance.randrange(3)
    content = bytearray(base64.urlsafe_b64decode(segments[number] + "=="))
    for _ in range(chance.randint(1, 3)):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    segments[number] = encoded(bytes(content))
    return ".".join(segments)


def segments_of_others(chance: random.Random, token: str, valid: Sequence[str]) -> str:
    return ".".join(chance.choice(valid).split(".")[chance.choice((number, number, 2))] for number in range(3))


def change_claim(chance: random.Random, token: str, valid: Sequence[str]) -> str:
    first, second, third = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(second + "=="))
    claims[chance.choice(sorted(claims))] = chance.choice(VALUES)
    return f"{first}.{encoded(json_of(claims))}.{third}"


def change_header(chance: random.Random, token: str, valid: Sequence[str]) -> str:
    first, second, third = token.split(".")
    header = json.loads(base64.urlsafe_b64decode(first + "=="))
    header[chance.choice(("alg", "kid", "typ", "jwk", "x"))] = chance.choice((*VALUES, "HS256", "RS256", "ES256"))
    return f"{encoded(json_of(header))}.{second}.{chance.choice((third, ''))}"


def spell_otherwise(chance: random.Random, token: str, valid: Sequence[str]) -> str:
    """The same bytes as a generous reader of base64 sees them."""
    segments = token.split(".")
    number = chance.randrange(3)
    one = segments[number]
    place = chance.randrange(len(one))
    ways = (one + "=" * chance.randint(1, 3), one.translate(str.maketrans("-_", "+/")), f"{one[:place]}\n{one[place:]}")
    segments[number] = chance.choice((*ways, f"{one[:place]} {one[place:]}", f"{one[:place]}={one[place:]}"))
    return ".".join(segments)


CHANGES: tuple[Change, ...] = (
    replace_letter,
    replace_by_anything,
    replace_last_letter,
    change_case,
    insert,
    drop,
    cut,
    swap,
    repeat,
    flip_bits,
    segments_of_others,
    change_claim,
    change_header,
    spell_otherwise,
)


def mutants(valid: Sequence[str], count: int, chance: random.Random) -> Iterator[tuple[str, str]]:
    """Yield so many changed tokens: the name of the change, and the Authorization header, raw or Bearer in turn.

    Changes that came out as one of the valid tokens, letter by letter, are left out, as are spaces before one: after
    Bearer there may be several (RFC 6750 section 2.1), so they are no part of the token. Nothing else is.
    """
    made = 0
    while made < count:
        change = CHANGES[made % len(CHANGES)]
        mutant = change(chance, chance.choice(valid), valid)
        if mutant.lstrip(" ") in valid:
            continue
        yield change.__name__, mutant if made // len(CHANGES) % 2 else f"Bearer {mutant}"
        made += 1
