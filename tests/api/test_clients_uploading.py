"""Both clients, without sockets and with them: what is sent of which source, once, side by side, and told of."""

from __future__ import annotations

import io
import threading
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import pytest

from hemato_lab.api import PrivacyWarning, ServiceWarning, files_of
from hemato_lab.errors import (
    ConfigError,
    ForbiddenError,
    OtherFilesError,
    SchemaMismatchError,
    StudyClosedError,
    UnsupportedFormatError,
)
from hemato_lab.formats import open_smear
from hemato_lab.formats.stored import file_id_of
from tests.api.pictures import jpeg as picture
from tests.api.recording import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from hemato_lab.api import UploadFile
    from tests.api.conftest import Api
    from tests.api.recording import Received

PIXELS = np.random.default_rng(7).integers(0, 256, (24, 32, 3), np.uint8)


def ids(*contents: bytes) -> dict[str, tuple[str, ...]]:
    return {file_id_of(content): (file_id_of(content),) for content in contents}


def png(pixels: Any = PIXELS) -> bytes:
    stream = io.BytesIO()
    PIL.Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def arrived(api: Api) -> list[Any]:
    """What the service has, in the order of its arrival: bytes, or the pixels of a PNG."""
    contents = [one.body for one in api.asked("/files")]
    return [np.asarray(PIL.Image.open(io.BytesIO(one))) if one.startswith(b"\x89PNG") else one for one in contents]


# Sources


def test_bytes_go_as_they_are(api: Api) -> None:
    study_id = api.study()
    assert api.call("upload", study_id, picture()) == ids(picture())
    (asked,) = api.asked("/files")
    assert asked.body == picture()
    assert asked.headers["content-type"] == "image/jpeg"
    assert list(api.service.studies[study_id].files) == [file_id_of(picture())]


def test_a_path_goes_byte_for_byte_under_its_own_name(api: Api) -> None:
    path = api.folder / "field_01.png"
    path.write_bytes(png())
    assert api.call("upload", api.study(), path) == ids(png())
    (asked,) = api.asked("/files")
    assert (asked.body, asked.query) == (png(), {"file_name": "field_01.png"})
    assert asked.headers["content-type"] == "image/png"


@pytest.mark.parametrize("source", ["image", "array", "field", "smear"])
def test_pixels_go_as_png_without_loss(api: Api, source: str) -> None:
    path = api.folder / "field.tif"
    PIL.Image.fromarray(PIXELS).save(path)
    sources = {"image": PIL.Image.fromarray(PIXELS), "array": PIXELS, "smear": open_smear(path)}
    sources["field"] = sources["smear"].fields[0]
    study_id = api.study()
    known = api.call("upload", study_id, sources[source])
    (pixels,) = arrived(api)
    assert np.array_equal(pixels, PIXELS)
    assert api.asked("/files")[0].headers["content-type"] == "image/png"
    assert [(key,) for key in known] == list(known.values()) == [tuple(api.service.studies[study_id].files)]


def test_a_smear_of_files_that_the_service_takes_goes_byte_for_byte(api: Api) -> None:
    (api.folder / "smear").mkdir()
    contents = [png(PIXELS), png(PIXELS[::-1])]
    for number, content in enumerate(contents):
        (api.folder / "smear" / f"{number}.png").write_bytes(content)
    assert list(api.call("upload", api.study(), open_smear(api.folder / "smear"))) == list(ids(*contents))
    assert {one.body for one in api.asked("/files")} == set(contents)


def test_a_list_goes_in_order_and_each_content_once(api: Api) -> None:
    path = api.folder / "b.jpg"
    path.write_bytes(picture(1))
    known = api.call("upload", api.study(), [picture(0), [path, picture(1)], PIXELS, picture(2)])
    assert list(known)[:2] == list(ids(picture(0), picture(1)))
    assert list(known)[3] == file_id_of(picture(2))
    assert len(api.asked("/files")) == 4


def test_what_cannot_be_sent_is_refused_before_anything_is(api: Api) -> None:
    study_id = api.study()
    for source, kind in {b"GIF89a": UnsupportedFormatError, (): ConfigError, 7: ConfigError}.items():
        with pytest.raises(kind):
            api.call("upload", study_id, source)
    assert api.asked("/files") == []


def test_the_diameter_of_a_red_cell_goes_along_when_it_is_given(api: Api) -> None:
    study_id = api.study()
    api.call("upload", study_id, picture(), rbc_diameter=70.5)
    assert api.asked("/files")[0].query["rbc_diameter"] == "70.5"
    assert api.service.studies[study_id].rbc_diameter == 70.5


# Archives


def test_many_small_files_go_as_one_archive(api: Api) -> None:
    contents = [picture(number) for number in range(5)]
    study_id = api.study()
    known = api.call("upload", study_id, contents, zip_above=20)
    (asked,) = api.asked("/files")
    assert asked.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(asked.body)) as archive:
        assert [archive.read(name) for name in archive.namelist()] == contents
    assert known == ids(*contents)
    assert api.service.studies[study_id].file_ids == list(ids(*contents))
    assert api.call("upload", study_id, contents, zip_above=20) == known
    assert api.call("upload", study_id, contents[::-1]) == ids(*contents[::-1])
    assert len(api.asked("/files")) == 1, "what is there is there, however it came"


def test_few_bytes_are_not_packed(api: Api) -> None:
    contents = [picture(number) for number in range(3)]
    assert api.call("upload", api.study(), contents, zip_above=10_000) == ids(*contents)
    assert len(api.asked("/files")) == 3


# Once


def test_what_was_acknowledged_is_not_sent_again(api: Api) -> None:
    contents = [picture(number) for number in range(3)]
    study_id = api.study()
    api.call("upload", study_id, contents[:2])
    before = len(api.asked())
    assert api.call("upload", study_id, contents[:2]) == ids(*contents[:2])
    with api.another() as other:
        assert other.call("upload", study_id, contents[:2]) == ids(*contents[:2])
    assert len(api.asked()) == before
    assert api.call("upload", study_id, contents) == ids(*contents)
    assert len(api.asked()) == before + 1
    assert {stored.received for stored in api.service.studies[study_id].files.values()} == {1}


def test_a_lost_acknowledgement_sends_it_again_and_it_counts_once(api: Api) -> None:
    study_id = api.study()
    api.lose_answer()
    assert api.call("upload", study_id, picture()) == ids(picture())
    assert {key: stored.received for key, stored in api.service.studies[study_id].files.items()} == {
        file_id_of(picture()): 2
    }


def test_a_failed_upload_goes_on_where_it_stopped(api: Api) -> None:
    contents = [picture(number) for number in range(4)]
    study_id = api.study()
    refuse = api.service.error(403, "forbidden")
    api.answer(api.service.process, api.service.process, refuse)
    with pytest.raises(ForbiddenError):
        api.call("upload", study_id, contents, parallel=1)
    assert len(api.asked("/files")) == 3
    assert api.call("upload", study_id, contents, parallel=1) == ids(*contents)
    assert len(api.asked("/files")) == 5


def test_a_closed_study_takes_no_more(api: Api) -> None:
    study_id = api.study()
    api.call("upload", study_id, picture())
    api.call("request_tasks", study_id)
    before = len(api.asked())
    with pytest.raises(StudyClosedError):
        api.call("upload", study_id, picture(1))
    assert len(api.asked()) == before, "the journal knows"
    assert api.call("upload", study_id, picture()) == ids(picture()), "what is there is there"
    with api.another(journal=api.folder / "other.sqlite3") as stranger, pytest.raises(StudyClosedError):
        stranger.call("upload", study_id, picture(1))
    assert len(api.asked()) == before + 1, "the service knows, and is asked once"


# Side by side


class Watched:
    """Files that are counted from the moment they are read to that of their acknowledgement."""

    def __init__(self, together: int) -> None:
        self.most = 0
        self.told: list[tuple[int, int]] = []
        self._read = 0
        self._together = threading.Barrier(together)
        self._lock = threading.Lock()

    def files(self, contents: list[bytes]) -> list[UploadFile]:
        return [replace(one, load=self._loading(one.load)) for one in files_of(contents)]

    def _loading(self, load: Callable[[], bytes]) -> Callable[[], bytes]:
        def read() -> bytes:
            with self._lock:
                self._read += 1
                self.most = max(self.most, self._read - max(0, len(self.told) - 1))
            self._together.wait(20.0)  # all of them have to be under way at the same time
            return load()

        return read

    def progress(self, done: int, total: int) -> None:
        self.told.append((done, total))


@pytest.mark.parametrize("parallel", [1, 3])
def test_as_many_as_asked_for_are_under_way_and_no_more(api: Api, parallel: int) -> None:
    contents = [picture(number) for number in range(9)]
    watched = Watched(parallel)
    known = api.call("upload", api.study(), watched.files(contents), parallel=parallel, progress=watched.progress)
    assert known == ids(*contents)
    assert watched.most == parallel


def test_none_at_a_time_is_refused(api: Api) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        api.call("upload", "any", picture(), parallel=0)


def test_progress_grows_to_the_whole(api: Api) -> None:
    contents = [picture(number) for number in range(6)]
    total = sum(map(len, contents))
    study_id = api.study()
    api.call("upload", study_id, contents[:2])
    told: list[tuple[int, int]] = []
    api.call("upload", study_id, contents, progress=lambda done, of: told.append((done, of)))
    assert [of for _, of in told] == [total] * 5
    done = [done for done, _ in told]
    assert done[0] == len(contents[0]) + len(contents[1]), "what is there counts from the start"
    assert done == sorted(set(done))
    assert done[-1] == total


# Acknowledgements that are odd


def as_another(api: Api, other: str) -> Callable[[Received], Answer]:
    """Have an upload acknowledged under another id."""

    def answer(received: Received) -> Answer:
        good = api.service.process(received)
        return Answer(good.status, good.headers, good.body.replace(file_id_of(received.body).encode(), other.encode()))

    return answer


def test_another_id_is_warned_of_with_both_ids(api: Api) -> None:
    ours, theirs = file_id_of(picture()), "sha256-of-theirs"
    study_id = api.study()
    api.answer(as_another(api, theirs))
    with pytest.warns(ServiceWarning, match=f"{ours} as {theirs}"):
        assert api.call("upload", study_id, picture()) == {ours: (theirs,)}
    assert api.call("upload", study_id, picture()) == {ours: (theirs,)}
    assert len(api.asked("/files")) == 1


def test_another_id_is_an_error_when_it_has_to_be_ours(open_api: Callable[..., Api]) -> None:
    api = open_api(strict=True)
    study_id = api.study()
    api.answer(as_another(api, "sha256-of-theirs"))
    with pytest.raises(OtherFilesError, match=f"{file_id_of(picture())} as sha256-of-theirs"):
        api.call("upload", study_id, picture())
    assert len(api.asked("/files")) == 1
    assert api.call("upload", study_id, picture()) == ids(picture())


def test_the_acknowledgement_of_another_file_is_none(api: Api) -> None:
    study_id = api.study()
    confused = as_another(api, file_id_of(picture(1)))
    api.answer(api.service.process, confused)
    assert api.call("upload", study_id, [picture(1), picture()], parallel=1) == ids(picture(1), picture())
    assert len(api.asked("/files")) == 3, "it is sent again"
    api.answer(*[as_another(api, file_id_of(picture(1)))] * 3)
    with pytest.raises(SchemaMismatchError, match="acknowledges another file"):
        api.call("upload", study_id, [picture(1), picture(2)])


# Names


@pytest.mark.parametrize("source", ["bytes", "image", "array", "tif"])
def test_the_name_that_is_sent_ends_as_its_type_does(api: Api, source: str) -> None:
    PIL.Image.fromarray(PIXELS).save(api.folder / "field.tif")
    sources = {"bytes": png(), "image": PIL.Image.fromarray(PIXELS), "array": PIXELS, "tif": api.folder / "field.tif"}
    api.call("upload", api.study(), sources[source])
    (asked,) = api.asked("/files")
    assert asked.headers["content-type"] == "image/png"
    assert asked.query["file_name"].endswith(".png"), "the document tells the type by the name, too (row 12)"


@pytest.mark.parametrize("name", ["Jane Doe 1980-02-29.jpg", "ali@example.com.jpg", "blutbild_müller.jpg"])
def test_a_name_that_tells_too_much_stays_here(api: Api, name: str) -> None:
    (api.folder / name).write_bytes(picture())
    study_id = api.study()
    with pytest.warns(PrivacyWarning, match="name of a file looks like personal data"):
        api.call("upload", study_id, api.folder / name)
    (asked,) = api.asked("/files")
    assert asked.query["file_name"] == file_id_of(picture()).removeprefix("sha224-i-")[:16] + ".jpg"
