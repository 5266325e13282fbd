"""The pathology report's text, written from the same facts that the numbers of the report come from.

It says what was found before what that may mean, gives numbers with n and limits, and names what was not assessed
(DOMAIN.md section 6). Every sentence points to its facts in the report's extension.
"""

from hemato_lab.narrative.facts import NarrativeFacts, Specimen
from hemato_lab.narrative.model import Narrative, Sentence, resolve
from hemato_lab.narrative.writer import write_narrative

__all__ = ["Narrative", "NarrativeFacts", "Sentence", "Specimen", "resolve", "write_narrative"]
