"""The work on one smear: from its files to the bytes of its results, wherever it is done."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Final

from hemato_lab.batch.folders import SMEAR_FILES
from hemato_lab.batch.inputs import changed_bytes, first_changed, refuse_changed
from hemato_lab.batch.model import Work, WorkResult
from hemato_lab.batch.pinning import check_agreed
from hemato_lab.errors import HematoError

if TYPE_CHECKING:
    from hemato_lab.analysis import Analysis

INTERNAL: Final = "internal"
"""Code of a failure that is a mistake of ours; the log says where."""


def carry_out(work: Work) -> WorkResult:
    """Analyse a smear and render its files.

    The result follows from the bytes of the files and the settings alone: not from the process, the machine, or what
    was done before. Nothing is written. Whatever goes wrong is in the result.
    """
    try:
        analysis = _analyse(work)
        return WorkResult(work.entry.smear_id, _rendered(analysis, work.settings.files))
    except HematoError as error:
        return WorkResult(work.entry.smear_id, error_code=error.code, error=str(error))
    except Exception as error:  # noqa: BLE001 (one smear never stops the others)
        return internal_failure(work, error)


def carry_out_all(works: tuple[Work, ...]) -> tuple[WorkResult, ...]:
    """Analyse several smears, one after the other."""
    return tuple(carry_out(work) for work in works)


def internal_failure(work: Work, error: BaseException) -> WorkResult:
    """Return the result of what should not happen; where it did is for the log alone."""
    told = (
        f"{work.entry.smear_id}: stopped by {type(error).__name__}, which is a mistake of hemato_lab or its libraries"
    )
    hint = "the log of the batch says where; please report it"
    return WorkResult(work.entry.smear_id, error_code=INTERNAL, error=f"{told} ({hint})", log=_places(error))


def _places(error: BaseException) -> str:
    """Return where an error and those behind it arose; not their words, which may quote what belongs to a patient."""
    told: list[str] = []
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        frames = "".join(traceback.format_tb(one.__traceback__))
        told.append(f"Traceback (most recent call last):\n{frames}{type(one).__qualname__}\n")
        one = one.__cause__ or one.__context__
    return "\n".join(reversed(told))


def _analyse(work: Work) -> Analysis:
    from hemato_lab.formats import open_smear
    from hemato_lab.pipeline import analyze

    entry, settings = work.entry, work.settings
    check_agreed(settings, work.agreed)
    registered = refuse_changed(entry, work.file_ids)
    stated = settings if entry.um_per_px is None and entry.rbc_diameter_px is None else entry
    smear = open_smear(
        list(entry.paths),
        um_per_px=stated.um_per_px,
        rbc_diameter_px=stated.rbc_diameter_px,
        tags=entry.tags,
        name=entry.smear_id,
    )
    # What was opened is watched from here on; what was hashed may have been something else.
    if changed := first_changed(entry, registered):
        raise changed_bytes(changed)
    return analyze(
        smear,
        detector=settings.detector,
        model=settings.model,
        names=settings.names,
        rbc_per_ul=settings.rbc_per_ul,
        interpretation=settings.interpretation,
        threads=1,
    )


def _rendered(analysis: Analysis, names: tuple[str, ...]) -> dict[str, bytes]:
    from hemato_lab.export import render

    return {name: render(analysis, SMEAR_FILES[name]) for name in names}
