import base64
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pyarrow.parquet
import pytest

from hemato_lab.batch import cells_table, overview, page
from hemato_lab.batch.folders import CELLS_FILE, REFERENCE_FILE, smear_folder
from hemato_lab.batch.model import BatchResult, Outcome
from hemato_lab.batch.overview import write_overview
from hemato_lab.batch.page import failures, in_several_smears, left_out, render_page, to_review, totals
from hemato_lab.batch.summary import summarise
from hemato_lab.errors import JournalError, MissingDependencyError
from hemato_lab.report import RESEARCH_USE_NOTICE
from tests.batch.made_up import (
    batch,
    cells,
    entry,
    failed,
    report,
    with_extension,
    write_compared,
    write_done,
)

STRANGE = {3: report(900, 40, sickle=20, candidate="D57.1", um_per_px=0.2, focus="blurred")}


class Text(HTMLParser):
    """The words of a page, and the attributes that would load or run something."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.links: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = {key: value or "" for key, value in attrs}
        self.sources += [values["src"]] if "src" in values else []
        self.links += [values["href"]] if "href" in values else []
        assert not [key for key in values if key.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def mixed(out: Path) -> BatchResult:
    outcomes = list(batch(out, 12, strange=STRANGE).outcomes)
    outcomes[5] = failed(outcomes[5].entry)
    outcomes[9] = failed(outcomes[9].entry, "scale-not-credible", "f1.png: no scale (state it)")
    outcomes[10] = Outcome(outcomes[10].entry, "pending")
    return BatchResult(out, tuple(outcomes))


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Text]:
    """A folder with results and the page of it."""
    out = tmp_path_factory.mktemp("mixed")
    return out, page_of(mixed(out))


def page_of(result: BatchResult) -> Text:
    return Text(render_page(result.outcomes, summarise(result.outcomes, result.out)).decode())


def test_the_page_tells_how_it_went_and_what_to_do(shown: tuple[Path, Text]) -> None:
    words = " ".join(shown[1].words)
    for expected in (
        "Batch of 12 smears",
        "f1.png: no scale (state it)",
        "--retry-failed",
        "Far from the rest",
        "focus in 2, scale in 1",
        "D57.1",
        "Absence of a finding does not exclude disease",
    ):
        assert expected in words
    assert words.count(RESEARCH_USE_NOTICE) == 2
    assert "negative" not in words.lower()


def test_the_page_needs_nothing_and_runs_nothing(shown: tuple[Path, Text]) -> None:
    found = shown[1]
    assert "script" not in found.tags
    assert found.sources
    for source in found.sources:
        picture = base64.b64decode(source.removeprefix("data:image/svg+xml;base64,"))
        assert b"<svg" in picture
        assert b"<script" not in picture
        assert not re.search(rb"\b20\d\d-\d\d-\d\d", picture)


def test_links_lead_to_reports_that_are_there(shown: tuple[Path, Text]) -> None:
    out, found = shown
    assert len(found.links) == 9
    assert all((out / link).is_file() for link in found.links)


def test_what_names_hold_is_shown_and_not_run(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    outcomes = [
        write_done(tmp_path, entry(evil, tags={evil: evil}), report(200, 2, candidate=evil, focus=evil)),
        failed(entry(f"{evil}2"), error=evil),
    ]
    found = page_of(BatchResult(tmp_path, tuple(outcomes)))
    assert "script" not in found.tags
    assert any(evil in word for word in found.words)


def test_long_tables_are_cut_and_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MOST_ROWS", 4)
    found = page_of(batch(tmp_path, 9))
    assert len(found.links) == 4
    assert any("The first 4 of 9 are shown, summary.csv has all." in word for word in found.words)


def with_images(out: Path, name: str, images: dict[str, str], skipped: tuple[str, ...] = ()) -> Outcome:
    provenance = {
        "inputs": [{"name": image, "file_id": file_id} for image, file_id in images.items()],
        "skipped": [{"name": one, "code": "copy", "reason": f"{one}: same image"} for one in skipped],
    }
    return write_done(out, entry(name), with_extension(report(200, 2), provenance=provenance))


def test_images_left_out_are_listed(tmp_path: Path) -> None:
    outcomes = (
        with_images(tmp_path, "a", {"1.png": "x"}, ("2.png", "3.png")),
        with_images(tmp_path, "b", {"1.png": "y"}),
    )
    summary = summarise(outcomes, tmp_path)
    assert left_out(summary).rows == (
        ("a", "2.png", "copy", "2.png: same image"),
        ("a", "3.png", "copy", "3.png: same image"),
    )
    assert ("images left out", "2") in totals(summary).rows
    written = write_overview(BatchResult(tmp_path, outcomes))
    assert written.remarks == ("2 images of 1 smear were left out; report.html says which and why",)
    assert "Images left out" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_same_image_in_several_smears_is_told(tmp_path: Path) -> None:
    outcomes = (
        with_images(tmp_path, "a", {"1.png": "x", "page 1": "pages", "page 2": "pages"}),
        with_images(tmp_path, "b", {"other.png": "x", "2.png": "y"}),
        with_images(tmp_path, "c", {"1.png": "x", "2.png": "z"}),
    )
    summary = summarise(outcomes, tmp_path)
    assert in_several_smears(summary).rows == (("1.png", "3", "a, b (as other.png), c"),)
    assert ("images in several smears", "1") in totals(summary).rows
    written = write_overview(BatchResult(tmp_path, outcomes))
    assert written.remarks == ("1 image is in several smears and counted in each; report.html lists them",)
    assert "Same image in several smears" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_smears_of_earlier_runs_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "_distributions", lambda _: [])
    result = batch(tmp_path, 2)
    (tmp_path / "smears" / "empty").mkdir()
    assert write_overview(result).remarks == ()
    write_done(tmp_path, entry("earlier"), report(200, 2))
    (remark,) = write_overview(result).remarks
    assert remark.startswith("1 smear of earlier runs lies in smears/ too and is not part of this batch")
    assert remark in (tmp_path / "report.html").read_text(encoding="utf-8")


def partly(out: Path, name: str, stage: str) -> Outcome:
    done = write_done(out, entry(name), report(200, 2, candidate="D57.1"))
    return replace(done, state="failed", error_code="x", error="no answer", stages={"local": "done", stage: "failed"})


def test_smears_that_failed_after_their_analysis_are_counted_as_analysed(tmp_path: Path) -> None:
    done = write_done(tmp_path, entry("done"), report(200, 2))
    outcomes = (
        write_compared(tmp_path, done, REFERENCE_FILE, first=1.0, second=2.0, names={("RBC", "RBC"): 1}),
        partly(tmp_path, "later", "comparison with the reference"),
        failed(entry("bad")),
    )
    counted = dict(totals(summarise(outcomes, tmp_path)).rows)
    assert {key: counted.get(key) for key in ("analysed", "compared with the reference", "failed", "fields")} == {
        "analysed": "2",
        "compared with the reference": "1",
        "failed": "2",
        "fields": "4",
    }
    assert counted["failed after their analysis"] == "1"
    assert counted["smears that call for review"] == "1"
    assert "compared with the remote reading" not in counted
    assert [row[2] for row in failures(outcomes).rows] == [
        "comparison with the reference: no answer",
        "a.png: is empty (copy it again)",
    ]


def test_smears_that_call_for_review_are_listed_with_the_reason(tmp_path: Path) -> None:
    review = {"required": True, "reasons": [{"id": "r1", "reason": "blasts seen"}, {"id": "r2", "reason": "few"}]}
    asked = with_extension(report(200, 2, candidate="C95.0"), review=review)
    outcomes = (write_done(tmp_path, entry("a"), report(200, 2)), write_done(tmp_path, entry("b"), asked))
    assert to_review(summarise(outcomes, tmp_path)).rows == (("b", "C95.0", "blasts seen; few"),)


def cells_of_smears(outcomes: tuple[Outcome, ...], out: Path) -> dict[str, dict[str, str]]:
    """Return the cells of the table of smears on the page, by smear and column."""
    shown = render_page(outcomes, summarise(outcomes, out)).decode()
    table = re.search("<h2>Smears</h2>.*?</table>", shown, re.DOTALL)
    assert table
    head, *rows = (
        [re.sub("<[^>]*>", "", cell) for cell in re.findall("<t[hd].*?</t[hd]>", row)]
        for row in re.findall("<tr>.*?</tr>", table[0])
    )
    return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


def test_the_table_of_smears_has_what_is_stated_of_them(tmp_path: Path) -> None:
    unknown = with_extension(
        report(200, 2), not_assessed={"parasitised RBC": "cells were not named"}, diagnosis=None, review={}
    )
    outcomes = (
        write_done(tmp_path, entry("a", patient="P1", tags={"stain": "Giemsa"}), report(200, 2, candidate="D57.1")),
        write_done(tmp_path, entry("b"), unknown),
        failed(entry("bad")),
    )
    rows = cells_of_smears(outcomes, tmp_path)
    names = ("patient", "tag:stain", "parasitaemia", "first candidate", "review")
    assert [[rows[smear][name] for name in names] for smear in ("a", "b", "bad")] == [
        ["P1", "Giemsa", "", "D57.1", "yes"],
        ["", "", "not assessed", "not judged", ""],
        ["", "", "", "", ""],
    ]
    assert ("smears with parasitaemia not assessed", "1") in totals(summarise(outcomes, tmp_path)).rows
    plain = cells_of_smears(outcomes[2:], tmp_path)["bad"]
    assert not {"patient", "tag:stain", "parasitaemia", "left out"} & plain.keys()


def test_many_smears_are_drawn_as_bars(tmp_path: Path) -> None:
    assert len(page_of(batch(tmp_path, 45, strange=STRANGE)).sources) == 4


@pytest.mark.parametrize("count", [0, 1])
def test_a_batch_without_a_result_has_a_page(tmp_path: Path, count: int) -> None:
    result = BatchResult(tmp_path, (failed(entry("s1")),) * count)
    assert any(f"Batch of {count} smear" in word for word in page_of(result).words)


def test_everything_is_written_and_read_back(tmp_path: Path) -> None:
    written = write_overview(mixed(tmp_path), cells_table=True)
    assert {path.name for path in written.files} == {
        "NOTICE.txt",
        "summary.csv",
        "summary.parquet",
        "report.html",
        "cells.parquet",
    }
    assert written.left_out == ()
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in written.files} | {"smears"}
    from_csv = pd.read_csv(tmp_path / "summary.csv", true_values=["yes"], false_values=["no"])
    from_parquet = pd.read_parquet(tmp_path / "summary.parquet")
    numbers = list(from_parquet.select_dtypes("number"))
    assert len(from_csv) == 12
    pd.testing.assert_frame_equal(from_csv[numbers], from_parquet[numbers], check_dtype=False)


def test_bytes_are_the_same_in_another_folder(tmp_path: Path) -> None:
    written = [write_overview(mixed(tmp_path / name), cells_table=True).files for name in ("one", "other folder")]
    assert [path.read_bytes() for path in written[0]] == [path.read_bytes() for path in written[1]]


def test_the_cells_of_all_smears_are_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells_table, "_BLOCK", 70)  # a table that is read in several parts
    tables = {
        "b": cells("RBC", "sickle cell"),
        "none": "field_name,field,x,y,radius,name,score\n",
        "a": cells(*["WBC"] * 20).replace("f1.png", '"a\nb,.png"'),
    }
    outcomes = [write_done(tmp_path, entry(name), report(1, 1), table) for name, table in tables.items()]
    write_overview(BatchResult(tmp_path, (*outcomes, failed(entry("bad")))), cells_table=True)
    file = pyarrow.parquet.ParquetFile(tmp_path / "cells.parquet")
    rows = file.read().to_pylist()
    assert [(row["smear_id"], row["field_name"], row["name"]) for row in rows] == [
        ("b", "f1.png", "RBC"),
        ("b", "f1.png", "sickle cell"),
        *[("a", "a\nb,.png", "WBC")] * 20,
    ]
    assert rows[1] | {"smear_id": "", "field_name": ""} == {
        "smear_id": "",
        "field_name": "",
        "field": 0,
        "x": 11.5,
        "y": 20.0,
        "radius": 3.0,
        "name": "sickle cell",
        "score": 0.9,
        "area_um2": None,
    }
    assert file.num_row_groups == 3


@pytest.mark.parametrize("damage", [None, b"", b"field_name,field\n1,2,3\n", b"field_name,field\na,b\n"])
def test_a_table_of_cells_that_is_gone_or_damaged_is_told(
    tmp_path: Path, damage: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = batch(tmp_path, 2)
    path = smear_folder(tmp_path, result.outcomes[1].entry.smear_id) / CELLS_FILE
    path.unlink() if damage is None else path.write_bytes(damage)
    (tmp_path / "cells.parquet").write_bytes(b"earlier")
    monkeypatch.setattr(overview, "render_page", lambda *_: b"")  # takes long, and is not what is looked at
    with pytest.raises(JournalError, match=r"cells\.csv"):
        write_overview(result, cells_table=True)
    assert (tmp_path / "cells.parquet").read_bytes() == b"earlier"
    assert not list(tmp_path.glob(".*"))


def test_without_pyarrow_the_summary_in_parquet_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = batch(tmp_path, 2)
    monkeypatch.setattr(overview, "render_page", lambda *_: b"")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    written = write_overview(result)
    assert [path.name for path in written.files] == ["NOTICE.txt", "summary.csv", "report.html"]
    assert "hemato-lab[parquet]" in written.left_out[0]
    with pytest.raises(MissingDependencyError):
        write_overview(result, cells_table=True)


def test_tables_of_an_earlier_run_that_are_not_wanted_now_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "render_page", lambda *_: b"")
    result = batch(tmp_path, 2)
    write_overview(result, cells_table=True)
    (tmp_path / "agreement_with_reference.csv").touch()
    (tmp_path / "notes.txt").touch()
    assert {path.name for path in write_overview(result).files} | {"smears", "notes.txt"} == {
        path.name for path in tmp_path.iterdir()
    }
