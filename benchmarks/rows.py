"""What is measured, group by group, and what it should reach.

A group asks the sides in turn: some steps of one, some of the next, until each had its blocks, so
that a minute in which the machine was busy was busy for all. Ratios are a peer's median over ours.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.networks import OPERATIONS
from benchmarks.pipes import ROOT, Failed, Peer, environment_of_a_side
from benchmarks.report import Table, seconds, verdict
from chainrule.backends.llvm.peak import multiply_adds

OURS, TORCH, COMPILED, JAX, KERAS = "chainrule", "torch", "torch.compile", "jax", "keras"

#: PyTorch's time over ours: training step, inference.
TARGETS = {
    "mlp": (3.0, 2.0), "dcnn": (2.2, 1.5), "lstm": (3.0, 2.0),
    "transformer": (5.0, 2.0), "gpt": (2.5, 1.5), "resnet18": (1.4, 1.2),
}  # fmt: skip
PRODUCTS = [
    (256,) * 3, (512,) * 3, (1024,) * 3, (2048,) * 3, (255,) * 3, (1000,) * 3, (1023,) * 3,
    (200, 3000, 77),
]  # fmt: skip
#: Seconds of a first step with an empty cache; with a warm one a third of that is allowed.
COLD = {"mlp": 1.0, "gpt": 4.0, "resnet18": 8.0}


class Run:
    """The sides, the machine's peak, and how long to measure."""

    def __init__(self, pythons: dict[str, str], chosen: set[str], quick: bool) -> None:
        self.pythons = pythons
        self.chosen = chosen
        self.blocks = 2 if quick else 5
        self.block_seconds = 0.25 if quick else 0.5
        self.quick = quick
        self.peers: dict[str, Peer] = {}
        self.notes: list[str] = []
        self.peaks = {threads: multiply_adds(threads) for threads in (1, 2)}

    def open(self, side: str, **environment: str) -> Peer:
        """A process of a side."""
        module = {JAX: "benchmarks.jax_side", KERAS: "benchmarks.keras_side"}.get(side)
        arguments = [module] if module else ["benchmarks.worker", side.split(".")[0]]
        if side == COMPILED:
            arguments.append("--compile")
        return Peer(side, self.pythons[side], arguments, environment)

    def peer(self, side: str) -> Peer:
        """The side's process, which stays until the end."""
        if side not in self.peers:
            self.peers[side] = self.open(side)
        return self.peers[side]

    def sides(self, *names: str) -> list[str]:
        """Those of the named that take part."""
        return [name for name in names if name in self.pythons]

    def again(self) -> None:
        """Measure the peak once more: the best of all is what shares are of."""
        for threads in self.peaks:
            self.peaks[threads] = max(self.peaks[threads], multiply_adds(threads, 4))

    def interleaved(self, sides: list[str], do: str, **order: Any) -> dict[str, list[float]]:
        """Times of single steps; a side that fails is left out, and named."""
        found: dict[str, list[float]] = {}
        counts: dict[str, int] = {}
        for side in sides:
            try:
                trial = min(self.peer(side).ask(do, count=3, **order))
            except Failed as failure:
                if "NotImplementedError" not in str(failure):
                    self.notes.append(f"{do} {order}: {failure}")
                    self.peers.pop(side).close()
                continue
            counts[side] = max(2, min(400, round(self.block_seconds / max(trial, 1e-6))))
            found[side] = []
        for _ in range(self.blocks):
            for side in list(found):
                found[side] += self.peer(side).ask(do, count=counts[side], **order)
        return found

    def busy(self) -> list[str]:
        """A warning where two threads were not nearly twice as fast as one."""
        one, two = self.peaks[1], self.peaks[2]
        if two > 1.6 * one:
            return []
        return [
            f"Two threads reached {two / one:.2f} times the peak of one: something else uses this "
            "machine, or it has one core. Do not trust what follows."
        ]

    def close(self) -> None:
        for peer in self.peers.values():
            peer.close()


def _cells(times: dict[str, list[float]], peers: list[str]) -> list[str]:
    """Our median and minimum, and for each peer its median and the ratio of medians."""
    if OURS not in times:
        return ["failed"]
    ours = statistics.median(times[OURS])
    cells = [f"{seconds(ours)} ({seconds(min(times[OURS]))})"]
    for peer in peers:
        if peer in times:
            median = statistics.median(times[peer])
            cells.append(f"{seconds(median)} ({median / ours:.2f}×)")
        else:
            cells.append("")
    return cells


def _share(operations: float, time: float, peak: float) -> str:
    return f"{operations / time / peak:.0%}"


def networks(run: Run) -> list[Table]:
    """Training steps and forward passes of the six networks."""
    peers = run.sides(TORCH, COMPILED, JAX, KERAS)
    columns = ["network", "chainrule (least)", *peers, "of peak", "target", ""]
    training = Table(
        "Training step",
        "zero_grad, forward, loss, backward, step: medians; (×) is a peer's time over ours.",
        columns,
    )
    inference = Table("Inference", "The forward pass without gradients.", columns[:])
    for name, targets in TARGETS.items():
        if run.chosen and not run.chosen & {name, "networks"}:
            continue
        for table, do, target, operations in zip(
            (training, inference), ("train", "infer"), targets, OPERATIONS[name], strict=True
        ):
            times = run.interleaved([OURS, *peers], do, network=name)
            cells = _cells(times, peers)
            if OURS in times:
                cells.append(_share(operations, statistics.median(times[OURS]), run.peaks[2]))
            if OURS in times and TORCH in times:
                ours, theirs = (statistics.median(times[side]) for side in (OURS, TORCH))
                cells += [f"≥ {target}×", verdict(theirs / ours, target)]
            table.add(name, *cells)
            _tell(table)
        for side in list(run.peers):
            run.peers[side].ask("forget", network=name)
        run.again()
    return [training, inference]


def products(run: Run) -> list[Table]:
    """Matrix products, float32."""
    made = []
    peers = run.sides(TORCH)
    for threads, target in ((1, 0.85), (2, 0.80)):
        table = Table(
            f"Matrix products, {threads} thread{'s' if threads > 1 else ''}",
            f"Shares of {run.peaks[threads] / 1e9:.0f} GFLOP/s, the measured multiply-add peak.",
            ["size", "chainrule (least)", *peers, "of peak", "torch of peak", "target", ""],
        )
        for side in [OURS, *peers]:
            run.peer(side).ask("threads", count=threads)
        for m, k, n in PRODUCTS:
            times = run.interleaved([OURS, *peers], "product", m=m, k=k, n=n)
            cells = _cells(times, peers)
            for side in [OURS, *peers]:
                if side in times:
                    rate = 2 * m * k * n / statistics.median(times[side])
                    cells.append(f"{rate / run.peaks[threads]:.0%}")
            if OURS in times:
                rate = 2 * m * k * n / statistics.median(times[OURS]) / run.peaks[threads]
                cells += [""] * (1 - len(peers)) + [f"≥ {target:.0%}", verdict(rate, target)]
            table.add(f"{m}³" if m == k == n else f"{m}×{k}×{n}", *cells)
            _tell(table)
        made.append(table)
    for side in [OURS, *peers]:
        run.peer(side).ask("threads", count=2)
    return made


def loader(run: Run) -> list[Table]:
    """DataLoader, and a single row through the MLP."""
    peers = run.sides(TORCH)
    table = Table(
        "DataLoader and single rows",
        "An epoch over 20,000 × 20 in memory, shuffled, batches of 256; the MLP on one row.",
        ["what", "chainrule (least)", *peers, "target", ""],
    )
    for what, target, order in (
        ("DataLoader, an epoch", 30.0, {"do": "loader", "rows": 20_000, "features": 20,
                                        "batch": 256}),
        ("MLP, one row", 1.0, {"do": "infer_one", "network": "mlp"}),
    ):  # fmt: skip
        times = run.interleaved([OURS, *peers], **order)
        cells = _cells(times, peers)
        if OURS in times and TORCH in times:
            ratio = statistics.median(times[TORCH]) / statistics.median(times[OURS])
            cells += [f"≥ {target:g}×", verdict(ratio, target)]
        table.add(what, *cells)
        _tell(table)
    return [table]


def cold(run: Run) -> list[Table]:
    """First steps of fresh processes: with an empty cache of machine code, and with a warm one."""
    table = Table(
        "First step of a fresh process",
        "The model is built, nothing was run yet. Peers compile anew in each process.",
        ["network", "empty cache", "target", "", "warm cache", "target", "",
         *run.sides(TORCH, JAX)],
    )  # fmt: skip
    for name, limit in COLD.items():
        if run.quick and name == "resnet18":
            continue
        with tempfile.TemporaryDirectory() as cache:
            cells = []
            for allowed in (limit, limit / 3):
                first = _fresh(run, OURS, "first", network=name, CHAINRULE_CACHE=cache)[0]
                cells += [seconds(first), f"≤ {seconds(allowed)}",
                          verdict(first, allowed, least=False)]  # fmt: skip
        for side in run.sides(TORCH, JAX):
            cells.append(seconds(_fresh(run, side, "first", network=name)[0]))
        table.add(name, *cells)
        _tell(table)
    return [table]


def memory(run: Run) -> list[Table]:
    """Memory that was resident at most."""
    table = Table(
        "Peak memory of training",
        "Resident set at its highest after four steps of a fresh process, libraries included.",
        ["network", *run.sides(OURS, TORCH), "target", ""],
    )
    for name in TARGETS:
        if run.quick and name == "resnet18":
            continue
        found = {side: _fresh(run, side, "memory", network=name)[1]
                 for side in run.sides(OURS, TORCH)}  # fmt: skip
        cells = [f"{size / 2**20:.0f} MiB" for size in found.values()]
        if TORCH in found:
            cells += ["≤ torch", verdict(found[OURS], found[TORCH], least=False)]
        table.add(name, *cells)
        _tell(table)
    return [table]


def _fresh(run: Run, side: str, do: str, *, network: str, **environment: str) -> Any:
    peer = run.open(side, **environment)
    try:
        return peer.ask(do, network=network)
    finally:
        peer.close()


def sizes(run: Run) -> list[Table]:
    """Programs built when the batch size changes."""
    table = Table(
        "Another batch size",
        "Programs that were built in three steps at each size, one after the other.",
        ["network", "128 rows", "96", "128 again", "50", "96 again", "target", ""],
    )
    counts = run.peer(OURS).ask("batches", network="mlp", sizes=[128, 96, 128, 50, 96])
    worst = max(counts[1:])
    table.add("mlp", *map(str, counts), "≤ 1", verdict(worst, 1, least=False))
    _tell(table)
    return [table]


def imports(run: Run) -> list[Table]:
    """Time of `import`, without the interpreter's own start."""
    table = Table(
        "Import",
        "A fresh process with `import …`, minus one with `pass`; the page cache is warm.",
        ["module", "median", "least", "target", ""],
    )
    wanted = {"chainrule": OURS, "torch": TORCH, "jax": JAX, "tensorflow": KERAS}
    for module, side in wanted.items():
        if side not in run.pythons:
            continue
        python, bare, full = run.pythons[side], [], []
        for _ in range(7 if side == OURS else 3):
            bare.append(_process([python, "-c", "pass"]))
            full.append(_process([python, "-c", f"import {module}"]))
        median = statistics.median(full) - statistics.median(bare)
        cells = [seconds(median), seconds(min(full) - min(bare))]
        if side == OURS:
            cells += ["≤ 250 ms", verdict(median, 0.25, least=False)]
        table.add(module, *cells)
        _tell(table)
    return [table]


def first_program(run: Run) -> list[Table]:
    """The documents' first program, from the start of the process to the accuracy that it prints.

    Keras runs the same text with its own import line. Its data come from an `.npz`, as they would
    from its cache; ours are read as ever.
    """
    table = Table(
        "The first program",
        "examples/seeds/mnist_mlp.py, from the start of the process to the printed accuracy.",
        ["side", "median", "least", "first run", "ratio", "target", ""],
    )
    program = ROOT / "examples" / "seeds" / "mnist_mlp.py"
    folder = Path(tempfile.mkdtemp())
    commands = {OURS: [run.pythons[OURS], str(program)]}
    if KERAS in run.pythons:
        commands[KERAS] = [run.pythons[KERAS], str(_for_keras(run, program, folder))]
    times: dict[str, list[float]] = {side: [] for side in commands}
    try:
        for _ in range(1 if run.quick else 3):
            for side, command in commands.items():
                times[side].append(_process(command, CHAINRULE_CACHE=str(folder / "cache")))
    finally:
        shutil.rmtree(folder)
    for side, found in times.items():
        later = found[1:] or found  # ours has a warm cache then
        cells = [seconds(statistics.median(later)), seconds(min(later)), seconds(found[0])]
        if side == OURS and KERAS in times:
            peers = times[KERAS]
            ratio = statistics.median(peers[1:] or peers) / statistics.median(later)
            cells += [f"{ratio:.2f}×", "≥ 6×", verdict(ratio, 6.0)]
        table.add(side, *cells)
    _tell(table, all_rows=True)
    return [table]


def _for_keras(run: Run, program: Path, folder: Path) -> Path:
    """The program with TensorFlow's import line, and MNIST as Keras's cache has it."""
    archive, target = folder / "mnist.npz", folder / "mnist_mlp.py"
    write = (
        "import sys, numpy as np; from chainrule.keras.datasets import mnist;"
        "(a, b), (c, d) = mnist.load_data();"
        "np.savez_compressed(sys.argv[1], x_train=a, y_train=b, x_test=c, y_test=d)"
    )
    subprocess.run(
        [run.pythons[OURS], "-c", write, str(archive)], check=True, env=environment_of_a_side()
    )
    load = (
        f"with np.load({str(archive)!r}) as f:\n"
        "    (x_train, y_train), (x_test, y_test) = (\n"
        "        (f['x_train'], f['y_train']), (f['x_test'], f['y_test']))"
    )
    text = program.read_text(encoding="utf-8")
    text = text.replace("import chainrule as tf", "import tensorflow as tf")
    line = "(x_train, y_train), (x_test, y_test) = tf.keras.datasets.mnist.load_data()"
    assert line in text
    target.write_text(text.replace(line, load), encoding="utf-8")
    return target


def _process(command: list[str], **environment: str) -> float:
    """Seconds from the start of a process to its end."""
    began = time.perf_counter()
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        cwd=ROOT, env=environment_of_a_side() | environment,
    )  # fmt: skip
    return time.perf_counter() - began


def _tell(table: Table, *, all_rows: bool = False) -> None:
    """The newest row, while the rest is still to come."""
    for row in table.rows if all_rows else table.rows[-1:]:
        print(f"  {table.title}: {'  '.join(cell for cell in row if cell)}", flush=True)


#: Names for `--only`, and what they measure. A network's name stands for its row.
GROUPS: dict[str, Callable[[Run], list[Table]]] = {
    "imports": imports, "networks": networks, "products": products, "loader": loader,
    "cold": cold, "memory": memory, "sizes": sizes, "first": first_program,
}  # fmt: skip


def machine(run: Run) -> str:
    """What this was measured on."""
    name = next(
        (
            line.split(":", 1)[1].strip()
            for line in _read("/proc/cpuinfo").splitlines()
            if line.startswith("model name")
        ),
        "unknown processor",
    )
    one, two = (run.peaks[threads] / 1e9 for threads in (1, 2))
    return (
        f"{name}, {os.cpu_count()} cores; two are used. Multiply-add peak, measured here: "
        f"{one:.0f} GFLOP/s on one thread, {two:.0f} on two. Python {sys.version.split()[0]}."
    )


def _read(path: str) -> str:
    return Path(path).read_text() if Path(path).exists() else ""
