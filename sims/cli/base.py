"""The app, its groups of commands, and how a command ends: in one line, with a status."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

__all__ = ["app", "command", "fail", "group", "main"]


F = TypeVar("F", bound=Callable[..., None])

NOTHING_KEPT = "interrupted: nothing was written"

_debug = False

app = typer.Typer(
    name="ember",
    help="Simulate biologically detailed spiking circuits and train reasoners on their spikes.",
    epilog="Start with `ember run startle`, then `ember report runs/startle.h5`.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help needs no rich, which takes as long to load as all else
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Entry point of the command `ember`."""
    from sims.terminal.plain import PlainOutput
    from sims.terminal.startup import fewer_collections

    global _debug
    fewer_collections()
    # Python sets a stream that was closed before its start (`>&-`) to None.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if not isinstance(sys.stdout, PlainOutput):
        sys.stdout = PlainOutput(sys.stdout)
    arguments = sys.argv[1:]
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    _debug = "--debug" in options
    app(args=[a for a in arguments if a != "--debug"] if _debug else arguments, prog_name="ember")


def group(name: str, into: typer.Typer = app, *, help: str) -> typer.Typer:
    """A group of commands, registered."""
    made = typer.Typer(help=help, no_args_is_help=True, rich_markup_mode=None)
    into.add_typer(made, name=name)
    return made


def command(into: typer.Typer = app) -> Callable[[F], F]:
    """Register a command whose errors are one line on stderr and a status other than 0."""

    def register(function: F) -> F:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **_paths(kwargs))
                sys.stdout.flush()
            except KeyboardInterrupt as error:
                from sims.interrupt import exit_status

                status = exit_status(error)
                fail(f"interrupted: {error}" if str(error) else NOTHING_KEPT, error, status)
            except BrokenPipeError:  # `ember list models | head`
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise typer.Exit(1) from None
            except Exception as error:
                from neuro.errors import EmberError  # brings numpy, which help can do without

                if not isinstance(error, EmberError):
                    raise
                fail(str(error), error, 1)

        into.command(name=function.__name__.removesuffix("_"))(run)
        return run  # type: ignore[return-value]

    return register


def _paths(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a command, with `~` in paths expanded.

    Raises:
        StoreError: if `~` is of no known user, or what it writes is, by any spelling or link, a
            file that it reads.
    """
    if any(isinstance(value, Path) for value in given.values()):
        from neuro.files.home import expanded

        given = {
            name: expanded(value) if isinstance(value, Path) else value
            for name, value in given.items()
        }
    into = "out" if "out" in given or "config" not in given else "file"  # of `ember nir write`
    if (out := given.get(into)) is not None:
        from sims.store.atomic import check_not_read

        others = [value for name, value in given.items() if name != into]
        check_not_read(out, [value for value in others if isinstance(value, (str, Path))])
    return given


def fail(message: str, error: BaseException, status: int) -> NoReturn:
    """End a command with one line, and with a traceback where `--debug` asks for it."""
    if _debug:
        import traceback

        traceback.print_exception(error)
    print(f"ember: {' '.join(message.split())}", file=sys.stderr)
    raise typer.Exit(status)


def _say_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"ember {version('ember-neuro')}")
        except PackageNotFoundError:  # run from a checkout that was not installed
            print("ember, not installed")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Say the version and stop."
        ),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    # No docstring: it would stand in the place of the app's help. Both options are seen to
    # before any command, by `_say_version` and `main`.
    pass
