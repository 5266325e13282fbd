import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.batch.entries import SmearEntry
from hemato_lab.errors import ConfigError

texts = st.text(st.characters(exclude_categories=["Cs"]))
entries = st.builds(
    SmearEntry,
    smear_id=texts.filter(str.strip),
    paths=st.lists(st.text(min_size=1), min_size=1, max_size=3).map(tuple),
    tags=st.dictionaries(texts, texts, max_size=3),
    um_per_px=st.none() | st.floats(0.01, 5),
    rbc_diameter_px=st.none() | st.floats(1, 500),
    patient=texts,
    remote_study_id=texts,
    reference=texts,
)


@given(entries)
def test_an_entry_survives_json_and_a_process(entry: SmearEntry) -> None:
    assert SmearEntry.from_dict(json.loads(json.dumps(entry.to_dict()))) == entry
    assert pickle.loads(pickle.dumps(entry)) == entry  # noqa: S301 (ours)


def test_an_entry_does_not_share_the_tags_that_it_was_given() -> None:
    tags = {"stain": "Giemsa"}
    entry = SmearEntry("one", ("a.png",), tags)
    tags["stain"] = "Wright"
    entry.to_dict()["tags"]["stain"] = "none"
    assert entry.tags == {"stain": "Giemsa"}


@pytest.mark.parametrize("smear_id", ["", " ", "\n", "broken \udcff"])
def test_an_id_that_is_no_text_is_refused(smear_id: str) -> None:
    with pytest.raises(ConfigError, match="id"):
        SmearEntry(smear_id, ("a.png",))


@pytest.mark.parametrize("paths", [(), ("",)])
def test_a_smear_without_files_is_refused(paths: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"one: a smear has no files"):
        SmearEntry("one", paths)


def test_tags_are_text() -> None:
    with pytest.raises(ConfigError, match="tags"):
        SmearEntry("one", ("a.png",), {"passage": 3})  # type: ignore[dict-item]


@pytest.mark.parametrize("document", [{}, {"smear_id": "one", "paths": ["a"], "colour": "red"}, {"paths": ["a"]}])
def test_an_object_of_another_kind_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        SmearEntry.from_dict(document)
