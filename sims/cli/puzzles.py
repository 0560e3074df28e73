"""`ember puzzles`: sets of puzzles, made and shown."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sims.cli.base import command, group
from sims.cli.options import Force

puzzles = group(
    "puzzles", help="Sets of Sudoku, mazes and ARC tasks, in the layout of public trainers."
)
make = group(
    "make", puzzles, help="Make a set: the same for the same seed, held out up to symmetry."
)

Set = Annotated[Path, typer.Option(help="Folder to write.")]
Train = Annotated[int, typer.Option(min=1, help="Puzzles to train on.")]
Test = Annotated[int, typer.Option(min=1, help="Other puzzles, to test on.")]
Augment = Annotated[int, typer.Option(min=0, help="Symmetric copies of each training puzzle.")]
Seed = Annotated[int, typer.Option(min=0, help="Of everything.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Threads; one a core if left out.")]


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


@command(make)
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


@command(make)
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


@command(make)
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


@command(puzzles)
def show(
    path: Annotated[Path, typer.Argument(metavar="DIR", help="A puzzle set, ours or another's.")],
    split: Annotated[Split, typer.Option(help="Which part.")] = Split.TEST,
    first: Annotated[int, typer.Option(min=0, help="The example to begin with.")] = 0,
    number: Annotated[int, typer.Option(min=0, help="How many examples.")] = 2,
) -> None:
    """Say what is in a puzzle set, and show some of it."""
    from sims.terminal.puzzles_command import show

    show(path, split=split.value, first=first, number=number)
