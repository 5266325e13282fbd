"""The pathology report from its facts: the sections in their order."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from hemato_lab.narrative.conclusion import impression, recommendations
from hemato_lab.narrative.method import method
from hemato_lab.narrative.model import Narrative, Sentence
from hemato_lab.narrative.parasites import parasites
from hemato_lab.narrative.platelets import platelets
from hemato_lab.narrative.red_cells import red_cells
from hemato_lab.narrative.specimen import adequacy, context
from hemato_lab.narrative.white_cells import white_cells

if TYPE_CHECKING:
    from hemato_lab.narrative.facts import NarrativeFacts

SECTIONS: Final = MappingProxyType(
    {
        "clinical context": context,
        "specimen and adequacy": adequacy,
        "red cells": red_cells,
        "white cells": white_cells,
        "platelets": platelets,
        "parasites": parasites,
        "impression": impression,
        "recommendations": recommendations,
        "method and limits": method,
    }
)
"""What writes each section, in the order of DOMAIN.md section 6: findings before interpretation."""


def write_narrative(facts: NarrativeFacts) -> Narrative:
    """Write the report of a smear.

    Parameters
    ----------
    facts : NarrativeFacts

    Returns
    -------
    Narrative
        The same for the same facts.
    """
    return Narrative(
        tuple(
            Sentence(section, text, tuple(dict.fromkeys(traces)))
            for section, write in SECTIONS.items()
            for text, traces in write(facts)
        )
    )
