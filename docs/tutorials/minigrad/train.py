"""A network, an optimiser, and handwritten digits.

cd docs/tutorials && python -m minigrad.train
"""

from __future__ import annotations

import numpy as np

from chainrule.datasets import load_digits

from .node import Node
from .ops import cross_entropy, relu, variable
from .program import compile
from .reverse import gradient


def momentum(
    weights: list[Node], gradients: list[Node], velocities: list[Node], rate: float, keep: float
) -> tuple[list[Node], list[Node]]:
    """v ← keep · v + g,  w ← w − rate · v: the update is a graph, too."""
    new = [keep * v + g for v, g in zip(velocities, gradients, strict=True)]
    return [w - rate * v for w, v in zip(weights, new, strict=True)], new


def network(x: Node, weights: list[Node]) -> Node:
    """64 pixels → 32 rectified units → 10 scores."""
    w1, b1, w2, b2 = weights
    return relu(x @ w1 + b1) @ w2 + b2


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images as rows of 64 numbers from 0 to 1, their classes, and which are held out."""
    parts = [load_digits("train"), load_digits("test")]
    images, labels = (np.concatenate(both) for both in zip(*parts, strict=True))
    return images.reshape(-1, 64) / 16.0, labels, np.arange(len(labels)) % 5 == 0  # each fifth


def train(epochs: int = 20, batch: int = 32, seed: int = 0, kernels: bool = True) -> float:
    """Train on the digits; the accuracy on those that were not shown."""
    shapes = [(64, 32), (32,), (32, 10), (10,)]
    weights = [variable(name=f"w{i}", shape=s) for i, s in enumerate(shapes)]
    velocities = [variable(name=f"v_{i}", shape=s) for i, s in enumerate(shapes)]
    x, t = variable(name="x", shape=(batch, 64)), variable(name="t", shape=(batch, 10))
    loss = cross_entropy(network(x, weights), t)
    update = momentum(weights, gradient(loss, weights), velocities, rate=0.1, keep=0.9)
    step = compile([loss, *update[0], *update[1]], kernels)  # all of it is one program

    numbers = np.random.default_rng(seed)
    values = {w: numbers.standard_normal(w.shape) / 8 for w in weights}
    values |= {v: np.zeros(v.shape) for v in velocities}
    images, labels, held_out = digits()
    shown = np.flatnonzero(~held_out)
    for _ in range(epochs):
        order = numbers.permutation(shown)
        for start in range(0, len(order) - batch + 1, batch):
            rows = order[start : start + batch]
            values |= {x: images[rows], t: np.eye(10)[labels[rows]]}
            _, *new = step(values)
            values |= dict(zip([*weights, *velocities], new, strict=True))

    x = variable(name="x", shape=images[held_out].shape)
    (scores,) = compile([network(x, weights)], kernels)({**values, x: images[held_out]})
    return float((scores.argmax(1) == labels[held_out]).mean())


if __name__ == "__main__":
    print(f"accuracy {train():.3f}")
