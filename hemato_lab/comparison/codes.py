"""How near two ICD-10 codes are: by their first characters, and by the blocks that the classification prints.

Blocks are those of ICD-10 (WHO, version 2019) for infections, neoplasms and blood; ICD-10-CM has the same there but for
B95-B97, C7A to C7B and D3A. Of the other chapters, a blood smear needs no blocks: codes that differ in their category
count as different there.
"""

from __future__ import annotations

import re
from typing import Final, Literal

Relation = Literal["same code", "same category", "same block"]
RELATIONS: Final[tuple[Relation, ...]] = ("same code", "same category", "same block")
"""From the nearest to the farthest; what is farther is no agreement."""
_CODE: Final = re.compile(r"[A-Z][0-9][0-9A-Z](?:[.]?[0-9A-Z]{1,4})?")
_PRINTED: Final = """
A00-A09 A15-A19 A20-A28 A30-A49 A50-A64 A65-A69 A70-A74 A75-A79 A80-A89 A90-A99 B00-B09 B15-B19 B20-B24 B25-B34
B35-B49 B50-B64 B65-B83 B85-B89 B90-B94 B95-B98 B99-B99
C00-C14 C15-C26 C30-C39 C40-C41 C43-C44 C45-C49 C50-C50 C51-C58 C60-C63 C64-C68 C69-C72 C73-C75 C76-C80 C81-C96
C97-C97 D00-D09 D10-D36 D37-D48
D50-D53 D55-D59 D60-D64 D65-D69 D70-D77 D80-D89
"""
_BLOCKS: Final = tuple(block.split("-") for block in _PRINTED.split())


def normalised(code: str) -> str:
    """Return a code in capitals without its dot; what has not the form of a code stays, in capitals."""
    text = code.strip().upper()
    return text.replace(".", "") if _CODE.fullmatch(text) else text


def category(code: str) -> str:
    """Return the three characters that name the category; the whole text of what has not the form of a code."""
    return normalised(code)[:3] if _CODE.fullmatch(code.strip().upper()) else normalised(code)


def block(code: str) -> str:
    """Return the block that a code lies in, for example ``D55-D59``; empty where none is known."""
    three = category(code)
    if not _CODE.fullmatch(three):
        return ""
    return next((f"{first}-{last}" for first, last in _BLOCKS if first <= three <= last), "")


def relation(first: str, second: str) -> Relation | None:
    """Return how two codes are related, None where they share no more than a chapter."""
    one, other = normalised(first), normalised(second)
    if not one or not other:
        return None
    if one == other:
        return "same code"
    if category(first) == category(second):
        return "same category"
    return "same block" if block(first) and block(first) == block(second) else None
