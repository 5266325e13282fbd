"""The application: commands, version, and errors in one line that say what to do."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated, Final, cast

import typer

from hemato_lab import __version__
from hemato_lab.cli.analyze import analyze
from hemato_lab.cli.batch import batch
from hemato_lab.cli.compare import compare
from hemato_lab.cli.demo import demo
from hemato_lab.cli.evaluate import evaluate
from hemato_lab.cli.export import export
from hemato_lab.cli.gate import gate
from hemato_lab.cli.phantom import phantom
from hemato_lab.cli.remote import remote
from hemato_lab.cli.serve import serve
from hemato_lab.cli.view import view
from hemato_lab.errors import (
    APIError,
    BatchError,
    ConfigError,
    DatasetError,
    DeadlineError,
    DecisionLogError,
    HematoError,
    InputError,
    MissingDependencyError,
    ModelError,
    ResponseError,
    SecurityError,
    StudyError,
    TransportError,
)
from hemato_lab.report import RESEARCH_USE_NOTICE

EXIT_CODES: Final[dict[type[HematoError], int]] = {
    ConfigError: 2,
    SecurityError: 2,
    InputError: 3,
    DatasetError: 4,
    MissingDependencyError: 5,
    ModelError: 6,
    DeadlineError: 9,
    TransportError: 7,
    APIError: 8,
    ResponseError: 8,
    StudyError: 9,
    BatchError: 10,
    DecisionLogError: 12,
}
"""Exit code of each kind of error; 1 for any other, and 11 where some smears of a batch failed."""
_STOPPED: Final = 130
"""Exit code after an interrupt."""

_CommandLineError: Final = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])
"""``UsageError``, of whichever library typer has it from: everything that can be wrong with arguments."""

application = typer.Typer(
    name="hemato-lab",
    help=f"Open, offline second reader for peripheral blood smears. {RESEARCH_USE_NOTICE}",
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _command in (analyze, batch, compare, demo, evaluate, export, gate, phantom, view):
    application.command()(_command)
application.add_typer(remote, name="remote")
application.add_typer(serve, name="serve")


def _on_version(wanted: bool) -> None:  # noqa: FBT001 (the library calls it so)
    if wanted:
        typer.echo(f"hemato-lab {__version__}. {RESEARCH_USE_NOTICE}")
        raise typer.Exit


@application.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001 (its callback acts on it)
        bool, typer.Option("--version", is_eager=True, help="Print the version.", callback=_on_version)
    ] = False,
) -> None:
    """Open, offline second reader for peripheral blood smears. For Research Use Only."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


def main() -> None:
    """Run the command line; errors become one line and an exit code."""
    warnings.showwarning = _warn
    try:
        code = application(prog_name="hemato-lab", standalone_mode=False)
    except _CommandLineError as error:
        code = _complain(_usage_error(error))
    except HematoError as error:
        code = _complain(error)
    except (KeyboardInterrupt, typer.Abort):
        code = _STOPPED
    if code == _STOPPED:  # whether the library caught the interrupt or we did
        print("hemato-lab: stopped", file=sys.stderr)
    raise SystemExit(code)


def _warn(message: Warning | str, *_: object, **__: object) -> None:
    print(f"hemato-lab: warning: {message}", file=sys.stderr)


def _complain(error: HematoError) -> int:
    print(f"hemato-lab: {error}", file=sys.stderr)
    return exit_code(error)


def _usage_error(error: typer.BadParameter) -> ConfigError:
    command = "hemato-lab" if error.ctx is None else error.ctx.command_path
    problem = error.format_message().rstrip(".").replace("Value error, ", "")
    return ConfigError(problem, hint=f"see {command} --help")


def exit_code(error: HematoError) -> int:
    """Return the exit code of an error."""
    return next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 1)
