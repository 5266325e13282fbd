import csv
import hashlib
import io
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from hemato_lab.batch.folders import REPORT_FILE, smear_folder
from hemato_lab.batch.model import Outcome
from hemato_lab.batch.summary import Summary, summarise, to_arrow
from hemato_lab.errors import JournalError
from hemato_lab.statistics.limits import poisson_limits
from tests.batch.made_up import AREA_MM2, entry, failed, report, with_extension, write_done


def table_of(outcomes: Iterable[Outcome], out: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(summarise(outcomes, out).to_csv().decode())))


def test_a_row_says_what_the_report_says(tmp_path: Path) -> None:
    smear = entry("s1", patient="P1", tags={"stain": "Giemsa"})
    made = report(210, 3, sickle=2, candidate="D57.1", focus="blurred")
    (row,) = table_of([write_done(tmp_path, smear, made)], tmp_path)
    limits = poisson_limits(210)
    content = (smear_folder(tmp_path, "s1") / REPORT_FILE).read_bytes()
    assert float(row.pop("rbc-density_low")) == pytest.approx(limits.low / AREA_MM2)
    assert float(row.pop("rbc-density_high")) == pytest.approx(limits.high / AREA_MM2)
    assert {name: text for name, text in row.items() if not name.startswith("wbc-density")} == {
        "smear_id": "s1",
        "patient": "P1",
        "state": "done",
        "error_code": "",
        "error": "",
        "fields": "2",
        "skipped": "",
        "skipped_files": "",
        "cells": "213",
        "um_per_px": "0.1",
        "rbc_diameter_px": "75.0",
        "scale_origin": "stated",
        "tag:stain": "Giemsa",
        "cells:RBC": "210",
        "cells:WBC": "3",
        "rbc-density": "7000.0",
        "rbc-density_unit": "/mm2",
        "platelet-density": "",
        "platelet-density_low": "",
        "platelet-density_high": "",
        "platelet-density_unit": "/mm2",
        "count:sickle cell": "2",
        "count:target cell": "0",
        "first_candidate": "D57.1",
        "review_required": "yes",
        "quality_failures": "3",
        "quality_checks": "focus 2; scale 1",
        "report_sha256": hashlib.sha256(content).hexdigest(),
    }


def test_smears_that_failed_or_wait_have_a_row_too(tmp_path: Path) -> None:
    outcomes = [
        failed(entry("bad", tags={"site": "B"})),
        Outcome(entry("later"), "pending"),
        write_done(tmp_path, entry("good", tags={"stain": "W"}), report(200, 2)),
    ]
    rows = table_of(outcomes, tmp_path)
    assert [(row["smear_id"], row["state"], row["error_code"], row["error"]) for row in rows] == [
        ("bad", "failed", "unreadable", "a.png: is empty (copy it again)"),
        ("later", "pending", "", ""),
        ("good", "done", "", ""),
    ]
    assert [row["cells"] for row in rows] == ["", "", "202"]
    assert [(row["tag:site"], row["tag:stain"]) for row in rows] == [("B", ""), ("", ""), ("", "W")]


def test_results_of_an_earlier_run_are_not_those_of_a_failure(tmp_path: Path) -> None:
    done = write_done(tmp_path, entry("s1"), report(200, 2))
    changed = Outcome(done.entry, "failed", "input-changed", "s1: changed", done.files, {"local": "failed"})
    (row,) = table_of([changed], tmp_path)
    assert (row["state"], row["cells"], row["report_sha256"]) == ("failed", "", "")


def test_a_smear_whose_remote_study_failed_was_still_analysed(tmp_path: Path) -> None:
    done = write_done(tmp_path, entry("s1"), report(200, 2))
    partly = Outcome(done.entry, "failed", "timeout", "no answer", done.files, {"local": "done", "remote": "failed"})
    (row,) = table_of([partly], tmp_path)
    assert (row["state"], row["error_code"], row["cells"]) == ("failed", "timeout", "202")
    assert row["error"] == "remote: no answer"


def test_images_that_were_left_out_are_counted_and_named(tmp_path: Path) -> None:
    skipped = [
        {"name": "b.jpg", "code": "copy", "reason": "b.jpg: same image as a.jpg"},
        {"name": "c.jpg", "code": "unreadable", "reason": "c.jpg: cut short"},
    ]
    outcomes = [
        write_done(tmp_path, entry(name), with_extension(report(200, 2), provenance={"skipped": left_out}))
        for name, left_out in (("a", skipped), ("b", []))
    ]
    rows = table_of([*outcomes, failed(entry("bad"))], tmp_path)
    assert [row["skipped"] for row in rows] == ["2", "0", ""]
    assert [row["skipped_files"] for row in rows] == ["b.jpg (copy); c.jpg (unreadable)", "", ""]


def test_parasites_that_were_not_looked_for_have_a_column(tmp_path: Path) -> None:
    unknown = with_extension(report(200, 2), not_assessed={"parasitised RBC": "cells were not named"})
    outcomes = [write_done(tmp_path, entry("a"), report(200, 2)), write_done(tmp_path, entry("b"), unknown)]
    summary = summarise(outcomes, tmp_path)
    assert "parasitaemia" in summary.statistics
    assert summary.column("parasitaemia") == (None, None)
    assert summary.column("parasitaemia_unit") == (None, "%")
    assert "parasitaemia" not in summarise(outcomes[:1], tmp_path).columns


def test_what_could_not_be_looked_for_is_empty_and_not_zero(tmp_path: Path) -> None:
    outcomes = [
        write_done(tmp_path, entry("a"), report(200, 2)),
        write_done(tmp_path, entry("b"), report(200, 2, sickle=0)),
    ]
    assert [row["count:sickle cell"] for row in table_of(outcomes, tmp_path)] == ["", "0"]


def test_text_that_a_spreadsheet_would_run_is_made_harmless(tmp_path: Path) -> None:
    evil = '=cmd|"/c calc"!A1'
    smear = entry(evil, patient="@P", tags={"=key": "+1", "note": 'a,"b"\nc', "number": "-1.5"})
    text = summarise([write_done(tmp_path, smear, report(200, 2))], tmp_path).to_csv().decode()
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["smear_id"], row["patient"], row["tag:=key"]) == (f"'{evil}", "'@P", "'+1")
    assert row["tag:note"] == 'a,"b"\nc'
    assert Summary({"x": "number", "=y": "text"}, ({"x": -1.5},)).to_csv() == b"x,'=y\n-1.5,\n"


def test_the_order_is_that_of_the_smears(tmp_path: Path) -> None:
    outcomes = [write_done(tmp_path, entry(name), report(200, 2)) for name in ("b", "a", "c")]
    assert [row["smear_id"] for row in table_of(outcomes, tmp_path)] == ["b", "a", "c"]


def test_bytes_follow_from_smears_and_reports_alone(tmp_path: Path) -> None:
    tables = []
    for folder in ("one", "another"):
        outcomes = [
            write_done(tmp_path / folder, entry(name, tags={"x": "1"}), report(200, 2, sickle=1)) for name in "ab"
        ]
        tables.append(summarise(outcomes, tmp_path / folder).to_csv())
    assert tables[0] == tables[1]


def test_arrow_columns_have_the_type_of_their_kind(tmp_path: Path) -> None:
    outcomes = [failed(entry("bad")), write_done(tmp_path, entry("good"), report(200, 2))]
    summary = summarise(outcomes, tmp_path)
    table = to_arrow(summary)
    types = {name: str(table.schema.field(name).type) for name in summary.columns}
    assert types["smear_id"] == "string"
    assert types["cells"] == "int64"
    assert types["platelet-density"] == "double"
    assert types["review_required"] == "bool"
    assert table.to_pylist() == [{name: row.get(name) for name in summary.columns} for row in summary.rows]
    assert b"Research Use Only" in table.schema.metadata[b"notice"]


@pytest.mark.parametrize("damage", [None, b"", b"{}", b'{"pbs_study_id": '])
def test_a_report_that_is_gone_or_damaged_is_told(tmp_path: Path, damage: bytes | None) -> None:
    done = write_done(tmp_path, entry("s1"), report(200, 2))
    path = smear_folder(tmp_path, "s1") / REPORT_FILE
    path.unlink() if damage is None else path.write_bytes(damage)
    with pytest.raises(JournalError, match="start the batch again"):
        summarise([done], tmp_path)


def test_an_empty_batch_is_an_empty_table(tmp_path: Path) -> None:
    summary = summarise([], tmp_path)
    assert summary.rows == ()
    assert summary.to_csv().decode().startswith("smear_id,")
    assert pyarrow.parquet.read_table(_written(to_arrow(summary))).num_rows == 0


def _written(table: pa.Table) -> io.BytesIO:
    stream = io.BytesIO()
    pyarrow.parquet.write_table(table, stream)
    stream.seek(0)
    return stream
