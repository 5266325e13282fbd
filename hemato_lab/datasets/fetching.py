"""The folder of a set: found on this machine, or downloaded from a server that holds the packaged files.

No public address is known to serve the packaged files: the sources hold other selections of the images, often in other
sizes, and no annotation in this package's format. So nothing is downloaded from a source in the belief that it is the
same; without a folder and without a mirror, `fetch` says where the images come from and what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hemato_lab.datasets.places import VARIABLE, cache_folder, stated_folder
from hemato_lab.datasets.records import DatasetRecord, describe
from hemato_lab.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path

    from hemato_lab.evaluation.dataset import CropSet, DetectionSet


def fetch(name: str, *, folder: Path | None = None, mirror: str | None = None, progress: bool = False) -> Path:
    """Return the folder of a set, as `hemato_lab.evaluation.dataset.read_dataset` reads it.

    It is looked for in ``$HEMATO_LAB_DATASETS/<name>``, then in the user's cache. What is found is returned as it is,
    so that own versions of a set can be used; `verify` compares it with the pinned files. A set that is in neither
    place is downloaded into the cache if a mirror is given.

    Parameters
    ----------
    name : str
        One of `names`.
    folder : Path, optional
        Holds the sets, one folder each, in place of the environment's folder and the user's cache.
    mirror : str, optional
        Address of a server that holds the packaged sets, so that ``<mirror>/<name>/annotations.json`` (or
        ``labels.csv``) is one of its files. Every file must have its pinned SHA-256; a set appears in the cache whole
        or not at all.
    progress : bool
        Show a progress bar while downloading.

    Raises
    ------
    ConfigError
        If no set has this name, the environment names no folder, or the mirror is no http(s) address.
    DatasetError
        If the set is not on this machine and no mirror is given, or a file cannot be downloaded.
    IntegrityError
        If a downloaded file is not the pinned one.
    MissingDependencyError
        If a download needs pooch and it is not installed.
    """
    record = describe(name)
    home = cache_folder() if folder is None else folder
    stated = stated_folder() if folder is None else None
    places = [home] if stated is None else [stated, home]
    for place in places:
        if (place / name).is_dir():
            return place / name
    if mirror is None:
        raise _not_here(record, places)
    from hemato_lab.datasets.downloading import download

    return download(name, mirror, home, progress=progress)


def load(
    name: str, *, folder: Path | None = None, mirror: str | None = None, progress: bool = False
) -> DetectionSet | CropSet:
    """Return a set as typed objects: `fetch`, then `hemato_lab.evaluation.dataset.read_dataset`.

    Raises
    ------
    ConfigError, DatasetError, IntegrityError, MissingDependencyError
        As `fetch`; `DatasetError` also if the folder does not follow the format.
    """
    from hemato_lab.evaluation.dataset import read_dataset

    return read_dataset(fetch(name, folder=folder, mirror=mirror, progress=progress))


_WHY_NOT_FROM_THE_SOURCE: Final = {
    "original": "its images are files of the source, its annotation file is not there",
    "re-encoded": "its images were reduced from those of the source, its annotation file is not there",
    "unknown": "its annotation file is not in the source, and its images may differ from those there",
}


def _not_here(record: DatasetRecord, places: list[Path]) -> DatasetError:
    looked = " or ".join(str(place / record.name) for place in places)
    return DatasetError(
        f"is not in {looked}, and no address is known to serve the packaged files: "
        f"{_WHY_NOT_FROM_THE_SOURCE[record.image_bytes]}",
        subject=record.name,
        hint=f"download it from {record.source}, licence {record.licence}, put it into ${VARIABLE}/{record.name} in "
        "the format that CONTRIBUTING.md describes, then see with hemato_lab.datasets.verify what differs; or give "
        "the mirror of somebody who has the packaged files",
    )
