"""The pinned lists against the packaged sets, where there are any."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from hemato_lab import datasets as public
from hemato_lab.datasets.pinning import pin
from hemato_lab.evaluation.dataset import DetectionSet

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", public.names())
def test_a_packaged_set_is_the_pinned_one(name: str, datasets: Path) -> None:
    if not (datasets / name).is_dir():
        pytest.skip(f"HEMATO_LAB_DATASETS has no {name}")
    folder = public.fetch(name)
    assert folder == datasets / name
    found = public.verify(name, folder)
    assert found.passed, str(found)
    assert pin(folder) == public.pinned_files(name)


@pytest.mark.parametrize("name", public.names())
def test_a_record_counts_what_is_there(name: str, datasets: Path) -> None:
    if not (datasets / name).is_dir():
        pytest.skip(f"HEMATO_LAB_DATASETS has no {name}")
    record, loaded = public.describe(name), public.load(name)
    if isinstance(loaded, DetectionSet):
        assert record.kind == "detection"
        labels = Counter(str(label) for image in loaded.images for label in image.truth["name"])
    else:
        assert record.kind == "crops"
        labels = Counter(crop.label for crop in loaded.crops)
    assert labels == record.labels
