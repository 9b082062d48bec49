"""What the documents leave open around their programs: options, batches, evaluation.

A printed loop runs `for epoch in range(10)` over a `train_loader`. `Epochs` is such a loader: it
reports after each pass, and is empty after the last one that was asked for, so that the printed
lines can stay as they are.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import chainrule as torch
from chainrule.errors import DataError
from chainrule.utils.data import DataLoader

#: As many epochs as the printed loops have.
PRINTED = 10


def options(says: str | None, *, batch_size: int, **more: dict[str, Any]) -> argparse.Namespace:
    """The command line of an example: --epochs, --batch-size, --limit, --seed and `more`."""
    parser = argparse.ArgumentParser(
        description=says, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    numbers = {
        "epochs": (PRINTED, f"stop after N of the {PRINTED} printed epochs"),
        "batch-size": (batch_size, "rows in a batch"),
        "limit": (None, "train and test on N rows at most"),
        "seed": (0, "seed of all random numbers"),
    }
    for name, (default, help_text) in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help=help_text)
    for name, settings in more.items():
        parser.add_argument(f"--{name}", **settings)
    return parser.parse_args()


@contextmanager
def data_or_exit() -> Iterator[None]:
    """Data that are not here end the program with what to do about it, and exit code 3."""
    try:
        yield
    except DataError as error:
        print(error, file=sys.stderr)
        raise SystemExit(3) from None


class Epochs:
    """The `train_loader` of a printed loop: `limit` passes through `loader`, `after(n)` each."""

    def __init__(self, loader: DataLoader[Any], limit: int, after: Callable[[int], str]) -> None:
        self.loader = loader
        self.limit = limit
        self.after = after
        self.done = 0

    def __iter__(self) -> Iterator[Any]:
        if self.done == self.limit:
            return
        began = time.perf_counter()
        yield from self.loader
        self.done += 1
        seconds = time.perf_counter() - began
        print(f"epoch {self.done}: {seconds:.1f} s, {self.after(self.done)}", flush=True)


def accuracy(model: Any, loader: DataLoader[Any]) -> float:
    """Share of the loader's rows that the model's largest score names; classes on axis 1."""
    model.eval()
    right = count = 0
    with torch.no_grad():
        for data, target in loader:
            right += int((model(data).argmax(1) == target).sum().item())
            count += target.numel()
    model.train()
    return right / count
