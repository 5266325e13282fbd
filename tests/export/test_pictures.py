from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from hemato_lab import export

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis


def test_every_field_has_its_annotated_picture(measured: Analysis):
    with zipfile.ZipFile(io.BytesIO(export.render(measured, "pictures"))) as archive:
        assert archive.namelist() == ["NOTICE.txt", "fields.json", "first.png", "second.png"]
        for field, name in enumerate(("first.png", "second.png")):
            picture = np.asarray(Image.open(io.BytesIO(archive.read(name))))
            assert np.array_equal(picture, np.asarray(measured.picture(field)))
