from __future__ import annotations

import pytest

from hemato_lab.comparison.pairing import FilePair, pair_files
from hemato_lab.comparison.sides import SideFile
from hemato_lab.errors import ConfigError


def image(name: str, *ids: str) -> SideFile:
    return SideFile(name, frozenset(ids))


def hashed(digit: str) -> str:
    return "sha224-i-" + digit * 56


def test_the_same_bytes_are_the_same_image_whatever_the_names_and_the_order() -> None:
    pairing = pair_files(
        [image("a.jpg", hashed("1")), image("b.jpg", hashed("2"))],
        [image("x.jpg", hashed("2")), image("a.jpg", hashed("3")), image("y.jpg", hashed("1"))],
    )
    assert pairing.pairs == (FilePair(0, 2, "content"), FilePair(1, 0, "content"))
    assert pairing.first_only == ()
    assert pairing.second_only == (1,)


def test_the_same_name_with_other_bytes_is_another_image_unless_names_are_to_decide() -> None:
    first, second = [image("s1/a.jpg", hashed("1"))], [image("a.jpg", hashed("2"))]
    assert pair_files(first, second).pairs == ()
    assert pair_files(first, second, "name").pairs == (FilePair(0, 0, "name"),)


def test_names_decide_where_one_side_knows_no_hash() -> None:
    assert pair_files([image("s1/a.jpg", "f-17")], [image("a.jpg", hashed("2"))]).pairs == (FilePair(0, 0, "name"),)
    # Not where the name could mean two images, and nothing is paired by having no name.
    assert pair_files([image("s1/a.jpg"), image("s2/a.jpg")], [image("a.jpg")]).pairs == ()
    assert pair_files([image("")], [image("")]).pairs == ()


def test_an_id_of_several_images_says_nothing() -> None:
    archive = [image("a.jpg", "zip"), image("b.jpg", "zip")]
    assert pair_files(archive, [image("", "zip")]).pairs == ()


def test_the_service_s_own_id_is_found_among_all_ids() -> None:
    assert pair_files([image("a.jpg", hashed("1"), "f-17")], [image("", "f-17")]).pairs == (FilePair(0, 0, "content"),)


def test_by_order() -> None:
    first, second = [image("a", hashed("1")), image("b", hashed("2"))], [image("c"), image("d")]
    assert pair_files(first, second, "order").pairs == (FilePair(0, 0, "order"), FilePair(1, 1, "order"))
    with pytest.raises(ConfigError, match="2 and 1 images"):
        pair_files(first, second[:1], "order")


def test_another_way_of_pairing_is_refused() -> None:
    with pytest.raises(ConfigError, match="'size'"):
        pair_files([], [], "size")  # type: ignore[arg-type]
