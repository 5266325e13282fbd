"""Agreement of a batch with other readings of its smears: pooled over smears, as tables and pictures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hemato_lab.analysis.tables import Table
from hemato_lab.batch.comparing import REFERENCE_COMPARISON, REMOTE_COMPARISON
from hemato_lab.batch.folders import COMPARISON_FILE, REFERENCE_FILE, smear_folder
from hemato_lab.batch.model import DONE, LOCAL_STAGE
from hemato_lab.batch.remote import REMOTE_STAGE
from hemato_lab.comparison.pooling import PairedSmear, Pooled, pool
from hemato_lab.errors import JournalError
from hemato_lab.export.csv import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from hemato_lab.agreement.estimate import Estimate
    from hemato_lab.batch.model import Outcome
    from hemato_lab.comparison.pooling import PooledStatistic

READINGS: Final = {COMPARISON_FILE: "remote reading", REFERENCE_FILE: "reference"}
"""File of a comparison in a smear's folder, and with what it compares."""
_STAGES: Final = {
    COMPARISON_FILE: (LOCAL_STAGE, REMOTE_STAGE, REMOTE_COMPARISON),
    REFERENCE_FILE: (LOCAL_STAGE, REFERENCE_COMPARISON),
}
"""Stages that a comparison is of."""
TABLE_FILES: Final = {reading: f"agreement_with_{reading.replace(' ', '_')}.csv" for reading in READINGS.values()}
"""Reading and the file with all figures of the agreement with it."""
LEAST_DRAWN: Final = 3
"""Of fewer smears there is no picture of differences."""


@dataclass(frozen=True)
class Agreement:
    """How a batch agrees with another reading of its smears.

    Attributes
    ----------
    reading : str
        One of the values of `READINGS`.
    pooled : Pooled
        Over all smears that were compared; first is the batch.
    """

    reading: str
    pooled: Pooled

    @property
    def table_file(self) -> str:
        """Name of the file with all figures."""
        return TABLE_FILES[self.reading]

    def drawn(self) -> tuple[PooledStatistic, ...]:
        """Return the statistics of which enough smears are there for a picture."""
        return tuple(one for one in self.pooled.statistics if one.smears >= LEAST_DRAWN)

    def to_csv(self) -> bytes:
        """Return every figure as CSV in UTF-8, one a row."""
        frame = self.pooled.to_frame()
        for column in frame.select_dtypes(exclude="number"):
            frame[column] = [harmless(str(text)) for text in frame[column]]
        return frame.to_csv(index=False, lineterminator="\n").encode("utf-8", "backslashreplace")


def agreements(outcomes: Iterable[Outcome], out: Path) -> tuple[Agreement, ...]:
    """Return how the batch agrees with each other reading; nothing compared is an empty tuple.

    Raises
    ------
    JournalError
        If a comparison that is noted as done is missing or damaged.
    """
    listed = list(outcomes)
    found = []
    for file, reading in READINGS.items():
        smears = [_paired(one, out, file) for one in listed if is_compared(one, file)]
        if smears:
            found.append(Agreement(reading, pool(smears)))
    return tuple(found)


def _paired(outcome: Outcome, out: Path, file: str) -> PairedSmear:
    document = read_comparison(smear_folder(out, outcome.entry.smear_id) / file)
    return PairedSmear.from_dict(document, patient=outcome.entry.patient)


def is_compared(outcome: Outcome, file: str) -> bool:
    """Tell whether a smear has a comparison that is of this run: a failure leaves earlier ones in place.

    A failure in another stage, as of the remote reading, says nothing about the comparison with a reference.
    """
    return file in outcome.files and all(outcome.stages.get(one, outcome.state) == DONE for one in _STAGES[file])


def read_comparison(path: Path) -> Mapping[str, Any]:
    """Return the JSON object of a comparison's file.

    Raises
    ------
    JournalError
        If it is missing or damaged.
    """
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        hint = "start the batch again, it makes what is missing"
        raise JournalError("is noted as done and cannot be read", subject=str(path), hint=hint) from error
    return document if isinstance(document, dict) else {}


def table_of(agreement: Agreement) -> Table:
    """List the agreement of each statistic over the smears, and of the names of all cells."""
    rows = [
        (
            one.key,
            str(one.smears),
            _text(one.difference.bias, one.unit),
            f"{one.difference.lower.text()} to {one.difference.upper.text()}"
            if one.difference.lower.defined
            else "undefined",
            _text(one.deming.slope),
            _text(one.concordance.concordance),
        )
        for one in agreement.pooled.statistics
    ]
    head = ("estimate", "smears", "bias (95 % limits)", "limits of agreement", "Deming slope", "Lin's concordance")
    note = (
        "First is this batch, second the other reading; bias is second minus first. Between the limits of agreement "
        f"lie the differences of 95 % of smears (Bland and Altman). {agreement.table_file} has every figure."
    )
    return Table(f"Estimates against the {agreement.reading}", head, tuple(rows), note)


def names_of(agreement: Agreement) -> Table:
    """List how far the names of the cells agree that both readings have."""
    names, patients = agreement.pooled.names, agreement.pooled.patients
    rows = (
        ("smears compared", f"{agreement.pooled.smears:,}"),
        ("cells that both list", f"{names.cells:,}"),
        ("same name", _text(names.agreement)),
        ("Cohen's kappa", _text(names.kappa)),
    )
    note = f"95 % limits are of patients drawn with replacement: {patients} here, a smear without one counts as one."
    return Table(f"Cells against the {agreement.reading}", ("what", "all smears"), rows, note)


def _text(estimate: Estimate, unit: str = "") -> str:
    return f"{estimate.text()} {unit}".strip()
