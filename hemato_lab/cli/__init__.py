"""The command line, ``hemato-lab``: parse, call, print."""

from hemato_lab.cli.application import main

__all__ = ["main"]
