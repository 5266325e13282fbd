"""What a reader can save from a gallery: the decisions, and the analysis as they correct it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hemato_lab.errors import ConfigError

if TYPE_CHECKING:
    from hemato_lab.review import Review

FORMATS: Final = {
    "json": "corrected report (JSON)",
    "html": "corrected report (page)",
    "pdf": "corrected report (PDF)",
    "csv": "corrected cells (CSV)",
    "geojson": "corrected cells (QuPath GeoJSON)",
    "coco": "corrected cells (COCO)",
    "training": "reviewed cells for training (COCO)",
    "decisions": "decisions (log)",
}
"""What each is, for people."""
FORMATS_OF_A_BLIND_READING: Final = {"decisions": "own decisions (log)"}
"""All others tell what a model or another reader says."""
_STEMS: Final = {"json": "report", "html": "report", "pdf": "report", "csv": "cells"}
_OWN_NAMES: Final = {"training": "reviewed_cells.json", "decisions": "decisions.jsonl"}


def formats_of(review: Review) -> dict[str, str]:
    """Return the files that this reader may have, with what each is: in a blind reading nothing that would end it."""
    return dict(FORMATS_OF_A_BLIND_READING if review.blind else FORMATS)


def file_of(review: Review, file_format: str) -> tuple[str, bytes]:
    """Return the name and content of a file; no name of a smear, an image or a reader is in its name.

    Parameters
    ----------
    review : Review
    file_format : str
        One of `formats_of`.

    Raises
    ------
    ConfigError
        If there is no such format, it would end a blind reading, or the analysis cannot be corrected.
    """
    formats = formats_of(review)
    if file_format not in formats:
        problem = "this file would end the blind reading" if file_format in FORMATS else "there is no such file"
        raise ConfigError(problem, hint="use one of " + ", ".join(formats))
    if file_format in _OWN_NAMES:
        return _OWN_NAMES[file_format], _own_content(review, file_format)
    from hemato_lab.export.writing import render, suffix_of

    corrected = review.corrected()
    stem = _STEMS.get(file_format, f"cells_{file_format}")
    return f"corrected_{stem}.{suffix_of(corrected, file_format)}", render(corrected, file_format)


def _own_content(review: Review, file_format: str) -> bytes:
    from hemato_lab.review.log import log_bytes
    from hemato_lab.review.training import training_set

    if file_format == "decisions":
        decisions = review.own_decisions if review.blind else review.log.decisions
        return log_bytes(decisions, review.log.study_id, review.log.file_ids)
    return training_set(review.analysis, review.log)
