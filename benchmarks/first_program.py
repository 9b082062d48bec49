"""Times the first document's program: a training step, and an epoch through `fit`.

    python benchmarks/first_program.py [--blocks N]

Sides take turns, each in its own process: a block of steps of one, then of the other; medians over
the blocks. PyTorch is a side where it is installed. Random pixels: they change no time.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import keras

BATCH, STEPS = 128, 50
ROWS = 60_000
#: A multiply-add counts as two. Forward, and backward two products of that size; the first needs
#: no gradient of its input.
OPERATIONS = 2 * BATCH * (2 * 784 * 128 + 3 * 128 * 10)


def pixels(rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.random((rows, 784), dtype=np.float32), rng.integers(0, 10, rows)


def peak() -> float:
    """The best rate of NumPy's own 1024³ product, operations per second."""
    a = np.random.default_rng(0).random((1024, 1024), dtype=np.float32)
    times = []
    for _ in range(20):
        began = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - began)
    return 2 * 1024**3 / min(times)


def stepper(lib: Any) -> Callable[[], float]:
    """Times a block of steps of `chainrule` or `torch`: seconds of one step."""
    x, y = (lib.from_numpy(part) for part in pixels(BATCH * STEPS))
    model = lib.nn.Sequential(lib.nn.Linear(784, 128), lib.nn.ReLU(), lib.nn.Linear(128, 10))
    criterion = lib.nn.CrossEntropyLoss()
    optimizer = lib.optim.Adam(model.parameters(), lr=0.001)

    def block() -> float:
        began = time.perf_counter()
        for first in range(0, BATCH * STEPS, BATCH):
            optimizer.zero_grad()
            loss = criterion(model(x[first : first + BATCH]), y[first : first + BATCH])
            loss.backward()
            optimizer.step()
        loss.item()
        return (time.perf_counter() - began) / STEPS

    return block


def epochs(count: int) -> list[float]:
    """Seconds of each epoch of the printed program's `fit`, without the first, which compiles."""
    x, y = pixels(ROWS)
    model = keras.models.Sequential(
        [
            keras.layers.Input((784,)),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=0.001),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    times = []
    for _ in range(count + 1):
        began = time.perf_counter()
        model.fit(x, y, epochs=1, batch_size=BATCH, verbose=0)
        times.append(time.perf_counter() - began)
    return times[1:]


def serve(side: str) -> None:
    """A block for each line on standard input; its seconds per step go to standard output."""
    block = stepper(importlib.import_module(side))
    for _ in sys.stdin:
        print(block(), flush=True)


class Side:
    """One library in a process of its own: idle threads of one slow the other in one process."""

    def __init__(self, name: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--side", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def block(self) -> float:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        seconds = float(self.process.stdout.readline())
        time.sleep(0.2)  # threads that wait by spinning go to sleep before the other side's turn
        return seconds

    def close(self) -> None:
        self.process.communicate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=15, metavar="N", help="blocks of each side")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        serve(arguments.side)
        return
    names = ["chainrule", *(["torch"] if importlib.util.find_spec("torch") else [])]
    sides = {name: Side(name) for name in names}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(arguments.blocks + 1):
        for name, side in sides.items():
            seconds = side.block()
            if number:  # the first compiles
                times[name].append(seconds)
    for side in sides.values():
        side.close()
    best = peak()
    print(f"{os.cpu_count()} cores; NumPy's 1024³ product reaches {best / 1e9:.0f} GFLOP/s")
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        least = min(times[name])
        print(
            f"{name:9} step of {BATCH}: {median * 1e3:.3f} ms (least {least * 1e3:.3f}), "
            f"{OPERATIONS / median / best:.0%} of that rate, "
            f"{median / medians['chainrule']:.2f} × chainrule's time"
        )
    fit = epochs(3)
    print(f"chainrule's fit: {statistics.median(fit):.2f} s for an epoch of {ROWS:,} rows")


if __name__ == "__main__":
    main()
