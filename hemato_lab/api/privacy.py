"""Does a tag or file name look like it tells who the patient is? Asked before it leaves (api/DECISIONS.md row 31).

A look at the form of words can miss a name and suspect an innocent one, so it warns and never changes what is sent as a
tag. Warnings name the tag and what it looks like, never its value.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class PrivacyWarning(UserWarning):
    """Something that is about to be sent looks like personal or health data."""


_TELLING_KEYS: Final = re.compile(
    r"(?:^|_)(?:name|first_?name|last_?name|surname|forename|given_?name|family_?name|maiden_?name|dob|birth|birth_?day|"
    r"birth_?date|date_of_birth|ssn|social_security|mrn|medical_record|nhs|passport|address|street|zip|postcode|"
    r"postal_code|phone|mobile|telephone|fax|email|e_?mail|insurance|next_of_kin|hospital_(?:id|number|no))(?:$|_)"
    r"|^patient(?:_?(?:id|number|no))?$"
)
_PROXY: Final = re.compile(r"proxy|pseudonym|hash|file|sample|study|batch|scanner|device|stain|lab|site")
"""Words of a key that make it one of a thing or of a stand-in: ``patient_proxy_id``, ``lab_name``, ``file_name``."""

_MONTH: Final = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_NAME: Final = "a person's name"
_UPPER, _LOWER = "A-ZÀ-ÖØ-ÞĀ-Ž", "a-zß-öø-ÿā-ž'’"
_WORD: Final = rf"[{_UPPER}][{_LOWER}]+(?:-[{_UPPER}][{_LOWER}]+)?"
_BETWEEN: Final = rf"(?:[ _](?:[{_UPPER}]\.?|van|von|der|den|de|del|da|di|la|bin|ibn|al))*"
_FORMS: Final[dict[str, re.Pattern[str]]] = {
    "an e-mail address": re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"),
    "a social security number": re.compile(r"(?<!\d)\d{3}-\d{2}-\d{4}(?!\d)"),
    "a telephone number": re.compile(
        r"(?<![\w-])(?:\+\d{1,3}[ -]?)?\(?\d{2,4}\)?[ -]\d{3,4}[ -]?\d{3,5}(?![\w-])|\+\d{8,14}"
    ),
    "a date, as that of a birth": re.compile(
        r"(?i)(?<!\d)(?:(?:19|20)\d{2}[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])"
        r"|(?:0?[1-9]|[12]\d|3[01])[-/.](?:0?[1-9]|[12]\d|3[01])[-/.](?:(?:19|20)\d{2}|\d{2})"
        rf"|\d{{1,2}}\.? {_MONTH}\.? (?:19|20)\d{{2}}|{_MONTH}\.? \d{{1,2}},? (?:19|20)\d{{2}}"
        r"|19\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))(?![\dT])"
    ),
    "a number of a patient's record": re.compile(r"(?i)(?<![a-z])(?:mrn|dob|ssn|nhs)(?: ?(?:no|number))?[\s:#=._-]*\d"),
    _NAME: re.compile(
        rf"(?:\b(?:Mr|Mrs|Ms|Miss|Dr|Prof|Herr|Frau|M|Mme)\.? [{_UPPER}][{_LOWER}{_UPPER}-]+)"
        rf"|(?:^|[\s_]){_WORD}{_BETWEEN}[ _]{_WORD}(?:$|[\s_.])"
        rf"|^[{_UPPER}][{_UPPER}{_LOWER}-]+, ?[{_UPPER}][{_LOWER}]+"
        rf"|^[{_UPPER}'’-]{{2,}}\^[{_UPPER}]+"  # as DICOM writes it
    ),
}


def personal_traits(key: str, value: str) -> list[str]:
    """Return what a tag looks like of what it should not hold, in words; empty for an innocent one."""
    plain = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower())
    of_a_thing = _PROXY.search(plain) is not None
    traits = ["personal data, by its key"] if value and _TELLING_KEYS.search(plain) and not of_a_thing else []
    # "Central Lab" and "May Grunwald" have the form of a name.
    traits += [trait for trait, form in _FORMS.items() if form.search(value) and not (of_a_thing and trait == _NAME)]
    if any(_is_nhs_number(found) for found in re.findall(r"(?<!\d)\d{3} ?\d{3} ?\d{4}(?!\d)", value)):
        traits.append("an NHS number")
    return traits


def _is_nhs_number(text: str) -> bool:
    """Tell whether ten digits carry the check digit of the NHS (modulus 11), which one number in eleven does."""
    digits = [int(sign) for sign in text if sign.isdigit()]
    check = 11 - sum(digit * weight for digit, weight in zip(digits, range(10, 1, -1), strict=False)) % 11
    return digits[9] == (0 if check == 11 else check)


def suspicions(tags: Mapping[str, str]) -> Iterator[str]:
    """Yield one sentence a tag that looks like it tells who the patient is; without its value."""
    for number, (key, value) in enumerate(tags.items(), start=1):
        of_key = personal_traits("", key)
        # "Slide Number" has the form of a name too.
        traits = list(dict.fromkeys([*personal_traits(key, value), *(one for one in of_key if one != _NAME)]))
        if traits:
            # A key with a value in it must not be repeated either.
            is_plain = not of_key and len(key) <= 40 and not (value and value in key)
            shown = repr(key) if is_plain else f"number {number}"
            yield f"the tag {shown} looks like {' and '.join(traits)}"


def warn_of_personal_tags(tags: Mapping[str, str]) -> None:
    """Warn of each tag that looks like personal or health data."""
    for sentence in suspicions(tags):
        warnings.warn(
            f"{sentence}; tags must hold no personal or health data, use a pseudonym", PrivacyWarning, stacklevel=2
        )


def harmless_file_name(name: str, file_id: str, suffix: str) -> str:
    """Return a file name that may be sent: its own, or one made from its hash if it looks like personal data."""
    plain = name.replace("\\", "/").rpartition("/")[2]
    if plain and plain.isascii() and plain.isprintable() and len(plain) <= 120 and not personal_traits("", plain):
        return plain
    return f"{file_id.rpartition('-')[2][:16]}{suffix}"
