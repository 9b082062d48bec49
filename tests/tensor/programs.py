"""What the tests count: derivatives worked out, programs built, programs run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

import chainrule as torch
from chainrule import compiler
from chainrule.autodiff import reverse
from chainrule.runtime import programs


class Work:
    """How much was derived, built and run inside a block."""

    derived = built = 0
    runs: list[list[str]]


@contextmanager
def counting() -> Iterator[Work]:
    """Count until the end of the block; `runs` holds the ops of every program that ran."""
    work = Work()
    work.runs = []
    before = reverse.derived, compiler.built
    run = programs.run

    def seen(outputs, *rest):
        work.runs.append(programs.program(outputs).computed)
        return run(outputs, *rest)

    programs.run = seen
    try:
        yield work
    finally:
        programs.run = run
        work.derived, work.built = reverse.derived - before[0], compiler.built - before[1]


class Net:
    """Two layers, as a program without `nn` would write them."""

    def __init__(self, seed: int = 0) -> None:
        r = np.random.default_rng(seed)
        shapes = [(4, 8), (8,), (8, 3), (3,)]
        self.parameters = [
            torch.tensor(r.standard_normal(s), dtype=torch.float64).requires_grad_() for s in shapes
        ]

    def __call__(self, x):
        w1, b1, w2, b2 = self.parameters
        return torch.tanh(x @ w1 + b1) @ w2 + b2

    def step(self, rate: float) -> None:
        with torch.no_grad():
            for p in self.parameters:
                p -= rate * p.grad
                p.grad = None
        torch.flush()


def batch(n: int = 5, seed: int = 0):
    """n rows of data and targets."""
    r = np.random.default_rng(seed)
    return torch.tensor(r.standard_normal((n, 4))), torch.tensor(r.standard_normal((n, 3)))
