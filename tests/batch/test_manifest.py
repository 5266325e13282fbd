import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from hemato_lab.batch.entries import SmearEntry
from hemato_lab.batch.manifest import read_manifest
from hemato_lab.batch.sources import read_entries
from hemato_lab.errors import ConfigError, MissingDependencyError, UnreadableInputError


def manifest(folder: Path, text: str, name: str = "list.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_every_column_has_its_place(tmp_path: Path) -> None:
    path = manifest(
        tmp_path,
        "path,smear_id,patient,tag:stain,tags.site,um_per_px,rbc_diameter_px,remote_study_id,reference\n"
        'a.png,s1,P1,Giemsa,"Bonn, D",0.1,75,11111111-aaaa,truth/report.json\n',
    )
    assert read_entries([str(path)]) == (
        SmearEntry(
            "s1",
            (str(tmp_path / "a.png"),),
            {"stain": "Giemsa", "site": "Bonn, D"},
            0.1,
            75.0,
            "P1",
            "11111111-aaaa",
            str(tmp_path / "truth/report.json"),
        ),
    )


def test_rows_of_one_id_are_its_fields_in_their_order(tmp_path: Path) -> None:
    path = manifest(tmp_path, "smear_id,path,patient\nz,b.png,P1\ny,c.png,\n\nz,a.png,\n")
    assert [(one.smear_id, [Path(p).name for p in one.paths], one.patient) for one in read_manifest(path)] == [
        ("z", ["b.png", "a.png"], "P1"),
        ("y", ["c.png"], ""),
    ]


def test_without_ids_every_path_is_a_smear_of_its_name(tmp_path: Path) -> None:
    path = manifest(tmp_path, "path\nx/a.png\nx/b.png\n")
    assert [one.smear_id for one in read_manifest(path)] == ["x/a.png", "x/b.png"]


def test_a_folder_stands_for_its_images(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    for name in ("f10.png", "f2.png", "notes.txt"):
        (tmp_path / "p" / name).touch()
    (entry,) = read_manifest(manifest(tmp_path, "path\np\n"))
    assert [Path(p).name for p in entry.paths] == ["f2.png", "f10.png"]


def test_what_is_missing_or_empty_fails_when_it_is_its_turn(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    entries = read_manifest(manifest(tmp_path, "path\nnowhere.png\nempty\n"))
    assert [one.paths for one in entries] == [(str(tmp_path / "nowhere.png"),), (str(tmp_path / "empty"),)]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_and_marks_of_spreadsheets_are_understood(tmp_path: Path, separator: str) -> None:
    rows = (("path", "smear_id", "um_per_px"), ("a.png", "s1", "0.25"))
    path = manifest(tmp_path, "\ufeff" + "\r\n".join(separator.join(row) for row in rows) + "\r\n", "list.tsv")
    (entry,) = read_manifest(path)
    assert (entry.smear_id, entry.um_per_px) == ("s1", 0.25)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("path,colour\na.png,red\n", r"list\.csv, line 1: has an unknown column 'colour' .*tag:KEY"),
        ("path,tag:\na.png,red\n", "line 1: has an unknown column 'tag:'"),
        ("path,patient,patient\n", "line 1: has the column 'patient' twice"),
        ("path,tag:x,tags.x\n", "line 1: has two columns for one tag"),
        ("smear_id\ns1\n", "line 1: has no column 'path'"),
        ("", "line 1: has no column 'path'"),
        ("path,patient\na.png\n", "line 2: has 1 cells, the head has 2"),
        ("path,patient\na.png,P1\n\n,P2\n", "line 4: names no path"),
        ("path,um_per_px\na.png,wide\n", "line 2: um_per_px 'wide' is no number"),
        ('path,um_per_px\na.png,"0,25"\n', "line 2: um_per_px '0,25' is no number"),
        ("path,um_per_px\na.png,nan\n", "line 2: um_per_px 'nan' is no number"),
        ("path,rbc_diameter_px\na.png,inf\n", "line 2: rbc_diameter_px 'inf' is no number"),
        ("path,um_per_px\na.png,0.1\nb.png,900\n", "line 3: um_per_px 900 is impossible"),
        ("path,um_per_px,rbc_diameter_px\na.png,0.1,20\n", "line 2: um_per_px 0.1 makes a red cell"),
        ("path,smear_id\na.png,s\na.png,s\n", "line 3: a.png is listed twice"),
        (
            "path,smear_id,patient\na.png,s,P1\nb.png,s,P2\n",
            r"line 3: says patient 'P2', an earlier row of the same smear \(.*line 2\) says 'P1'",
        ),
        ('path\n"a.png\n', "is no CSV"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        read_manifest(manifest(tmp_path, text))


def test_a_manifest_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes("path\nKüste.png\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="is no text in UTF-8"):
        read_manifest(tmp_path / "list.csv")


def test_a_manifest_that_is_missing_is_an_input_error(tmp_path: Path) -> None:
    for name in ("none.csv", "none.parquet"):
        with pytest.raises(UnreadableInputError, match="none"):
            read_manifest(tmp_path / name)


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    rows = [
        {"path": "a.png", "smear_id": "s1", "um_per_px": 0.1, "tag:passage": 3, "patient": "P1"},
        {"path": "b.png", "smear_id": "s1", "um_per_px": None, "tag:passage": None, "patient": None},
        {"path": "c.png", "smear_id": "s2", "um_per_px": float("nan"), "tag:passage": 4, "patient": ""},
    ]
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "list.parquet")
    text = "path,smear_id,um_per_px,tag:passage,patient\na.png,s1,0.1,3,P1\nb.png,s1,,,\nc.png,s2,,4,\n"
    assert read_manifest(tmp_path / "list.parquet") == read_manifest(manifest(tmp_path, text))


def test_what_is_wrong_in_parquet_is_named_with_its_row(tmp_path: Path) -> None:
    table = pa.table({"path": ["a.png", "b.png"], "um_per_px": ["0.1", "wide"]})
    pyarrow.parquet.write_table(table, tmp_path / "list.parquet")
    with pytest.raises(ConfigError, match=r"list\.parquet, row 2: um_per_px 'wide' is no number"):
        read_manifest(tmp_path / "list.parquet")


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInputError, match="is no table in Parquet"):
        read_manifest(manifest(tmp_path, "path\na.png\n", "list.parquet"))


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"hemato-lab\[parquet\]"):
        read_manifest(tmp_path / "list.parquet")


def test_many_fields_of_one_smear_take_time_in_proportion(tmp_path: Path) -> None:
    def seconds(rows: int) -> float:
        path = manifest(tmp_path, "path,smear_id\n" + "".join(f"f{row}.png,one\n" for row in range(rows)))
        begun = time.process_time()
        assert len(read_manifest(path)[0].paths) == rows
        return time.process_time() - begun

    assert seconds(12_000) < 24 * min(seconds(1_500) for _ in range(3))
