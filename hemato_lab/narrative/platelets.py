"""The platelets in words: estimate, large forms, clumps (DOMAIN.md sections 2.5 and 3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hemato_lab.narrative.described import amount, describe
from hemato_lab.narrative.estimates import estimated
from hemato_lab.narrative.wording import counted, plural, sentence_case, traces
from hemato_lab.vocabulary import PLATELET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hemato_lab.findings import Finding
    from hemato_lab.narrative.facts import NarrativeFacts
    from hemato_lab.narrative.wording import Line

CLUMP: Final = "platelet clump"
SATELLITISM: Final = "platelet satellitism"
LARGE: Final = ("large platelet", "giant platelet")


def platelets(facts: NarrativeFacts) -> Iterator[Line]:
    """Tell how many platelets there are and what they look like."""
    findings = facts.facts.findings
    yield from estimated(facts, PLATELET, "platelet-concentration", "plt")
    yield from describe(findings, LARGE)
    for name in (CLUMP, SATELLITISM):
        finding = findings.assessed.get(name)
        if finding is None or not finding.count or name == SATELLITISM:
            yield from describe(findings, [name])
        else:
            yield _clumped(finding), (f"findings/{name}",)
    refused = [name for name in (*LARGE, CLUMP) if name in findings.not_assessed]
    if refused:
        text = (
            " and ".join(plural(name) for name in refused) if len(refused) < 3 else "large and giant forms and clumps"
        )
        yield f"{sentence_case(text)} were not assessed.", traces("not_assessed", refused)


def _clumped(finding: Finding) -> str:
    """Tell of clumps: the finding counts the platelets that lie in them, its circles are the clumps."""
    within = f"{finding.count:,} of {counted(finding.reference, finding.denominator)}"
    clumps = len(finding.circles)
    seen = f"{counted(clumps, CLUMP)} {'was' if clumps == 1 else 'were'}" if clumps else "Clumped platelets were"
    hold = "lies in them" if finding.count == 1 else "lie in them"
    return f"{seen} seen: {within} {hold}, {amount(finding)}; clumping makes any estimate of platelets too low."
