from __future__ import annotations

import io
import re
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from hemato_lab import export

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis


def opened(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def classes(files: dict[str, bytes]) -> dict[int, str]:
    """Return the names in the data file, read as the plain YAML that it is."""
    text = files["data.yaml"].decode("ascii")
    assert re.search(r"^train: images$", text, re.MULTILINE)
    return {int(n): name for n, name in re.findall(r'^  (\d+): "([^"\\]+)"$', text, re.MULTILINE)}


def test_boxes_are_shares_of_the_field(measured: Analysis):
    files = opened(export.render(measured, "yolo"))
    names = classes(files)
    assert list(names) == list(range(len(names)))
    found = []
    for field, stem in enumerate(("first", "second")):
        size = measured.smear.fields[field].width, measured.smear.fields[field].height
        for line in files[f"labels/{stem}.txt"].decode("ascii").splitlines():
            number, *shares = line.split(" ")
            x, y, width, height = (float(share) for share in shares)
            assert x - width / 2 + 1e-6 >= 0
            assert x + width / 2 <= 1 + 1e-6
            found.append((names[int(number)], x * size[0], y * size[1], width * size[0], height * size[1]))
    assert [one[0] for one in found] == measured.detections["name"].tolist()
    assert found[0][1:] == pytest.approx((100.5, 100.5, 60, 60), abs=1e-3)
    assert found[3][1:] == pytest.approx((410.5, 221.25, 70.8, 70.8), abs=1e-3)
    assert found[5][1:] == pytest.approx((7.75, 200.5, 15.5, 24), abs=1e-3), "cut by the left border"


def test_images_lie_beside_their_labels_when_asked_for(measured: Analysis):
    files = opened(export.render(measured, "yolo", include_images=True))
    assert not [name for name in opened(export.render(measured, "yolo")) if name.startswith("images/")]
    for field, stem in enumerate(("first", "second")):
        assert f"labels/{stem}.txt" in files
        picture = np.asarray(Image.open(io.BytesIO(files[f"images/{stem}.png"])))
        assert np.array_equal(picture, measured.smear.fields[field].read())


def test_a_field_without_cells_has_an_empty_file(empty_analysis: Analysis):
    assert opened(export.render(empty_analysis, "yolo"))["labels/one.txt"] == b""
