"""Widgets in a browser without Jupyter: served on this machine, to this user, and to nobody else."""

from hemato_lab.widgets.loopback.server import LoopbackServer

__all__ = ["LoopbackServer"]
