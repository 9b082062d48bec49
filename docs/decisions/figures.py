"""The figures that the decisions quote: counts, and times as ratios.

python docs/decisions/figures.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import chainrule as torch
from chainrule import compiler, nn, ops, optim
from chainrule.autodiff import reverse
from chainrule.explain.recorded import recorded
from chainrule.ir.graph import topological
from chainrule.ir.node import Node
from chainrule.rewrite import decompose, merge_loops


def seconds(run: Callable[[], Any], times: int = 25) -> float:
    """The shortest time of one call: what is left when nothing else runs on the machine."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        spent.append(time.perf_counter() - start)
    return min(spent)


def recording() -> None:
    """What it costs to record an operation that was recorded before, beside NumPy computing it."""
    x, w = torch.ones(8, 8).numpy(), torch.rand(8, 8).numpy()
    a, b = torch.from_numpy(x.copy()), torch.from_numpy(w.copy())
    a.requires_grad_()

    def record() -> torch.Tensor:
        h = a
        for _ in range(50):
            h = torch.tanh(h @ b + 1.0) * b
        return h

    def compute() -> Any:
        h = x
        for _ in range(50):
            h = np.tanh(h @ w + np.float32(1.0)) * w
        return h

    def nodes() -> Node:
        n, m = (ops.input(index=i, shape=(8, 8), dtype=torch.float32) for i in (0, 1))
        for _ in range(50):
            n = ops.mul(ops.tanh(ops.add(ops.matmul(n, m), 1.0)), m)
        return n

    record().sum().item()
    nodes()
    each = seconds(record, 200)
    print(
        f"recording an operation: {each / seconds(compute, 200):.1f} times NumPy's time on 8 × 8;"
    )
    print(f"  finding the node is {seconds(nodes, 200) / each:.0%} of it")


def steps() -> None:
    """A training loop: what later steps still derive and build, and what the first one costs."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    x, y = torch.rand(32, 64), torch.randint(0, 10, (32,))
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.99)
    loss_of = nn.CrossEntropyLoss()

    def step() -> float:
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        schedule.step()
        return float(loss.item())

    counts, times = [], []
    for _ in range(12):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
        counts.append((compiler.built, reverse.derived))
    shown = [counts[i] for i in (0, 1, 2, 11)]
    print(f"(programs built, derivatives worked out) after steps 1, 2, 3, 12: {shown}")
    print(f"first step: {times[0] / statistics.median(times[3:]):.0f} times a later one")


def a_look() -> None:
    """loss.item() before backward(): is anything computed twice?"""
    w = torch.rand(256, 256).requires_grad_()
    x = torch.rand(256, 256)

    def run(look: bool) -> None:
        w.grad = None
        h = x
        for _ in range(6):
            h = torch.tanh(h @ w)
        loss = h.sum()
        if look:
            loss.item()
        loss.backward()
        assert w.grad is not None
        w.grad.flatten()[0].item()

    run(False), run(True)
    ratio = seconds(lambda: run(True)) / seconds(lambda: run(False))
    print(f"with a look before backward(): {ratio:.2f} times the time without")


def loops() -> None:
    """Nodes of a recurrent layer, as a loop and unrolled; loops in its gradient, merged or not."""
    rnn = nn.LSTM(10, 50)
    cell = nn.LSTMCell(10, 50)
    x = torch.rand(20, 32, 10)
    as_loop = _size(rnn(x)[0].sum())
    h, c = torch.zeros(32, 50), torch.zeros(32, 50)
    out = torch.zeros(())
    for t in range(20):
        h, c = cell(x[t], (h, c))
        out = out + h.sum()
    print(f"nodes of an LSTM over 20 steps: {as_loop} as a loop, {_size(out)} unrolled")
    loss = rnn(x)[0].sum()
    gradient = torch.autograd.grad(loss, list(rnn.parameters()))
    nodes = decompose(recorded([loss, *gradient]).nodes)
    merged = _loops(merge_loops(nodes))
    print(f"loops in loss and gradient: {_loops(nodes)} recorded, {merged} after merging")


def _size(t: torch.Tensor) -> int:
    return sum(_with_bodies(n) for n in topological(decompose(recorded([t]).nodes)))


def _with_bodies(n: Node) -> int:
    return 1 + (len(topological(n.attr("body").outputs)) if n.op.name == "scan" else 0)


def _loops(nodes: list[Node]) -> int:
    return sum(n.op.name == "scan" for n in topological(nodes))


def varying_numbers() -> None:
    """Programs built by twelve steps whose learning rate is another one every time."""
    w, x = torch.rand(8).requires_grad_(), torch.rand(8)
    torch.flush()
    before = compiler.built
    for k in range(12):
        loss = ((w * x).sum() - 1) ** 2
        (g,) = torch.autograd.grad(loss, w)
        with torch.no_grad():
            w -= 0.1 / (k + 1) * g
        w.tolist()
    print(f"programs built by twelve steps with twelve learning rates: {compiler.built - before}")


def random_numbers() -> None:
    """Our Philox beside NumPy's (compiled) one."""
    key = ops.input(index=0, shape=(2,), dtype=torch.int64)
    node = ops.random_uniform(key, offset=0, shape=(1_000_000,), dtype=torch.float32)
    state_array = np.array([1, 2])
    run = compiler.compile([node])
    generator = np.random.Generator(np.random.Philox(1))
    ours = seconds(lambda: run([state_array]), 5)
    theirs = seconds(lambda: generator.random(1_000_000, dtype=np.float32), 5)
    print(
        f"a million uniform numbers: {ours / theirs:.0f} times as long as NumPy's compiled Philox"
    )


def sharing() -> None:
    """Recording an array that somebody outside may write to: the copy."""
    small, large = np.ones((1 << 18,), np.float32), np.ones((1 << 22,), np.float32)
    for name, array in (("1 MiB", small), ("16 MiB", large)):
        t = torch.from_numpy(array)
        copy = seconds(array.copy)

        def record(t: torch.Tensor = t) -> None:
            (t + 1.0).sum().item()

        own = torch.from_numpy(array) + 0.0
        own.sum().item()

        def record_own(own: torch.Tensor = own) -> None:
            (own + 1.0).sum().item()

        more = seconds(record) - seconds(record_own)
        print(f"a shared array of {name}: {more / copy:.1f} times a copy more than one of our own")


if __name__ == "__main__":
    for figure in (recording, steps, a_look, loops, varying_numbers, random_numbers, sharing):
        figure()
        torch.flush()
