"""What two pathology reports say differently, sentence by sentence."""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Change = Literal["equal", "changed", "first only", "second only"]
_ALIKE: Final = 0.6
"""Two sentences are one that was changed when at least this share of their words is the same."""
_MOST_COMPARED: Final = 4000
"""Pairs of sentences of one differing stretch that are compared with each other; in longer ones none is."""
_HEADING: Final = re.compile(r"[A-Z][A-Z0-9 ,/&()-]*:?")
_LONGEST_HEADING: Final = 60
_ITEM: Final = re.compile(r"(?:[-*•]|\d{1,2}[.)])\s")
# After a full stop, a question or exclamation mark; not after a single letter, nor after the number of an item.
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])(?<!\b[A-Za-z]\.)(?<!^\d\.)(?<!^\d\d\.)\s+(?=[\"'(\[]?[A-Z0-9])")
_MARKS: Final = {"equal": " ", "first only": "-", "second only": "+"}


@dataclass(frozen=True, slots=True)
class SentenceChange:
    """One sentence in two texts.

    Attributes
    ----------
    change : str
        ``equal``, ``changed``, ``first only`` or ``second only``.
    first, second : str
        The sentence in either text; empty where it lacks it.
    """

    change: Change
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class NarrativeComparison:
    """Two texts, sentence by sentence.

    Attributes
    ----------
    sentences : tuple of SentenceChange
        In the order of the texts; empty when both are.
    ratio : float
        Share of equal sentences: twice their number over the sentences of both texts; NaN for two empty texts.
    """

    sentences: tuple[SentenceChange, ...] = ()
    ratio: float = math.nan

    @property
    def equal(self) -> bool:
        """Whether every sentence is the same; two empty texts are."""
        return all(one.change == "equal" for one in self.sentences)

    def count(self, change: Change) -> int:
        """Return how many sentences have a change."""
        return sum(one.change == change for one in self.sentences)

    def to_text(self, *, equal: bool = False) -> str:
        """Return the differences as text: ``-`` only in the first, ``+`` only in the second; ``-`` and ``+`` changed.

        Parameters
        ----------
        equal : bool
            Whether to list what is the same too.
        """
        return "\n".join(line for one in self.sentences if equal or one.change != "equal" for line in _lines(one))

    def to_html(self, *, equal: bool = False) -> str:
        """Return the differences as an HTML list without script, every text escaped, words marked ``del``/``ins``."""
        shown = [one for one in self.sentences if equal or one.change != "equal"]
        return f"<ul>{''.join(f'<li>{_marked(one)}</li>' for one in shown)}</ul>" if shown else ""

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready, the differing sentences alone."""
        differing = [one for one in self.sentences if one.change != "equal"]
        return {
            "ratio": None if math.isnan(self.ratio) else self.ratio,
            "equal_sentences": self.count("equal"),
            "differences": [{"change": one.change, "first": one.first, "second": one.second} for one in differing],
        }


def compare_narratives(first: str, second: str) -> NarrativeComparison:
    """Compare two pathology reports; line breaks within a paragraph mean nothing."""
    ours, theirs = sentences_of(first), sentences_of(second)
    if not ours and not theirs:
        return NarrativeComparison()
    matcher = difflib.SequenceMatcher(None, ours, theirs, autojunk=False)
    changes: list[SentenceChange] = []
    for kind, a0, a1, b0, b1 in matcher.get_opcodes():
        if kind == "equal":
            changes += [SentenceChange("equal", one, one) for one in ours[a0:a1]]
        else:
            changes += _differing(ours[a0:a1], theirs[b0:b1])
    return NarrativeComparison(tuple(changes), matcher.ratio())


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text in their order; a heading, a line in capitals, is one of its own."""
    found: list[str] = []
    for paragraph in _paragraphs(text):
        found += [sentence for sentence in _SENTENCE_END.split(paragraph) if sentence]
    return found


def _paragraphs(text: str) -> Iterator[str]:
    gathered: list[str] = []
    for line in (one.strip() for one in text.splitlines()):
        heading = bool(_HEADING.fullmatch(line)) and len(line) <= _LONGEST_HEADING
        if (heading or not line or _ITEM.match(line)) and gathered:
            yield " ".join(gathered)
            gathered = []
        if heading:
            yield line
        elif line:
            gathered.append(" ".join(line.split()))
    if gathered:
        yield " ".join(gathered)


def _differing(ours: Sequence[str], theirs: Sequence[str]) -> list[SentenceChange]:
    """Return a stretch that differs: sentences that were changed as pairs, in order, and the others one by one."""
    changes: list[SentenceChange] = []
    start = 0
    comparable = len(ours) * len(theirs) <= _MOST_COMPARED
    for one in ours:
        partner = _most_alike(one, theirs, start) if comparable else None
        if partner is None:
            changes.append(SentenceChange("first only", one, ""))
            continue
        changes += [SentenceChange("second only", "", other) for other in theirs[start:partner]]
        changes.append(SentenceChange("changed", one, theirs[partner]))
        start = partner + 1
    return [*changes, *(SentenceChange("second only", "", other) for other in theirs[start:])]


def _most_alike(one: str, others: Sequence[str], start: int) -> int | None:
    """Return the place of the sentence that is most like one, from a place on; None where none is alike enough."""
    matcher = difflib.SequenceMatcher(None, autojunk=False)
    matcher.set_seq2(one.split())
    best, place = _ALIKE, None
    for index in range(start, len(others)):
        matcher.set_seq1(others[index].split())
        if matcher.quick_ratio() >= best and (alike := matcher.ratio()) >= best and (place is None or alike > best):
            best, place = alike, index
    return place


def _lines(one: SentenceChange) -> list[str]:
    if one.change == "changed":
        return [f"- {one.first}", f"+ {one.second}"]
    return [f"{_MARKS[one.change]} {one.first or one.second}"]


def _marked(one: SentenceChange) -> str:
    if one.change == "equal":
        return escape(one.first)
    if one.change != "changed":
        tag = "del" if one.change == "first only" else "ins"
        return _tagged(tag, [one.first or one.second])
    before, after = one.first.split(), one.second.split()
    parts = []
    for kind, a0, a1, b0, b1 in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            parts.append(escape(" ".join(before[a0:a1])))
        else:
            parts += [_tagged("del", before[a0:a1]), _tagged("ins", after[b0:b1])]
    return " ".join(part for part in parts if part)


def _tagged(tag: str, words: Sequence[str]) -> str:
    return f"<{tag}>{escape(' '.join(words))}</{tag}>" if words else ""
