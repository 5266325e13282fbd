"""How numbers and names are written in sentences.

Numbers: a percentage has two significant digits and never a decimal from 10 % on (12 %, 5.3 %, 0.53 %, 0.020 %); its
limits have the decimals of the value, or those of the upper limit where the value is 0. A limit that would round to 0
without being 0 keeps one significant digit, and what is below 100 % is never rounded to it. Concentrations per
microlitre have two significant digits and thousands separators. DOMAIN.md section 6 asks for n and 95 % limits.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from hemato_lab.statistics.rounding import quantised

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hemato_lab.statistics.limits import Limits

Line = tuple[str, tuple[str, ...]]
"""A sentence without its section: text and traces."""

SPOKEN: Final = {
    "RBC": "red cell",
    "WBC": "white cell",
    "normal RBC": "normal red cell",
    "uncategorised RBC": "uncategorised red cell",
    "parasitised RBC": "parasitised red cell",
    "uninfected RBC": "uninfected red cell",
    "nucleated RBC": "nucleated red cell",
    "unclassified WBC": "unclassified white cell",
    "benign": "benign white cell",
}
"""Names that a reader would not say."""
UNCOUNTED: Final = (
    "anisocytosis",
    "rouleaux",
    "agglutination",
    "basophilic stippling",
    "toxic granulation",
    "vacuolation",
    "platelet satellitism",
    "stain precipitate",
)
"""Names without a plural: they are said of cells that show them."""


def singular(name: str) -> str:
    """Return a name of the vocabulary in words."""
    return SPOKEN.get(name, name)


def plural(name: str) -> str:
    """Return the plural of a name of the vocabulary, in words."""
    word = singular(name)
    if word in UNCOUNTED:
        return word
    return f"{word[:-1]}ies" if word.endswith("body") else f"{word}s"


def verb(name: str) -> str:
    """Return ``is`` or ``are`` for the plural of a name."""
    return "is" if name in UNCOUNTED and name != "rouleaux" else "are"


def counted(count: int, name: str, denominator: str = "RBC") -> str:
    """Return a number of cells in words: ``1 ring trophozoite``, ``1,200 red cells``, ``rouleaux in 12 red cells``."""
    if name in UNCOUNTED:
        return f"{name} in {counted(count, denominator)}"
    return f"{count:,} {singular(name) if count == 1 else plural(name)}"


def listed(items: Iterable[str], last: str = "and") -> str:
    """Return items as a list in a sentence: ``a, b and c``."""
    words = list(items)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def sentence_case(text: str) -> str:
    """Return a text that begins with a capital."""
    return text[:1].upper() + text[1:]


def because(reason: str) -> str:
    """Return a reason as it ends a sentence, without the full stop it may have."""
    return reason.strip().rstrip(".")


def share(percent: float) -> str:
    """Return a percentage without its sign."""
    return _fixed(percent, _decimals(percent))


def with_limits(value: float, limits: Limits | tuple[float, float], unit: str = "%") -> str:
    """Return a percentage, or a number for 100 cells, with its 95 % limits.

    Parameters
    ----------
    value : float
    limits : (float, float)
        An infinite upper one is said to be open.
    unit : str
        Written after value and limits.
    """
    low, high = limits
    decimals = _decimals(value or (high if math.isfinite(high) else 0.0))
    tail = f" {unit}" if unit else ""
    if not math.isfinite(high):
        return f"{_fixed(value, decimals)}{tail} (95 % CI from {_fixed(low, decimals)}{tail}, no upper limit)"
    return f"{_fixed(value, decimals)}{tail} (95 % CI {_fixed(low, decimals)} to {_fixed(high, decimals)}{tail})"


def per_ul(value: float) -> str:
    """Return a concentration per microlitre with two significant digits."""
    rounded = quantised(value, 2)
    return f"{rounded:,.0f}/uL" if rounded >= 10 or rounded == 0 else f"{rounded:g}/uL"


def per_ul_with_limits(value: float, limits: Limits | tuple[float, float]) -> str:
    """Return a concentration per microlitre with its 95 % limits."""
    low, high = limits
    if not math.isfinite(high):
        return f"{per_ul(value)} (95 % CI from {per_ul(low)}, no upper limit)"
    return f"{per_ul(value)} (95 % CI {per_ul(low).removesuffix('/uL')} to {per_ul(high)})"


def millions(per_microlitre: float) -> str:
    """Return a concentration of red cells: ``5.00 x 10^6/uL``."""
    return f"{per_microlitre / 1e6:.2f} x 10^6/uL"


def traces(kind: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the traces of several names of a kind, for example of ``findings``."""
    return tuple(f"{kind}/{name}" for name in names)


def _decimals(percent: float) -> int:
    if percent <= 0:
        return 0
    exponent = int(f"{percent:.1e}".partition("e")[2])
    return max(0, 1 - exponent)


def _fixed(value: float, decimals: int) -> str:
    if value == 0:
        return "0"
    if 99 < value < 100 and round(value, decimals) == 100:
        return f"{math.floor(value * 10) / 10:.1f}"
    if round(value, decimals) == 0:
        return f"{value:.{-int(f'{value:.0e}'.partition('e')[2])}f}"
    return f"{value:,.{decimals}f}"
