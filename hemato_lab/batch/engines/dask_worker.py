"""Loaded by every worker of a Dask cluster that is started here: Ctrl-C at a terminal is for the coordinator alone."""

from __future__ import annotations

import signal
from typing import Any


def dask_setup(worker: Any) -> None:  # noqa: ARG001 (Dask calls it so)
    """Ignore interrupts; the coordinator ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
