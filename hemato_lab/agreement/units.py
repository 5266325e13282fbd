"""Units of the quantities in reports: what a factor leads from, what only equals itself, and what says nothing.

Texts are UCUM (https://ucum.org/ucum), as our reports write them, and the spellings that laboratories use besides:
``K/uL``, ``M/uL``, ``G/L`` and ``T/L`` for thousands, millions, 10^9 and 10^12 cells (in UCUM they would be kelvins,
gausses and teslas), ``10^9/L``, ``x10E3/uL``, ``mm^2``, ``HPF``, ``cells/mm2`` and the micro sign. DOMAIN.md section
2.1 lists what is equal. A unit that nobody here knows is still one unit: it converts to the same text and to nothing
else. The placeholders ``x`` and ``y`` of the vendor's document, and no text at all, stand for any unit and convert to
nothing, not even to themselves (api/DECISIONS.md row 19).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final

from hemato_lab.errors import UnlikeUnitsError

Dimension = tuple[tuple[str, int], ...]

_TEN: Final = Fraction(10)
_PREFIXES: Final = {"k": 3, "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15}
_BASE: Final[dict[str, tuple[Fraction, Dimension]]] = {
    "m": (Fraction(1), (("metre", 1),)),
    "L": (Fraction(1, 1000), (("metre", 3),)),
    "l": (Fraction(1, 1000), (("metre", 3),)),
    "g": (Fraction(1), (("gram", 1),)),
    "s": (Fraction(1), (("second", 1),)),
    "mol": (Fraction(1), (("mole", 1),)),
    "U": (Fraction(1, 60_000_000), (("mole", 1), ("second", -1))),
}
"""Symbols that take prefixes; U is that of enzymes, a micromole a minute."""
_TIMES: Final[dict[str, tuple[Fraction, Dimension]]] = {
    "min": (Fraction(60), (("second", 1),)),
    "h": (Fraction(3600), (("second", 1),)),
}
"""Symbols that take none."""
_PLAIN: Final = {"%": Fraction(1, 100), "[ppth]": Fraction(1, 1000), "[ppm]": Fraction(1, 1_000_000)}
_CELLS: Final = re.compile(r"\{?cells?\}?", re.IGNORECASE)
"""What was counted is said by the key of the statistic; it changes no factor."""
_COUNTED: Final = {"K": Fraction(10**3), "M": Fraction(10**6), "G": Fraction(10**9), "T": Fraction(10**12)}
"""Multipliers of laboratories, known by what follows: a volume below the stroke."""
_POWER: Final = re.compile(r"(?:[x×]\s*)?10\s*(?:[*^]|[Ee](?=[+-]?\d))\s*([+-]?\d{1,2})")
_SUPERSCRIPTS: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_RAISED: Final = re.compile(r"(?<=10)([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)")
_NUMBER: Final = re.compile(r"(\d{1,12})(.*)")
_SYMBOL: Final = re.compile(r"([a-zA-Z]+)(?:\^?(\d))?")
_FIELDS: Final = re.compile(r"HPF|LPF", re.IGNORECASE)
"""Fields of view of a high and a low power; UCUM writes them in brackets."""
_ANNOTATED: Final = re.compile(r"\[HPF\]|\[LPF\]|\{[A-Za-z][A-Za-z0-9 _-]{0,30}\}")
_LONGEST: Final = 40
_LARGEST: Final = Fraction(10) ** 60
"""No unit of anything is this much larger or smaller than its base unit, and factors stay within a float."""
_PLACEHOLDERS: Final = ("", "x", "y")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit that is understood.

    Attributes
    ----------
    text : str
        As it was written.
    scale : Fraction
        How many of the base unit of its dimension it is, exactly.
    dimension : tuple of (str, int)
        Powers of ``metre``, ``gram`` and of whatever was counted, such as ``{OIF}``; empty for a mere number. A factor
        leads between units of the same dimension alone.
    """

    text: str
    scale: Fraction
    dimension: Dimension


def parse_unit(text: str, *, subject: str = "") -> Unit:
    """Return the unit that a text means.

    Parameters
    ----------
    text : str
        For example ``/mm2``, ``10*3/uL``, ``%``, ``/[HPF]``, ``/100{WBC}``.
    subject : str
        What the unit is of, for the error.

    Raises
    ------
    UnlikeUnitsError
        If it means nothing that is known; an empty text means nothing.
    """
    unit = _parsed(text)
    if unit is None:
        shown = f"the unit {text[:_LONGEST]!r}" if text.strip() else "a value without a unit"
        raise UnlikeUnitsError(
            f"{shown} has no known meaning", subject=subject, hint="units are never guessed: ask who wrote the report"
        )
    return unit


def factor(from_unit: str, to_unit: str, *, subject: str = "") -> float:
    """Return what to multiply a value in one unit by to have it in another.

    Parameters
    ----------
    from_unit, to_unit : str
        UCUM, or a laboratory's spelling of it.
    subject : str
        What the units are of, for the error.

    Returns
    -------
    float
        The exact factor, rounded once; 1.0 exactly for equal units.

    Raises
    ------
    UnlikeUnitsError
        If one of them has no known meaning and is not the other's text, stands for any unit, or they measure different
        things.

    Examples
    --------
    >>> factor("10*3/uL", "10*9/L"), factor("/um2", "/mm2")
    (1.0, 1000000.0)
    """
    return float(exact_factor(from_unit, to_unit, subject=subject))


def exact_factor(from_unit: str, to_unit: str, *, subject: str = "") -> Fraction:
    """Return `factor` without rounding; raises as that does."""
    if from_unit.strip() == to_unit.strip() and not is_placeholder(from_unit):
        return Fraction(1)
    first, second = parse_unit(from_unit, subject=subject), parse_unit(to_unit, subject=subject)
    if first.dimension != second.dimension:
        raise UnlikeUnitsError(
            f"{from_unit!r} and {to_unit!r} measure different things",
            subject=subject,
            hint="no factor leads from one to the other",
        )
    return first.scale / second.scale


def is_placeholder(text: str) -> bool:
    """Tell whether a text stands for any unit, and so for none."""
    return text.strip().lower() in _PLACEHOLDERS


@lru_cache(maxsize=256)
def _parsed(text: str) -> Unit | None:
    """Return the unit, None where any part of the text is not understood."""
    written = _in_plain_signs(text)
    if not written or len(written) > _LONGEST:
        return None
    above, *below = written.split("/")
    scale, powers = Fraction(1), dict[str, int]()
    counted = _COUNTED.get(above) if len(below) == 1 and _is_volume(below[0]) else None
    if counted is not None:
        scale, above = counted, ""
    if above == "" and not below:
        return None
    for part, sign in ((above, 1), *((one, -1) for one in below)):
        read = (Fraction(1), Dimension()) if part == "" and sign == 1 else _part(part)
        if read is None:
            return None
        scale *= read[0] ** sign
        for name, power in read[1]:
            powers[name] = powers.get(name, 0) + sign * power
    if not 1 / _LARGEST <= scale <= _LARGEST:
        return None
    return Unit(text, scale, tuple(sorted((name, power) for name, power in powers.items() if power)))


def _in_plain_signs(text: str) -> str:
    raised = _RAISED.sub(lambda found: "*" + found[1], text.strip())
    plain = raised.translate(_SUPERSCRIPTS)
    for sign, letter in (("\N{MICRO SIGN}", "u"), ("\N{GREEK SMALL LETTER MU}", "u"), ("‰", "[ppth]")):
        plain = plain.replace(sign, letter)
    return plain


def _part(text: str) -> tuple[Fraction, Dimension] | None:
    """Return scale and dimension of what stands on one side of a stroke: a multiplier, then at most one symbol."""
    scale, rest = _multiplier(text.strip())
    if rest == "" and scale is not None:
        return scale, ()
    read = (_PLAIN[rest], ()) if rest in _PLAIN else _symbol(rest)
    if read is None:
        return None
    return read[0] * (1 if scale is None else scale), read[1]


def _multiplier(text: str) -> tuple[Fraction | None, str]:
    power = _POWER.match(text)
    if power is not None:
        return _TEN ** int(power[1]), text[power.end() :].lstrip(" .")
    number = _NUMBER.fullmatch(text)
    if number is not None and int(number[1]) > 0:
        return Fraction(int(number[1])), number[2].lstrip(" .")
    return None, text


def _symbol(text: str) -> tuple[Fraction, Dimension] | None:
    if _CELLS.fullmatch(text):
        return Fraction(1), ()
    if _ANNOTATED.fullmatch(text):
        return Fraction(1), ((text, 1),)
    if _FIELDS.fullmatch(text):
        return Fraction(1), ((f"[{text.upper()}]", 1),)
    found = _SYMBOL.fullmatch(text)
    if found is None or found[2] == "0":
        return None
    read = _TIMES.get(found[1]) or _prefixed(found[1])
    if read is None:
        return None
    power = int(found[2] or 1)
    return read[0] ** power, tuple((name, own * power) for name, own in read[1])


def _prefixed(symbol: str) -> tuple[Fraction, Dimension] | None:
    for base, (scale, dimension) in _BASE.items():
        prefix = symbol.removesuffix(base)
        if symbol.endswith(base) and (prefix == "" or prefix in _PREFIXES):
            return scale * _TEN ** _PREFIXES.get(prefix, 0), dimension
    return None


def _is_volume(text: str) -> bool:
    read = _part(text)
    return read is not None and read[1] == (("metre", 3),)
