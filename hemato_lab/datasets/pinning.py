"""The list of a packaged set, made from its folder.

How each ``pinned/<name>.csv.gz`` was made, with the packaged folder at hand::

    Path("hemato_lab/datasets/pinned/bccd.csv.gz").write_bytes(encode(pin(Path("bccd"))))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hemato_lab.datasets.checking import file_sha256
from hemato_lab.datasets.records import PinnedFile

if TYPE_CHECKING:
    from pathlib import Path


def pin(folder: Path) -> tuple[PinnedFile, ...]:
    """Return the files of a packaged set: the annotation file, then the images in its order.

    Raises
    ------
    DatasetError
        If the folder is no annotated set, or a file that it lists cannot be read.
    """
    from hemato_lab.evaluation.dataset import ANNOTATIONS_FILE, LABELS_FILE, DetectionSet, read_dataset

    dataset = read_dataset(folder)
    detection = isinstance(dataset, DetectionSet)
    first = ANNOTATIONS_FILE if detection else LABELS_FILE
    images = dataset.images if isinstance(dataset, DetectionSet) else dataset.crops
    return (
        PinnedFile(first, file_sha256(folder / first), "", ""),
        *(PinnedFile(each.file_name, file_sha256(each.path), each.split, each.group) for each in images),
    )
