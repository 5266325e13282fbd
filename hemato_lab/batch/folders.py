"""Where the files of a batch lie in its results folder."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

JOURNAL_FILE: Final = "journal.sqlite"
LOCK_FILE: Final = "batch.lock"
LOG_FILE: Final = "batch.log"
NOTICE_FILE: Final = "NOTICE.txt"
SMEARS_FOLDER: Final = "smears"
SUMMARY_CSV: Final = "summary.csv"
SUMMARY_PARQUET: Final = "summary.parquet"
CELLS_PARQUET: Final = "cells.parquet"
PAGE_FILE: Final = "report.html"
"""The page of the whole batch; each smear may have a page of the same name in its own folder."""

REPORT_FILE: Final = "report.json"
CELLS_FILE: Final = "cells.csv"
PICTURE_FILE: Final = "picture.png"
SMEAR_PAGE_FILE: Final = "report.html"
REMOTE_FILE: Final = "remote.json"
COMPARISON_FILE: Final = "comparison.json"
"""How the smear compares with what the remote service read."""
REFERENCE_FILE: Final = "reference.json"
"""How it compares with its reference: an annotated set or another report."""
SMEAR_FILES: Final = {
    REPORT_FILE: "json",
    CELLS_FILE: "csv",
    PICTURE_FILE: "png",
    SMEAR_PAGE_FILE: "html",
}
"""Files of one smear that `hemato_lab.export.render` makes, and the format of each; the last two are optional."""

RESULT_FILES: Final = (*SMEAR_FILES, REMOTE_FILE, COMPARISON_FILE, REFERENCE_FILE)
"""Every name that a result of a smear may have."""

_LONGEST_NAME: Final = 60
"""Characters of the readable part: with the digest short enough for every file system."""
_DIGEST: Final = 16
"""Hexadecimal digits: two of a million smears share them once in 40 million batches."""


def smear_folder(out: Path, smear_id: str) -> Path:
    """Return the folder of one smear's results: a readable name and a digest of the id.

    Different ids never share a folder, also where a file system does not tell upper from lower case, or the ids differ
    only in signs that no file name may have.
    """
    return out / SMEARS_FOLDER / safe_name(smear_id)


def safe_name(smear_id: str) -> str:
    """Return an id as a file name of ASCII letters, digits, ``_``, ``.`` and ``-`` that no other id has."""
    digest = hashlib.sha256(smear_id.encode("utf-8")).hexdigest()[:_DIGEST]
    plain = unicodedata.normalize("NFKD", smear_id).encode("ascii", "ignore").decode("ascii")
    readable = re.sub(r"[^A-Za-z0-9.]+", "_", plain)[:_LONGEST_NAME].strip("._")
    return f"{readable or 'smear'}-{digest}"


def is_results_folder(folder: Path) -> bool:
    """Tell whether a folder holds results of ours, whose pictures must not be taken for fields."""
    if (folder / JOURNAL_FILE).exists():
        return True
    # Those of single smears, and of comparisons, have pictures beside the table of cells.
    return (folder / CELLS_FILE).exists() and any((folder / name).exists() for name in (REPORT_FILE, COMPARISON_FILE))
