"""What two pathology reports say differently, sentence by sentence."""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Stretch = tuple[bool, slice, slice]
"""Whether it is equal, and where it is in either text."""
Change = Literal["equal", "changed", "first only", "second only"]
_ALIKE: Final = 0.6
"""Two sentences are one that was changed when at least this share of their words is the same."""
_MOST_COMPARED: Final = 4000
"""Pairs of sentences of one differing stretch that are compared with each other; in longer ones none is."""
_MOST_WORDS: Final = 200_000
"""Words of all these pairs; of more none is compared."""
_MOST_EQUAL: Final = 100_000
"""Pairs of equal words, or sentences, among which the longest common runs are sought; of more only what both texts
begin and end with is taken as equal."""
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
    changes: list[SentenceChange] = []
    stretches = _stretches(ours, theirs)
    for equal, first_part, second_part in stretches:
        if equal:
            changes += [SentenceChange("equal", one, one) for one in ours[first_part]]
        else:
            changes += _differing(ours[first_part], theirs[second_part])
    return NarrativeComparison(tuple(changes), _share_equal(stretches, len(ours) + len(theirs)))


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


def _stretches(ours: Sequence[str], theirs: Sequence[str]) -> list[Stretch]:
    """Return what is equal and what is not, in order."""
    often = Counter(theirs)
    if sum(count * often[one] for one, count in Counter(ours).items()) <= _MOST_EQUAL:
        codes = difflib.SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes()
        return [(kind == "equal", slice(a0, a1), slice(b0, b1)) for kind, a0, a1, b0, b1 in codes]
    shorter = min(len(ours), len(theirs))
    start = next((at for at in range(shorter) if ours[at] != theirs[at]), shorter)
    end = next((at for at in range(shorter - start) if ours[-1 - at] != theirs[-1 - at]), shorter - start)
    ends = len(ours) - end, len(theirs) - end
    found = [
        (True, slice(0, start), slice(0, start)),
        (False, slice(start, ends[0]), slice(start, ends[1])),
        (True, slice(ends[0], len(ours)), slice(ends[1], len(theirs))),
    ]
    return [one for one in found if any(part.stop > part.start for part in one[1:])]


def _share_equal(stretches: Sequence[Stretch], size: int) -> float:
    """Return twice what is equal over the size of both texts."""
    return 2 * sum(part.stop - part.start for equal, part, _ in stretches if equal) / size if size else 1.0


def _differing(ours: Sequence[str], theirs: Sequence[str]) -> list[SentenceChange]:
    """Return a stretch that differs: sentences that were changed as pairs, in order, and the others one by one."""
    changes: list[SentenceChange] = []
    start = 0
    words = [one.split() for one in theirs]
    comparable = _comparable([len(one.split()) for one in ours], [len(other) for other in words])
    for one in ours:
        partner = _most_alike(one.split(), words, start) if comparable else None
        if partner is None:
            changes.append(SentenceChange("first only", one, ""))
            continue
        changes += [SentenceChange("second only", "", other) for other in theirs[start:partner]]
        changes.append(SentenceChange("changed", one, theirs[partner]))
        start = partner + 1
    return [*changes, *(SentenceChange("second only", "", other) for other in theirs[start:])]


def _comparable(ours: Sequence[int], theirs: Sequence[int]) -> bool:
    """Tell whether two stretches with these numbers of words are short enough to compare every pair of sentences."""
    if len(ours) * len(theirs) > _MOST_COMPARED:
        return False
    return sum(ours) * len(theirs) + sum(theirs) * len(ours) <= _MOST_WORDS


def _most_alike(one: Sequence[str], others: Sequence[Sequence[str]], start: int) -> int | None:
    """Return the place of the sentence that is most like one, from a place on; None where none is alike enough."""
    often = Counter(one)
    best, place = _ALIKE, None
    for index in range(start, len(others)):
        size = len(one) + len(others[index])
        # No order of the words makes more of them equal.
        if 2 * (often & Counter(others[index])).total() < best * size:
            continue
        alike = _share_equal(_stretches(others[index], one), size)
        if alike >= best and (place is None or alike > best):
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
    for equal, first_part, second_part in _stretches(before, after):
        if equal:
            parts.append(escape(" ".join(before[first_part])))
        else:
            parts += [_tagged("del", before[first_part]), _tagged("ins", after[second_part])]
    return " ".join(part for part in parts if part)


def _tagged(tag: str, words: Sequence[str]) -> str:
    return f"<{tag}>{escape(' '.join(words))}</{tag}>" if words else ""
