import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.batch.entries import SmearEntry
from hemato_lab.batch.folders import smear_folder
from hemato_lab.batch.sources import read_entries, with_references
from hemato_lab.errors import ConfigError, NoImagesError, UnreadableInputError


def make(root: Path, *files: str) -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"not opened")
    return root


def ids(entries: Iterable[SmearEntry]) -> list[str]:
    return [entry.smear_id for entry in entries]


def below(entry: SmearEntry, root: Path) -> list[str]:
    return [Path(path).relative_to(root).as_posix() for path in entry.paths]


def test_every_folder_with_images_is_one_smear(tmp_path: Path) -> None:
    make(tmp_path, "p10/img2.png", "p10/img10.png", "p2/a.jpg", "p2/deep/er/b.tif", "p2/notes.txt", "empty/readme.md")
    entries = read_entries([str(tmp_path)])
    assert ids(entries) == ["p2", "p2/deep/er", "p10"]
    assert below(entries[2], tmp_path) == ["p10/img2.png", "p10/img10.png"]
    assert all(Path(path).is_absolute() for entry in entries for path in entry.paths)


def test_images_directly_in_the_source_are_named_after_it(tmp_path: Path) -> None:
    make(tmp_path, "smear 7/a.jpg", "smear 7/more/b.jpg")
    assert ids(read_entries([str(tmp_path / "smear 7")])) == ["more", "smear 7"]


def test_every_image_can_be_a_smear_of_its_own(tmp_path: Path) -> None:
    make(tmp_path, "p1/a2.png", "p1/a10.png", "b.jpg")
    entries = read_entries([str(tmp_path)], one_field_a_smear=True)
    assert ids(entries) == ["b.jpg", "p1/a2.png", "p1/a10.png"]
    assert [below(entry, tmp_path) for entry in entries] == [["b.jpg"], ["p1/a2.png"], ["p1/a10.png"]]


def test_slides_and_archives_are_a_smear_each(tmp_path: Path) -> None:
    make(tmp_path, "p1/slide.svs", "p1/other.SVS", "p1/fields.zip", "p1/field.png", "p1/huge.btf")
    entries = read_entries([str(tmp_path)])
    assert ids(entries) == ["p1", "p1/fields.zip", "p1/huge.btf", "p1/other.SVS", "p1/slide.svs"]
    assert below(entries[0], tmp_path) == ["p1/field.png"]


@pytest.mark.parametrize("files", [["set/images/a.png", "set/annotations.json"], ["set/images/a.png"]])
def test_a_folder_of_images_stands_for_the_set_that_it_is_in(tmp_path: Path, files: list[str]) -> None:
    make(tmp_path, *files, "set/images/further/b.png", "set/images/packed.zip")
    entries = read_entries([str(tmp_path)])
    assert ids(entries) == ["set", "set/images/further", "set/images/packed.zip"]


def test_a_folder_images_beside_other_images_is_a_smear_of_its_own(tmp_path: Path) -> None:
    assert ids(read_entries([str(make(tmp_path, "s/a.png", "s/images/b.png"))])) == ["s", "s/images"]


def test_hidden_files_are_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "p/a.png", "p/._a.png", ".git/b.png", "__MACOSX/p/._c.png", "p/.hidden.zip")
    assert [below(entry, tmp_path) for entry in read_entries([str(tmp_path)])] == [["p/a.png"]]


def test_results_are_never_taken_for_input(tmp_path: Path) -> None:
    make(tmp_path, "p/a.png", "new/smears/p/picture.png", "old/journal.sqlite", "old/smears/p/picture.png")
    make(tmp_path, "p/read/report.json", "p/read/cells.csv", "p/read/picture.png")
    assert ids(read_entries([str(tmp_path)], results=tmp_path / "new")) == ["p"]


def test_links_that_form_a_circle_do_no_harm(tmp_path: Path) -> None:
    make(tmp_path, "p/a.png")
    (tmp_path / "p" / "up").symlink_to(tmp_path)
    (tmp_path / "q").symlink_to(tmp_path / "p")
    (tmp_path / "self").symlink_to("self")
    assert ids(read_entries([str(tmp_path)])) == ["p"]


def test_a_linked_folder_is_taken(tmp_path: Path) -> None:
    make(tmp_path, "elsewhere/a.png")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "linked").symlink_to(tmp_path / "elsewhere")
    assert ids(read_entries([str(tmp_path / "tree")])) == ["linked"]


def test_a_folder_that_cannot_be_listed_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "p/a.png", "q/b.png")
    listed = Path.iterdir

    def iterdir(path: Path) -> Iterable[Path]:
        if path.name == "q":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    entries = read_entries([str(tmp_path)])
    assert {entry.smear_id: below(entry, tmp_path) for entry in entries} == {"p": ["p/a.png"], "q": ["q"]}


def test_a_pattern_names_the_same_smears_as_the_shell_does(tmp_path: Path) -> None:
    make(tmp_path, "p1/f1.png", "p1/f2.png", "p1/thumbnail.png", "p2/f1.png", "p2/f9.txt", "p2/slide.svs")
    quoted = read_entries([f"{tmp_path}/p*/f*"])
    expanded = read_entries([str(path) for path in sorted(tmp_path.glob("p*/f*.png"))])
    assert quoted == expanded
    assert {entry.smear_id: below(entry, tmp_path) for entry in quoted} == {
        "p1": ["p1/f1.png", "p1/f2.png"],
        "p2": ["p2/f1.png"],
    }


def test_a_pattern_finds_folders_at_every_depth(tmp_path: Path) -> None:
    make(tmp_path, "a/x1/f.png", "b/c/x2/f.png", "b/c/y/f.png", ".h/x3/f.png")
    assert ids(read_entries([f"{tmp_path}/**/x*"])) == ["a/x1", "b/c/x2"]


def test_a_name_with_brackets_is_no_pattern_where_it_exists(tmp_path: Path) -> None:
    make(tmp_path, "[p1]/a.png")
    assert ids(read_entries([str(tmp_path / "[p1]")])) == ["[p1]"]


def test_several_sources_are_named_below_their_common_folder(tmp_path: Path) -> None:
    make(tmp_path, "x/p/a.png", "y/p/a.png", "y/q/b.png")
    assert ids(read_entries([str(tmp_path / "y"), str(tmp_path / "x" / "p")])) == ["x/p", "y/p", "y/q"]


def test_what_two_sources_share_is_taken_once(tmp_path: Path) -> None:
    make(tmp_path, "x/p/a.png", "x/p/b.png", "x/q/c.png")
    sources = [tmp_path / "x" / "p" / "b.png", tmp_path / "x", tmp_path / "x" / "q", tmp_path / "x" / "p" / ".." / "q"]
    entries = read_entries([str(source) for source in sources])
    assert sorted(path for entry in entries for path in below(entry, tmp_path)) == [
        "x/p/a.png",
        "x/p/b.png",
        "x/q/c.png",
    ]
    assert ids(read_entries([str(sources[3]), str(tmp_path / "x" / "p")])) == ["p", "q"]


def test_a_source_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInputError, match="nowhere: does not exist"):
        read_entries([str(tmp_path / "nowhere")])


def test_nothing_found_is_an_error_that_says_what_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(NoImagesError, match=r"no smear was found.*\.png"):
        read_entries([str(tmp_path), f"{tmp_path}/*.png"])


def test_a_smear_in_a_tree_and_a_manifest_is_an_error(tmp_path: Path) -> None:
    make(tmp_path, "tree/p/a.png")
    (tmp_path / "list.csv").write_text("path,smear_id\ntree/p/a.png,p\n")
    with pytest.raises(ConfigError, match=r"p: is the id of 2 smears: .*a\.png, .*a\.png"):
        read_entries([str(tmp_path / "tree"), str(tmp_path / "list.csv")])


def test_names_that_are_no_text_become_ids_that_are(tmp_path: Path) -> None:
    name = os.fsdecode(b"p\xff")
    make(tmp_path, f"{name}/a.png")
    (entry,) = read_entries([str(tmp_path)])
    assert entry.smear_id == "p\\xff"
    assert Path(entry.paths[0]).exists()


FILES = [f"{folder}/{name}" for folder in ("p1", "p2", "p1/q", "p10/images") for name in ("a.png", "b.jpg")]


@given(st.sets(st.sampled_from(FILES)))
def test_every_image_is_in_exactly_one_smear(tmp_path_factory: pytest.TempPathFactory, files: set[str]) -> None:
    root = make(tmp_path_factory.mktemp("tree"), "always.png", *files)
    for one_field_a_smear in (False, True):
        entries = read_entries([str(root)], one_field_a_smear=one_field_a_smear)
        found = [path for entry in entries for path in below(entry, root)]
        assert sorted(found) == sorted(["always.png", *files])
        assert len(set(ids(entries))) == len(entries)
        assert len(entries) == len(found) or not one_field_a_smear


def test_a_reference_is_for_the_smears_that_name_none(tmp_path: Path) -> None:
    make(tmp_path, "truth/annotations.json")
    entries = (SmearEntry("a", ("a.png",)), SmearEntry("b", ("b.png",), reference="/own.json"))
    referred = with_references(entries, tmp_path / "truth")
    assert [entry.reference for entry in referred] == [str(tmp_path / "truth"), "/own.json"]
    with pytest.raises(UnreadableInputError, match="nowhere: does not exist"):
        with_references(entries, tmp_path / "nowhere")


def test_results_of_another_batch_are_a_reference_for_the_same_ids(tmp_path: Path) -> None:
    folder = smear_folder(tmp_path, "a")
    make(tmp_path, "journal.sqlite", str(folder.relative_to(tmp_path) / "report.json"))
    referred = with_references((SmearEntry("a", ("a.png",)), SmearEntry("b", ("b.png",))), tmp_path)
    assert [entry.reference for entry in referred] == [str(folder), ""]


@pytest.mark.parametrize("one_field_a_smear", [False, True])
def test_links_above_two_dots_are_followed_and_names_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, one_field_a_smear: bool
) -> None:
    make(tmp_path, "elsewhere/b.png", "sub/c.txt")
    (tmp_path / "imgs").mkdir()
    (tmp_path / "imgs" / "a.png").symlink_to(tmp_path / "elsewhere" / "b.png")
    monkeypatch.chdir(tmp_path)
    (entry,) = read_entries(["sub/../imgs/*.png"], one_field_a_smear=one_field_a_smear)
    assert entry == SmearEntry("a.png" if one_field_a_smear else "imgs", (str(tmp_path / "imgs" / "a.png"),))


def test_a_pattern_that_leads_out_of_its_folder_has_ids_that_lead_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "elsewhere/imgs/a.png", "elsewhere/deep/c.txt", "here/c.txt")
    (tmp_path / "here" / "link").symlink_to(tmp_path / "elsewhere" / "deep")
    monkeypatch.chdir(tmp_path / "here")
    assert ids(read_entries(["*/../imgs/*.png"])) == ["../elsewhere/imgs"]


def test_a_tree_may_be_very_deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(1100):
        os.mkdir("a")  # noqa: PTH102
        os.chdir("a")
    Path("x.png").touch()
    try:
        assert ids(read_entries([str(tmp_path)])) == ["/".join("a" * 1100)]
    finally:  # what removes the folders of tests cannot go so deep
        Path("x.png").unlink()
        while Path.cwd() != tmp_path:
            os.chdir("..")
            os.rmdir("a")  # noqa: PTH106
