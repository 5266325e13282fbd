"""What two reports would have a reader consider: by code prefix and by rank."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.comparison.codes import Relation, block, category, normalised, relation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hemato_lab.report import Diagnosis, Report

PERSISTENCE: Final = 0.9
"""Of the rank-biased overlap: the first ten ranks hold 86 % of its weight (Webber et al. 2010, section 5)."""

_SHARED: Final[dict[Relation, Callable[[str], str]]] = {
    "same code": normalised,
    "same category": category,
    "same block": block,
}
"""What two codes of each relation share, from the nearest to the farthest."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One entry of a differential and where it stood.

    Attributes
    ----------
    rank : int
        From 1, in the order of the report.
    code, name, confidence : str
        As the report writes them. The score has no public legend and is not compared (api/DECISIONS.md row 21).
    """

    rank: int
    code: str
    name: str
    confidence: str


@dataclass(frozen=True, slots=True)
class DiagnosisPair:
    """A candidate of one report and its counterpart in the other.

    Attributes
    ----------
    first, second : Candidate or None
        None on the side that has no counterpart.
    relation : str or None
        One of `codes.RELATIONS`; None where only one side has it.
    """

    first: Candidate | None
    second: Candidate | None
    relation: Relation | None = None

    @property
    def displacement(self) -> int | None:
        """Ranks that the second report puts it lower (negative: higher); None where only one side has it."""
        return None if self.first is None or self.second is None else self.second.rank - self.first.rank


@dataclass(frozen=True, slots=True)
class DiagnosesComparison:
    """The differentials of two reports.

    Attributes
    ----------
    pairs : tuple of DiagnosisPair
        By rank in the first report, then what the second alone has.
    top : str or None
        How the two first-ranked candidates are related; None where they are not, or a report has none.
    rank_biased_overlap : float
        From 0 to 1, of the categories of both lists; NaN where neither report has a candidate.
    """

    pairs: tuple[DiagnosisPair, ...] = ()
    top: Relation | None = None
    rank_biased_overlap: float = math.nan

    @property
    def equal(self) -> bool:
        """Whether both name the same codes in the same order; two empty lists do."""
        return all(pair.relation == "same code" and pair.displacement == 0 for pair in self.pairs)

    def count(self, kind: Relation | None) -> int:
        """Return how many pairs have a relation; None counts what only one side has."""
        return sum(pair.relation == kind for pair in self.pairs)

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "top": self.top,
            "rank_biased_overlap": None if math.isnan(self.rank_biased_overlap) else self.rank_biased_overlap,
            "pairs": [_row(pair) for pair in self.pairs],
        }


def _row(pair: DiagnosisPair) -> dict[str, Any]:
    row: dict[str, Any] = {"relation": pair.relation, "displacement": pair.displacement}
    for side, one in (("first", pair.first), ("second", pair.second)):
        row |= {
            f"{side}_rank": None if one is None else one.rank,
            f"{side}_code": None if one is None else one.code,
            f"{side}_name": None if one is None else one.name,
            f"{side}_confidence": None if one is None else one.confidence,
        }
    return row


def compare_diagnoses(first: Report, second: Report) -> DiagnosesComparison:
    """Pair the candidates of two reports, nearest codes first, and compare their ranks.

    A code pairs with at most one other: with the same code if there is one, else with one of its category (B50 with
    B50.9, as ICD-10 and ICD-10-CM write the same), else with one of its block (B50 with B51); of equals with the one
    at the nearest rank.
    """
    ours, theirs = _candidates(first), _candidates(second)
    partner = _partners(ours, theirs)
    pairs = [DiagnosisPair(one, *partner.get(one.rank, (None, None))) for one in ours]
    taken = {pair.second for pair in pairs}
    pairs += [DiagnosisPair(None, other) for other in theirs if other not in taken]
    codes = [[category(one.code) for one in side] for side in (ours, theirs)]
    top = relation(ours[0].code, theirs[0].code) if ours and theirs else None
    return DiagnosesComparison(tuple(pairs), top, rank_biased_overlap(*codes))


def _candidates(report: Report) -> list[Candidate]:
    listed: Sequence[Diagnosis] = report.diagnostic_report.differential_diagnosis
    return [
        Candidate(rank, one.icd10_code, one.english_long or one.english_short, one.confidence)
        for rank, one in enumerate(listed, start=1)
    ]


def _partners(ours: list[Candidate], theirs: list[Candidate]) -> dict[int, tuple[Candidate, Relation]]:
    """Return the counterpart of each of our ranks that has one."""
    partner: dict[int, tuple[Candidate, Relation]] = {}
    taken: set[int] = set()
    for kind, shared in _SHARED.items():
        groups: dict[str, tuple[list[Candidate], list[Candidate]]] = {}
        for side, free in enumerate(
            ([one for one in ours if one.rank not in partner], [one for one in theirs if one.rank not in taken])
        ):
            for one in free:
                groups.setdefault(shared(one.code), ([], []))[side].append(one)
        for key, members in groups.items():
            for one, other in _nearest_ranks(*members) if key else ():
                partner[one.rank] = (other, kind)
                taken.add(other.rank)
    return partner


def _nearest_ranks(ours: list[Candidate], theirs: list[Candidate]) -> Iterator[tuple[Candidate, Candidate]]:
    """Yield pairs, at each step the two whose ranks are nearest of all that are left; of equals the first ranks.

    The nearest two always stand beside each other in the list of both sides by rank, so only neighbours are looked at.
    """
    line = sorted(
        [*((one.rank, 0, one) for one in ours), *((one.rank, 1, one) for one in theirs)], key=lambda at: at[:2]
    )
    before, after = [*range(-1, len(line) - 1)], [*range(1, len(line) + 1)]
    near: list[tuple[int, int, int, int, int]] = []

    def consider(left: int, right: int) -> None:
        if left >= 0 and right < len(line) and line[left][1] != line[right][1]:
            ranks = (line[left][0], line[right][0])
            heapq.heappush(near, (ranks[1] - ranks[0], *(ranks if line[left][1] == 0 else ranks[::-1]), left, right))

    for place in range(len(line) - 1):
        consider(place, place + 1)
    gone: set[int] = set()
    while near:
        *_, left, right = heapq.heappop(near)
        if left in gone or right in gone:
            continue
        gone |= {left, right}
        pair = sorted((line[left], line[right]), key=lambda at: at[1])
        yield pair[0][2], pair[1][2]
        outer = before[left], after[right]
        if outer[0] >= 0:
            after[outer[0]] = outer[1]
        if outer[1] < len(line):
            before[outer[1]] = outer[0]
        consider(*outer)


def rank_biased_overlap(first: Sequence[str], second: Sequence[str], *, persistence: float = PERSISTENCE) -> float:
    """Return how alike two rankings are, the top counting most: extrapolated rank-biased overlap.

    Parameters
    ----------
    first, second : sequence of str
        Best first; of what is listed twice the first counts.
    persistence : float
        Chance that a reader who has looked at a rank goes on to the next.

    Returns
    -------
    float
        0 for nothing in common to 1 for the same ranking; NaN for two empty ones.

    Notes
    -----
    Equation 32 of Webber, Moffat and Zobel, ACM Trans. Inf. Syst. 28 (2010) 20, for lists of unequal length. It takes
    the agreement seen so far to go on beyond the ends.
    """
    shorter, longer = sorted((list(dict.fromkeys(first)), list(dict.fromkeys(second))), key=len)
    s, l = len(shorter), len(longer)  # noqa: E741 (the names of the paper)
    if not s:
        return 0.0 if l else math.nan
    overlap = _common_at_each_depth(shorter, longer)
    seen = sum(overlap[depth] / depth * persistence**depth for depth in range(1, l + 1))
    assumed = sum(overlap[s] * (depth - s) / (s * depth) * persistence**depth for depth in range(s + 1, l + 1))
    beyond = ((overlap[l] - overlap[s]) / l + overlap[s] / s) * persistence**l
    return (1 - persistence) / persistence * (seen + assumed) + beyond


def _common_at_each_depth(shorter: Sequence[str], longer: Sequence[str]) -> list[int]:
    """Return how many items the first ranks of both have in common, for 0, 1, 2 and more ranks of the longer."""
    seen: set[str] = set()
    common = [0]
    for depth, item in enumerate(longer):
        new = {item, *shorter[depth : depth + 1]}
        twice = sum(one in seen for one in new) + (depth < len(shorter) and len(new) == 1)
        seen |= new
        common.append(common[-1] + twice)
    return common
