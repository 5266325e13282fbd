"""The stages in which each smear is compared with another reading of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Final

from hemato_lab.batch.folders import COMPARISON_FILE, REFERENCE_FILE, REMOTE_FILE, smear_folder
from hemato_lab.batch.model import FAILED, LOCAL_STAGE
from hemato_lab.batch.remote import REMOTE_STAGE
from hemato_lab.comparison import compare
from hemato_lab.comparison.pairing import pair_files
from hemato_lab.comparison.results_folder import REPORT_FILE, read_bytes
from hemato_lab.comparison.sides import side_of
from hemato_lab.comparison.writing import render_json
from hemato_lab.errors import HematoError, UnreadableInputError
from hemato_lab.evaluation.dataset import ANNOTATIONS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from hemato_lab.batch.entries import SmearEntry
    from hemato_lab.batch.run import Run
    from hemato_lab.comparison.model import Comparison
    from hemato_lab.comparison.sides import Side

_LARGEST: Final = 2**30
_CHECK: Final = "check the path of the reference"
REMOTE_COMPARISON: Final = "comparison with the remote reading"
REFERENCE_COMPARISON: Final = "comparison with the reference"


@dataclass(frozen=True)
class Comparing:
    """Compares the results of each smear with another reading that is there when its turn comes.

    Attributes
    ----------
    name : str
        Of the stage.
    file : str
        Name of the comparison's file in the smear's folder.
    after : tuple of str
        Stages that must be done for a smear before.
    applies : callable
        Whether a smear has another reading.
    compared : callable
        The comparison, made from the smear's folder.
    content : callable
        What the other reading is, as text that changes with it.
    """

    name: str
    file: str
    after: tuple[str, ...]
    applies: Callable[[SmearEntry], bool]
    compared: Callable[[Path, SmearEntry], Comparison]
    content: Callable[[Run, SmearEntry], str]

    def applies_to(self, entry: SmearEntry) -> bool:
        """Tell whether a smear has another reading."""
        return self.applies(entry)

    def carry_out(self, run: Run) -> None:
        """Compare what is not compared yet; what cannot be compared fails its smear alone."""
        for entry in filter(self.applies_to, run.entries):
            if all(run.is_done(stage, entry.smear_id) for stage in self.after):
                self._compare(run, entry)
            else:
                run.pass_over(self.name, entry.smear_id)

    def _compare(self, run: Run, entry: SmearEntry) -> None:
        folder, basis = smear_folder(run.out, entry.smear_id), ""
        try:
            basis = self._basis(run, entry)
            if self._is_settled(run, entry, basis):
                run.pass_over(self.name, entry.smear_id)
                return
            content = render_json(self.compared(folder, entry))
        except HematoError as error:
            run.fail(self.name, entry.smear_id, error.code, str(error), basis=basis)
        else:
            run.commit(self.name, entry.smear_id, {self.file: content}, basis=basis)

    def _is_settled(self, run: Run, entry: SmearEntry, basis: str) -> bool:
        record = run.record(self.name, entry.smear_id)
        if record.basis != basis:
            return False
        if record.state == FAILED:
            return not run.retry_failed
        return run.is_done(self.name, entry.smear_id) and run.has_results(self.name, entry.smear_id)

    def _basis(self, run: Run, entry: SmearEntry) -> str:
        """Return what the comparison is made from: our results and the other reading, as a digest."""
        ours = sorted(run.record(LOCAL_STAGE, entry.smear_id).files.items())
        return hashlib.sha256(json.dumps([ours, self.content(run, entry)]).encode()).hexdigest()


def with_remote(applies: Callable[[SmearEntry], bool]) -> Comparing:
    """Return the stage that compares with what the remote service read, for the smears that it reads."""

    def compared(folder: Path, entry: SmearEntry) -> Comparison:
        return compare(folder, folder / REMOTE_FILE, labels=(entry.smear_id, "remote"))

    def content(run: Run, entry: SmearEntry) -> str:
        return json.dumps(sorted(run.record(REMOTE_STAGE, entry.smear_id).files.items()))

    after = (LOCAL_STAGE, REMOTE_STAGE)
    return Comparing(REMOTE_COMPARISON, COMPARISON_FILE, after, applies, compared, content)


def with_reference() -> Comparing:
    """Return the stage that compares with the reference that an entry names, for the smears that have one."""

    def compared(folder: Path, entry: SmearEntry) -> Comparison:
        ours = side_of(folder, entry.smear_id)
        return compare(ours, _of_these_images(_read(_ReferenceFile.of(entry.reference)), ours))

    def content(_: Run, entry: SmearEntry) -> str:
        return _digest(_ReferenceFile.of(entry.reference))

    return Comparing(
        REFERENCE_COMPARISON, REFERENCE_FILE, (LOCAL_STAGE,), lambda entry: bool(entry.reference), compared, content
    )


def _of_these_images(reference: Side, ours: Side) -> Side:
    """Return the part of a reference that is about the images of one smear; all of it where none is known."""
    pairs = pair_files(ours.files, reference.files).pairs
    return reference.in_files([pair.second for pair in pairs]) if pairs else reference


@dataclass(frozen=True, slots=True)
class _ReferenceFile:
    """A reference's own file and by what it is known again without reading it."""

    given: str
    path: Path
    signature: tuple[int, int]

    @classmethod
    def of(cls, reference: str) -> _ReferenceFile:
        given = Path(reference)
        inside = (given / name for name in (ANNOTATIONS_FILE, REPORT_FILE))
        path = next((one for one in inside if one.is_file()), given)
        try:
            stat = path.stat()
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
            raise UnreadableInputError(problem, subject=reference, hint=_CHECK) from error
        if not S_ISREG(stat.st_mode) or stat.st_size > _LARGEST:
            raise UnreadableInputError("is no file, or larger than 1 GB", subject=reference, hint=_CHECK)
        return cls(reference, path, (stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=2)
def _read(reference: _ReferenceFile) -> Side:
    """Read a reference once for all the smears that share it."""
    return side_of(reference.given)


@lru_cache(maxsize=2)
def _digest(reference: _ReferenceFile) -> str:
    return hashlib.sha256(read_bytes(reference.path)).hexdigest()
