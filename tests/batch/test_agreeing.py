import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hemato_lab.batch.agreeing import agreements, names_of, table_of
from hemato_lab.batch.folders import COMPARISON_FILE, REFERENCE_FILE, smear_folder
from hemato_lab.batch.model import BatchResult, Outcome
from hemato_lab.batch.overview import write_overview
from hemato_lab.batch.summary import summarise
from hemato_lab.errors import JournalError
from tests.batch.made_up import batch, write_compared

FIRST = np.array([7000.0, 7100.0, 6900.0, 7300.0, 7050.0])
SECOND = np.array([7050.0, 7090.0, 6980.0, 7310.0, 7100.0])
NAMES = {("RBC", "RBC"): 40, ("sickle cell", "RBC"): 5, ("RBC", "sickle cell"): 1, ("sickle cell", "sickle cell"): 14}


def compared(out: Path, file: str = COMPARISON_FILE) -> tuple[Outcome, ...]:
    return tuple(
        write_compared(out, one, file, first=first, second=second, names=NAMES)
        for one, first, second in zip(batch(out, 5).outcomes, FIRST, SECOND, strict=True)
    )


def test_figures_are_pooled_over_smears(tmp_path: Path) -> None:
    (agreed,) = agreements(compared(tmp_path), tmp_path)
    (statistic,) = agreed.pooled.statistics
    difference = SECOND - FIRST
    assert agreed.reading == "remote reading"
    assert statistic.difference.bias.value == pytest.approx(difference.mean())
    assert statistic.difference.upper.value == pytest.approx(difference.mean() + 1.96 * difference.std(ddof=1))
    # Cohen's kappa of the table 40, 1 / 5, 14 by hand.
    expected = (41 * 45 + 19 * 15) / 60**2
    assert agreed.pooled.names.kappa.value == pytest.approx((54 / 60 - expected) / (1 - expected))
    assert agreed.pooled.patients == 3
    words = " ".join(cell for table in (table_of(agreed), names_of(agreed)) for row in table.rows for cell in row)
    assert "rbc-density" in words
    assert "300" in words


def test_each_other_reading_has_an_agreement_of_its_own(tmp_path: Path) -> None:
    outcomes = compared(tmp_path)
    both = write_compared(tmp_path, outcomes[0], REFERENCE_FILE, first=1.0, second=2.0, names=NAMES)
    found = agreements((both, *outcomes[1:]), tmp_path)
    assert [(one.reading, one.pooled.smears) for one in found] == [("remote reading", 5), ("reference", 1)]
    assert [len(one.drawn()) for one in found] == [1, 0]
    assert agreements(batch(tmp_path, 2).outcomes, tmp_path) == ()


def test_a_comparison_that_a_failure_left_in_place_does_not_count(tmp_path: Path) -> None:
    outcomes = [replace(one, state="failed") for one in compared(tmp_path)]
    assert agreements(outcomes, tmp_path) == ()
    assert "remote:matched" not in summarise(outcomes, tmp_path).columns


def test_a_comparison_counts_whatever_became_of_another_reading(tmp_path: Path) -> None:
    stages = {
        "local": "done",
        "remote": "failed",
        "comparison with the remote reading": "pending",
        "comparison with the reference": "done",
    }
    (one, *_) = compared(tmp_path)
    both = write_compared(tmp_path, one, REFERENCE_FILE, first=1.0, second=2.0, names=NAMES)
    outcome = replace(both, state="failed", error_code="timeout", error="no answer", stages=stages)
    assert [agreed.reading for agreed in agreements([outcome], tmp_path)] == ["reference"]
    changed = replace(outcome, stages={**stages, "local": "failed"})
    assert agreements([changed], tmp_path) == ()


def test_a_row_has_the_figures_of_both_comparisons(tmp_path: Path) -> None:
    outcomes = compared(tmp_path)
    both = write_compared(tmp_path, outcomes[0], REFERENCE_FILE, first=1.0, second=2.0, names=NAMES)
    rows = list(csv.DictReader(io.StringIO(summarise((both, *outcomes[1:]), tmp_path).to_csv().decode())))
    figures = ("matched", "reclassified", "precision", "remote:matched", "remote:kappa", "remote:precision")
    assert [rows[0][name] for name in figures] == ["54", "6", "0.75", "54", "0.5", ""]
    assert [rows[1][name] for name in figures] == ["", "", "", "54", "0.5", ""]


def test_figures_and_pictures_are_written(tmp_path: Path) -> None:
    result = BatchResult(tmp_path, compared(tmp_path))
    overview = write_overview(result)
    table = (tmp_path / "agreement_with_remote_reading.csv").read_text(encoding="utf-8")
    assert tmp_path / "agreement_with_remote_reading.csv" in overview.files
    biases = [row for row in csv.DictReader(io.StringIO(table)) if row["figure"] == "Bland-Altman: bias"]
    assert [float(row["value"]) for row in biases] == [pytest.approx((SECOND - FIRST).mean())]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "differences from the remote reading against the means" in page
    assert write_overview(result).files == overview.files
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page


@pytest.mark.parametrize("damage", [None, b"", b"{"])
def test_a_comparison_that_is_gone_or_damaged_is_told(tmp_path: Path, damage: bytes | None) -> None:
    outcomes = compared(tmp_path)
    path = smear_folder(tmp_path, outcomes[2].entry.smear_id) / COMPARISON_FILE
    path.unlink() if damage is None else path.write_bytes(damage)
    with pytest.raises(JournalError, match=r"comparison\.json"):
        agreements(outcomes, tmp_path)
