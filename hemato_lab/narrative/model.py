"""The text of a pathology report, sentence by sentence, each with pointers to what it was written from."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hemato_lab.report import RESEARCH_USE_NOTICE

WIDTH: Final = 88
"""Columns of the text."""
_UNBROKEN: Final = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of the report.

    Attributes
    ----------
    section : str
        Its section, lower case, for example ``red cells``.
    text : str
    traces : tuple of str
        Pointers into the report's extension that lead to the facts it states, for example ``findings/target cell``;
        at least one. `resolve` follows them.
    """

    section: str
    text: str
    traces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Narrative:
    """A pathology report in words.

    Attributes
    ----------
    sentences : tuple of Sentence
        Section by section.
    """

    sentences: tuple[Sentence, ...]

    @property
    def text(self) -> str:
        """The whole report: a heading a section, wrapped for reading; no unit is parted from its number."""
        sections = dict.fromkeys(sentence.section for sentence in self.sentences)
        return "\n\n".join(f"{section.upper()}\n{self._body(section)}" for section in sections)

    def to_dict(self) -> list[dict[str, Any]]:
        """Return the sentences JSON-ready, for the report's extension."""
        return [{"section": one.section, "text": one.text, "traces": list(one.traces)} for one in self.sentences]

    def _body(self, section: str) -> str:
        texts = [sentence.text for sentence in self.sentences if sentence.section == section]
        running = " ".join(text for text in texts if text != RESEARCH_USE_NOTICE)
        # The notice has its own line, so that whoever looks for it verbatim finds it.
        paragraphs = [running, *(text for text in texts if text == RESEARCH_USE_NOTICE)]
        return "\n".join(_wrapped(paragraph) for paragraph in paragraphs if paragraph)


def resolve(extension: Mapping[str, Any], trace: str) -> Any:
    """Return what a trace points to.

    Parameters
    ----------
    extension : mapping
        Of a report, JSON-ready.
    trace : str
        Keys and indices of lists, parted by slashes.

    Raises
    ------
    KeyError
        If it leads nowhere.
    """
    place: Any = extension
    for step in trace.split("/"):
        if isinstance(place, Mapping) and step in place:
            place = place[step]
        elif _is_list(place) and step.isdecimal() and int(step) < len(place):
            place = place[int(step)]
        else:
            raise KeyError(trace)
    return place


def _is_list(place: object) -> bool:
    return isinstance(place, Sequence) and not isinstance(place, str | bytes)


def _wrapped(paragraph: str) -> str:
    for parted in (" %", " um/px", " mm2", " x 10^"):
        paragraph = paragraph.replace(parted, parted.replace(" ", _UNBROKEN))
    lines = textwrap.wrap(paragraph, WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace(_UNBROKEN, " ")
