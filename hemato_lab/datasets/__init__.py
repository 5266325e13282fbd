"""The public annotated sets for training and evaluation: what is known of them, where they are, what is in them.

>>> from hemato_lab import datasets
>>> datasets.describe("bccd").licence
'MIT'

`fetch` returns the folder of a set and `load` its typed objects; `verify` compares a folder with the pinned files, and
`pinned_files` gives the splits and groups. The images are not ours to pass on and do not ship.

For Research Use Only. Not for use in diagnostic procedures.
"""

from __future__ import annotations

from hemato_lab.datasets.checking import Verification, verify
from hemato_lab.datasets.fetching import fetch, load
from hemato_lab.datasets.records import DatasetRecord, PinnedFile, describe, names, pinned_files

__all__ = [
    "DatasetRecord",
    "PinnedFile",
    "Verification",
    "describe",
    "fetch",
    "load",
    "names",
    "pinned_files",
    "verify",
]
