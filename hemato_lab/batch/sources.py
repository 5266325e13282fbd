"""Folder trees, single files, patterns and manifests -> the smears of a batch."""

from __future__ import annotations

import glob
import os
from collections import Counter
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from hemato_lab.batch.entries import SmearEntry
from hemato_lab.batch.folders import JOURNAL_FILE, REPORT_FILE, is_results_folder, smear_folder
from hemato_lab.batch.manifest import MANIFEST_SUFFIXES, read_manifest
from hemato_lab.errors import ConfigError, InputError, NoImagesError, UnreadableInputError
from hemato_lab.formats.listing import images_in_folder, is_folder, natural_order
from hemato_lab.formats.sniffing import ARCHIVE_SUFFIXES, SUFFIXES, is_image_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SLIDE_SUFFIXES: Final = (".svs", ".btf")
"""Endings of images that are a whole smear each; any other image is a field of the smear that its folder is."""
_WILD: Final = "*?["


def read_entries(
    sources: Sequence[str], *, one_field_a_smear: bool = False, results: Path | None = None
) -> tuple[SmearEntry, ...]:
    """Return the smears that sources name.

    The images directly in one folder are one smear, named by the path of the folder; slides and ZIP archives are a
    smear each. Hidden files and folders, results of this package, and links that form a circle are passed over.

    Parameters
    ----------
    sources : sequence of str
        Folders (searched with all below), images, slides, ZIP archives, manifests (`manifest.read_manifest`), or
        patterns with ``*``, ``?``, ``[...]`` and ``**``. Ids are paths below the only folder, below the part of a
        pattern before its first wild card, or below the common folder of several sources.
    one_field_a_smear : bool
        Every image is a smear of its own; a manifest says itself what is one smear.
    results : Path, optional
        Folder of the results; images in it are not taken.

    Returns
    -------
    tuple of SmearEntry
        In natural order of their ids, those of manifests in the manifests' order before them.

    Raises
    ------
    UnreadableInputError
        If a source does not exist.
    NoImagesError
        If there is no smear in all of them.
    ConfigError
        If a manifest is wrong, or two smears have the same id.
    """
    manifests = [Path(source) for source in sources if _is_manifest(source)]
    entries = [entry for path in manifests for entry in read_manifest(path)]
    entries += _entries_of_files(
        [source for source in sources if not _is_manifest(source)], one_field_a_smear=one_field_a_smear, results=results
    )
    if not entries:
        raise NoImagesError(
            "no smear was found",
            subject=", ".join(sources),
            hint=f"images end in {', '.join(SUFFIXES)}; folders, ZIP archives and manifests (CSV, Parquet) hold them",
        )
    _refuse_same_ids(entries)
    return tuple(entries)


def with_references(entries: Sequence[SmearEntry], path: Path) -> tuple[SmearEntry, ...]:
    """Return the smears with what they are compared with, where they name nothing themselves.

    Parameters
    ----------
    entries : sequence of SmearEntry
        The smears.
    path : Path
        A report or an annotated set for all of them, or the results of another batch: then each smear is compared with
        the smear of the same id, and one that has no report there with nothing.

    Raises
    ------
    UnreadableInputError
        If it does not exist.
    """
    if not path.exists():
        raise UnreadableInputError("does not exist", subject=str(path), hint="give a report, an annotated set, results")
    place = _absolute(path)

    def reference_of(smear_id: str) -> str:
        if not (place / JOURNAL_FILE).exists():
            return str(place)
        folder = smear_folder(place, smear_id)
        return str(folder) if (folder / REPORT_FILE).exists() else ""

    return tuple(replace(entry, reference=entry.reference or reference_of(entry.smear_id)) for entry in entries)


def _is_manifest(source: str) -> bool:
    return source.lower().endswith(MANIFEST_SUFFIXES) and not is_folder(Path(source))


def _refuse_same_ids(entries: Sequence[SmearEntry]) -> None:
    smear_id, count = Counter(entry.smear_id for entry in entries).most_common(1)[0]
    if count > 1:
        places = [entry.paths[0] for entry in entries if entry.smear_id == smear_id]
        raise ConfigError(
            f"is the id of {count} smears: {', '.join(places[:2])}",
            subject=smear_id,
            hint="give each source once, or list the smears with ids of their own in a manifest",
        )


def _entries_of_files(sources: Sequence[str], *, one_field_a_smear: bool, results: Path | None) -> list[SmearEntry]:
    if not sources:
        return []
    named = [_Source.of(source) for source in sources]
    root = named[0].root if len(named) == 1 else _common_folder([one.shared for one in named])
    search = _Search(results)
    smears: dict[Path, dict[Path, None]] = {}
    for folder, file in (found for one in named for top in one.tops for found in search.of_top(top)):
        alone = one_field_a_smear or file.suffix.lower() in (*SLIDE_SUFFIXES, *ARCHIVE_SUFFIXES)
        smears.setdefault(file if alone else folder, {})[file] = None
    entries = [
        SmearEntry(_id_of(place, root), tuple(map(str, sorted(files, key=lambda file: natural_order(str(file))))))
        for place, files in smears.items()
    ]
    return sorted(entries, key=lambda entry: natural_order(entry.smear_id))


def _common_folder(folders: Sequence[Path]) -> Path:
    try:
        return Path(os.path.commonpath(folders))
    except ValueError as error:  # drives of Windows have no folder in common
        raise ConfigError("the sources lie on different drives", hint="list them in a manifest") from error


def _id_of(place: Path, root: Path) -> str:
    # A link above ".." may lead elsewhere.
    relative = place.relative_to(root) if place.is_relative_to(root) else Path(os.path.relpath(place, root))
    name = relative.as_posix() if relative.parts else root.name or "smear"
    return os.fsencode(name).decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class _Source:
    """What one source leads to: the files and folders, and the folder that ids are relative to.

    Attributes
    ----------
    tops : tuple of Path
        Absolute.
    root : Path
        Where ids begin when this is the only source.
    shared : Path
        The same among several sources.
    """

    tops: tuple[Path, ...]
    root: Path
    shared: Path

    @classmethod
    def of(cls, source: str) -> Self:
        path = _absolute(Path(source))
        if is_folder(path):
            return cls((path,), path, path.parent)
        if path.exists():
            return cls((path,), path.parent, path.parent)
        if not any(sign in source for sign in _WILD):
            raise UnreadableInputError("does not exist", subject=source, hint="give a folder, a pattern or a manifest")
        fixed = _absolute(Path(*takewhile(lambda part: not any(sign in part for sign in _WILD), Path(source).parts)))
        matches = (_absolute(Path(match)) for match in glob.glob(source, recursive=True))  # noqa: PTH207 (absolute too)
        return cls(tuple(match for match in matches if is_folder(match) or _is_smear_file(match.name)), fixed, fixed)


def _absolute(path: Path) -> Path:
    """Return a path without ``..``, with links followed as far as that needs: what lies in a folder keeps its name."""
    if ".." not in path.parts:
        return path.absolute()
    end = len(path.parts) - path.parts[::-1].index("..")
    return Path(*path.parts[:end]).resolve().joinpath(*path.parts[end:])


def _is_smear_file(name: str) -> bool:
    return is_image_name(name) or (not _is_hidden(name) and name.lower().endswith(tuple(ARCHIVE_SUFFIXES)))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


class _Search:
    """Walks through folders; none is entered twice, by whatever name."""

    def __init__(self, results: Path | None) -> None:
        self._results = results
        self._entered: set[tuple[int, int]] = set()

    def of_top(self, top: Path) -> Iterator[tuple[Path, Path]]:
        """Yield (folder, file) of every file of a smear; ``folder`` stands for the smear that loose images make."""
        if is_folder(top):
            yield from self._below(top)
        else:
            yield top.parent, top

    def _below(self, top: Path) -> Iterator[tuple[Path, Path]]:
        """Walk through a folder, however deep, each folder before those in it."""
        waiting = [top]
        taken: set[Path] = set()  # images of a folder "images" stand for the folder that it lies in
        while waiting:
            folder = waiting.pop()
            if not self._enters(folder):
                continue
            found, inside = self._inside(folder)
            yield from ((place, path) for place, path in found if path not in taken)
            taken.update(path for _, path in found)
            waiting += reversed(inside)

    def _enters(self, folder: Path) -> bool:
        """Tell whether a folder is to be looked into, and was not before."""
        status = folder.stat()
        place = status.st_dev, status.st_ino
        if place in self._entered or self._is_results(folder):
            return False
        self._entered.add(place)
        return True

    def _inside(self, folder: Path) -> tuple[list[tuple[Path, Path]], list[Path]]:
        """Return what `of_top` yields of one folder alone, and the folders in it."""
        try:
            images = [path for path, _ in images_in_folder(folder, str(folder))]
            inside = sorted(folder.iterdir(), key=lambda path: natural_order(path.name))
        except (InputError, OSError):
            return [(folder, folder)], []  # what may not be looked into is a smear that fails
        shown = [path for path in inside if not _is_hidden(path.name)]
        archives = [path for path in shown if path.suffix.lower() in ARCHIVE_SUFFIXES and path.is_file()]
        folders = [path for path in shown if is_folder(path) and not is_results_folder(path)]
        return [(folder, path) for path in (*images, *archives)], folders

    def _is_results(self, folder: Path) -> bool:
        return self._results is not None and self._results.exists() and folder.samefile(self._results)
