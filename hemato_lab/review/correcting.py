"""An analysis as its readers have corrected it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hemato_lab.analysis.corrections import corrections_of
from hemato_lab.detections import ACCEPTED, RENAMED, REVIEWED
from hemato_lab.pipeline.reinterpreting import decisions_told, reinterpret
from hemato_lab.review.attaching import REJECTED, attach, verdict_on
from hemato_lab.review.standing import Hand, Standing
from hemato_lab.statistics.parasitaemia import PARASITISED
from hemato_lab.vocabulary import RBC

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from hemato_lab.analysis import Analysis
    from hemato_lab.detections import Detections
    from hemato_lab.pipeline import Interpretation
    from hemato_lab.review.attaching import Attached
    from hemato_lab.review.decision import Decision
    from hemato_lab.review.log import DecisionLog

IN_WORDS: Final = {ACCEPTED: "accepted", REJECTED: "rejected", RENAMED: "renamed"}


def correct(
    analysis: Analysis, log: DecisionLog, *, interpretation: Interpretation | None = None, blind: bool = False
) -> Analysis:
    """Return an analysis with the decisions of its readers carried out.

    Rejected cells are left out and renamed ones have their new names; findings, statistics, differential and text are
    made again from what remains. Where readers differ, the last decision holds. The report's extension says under
    ``review`` what was decided, by whom (the labels that readers gave themselves; so they are in every export of the
    report), and about which cells that the analysis does not list; of an analysis that was corrected before also what
    was decided then (``earlier``). What the same log has corrected already is not carried out again.

    Parameters
    ----------
    analysis : Analysis
        Made by `hemato_lab.analyze`, by any version and model.
    log : DecisionLog
        Of the same smear.
    interpretation : Interpretation or None
        None takes that of the analysis.
    blind : bool
        Whether decisions of blind readings count too; they are made to measure agreement.

    Returns
    -------
    Analysis
        With the column ``reviewed``; it equals `analysis` where nothing was decided.

    Raises
    ------
    ConfigError, ScaleNotCredibleError, InputError
        See `hemato_lab.pipeline.reinterpreting.reinterpret`.
    """
    log.refresh()
    earlier = decisions_told(analysis)
    logs = corrections_of(earlier).logs
    held, carried_out = Standing(log.decisions).held(), _carried_out(log, logs, blind=blind)
    wanted = [one for one in held if blind or not one.blind]
    new = [one for one in wanted if one.id not in carried_out.values()]
    used = attach(new, analysis.detections, analysis.smear)
    told = {
        "damaged_lines": len(log.damaged),
        "blind_left_out": len(held) - len(wanted),
        "taken_back": len(carried_out.keys() - {(Hand.of(one), one.cell) for one in held}),
    }
    if log.sha256 in logs or not (used.decisions or any(told.values())):
        return reinterpret(analysis, analysis.detections, interpretation=interpretation)
    corrected = corrected_cells(analysis.detections, used.by_row)
    said = _said(log, used, analysis.detections) | told
    said |= {"earlier": dict(earlier)} if earlier else {}
    return reinterpret(analysis, corrected, interpretation=interpretation, decisions=said)


def _carried_out(log: DecisionLog, sha256s: Collection[str], *, blind: bool) -> dict[tuple[Hand, str], str]:
    """Return the ids of the decisions that an earlier correction has carried out, by hand and cell."""
    held = Standing(log.decided_up_to(sha256s)).held()
    return {(Hand.of(one), one.cell): one.id for one in held if blind or not one.blind}


def corrected_cells(detections: Detections, by_row: Mapping[int, Decision]) -> Detections:
    """Return a table of cells with decisions carried out.

    Parameters
    ----------
    detections : Detections
        As they were detected.
    by_row : mapping of int to Decision
        The decision about each row.

    Returns
    -------
    Detections
        Without the rejected ones, with the column ``reviewed``. A cell that was renamed has no ``name_confidence``. A
        reader is sure of parasites: ``parasite_score`` is 1 in cells that one has confirmed as parasitised, and 0 in
        other red cells that one has looked at.
    """
    names = detections["name"].astype(object)
    reviewed = detections[REVIEWED].copy() if REVIEWED in detections.features else np.zeros(len(detections))
    for row, decision in by_row.items():
        verdict, names[row] = verdict_on(decision, str(names[row]))
        # Who accepts a name that another reader has given accepts that it was changed.
        reviewed[row] = RENAMED if verdict == ACCEPTED and reviewed[row] == RENAMED else verdict
    table = detections.with_columns(name=names.astype(str), **{REVIEWED: reviewed})
    columns = {}
    if "name_confidence" in table.features:
        columns["name_confidence"] = np.where(reviewed == RENAMED, np.nan, table["name_confidence"])
    if "parasite_score" in table.features:
        score, parasitised = table["parasite_score"].copy(), table.of_kind(PARASITISED)
        score[(reviewed > 0) & np.isfinite(score)] = 0.0
        score[(reviewed > 0) & parasitised] = 1.0
        score[(reviewed > 0) & ~table.of_kind(RBC)] = np.nan
        columns["parasite_score"] = score
    return table.with_columns(**columns).select(reviewed != REJECTED)


def _said(log: DecisionLog, used: Attached, detections: Detections) -> dict[str, Any]:
    """Return what the report says about the decisions, JSON-ready."""
    verdicts = [verdict_on(one, str(detections["name"][row]))[0] for row, one in used.by_row.items()]
    return {
        "log_sha256": log.sha256,
        "counts": {words: verdicts.count(verdict) for verdict, words in IN_WORDS.items()},
        "readers": sorted({one.reader for one in used.decisions}),
        "readers_differ": used.rows_in_dispute,
        "unattached": [_place(one) for one in used.unattached],
    }


def _place(decision: Decision) -> dict[str, Any]:
    kept = ("file_id", "part", "x", "y", "radius", "name", "action", "new_name", "time", "reader")
    return {key: getattr(decision, key) for key in kept}
