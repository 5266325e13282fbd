"""Row 12: header, then parameter, then ending, then first bytes; answers are the fake service's."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemato_lab.api.files import CONTENT_TYPES
from hemato_lab.twin.file_types import check_magic, stated_type
from hemato_lab.twin.refusals import Refusal
from tests.api import fake_bodies
from tests.twin.conftest import image_bytes


def empty_zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w"):
        pass
    return stream.getvalue()


CONTENTS = {"jpeg": image_bytes(kind="JPEG"), "png": image_bytes(), "zip": empty_zip()}

UNKNOWN = "application/octet-stream"
CURL = "application/x-www-form-urlencoded"
STATED = {
    "header": ("image/png", {}, "png"),
    "header with parameters": (' Image/PNG ; charset="x"', {}, "png"),
    "header before parameter and name": ("image/png", {"content_type": "image/jpeg", "file_name": "a.zip"}, "png"),
    "informal name of a type": ("image/jpg", {}, "jpeg"),
    "ZIP of Windows": ("application/x-zip-compressed", {}, "zip"),
    "parameter": (None, {"content_type": "image/jpeg", "file_name": "a.png"}, "jpeg"),
    "parameter behind a header that says nothing": (CURL, {"content_type": "application/zip"}, "zip"),
    "ending": (None, {"file_name": "smear.1.JPEG"}, "jpeg"),
    "ending behind two that say nothing": (CURL, {"content_type": UNKNOWN, "file_name": ".png"}, "png"),
    "ending behind an empty parameter": (UNKNOWN, {"content_type": "", "file_name": "a.jpg"}, "jpeg"),
}
REFUSED = {
    "nothing": (None, {}, "unknown_file_type"),
    "no ending": (CURL, {"file_name": "png"}, "unknown_file_type"),
    "other ending": (CURL, {"file_name": "a.png.tif"}, "unknown_file_type"),
    "other type": ("image/tiff", {"file_name": "a.png"}, "unsupported_file_type"),
    "other type in the parameter": (CURL, {"content_type": "text/html", "file_name": "a.png"}, "unsupported_file_type"),
    "no media type": ("png", {}, "unsupported_file_type"),
    "form": ("multipart/form-data; boundary=x", {"content_type": "image/png"}, "multipart_not_supported"),
    "two headers": ("image/png, image/jpeg", {}, "unsupported_file_type"),
}


@pytest.mark.parametrize("case", STATED)
def test_type_is_stated_by_the_first_that_says_something(case: str) -> None:
    header, query, kind = STATED[case]
    assert stated_type(header, query) == kind


@pytest.mark.parametrize("case", REFUSED)
def test_types_that_are_not_taken(case: str) -> None:
    header, query, code = REFUSED[case]
    with pytest.raises(Refusal) as caught:
        stated_type(header, query)
    assert caught.value.code == code


def test_what_the_client_sends_is_taken() -> None:
    assert {stated_type(each, {}) for each in CONTENT_TYPES.values()} == {"jpeg", "png", "zip"}
    assert {stated_type(None, {"file_name": f"a{ending}"}) for ending in CONTENT_TYPES} == {"jpeg", "png", "zip"}


def outcome(call: object) -> str:
    try:
        return str(call())  # type: ignore[operator]
    except (Refusal, fake_bodies.Refusal) as refusal:
        return refusal.code


@given(
    header=st.sampled_from([*fake_bodies.TYPES, *fake_bodies.GENERIC, "text/plain", "multipart/mixed"]),
    parameter=st.sampled_from(["", *fake_bodies.TYPES, "text/plain"]),
    name=st.sampled_from(["", "a", "a.png", "b.JPG", "c.d.jpeg", "e.zip", "f.tif"]),
    content=st.sampled_from([*CONTENTS.values(), b"GIF89a", b""]),
)
def test_same_answers_as_the_fake_service(header: str, parameter: str, name: str, content: bytes) -> None:
    query = {"content_type": parameter, "file_name": name}

    def checked() -> str:
        kind = stated_type(header, query)
        check_magic(kind, content[:16])
        return kind

    assert outcome(checked) == outcome(lambda: fake_bodies.file_type_of(header, query, content))


@pytest.mark.parametrize("stated", CONTENTS)
@pytest.mark.parametrize("content", CONTENTS)
def test_first_bytes_have_to_agree(stated: str, content: str) -> None:
    if stated == content:
        check_magic(stated, CONTENTS[content][:16])
        return
    with pytest.raises(Refusal) as caught:
        check_magic(stated, CONTENTS[content][:16])
    assert caught.value.code == "file_type_mismatch"
    assert caught.value.debug_info == {"stated": stated.upper(), "found": content.upper()}


@pytest.mark.parametrize("head", [b"", b"PK", b"PK\7\x08", b"\xff\xd8", b"\x89PNG", b"II*\0", b"<html>"])
def test_beginnings_of_something_else(head: bytes) -> None:
    for stated in CONTENTS:
        with pytest.raises(Refusal) as caught:
            check_magic(stated, head)
        assert caught.value.code == "file_type_mismatch"
