"""``hemato-lab remote``: the Hemato.AI Diagnostic API from a terminal or a night batch."""

import logging

import typer

from hemato_lab.cli.remote.account import heartbeat, hello, keygen, login, logout
from hemato_lab.cli.remote.study import report, run, status, studies, submit
from hemato_lab.report import RESEARCH_USE_NOTICE

remote = typer.Typer(
    help=f"Talk to the Hemato.AI Diagnostic API, or to a twin of it. {RESEARCH_USE_NOTICE}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@remote.callback()
def show_what_goes_on() -> None:
    """Tell on standard error of tries that failed, and how far a study is: a silent minute looks like a hang."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("hemato-lab: %(message)s"))
    logger = logging.getLogger("hemato_lab.api")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


for _command in (login, logout, hello, heartbeat, keygen, submit, status, report, run, studies):
    remote.command()(_command)

__all__ = ["remote", "show_what_goes_on"]
