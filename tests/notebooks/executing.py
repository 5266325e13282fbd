"""Runs one notebook in a kernel of its own: ``python executing.py NOTEBOOK FOLDER RESULT``.

A process of its own, because the client leaves sockets for the garbage collector to close.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

LIMIT_S: Final = 300
"""Of one cell, on a machine that does much else; a whole notebook takes a tenth of it on an idle one."""


def execute(notebook: Path, folder: Path, result: Path) -> None:
    """Run all cells in a folder, in a kernel that listens there and on no port, and write what came of it.

    Raises
    ------
    CellExecutionError
        If one raises.
    """
    document = nbformat.read(notebook, as_version=4)
    manager = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=str(folder / "kernel"))
    client = NotebookClient(document, km=manager, timeout=LIMIT_S, resources={"metadata": {"path": str(folder)}})
    nbformat.write(client.execute(), result)


if __name__ == "__main__":
    execute(*map(Path, sys.argv[1:]))
