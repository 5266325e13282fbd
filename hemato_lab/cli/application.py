"""The application: commands, version, and errors in one line that say what to do."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Final

import typer

from hemato_lab import __version__
from hemato_lab.cli.analyze import analyze
from hemato_lab.cli.demo import demo
from hemato_lab.cli.evaluate import evaluate
from hemato_lab.cli.phantom import phantom
from hemato_lab.errors import ConfigError, DatasetError, HematoError, InputError, MissingDependencyError
from hemato_lab.report import RESEARCH_USE_NOTICE

EXIT_CODES: Final[dict[type[HematoError], int]] = {
    ConfigError: 2,
    InputError: 3,
    DatasetError: 4,
    MissingDependencyError: 5,
}
"""Exit code of each kind of error; 1 for any other, 130 when interrupted."""

application = typer.Typer(
    name="hemato-lab",
    help=f"Open, offline second reader for peripheral blood smears. {RESEARCH_USE_NOTICE}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _command in (analyze, demo, evaluate, phantom):
    application.command()(_command)


def _on_version(wanted: bool) -> None:  # noqa: FBT001 (the library calls it so)
    if wanted:
        typer.echo(f"hemato-lab {__version__}. {RESEARCH_USE_NOTICE}")
        raise typer.Exit


@application.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Print the version.", callback=_on_version)
    ] = False,
) -> None:
    """Open, offline second reader for peripheral blood smears. For Research Use Only."""


def main() -> None:
    """Run the command line; errors of this package become one line and an exit code."""
    try:
        application()
    except HematoError as error:
        print(f"hemato-lab: {error}", file=sys.stderr)
        raise SystemExit(exit_code(error)) from None
    except BrokenPipeError:
        # The reader of our output has left; nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def exit_code(error: HematoError) -> int:
    """Return the exit code of an error."""
    return next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 1)
