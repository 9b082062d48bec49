"""Programs by structure: the same output nodes, the same program.

Nodes are interned, so the key is the identity of the outputs; the second step of a training loop
finds its program with one look into a dictionary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType

import numpy as np

from chainrule import compiler
from chainrule.compiler import Program
from chainrule.errors import Interrupted as Interrupted
from chainrule.ir.node import Node

#: The programs that were used of late, and those that were before.
_programs: dict[tuple[Node, ...], Program] = {}
_before: dict[tuple[Node, ...], Program] = {}
_LIMIT = 1024
_watchers: list[list[tuple[Node, ...]]] = []
_NOTHING: Mapping[int, int] = MappingProxyType({})


def program(outputs: tuple[Node, ...]) -> Program:
    """The program that computes `outputs`; built when they are new."""
    found = _programs.get(outputs)
    return _older(outputs) if found is None else found


def _older(outputs: tuple[Node, ...]) -> Program:
    """A program that was not used of late, or a new one. What was not used while half as many
    programs as may be kept came is forgotten.
    """
    global _programs, _before
    found = _before.pop(outputs, None)
    if found is None:
        found = compiler.compile(outputs)
    if len(_programs) >= _LIMIT // 2:
        _programs, _before = {}, _programs
    _programs[outputs] = found
    return found


def run(
    outputs: tuple[Node, ...],
    arrays: Sequence[np.ndarray],
    donated: Mapping[int, int] = _NOTHING,
) -> list[np.ndarray]:
    """Values of `outputs`, input number i being arrays[i]. None shares memory with an input or with
    another, but for what is donated.

    donated[i] = k: nobody will read input k after this run, and its array has the shape and type of
    output i, so that output i may be written into it, and arrays[k] be returned as its value. An
    executable may make use of it or not; if it does, it must not fail once it has written.
    """
    if _watchers:
        for seen in _watchers:
            seen.append(outputs)
    return program(outputs)(arrays, donated)


@contextmanager
def watched() -> Iterator[list[tuple[Node, ...]]]:
    """Collects what is asked of programs inside the block: for those who want to show it."""
    seen: list[tuple[Node, ...]] = []
    _watchers.append(seen)
    try:
        yield seen
    finally:
        _watchers[:] = [w for w in _watchers if w is not seen]


def count() -> int:
    """How many programs are kept."""
    return len(_programs) + len(_before)
