"""One side of the comparison: chainrule or PyTorch, in a process of its own.

    python -m benchmarks.worker chainrule|torch [--compile]

It reads orders and writes answers, a line of JSON each, so that two sides take turns. An order
names what to do (a method below) and its arguments; the answer is what the method returns.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.networks import Network, build
from benchmarks.pipes import peak_memory, serve, timed

THREADS = 2


class Side:
    """What may be ordered. Seconds are of one step each, in a list."""

    def __init__(self, name: str, compiled: bool = False) -> None:
        self.lib: Any = importlib.import_module(name)
        if name == "chainrule":
            importlib.import_module("chainrule.utils.data")
        self.compiled = compiled
        self.threads(THREADS)
        self.networks: dict[str, Network] = {}
        self.calls: dict[str, Callable[[], Any]] = {}

    def version(self) -> str:
        return str(self.lib.__version__)

    def threads(self, count: int) -> None:
        """How many threads compute from now on."""
        self.lib.set_num_threads(count)

    def network(self, name: str) -> Network:
        if name not in self.networks:
            wrap = self.lib.compile if self.compiled else lambda model: model
            self.networks[name] = build(self.lib, name, wrap)
        return self.networks[name]

    def first(self, network: str) -> list[float]:
        """The first step, which compiles, and the second."""
        step = self.network(network).step
        return timed(step, 2)

    def train(self, network: str, count: int) -> list[float]:
        self.network(network).model.train()
        return timed(self.network(network).step, count)

    def infer(self, network: str, count: int) -> list[float]:
        self.network(network).model.eval()
        with self.lib.no_grad():
            return timed(self.network(network).infer, count)

    def infer_one(self, network: str, count: int) -> list[float]:
        """The forward pass of a single row."""
        found = self.network(network)
        found.model.eval()
        row = found.x[:1].clone()
        with self.lib.no_grad():
            return timed(lambda: found.forward(row).numpy(), count)

    def forget(self, network: str) -> None:
        """Let go of a network, so that the next has the memory to itself."""
        self.networks.pop(network, None)
        gc.collect()

    def product(self, m: int, k: int, n: int, count: int) -> list[float]:
        """(m, k) @ (k, n)."""
        key = f"{m} {k} {n}"
        if key not in self.calls:
            self.calls.clear()
            self.lib.manual_seed(0)
            a, b = self.lib.rand(m, k), self.lib.rand(k, n)
            self.calls[key] = lambda: (a @ b).numpy()
            self.calls[key]()
        with self.lib.no_grad():
            return timed(self.calls[key], count)

    def loader(self, rows: int, features: int, batch: int, count: int) -> list[float]:
        """Epochs over an in-memory DataLoader, shuffled; nothing is done with the batches."""
        key = f"loader {rows} {features} {batch}"
        if key not in self.calls:
            data = self.lib.utils.data
            x, y = self.lib.rand(rows, features), self.lib.randint(0, 2, (rows,))
            loader = data.DataLoader(data.TensorDataset(x, y), batch_size=batch, shuffle=True)

            def epoch() -> None:
                for _ in loader:
                    pass

            self.calls[key] = epoch
            epoch()
        return timed(self.calls[key], count)

    def batches(self, network: str, sizes: list[int]) -> list[int]:
        """How many programs were built at each of these batch sizes, one after the other."""
        compiler = importlib.import_module("chainrule.compiler")
        found = build(self.lib, network)
        x, y, counts = found.x.numpy(), found.y.numpy(), []
        for size in sizes:
            found.x, found.y = self.lib.tensor(x[:size]), self.lib.tensor(y[:size])
            before = compiler.built
            for _ in range(3):
                found.step()
            counts.append(compiler.built - before)
        return counts

    def memory(self, network: str) -> list[int]:
        """Bytes resident at most: before the network, and after some of its training steps."""
        before = peak_memory()
        timed(self.network(network).step, 4)
        return [before, peak_memory()]


if __name__ == "__main__":
    serve(Side(sys.argv[1], "--compile" in sys.argv))
