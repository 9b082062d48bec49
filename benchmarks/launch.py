"""Run a program on one side, and write down when (or with what loss) `backward` was called.

    python -m benchmarks.launch [--stop N] [--threads N] [--losses [--double] [--nudge]]
        chainrule|torch REPORT PROGRAM …

The program is not changed: `backward` is watched. It ends after N calls, or by itself. REPORT is
JSON: marks (calls, seconds) when it began, at half of its calls, and at its end; or the losses. A
program that never calls `backward` gives the norms of its tensors, by name, in place of losses.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import json
import os
import random
import runpy
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

SEED = 0


class Enough(SystemExit):
    """The program has run as long as was asked."""


class Watch:
    """Counts the calls of `backward`."""

    def __init__(self, library: Any, stop: int, losses: bool, nudges: bool) -> None:
        self.library, self.stop, self.keeps, self.nudges = library, stop, losses, nudges
        self.calls = 0
        self.marks: list[tuple[int, float]] = []
        self.losses: list[float] = []
        self._backward = library.Tensor.backward
        library.Tensor.backward = lambda tensor, *a, **k: self.backward(tensor, *a, **k)

    def backward(self, tensor: Any, *arguments: Any, **keywords: Any) -> Any:
        if self.keeps:
            self.losses.append(float(tensor.detach().sum()))
        elif self.calls in (0, self.stop // 2, self.stop):
            self.mark()
        self.calls += 1
        if self.calls > self.stop:
            raise Enough(0)
        leaves = _leaves(tensor.grad_fn) if self.nudges and self.calls == 1 else []
        result = self._backward(tensor, *arguments, **keywords)
        for leaf in leaves:
            leaf.data.mul_(1 + self.library.finfo(leaf.dtype).eps)
        return result

    def mark(self) -> None:
        """All that was asked for so far is computed now."""
        if hasattr(self.library, "flush"):
            self.library.flush()
        self.marks.append((self.calls, time.perf_counter()))


def _leaves(end: Any) -> list[Any]:
    """The leaves of PyTorch's graph behind a value."""
    seen, waiting, found = set(), [end], []
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.append(node.variable)
        waiting += [before for before, _ in node.next_functions]
    return found


def _norms(values: Iterable[Any], kind: Any) -> Iterator[float]:
    """‖x‖ of every tensor of floats among some values."""
    for value in values:
        if isinstance(value, kind) and value.is_floating_point():
            yield float(value.detach().double().norm())
        elif isinstance(value, (list, tuple)):
            yield from _norms(value, kind)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library", choices=["chainrule", "torch"])
    parser.add_argument("report", type=Path)
    parser.add_argument("--stop", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--losses", action="store_true")
    parser.add_argument("--double", action="store_true", help="float64 where nothing else is said")
    parser.add_argument("--nudge", action="store_true", help="PyTorch: move weights by one digit")
    parser.add_argument("program", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    program = given.program
    library = importlib.import_module(given.library)
    library.set_num_threads(given.threads)
    if given.double:
        library.set_default_dtype(library.float64)
    if given.library == "torch":
        _local_data()
    _no_pauses()
    watch = Watch(library, given.stop, given.losses, given.nudge)
    for seed in (random.seed, np.random.seed, library.manual_seed):
        seed(SEED)
    sys.argv, sys.path[0] = program, os.path.dirname(os.path.abspath(program[0]))
    watch.mark()
    try:
        left = runpy.run_path(program[0], run_name="__main__")
        if given.losses and not watch.calls:
            watch.losses = list(_norms(left.values(), library.Tensor))
    except SystemExit as ended:
        if ended.code not in (0, None):
            raise
    if watch.calls <= watch.stop:
        watch.mark()
    report = {"marks": watch.marks, "calls": watch.calls, "losses": watch.losses}
    given.report.write_text(json.dumps(report))


def _no_pauses() -> None:
    """matplotlib without its pauses, which are there for somebody who looks."""
    try:
        from matplotlib import pyplot
    except ImportError:
        return
    pyplot.pause = lambda interval: None


def _local_data() -> None:
    """torchvision's data sets from the files at hand (CHAINRULE_DATA), as ours find them."""
    try:
        import torch
        from torchvision import datasets
    except ImportError:
        return
    at_hand = Path(os.environ.get("CHAINRULE_DATA", "."))

    class Local(datasets.MNIST):
        folder = "mnist"

        def _check_legacy_exist(self) -> bool:
            return False

        def _check_exists(self) -> bool:
            return True

        def _load_data(self) -> tuple[Any, Any]:
            kind = "train" if self.train else "t10k"
            files = (f"{kind}-{part}-ubyte.gz" for part in ("images-idx3", "labels-idx1"))
            images, labels = (_idx(at_hand / self.folder / file) for file in files)
            return torch.from_numpy(images), torch.from_numpy(labels).long()

    class LocalFashion(Local):
        folder = "fashion-mnist"

    class LocalCIFAR10(datasets.CIFAR10):
        def __init__(
            self, root: Any = None, train: bool = True, transform: Any = None,
            target_transform: Any = None, download: bool = False,
        ) -> None:  # fmt: skip
            datasets.VisionDataset.__init__(self, root, None, transform, target_transform)
            name = "data_batch_1_first4000.bin" if train else "test_batch_first1000.bin"
            rows = np.fromfile(at_hand / "cifar10-subset" / name, np.uint8).reshape(-1, 3073)
            self.train, self.targets = train, rows[:, 0].tolist()
            self.data = rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)

    datasets.MNIST, datasets.FashionMNIST, datasets.CIFAR10 = Local, LocalFashion, LocalCIFAR10


def _idx(path: Path) -> np.ndarray:
    content = gzip.decompress(path.read_bytes())
    shape = np.frombuffer(content, ">i4", content[3], 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape).copy()


if __name__ == "__main__":
    main()
