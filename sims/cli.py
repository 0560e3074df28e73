"""The command `ember`. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

__all__ = ["app", "main"]

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

nir = typer.Typer(
    help="Networks to and from NIR files, which other tools read and write.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(nir, name="nir")
puzzles = typer.Typer(
    help="Sets of Sudoku, mazes and ARC tasks, in the layout of public trainers.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(puzzles, name="puzzles")
make = typer.Typer(
    help="Make a set: the same for the same seed, held out up to symmetry.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
puzzles.add_typer(make, name="make")

Config = Annotated[
    str, typer.Argument(metavar="CONFIG", help="A config file, or the name of a shipped one.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Changes to the config, such as stimulus.sound.level='90 dB'.",
    ),
]
Set = Annotated[Path, typer.Option(help="Folder to write.")]
Train = Annotated[int, typer.Option(min=1, help="Puzzles to train on.")]
Test = Annotated[int, typer.Option(min=1, help="Other puzzles, to test on.")]
Augment = Annotated[int, typer.Option(min=0, help="Symmetric copies of each training puzzle.")]
Seed = Annotated[int, typer.Option(min=0, help="Of everything.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Threads; one a core if left out.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there already.")]


class OnError(StrEnum):
    """What a sweep does when a point fails."""

    CONTINUE = "continue"
    STOP = "stop"


class HeldOut(StrEnum):
    """What no test board shares with a training board."""

    BOARD = "board"
    GRID = "grid"
    CLASS = "class"


class Walls(StrEnum):
    """How the walls of a maze are drawn."""

    CARVED = "carved"
    SCATTERED = "scattered"


class Paths(StrEnum):
    """How many shortest paths a maze may have."""

    ONE = "one"
    ANY = "any"


class Split(StrEnum):
    """A part of a puzzle set."""

    TRAIN = "train"
    TEST = "test"


class Listed(StrEnum):
    """What can be listed."""

    MODELS = "models"
    SYNAPSES = "synapses"
    CIRCUITS = "circuits"
    ENCODERS = "encoders"
    CONFIGS = "configs"
    BACKENDS = "backends"


def main() -> None:
    """Entry point of the command `ember`."""
    from sims.terminal.startup import fewer_collections

    global _debug
    fewer_collections()
    arguments = sys.argv[1:]
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    _debug = "--debug" in options
    app(args=[a for a in arguments if a != "--debug"] if _debug else arguments, prog_name="ember")


class Loops(StrEnum):
    """What to do with a loop in a NIR file that has no Delay node."""

    REFUSE = "refuse"
    ONE_STEP = "one_step"


def command(function: F, into: typer.Typer = app) -> F:
    """Register a command whose errors are one line on stderr and a status other than 0."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
            sys.stdout.flush()
        except KeyboardInterrupt as error:
            from sims.sweep._interrupt import exit_status

            status = exit_status(error)
            _fail(f"interrupted: {error}" if str(error) else NOTHING_KEPT, error, status)
        except BrokenPipeError:  # `ember list models | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except Exception as error:
            from neuro.errors import EmberError  # with it comes numpy, which help can do without

            if not isinstance(error, EmberError):
                raise
            _fail(str(error), error, 1)

    into.command(name=function.__name__.removesuffix("_").removeprefix("nir_"))(run)
    return run  # type: ignore[return-value]


def _fail(message: str, error: BaseException, status: int) -> NoReturn:
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


@command
def run(
    config: Config,
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="Run file to write.")] = None,
    force: Force = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads to simulate on.")] = None,
    checkpoint_every: Annotated[
        str,
        typer.Option(metavar="TIME", help="Between saves of the state: '10 s', never; a minute."),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Run an experiment, or the one in a run file again.

    Writes one HDF5 file with the spikes and everything needed to run it again. The same command
    continues a run that was ended before its time.
    """
    from sims.config import load
    from sims.terminal.run_command import run_and_write

    run_and_write(
        load(config, overrides or ()), out, force=force, threads=threads,
        checkpoint_every=checkpoint_every, as_json=as_json,
    )  # fmt: skip


@command
def sweep(
    config: Config,
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="Folder; runs/NAME if left out.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes; one a core if left out.")
    ] = None,
    cluster: Annotated[str | None, typer.Option(help="Address of a Dask scheduler.")] = None,
    on_error: Annotated[OnError, typer.Option(help="When a point fails.")] = OnError.CONTINUE,
) -> None:
    """Run an experiment over a range of values.

    The same command continues a sweep where it stopped.
    """
    from sims.config import load
    from sims.sweep import run_sweep
    from sims.terminal.display import stderr

    loaded = load(config, overrides or ())
    status = run_sweep(
        loaded, out, workers=workers, cluster=cluster, on_error=on_error.value, console=stderr()
    )
    raise typer.Exit(status)


@command
def status(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a sweep.")],
) -> None:
    """Say how far a sweep is, and what failed."""
    from rich.console import Console

    from sims.sweep import show_status

    raise typer.Exit(show_status(directory, Console(highlight=False)))


@command
def compare(
    config: Config,
    overrides: Overrides = None,
    backends: Annotated[
        str,
        typer.Option(metavar="NAMES", help="Such as numba,brian,numba:precision=float64."),
    ] = "numba,brian",
    reference: Annotated[
        str, typer.Option(metavar="NAME", help="One of them; brian, if it is among them.")
    ] = "",
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Runs of each; 1, or 10 where something is random.")
    ] = None,
    jitter: Annotated[
        str, typer.Option(metavar="TIME", help="Between spikes that are one; a time step.")
    ] = "",
    timeout: Annotated[str, typer.Option(metavar="TIME", help="Of one run; an hour.")] = "",
    imports: Annotated[
        list[str] | None,
        typer.Option("--import", metavar="MODULE", help="With back ends of your own."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; runs/NAME_compare.")] = None,
    force: Force = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Run an experiment on several back ends and say how far they agree.

    Writes a folder with a table, a picture, a report in JSON and the run files. Exit status: 0 if
    all agree, 1 if some differ, 2 if nothing could be compared, 3 if none differs but some could
    not be run.
    """
    from neuro.errors import EmberError
    from sims.config import load

    try:
        from sims.terminal.compare_command import compare_and_write

        status = compare_and_write(
            load(config, overrides or ()), backends, out, reference=reference, seeds=seeds,
            jitter=jitter, timeout=timeout, imports=imports or (), force=force, as_json=as_json,
        )  # fmt: skip
    except EmberError as error:
        _fail(str(error), error, 2)
    raise typer.Exit(status)


@command
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A run file.")],
    to: Annotated[str, typer.Option(metavar="FORMAT", help="sonata or shd.")],
    options: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="The format's own options.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where to; beside FILE if left out.")] = None,
    force: Force = False,
) -> None:
    """Write a run in a format that other tools read."""
    from sims.config.overrides import pairs
    from sims.store import export as write

    def say(line: str) -> None:
        print(line, file=sys.stderr)

    print(write(file, to, out, force=force, say=say, **pairs(options or ())))


@command
def train(
    config: Config,
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="Folder; runs/NAME if left out.")] = None,
) -> None:
    """Train a reasoning model on spikes or on puzzles.

    The same command continues a training from its last checkpoint.
    """
    from sims.config import load
    from sims.terminal.display import stderr
    from sims.train import run_training

    loaded = load(config, overrides or ())
    if loaded.kind != "train":
        from neuro.errors import ConfigError

        raise ConfigError(
            f"{loaded.path}: a training needs the section `reasoner`, found none; to simulate "
            f"the config use `ember run`"
        )
    raise typer.Exit(run_training(loaded, out, console=stderr()))


@command
def report(
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="A run file, or the folder of a sweep or training."),
    ],
    out: Annotated[Path | None, typer.Option(help="The page; beside PATH if left out.")] = None,
) -> None:
    """Write a page of pictures of a run, sweep or training."""
    from sims.report import write_report

    print(write_report(path, out))


@command
def check(config: Config, overrides: Overrides = None) -> None:
    """Check a config without simulating.

    Reads the stimulus, builds every circuit, and checks equations, names, units, and what the
    back end can do.
    """
    from sims.config import load
    from sims.terminal.check import check_config
    from sims.terminal.display import progress_on

    loaded = load(config, overrides or ())
    with progress_on(sys.stderr) as progress:
        findings = check_config(loaded, progress)
    print(f"{loaded.path}: {findings}")


@command
def list_(
    kind: Annotated[Listed, typer.Argument(metavar="KIND", help=", ".join(Listed) + ".")],
) -> None:
    """List what a config can name."""
    from sims.terminal.display import columns
    from sims.terminal.listing import listing

    print(columns(listing(kind.value)))


@command
def schema() -> None:
    """Print the JSON Schema of configs, for editors.

    With it an editor completes keys and checks them while typing.
    """
    import json

    from sims.config.schema import published

    print(json.dumps(published(), indent=2, ensure_ascii=False))


def nir_command(function: F) -> F:
    """Register a command of `ember nir`."""
    return command(function, nir)


@nir_command
def nir_export(
    config: Config,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The NIR file to write.")],
    overrides: Overrides = None,
    output: Annotated[
        list[str] | None, typer.Option(metavar="POPULATION", help="Give it an Output node.")
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT",
            help="Leave it out: refractory, modulation, background or coincidences.",
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Write the network of a config as a NIR file.

    What NIR cannot say is refused by name, before anything is written.
    """
    from sims.config import load
    from sims.terminal.nir_command import export

    loaded = load(config, overrides or ())
    print(export(loaded, file, outputs=output or (), without=without or (), force=force))


@nir_command
def nir_show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A NIR file.")],
    dt: Annotated[
        str | None, typer.Option(metavar="TIME", help="The step it is for, if it says none.")
    ] = None,
    units: Annotated[
        str | None, typer.Option(metavar="UNITS", help="plain, SI or norse, if it says none.")
    ] = None,
    loops: Annotated[Loops, typer.Option(help="Without a Delay node.")] = Loops.REFUSE,
) -> None:
    """Say what is in a NIR file, what Ember reads in it, and who else reads it right."""
    from sims.terminal.nir_command import show

    for part in show(file, dt=dt, units=units, loops=loops.value):
        print(part)


def make_command(function: F) -> F:
    """Register a command of `ember puzzles make`."""
    return command(function, make)


@make_command
def sudoku(
    out: Set,
    size: Annotated[int, typer.Option(help="4, 6 or 9.")] = 9,
    train: Train = 1000,
    test: Test = 1000,
    augment: Augment = 0,
    clues: Annotated[
        str, typer.Option(metavar="A-B", help="Clues of a board; if left out, none to spare.")
    ] = "",
    guesses: Annotated[
        str, typer.Option(metavar="A-B", help="How hard: guesses of a solver, such as 16-.")
    ] = "",
    held_out: Annotated[
        HeldOut,
        typer.Option(help="The board up to symmetry; also its solution; that up to symmetry."),
    ] = HeldOut.BOARD,
    seed: Seed = 0,
    workers: Workers = None,
    force: Force = False,
) -> None:
    """Make Sudoku boards with one solution."""
    from sims.terminal.puzzles_command import sudoku

    print(sudoku(
        out, size=size, train=train, test=test, augment=augment, clues=clues, guesses=guesses,
        held_out=held_out.value, seed=seed, workers=workers, force=force,
    ))  # fmt: skip


@make_command
def maze(
    out: Set,
    size: Annotated[int, typer.Option(help="Cells of a side, 5 to 60.")] = 30,
    train: Train = 1000,
    test: Test = 1000,
    augment: Annotated[
        int, typer.Option(min=0, max=7, help="Of the seven other views of a training maze.")
    ] = 0,
    steps: Annotated[
        str, typer.Option(metavar="A-B", help="Of the shortest path; hard if left out.")
    ] = "",
    walls: Annotated[Walls, typer.Option(help="How they are drawn.")] = Walls.CARVED,
    paths: Annotated[
        Paths, typer.Option(help="As short as the shortest: one, or any.")
    ] = Paths.ONE,
    seed: Seed = 0,
    workers: Workers = None,
    force: Force = False,
) -> None:
    """Make mazes with a long shortest path."""
    from sims.terminal.puzzles_command import maze

    print(maze(
        out, size=size, train=train, test=test, augment=augment, steps=steps, walls=walls.value,
        unique=paths is Paths.ONE, seed=seed, workers=workers, force=force,
    ))  # fmt: skip


@make_command
def arc(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="Folder or .tar.gz of ARC-AGI-1 or -2.")
    ],
    out: Set,
    augment: Augment = 1000,
    tasks: Annotated[
        int | None, typer.Option(min=1, help="Of each subset, drawn by the seed; all.")
    ] = None,
    seed: Seed = 0,
    force: Force = False,
) -> None:
    """Make a set of ARC tasks as the public builder does."""
    from sims.terminal.puzzles_command import arc

    print(arc(source, out, augment=augment, tasks=tasks, seed=seed, force=force))


def puzzles_command(function: F) -> F:
    """Register a command of `ember puzzles`."""
    return command(function, puzzles)


@puzzles_command
def show_(
    path: Annotated[Path, typer.Argument(metavar="DIR", help="A puzzle set, ours or another's.")],
    split: Annotated[Split, typer.Option(help="Which part.")] = Split.TEST,
    first: Annotated[int, typer.Option(min=0, help="The example to begin with.")] = 0,
    number: Annotated[int, typer.Option(min=0, help="How many examples.")] = 2,
) -> None:
    """Say what is in a puzzle set, and show some of it."""
    from sims.terminal.puzzles_command import show

    show(path, split=split.value, first=first, number=number)
