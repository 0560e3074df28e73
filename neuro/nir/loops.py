"""Loops in a graph that no Delay node breaks: refused, or given the step that other tools give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neuro.nir.errors import NirError
from neuro.nir.maps import Incoming

__all__ = ["open_loops"]


def open_loops(
    arriving: Mapping[str, Incoming], inputs: Sequence[str], neurons: Sequence[str], loops: str
) -> dict[str, Incoming]:
    """What arrives at each node, with every loop taking at least a step.

    Other tools run nodes in the order in which signals reach them, and what comes from a node that
    has not run yet is that of the step before. The same links get one step here.

    Raises:
        NirError: if there is such a loop and `loops` is `refuse`.
    """
    after: dict[str, list[str]] = {name: [] for name in (*inputs, *neurons)}
    for target in neurons:
        for (origin, delay), matrix in arriving[target].matrices.items():
            if delay == 0 and matrix.nnz and origin in after:
                after[origin].append(target)
    closing = _closing(after, [*inputs, *neurons])
    if closing and loops == "refuse":
        _, target, path = closing[0]
        raise NirError(
            f"a loop must have a Delay node, found none in {' -> '.join([*path, target])}; say "
            f"loops: one_step to give it one step, as other tools do"
        )
    late = {(source, target) for source, target, _ in closing}
    return {
        target: Incoming(
            _held_back(target, given, late) if target in neurons else given.matrices,
            given.constants,
        )
        for target, given in arriving.items()
    }


def _held_back(
    target: str, given: Incoming, late: set[tuple[str, str]]
) -> dict[tuple[str, int], object]:
    found = Incoming()
    for (origin, delay), matrix in given.matrices.items():
        extra = int(delay == 0 and (origin, target) in late)
        found.add(Incoming({(origin, delay + extra): matrix}))
    return found.matrices


def _closing(
    after: Mapping[str, Sequence[str]], order: Sequence[str]
) -> list[tuple[str, str, list[str]]]:
    """Links that lead back to a node whose signal they carry, each with the way around."""
    found: list[tuple[str, str, list[str]]] = []
    done: set[str] = set()
    for start in order:
        if start in done:
            continue
        path, on_path = [start], {start}
        left = [iter(after[start])]
        while left:
            target = next(left[-1], None)
            if target is None:
                left.pop()
                last = path.pop()
                on_path.discard(last)
                done.add(last)
            elif target in on_path:
                found.append((path[-1], target, path[path.index(target) :]))
            elif target not in done:
                path.append(target)
                on_path.add(target)
                left.append(iter(after[target]))
    return found
