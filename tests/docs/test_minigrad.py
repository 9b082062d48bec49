"""The miniature framework of the second tutorial computes what it says."""

from __future__ import annotations

import ast
import doctest
from pathlib import Path

import numpy as np
import pytest

import minigrad
from minigrad import ops, program
from minigrad.node import Node, topological
from minigrad.ops import cross_entropy, exp, log, relu, sum_to, tanh, transpose, variable
from minigrad.program import compile
from minigrad.reverse import gradient
from minigrad.simplify import simplify
from minigrad.train import train

x, y, w = (variable(name=n, shape=s) for n, s in (("x", (4, 3)), ("y", (4, 2)), ("w", (3, 2))))
ONE_HOT = np.eye(2)[[0, 1, 1, 0]]

LOSSES = {
    "arithmetic": sum_to((x * x - 2) / (x + 5) - -x, shape=()),
    "functions": sum_to(exp(x) * log(x * x + 1) + tanh(x), shape=()),
    "kinks": sum_to(relu(x - 0.5) * x, shape=()),
    "products": sum_to(transpose(x @ w) @ x, shape=()),
    "constants": sum_to(x @ w, shape=()),
    "rows": sum_to(x / sum_to(exp(x), shape=(4, 1)), shape=()),
    "columns": sum_to((x - sum_to(x, shape=(3,)) / 4) * x, shape=()),
    "a layer": cross_entropy(tanh(x @ w), y),
}


def values() -> dict[Node, np.ndarray]:
    rng = np.random.default_rng(0)
    return {x: rng.standard_normal((4, 3)), y: ONE_HOT, w: rng.standard_normal((3, 2))}


def slope(loss: Node, v: Node, h: float = 1e-6) -> np.ndarray:
    """Central differences for every element of v."""
    run, given, out = compile([loss], kernels=False), values(), np.zeros(v.shape)
    for i in np.ndindex(*v.shape):
        sides = []
        for step in (h, -h):
            moved = given[v].copy()
            moved[i] += step
            sides.append(run({**given, v: moved})[0])
        out[i] = (sides[0] - sides[1]) / (2 * h)
    return out


@pytest.mark.parametrize("kernels", [False, True], ids=["numpy", "kernels"])
@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_finite_differences(name: str, kernels: bool) -> None:
    loss = LOSSES[name]
    wrt = [n for n in (x, w) if n in topological([loss])]
    for v, found in zip(wrt, compile(gradient(loss, wrt), kernels)(values()), strict=True):
        np.testing.assert_allclose(found, slope(loss, v), rtol=1e-6, atol=1e-8)


def test_a_gradient_has_a_gradient() -> None:
    (first,) = gradient(sum_to(exp(x) * x, shape=()), [x])
    (second,) = gradient(sum_to(first, shape=()), [x])
    given = values()
    np.testing.assert_allclose(compile([second])(given)[0], np.exp(given[x]) * (given[x] + 2))


def test_both_generators_agree() -> None:
    outputs = [*LOSSES.values(), *gradient(LOSSES["a layer"], [x, w])]
    for a, b in zip(compile(outputs)(values()), compile(outputs, False)(values()), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_equal_nodes_are_one_object() -> None:
    assert exp(x) + 1 is exp(x) + 1
    assert len(topological([exp(x) * exp(x)])) == 3


def test_simplifying_leaves_less() -> None:
    loss = LOSSES["a layer"]
    plain = gradient(loss, [w])
    assert len(topological(simplify(plain))) < len(topological(plain))
    assert simplify(simplify(plain)) == simplify(plain)
    assert simplify([ops.neg(-x) * 1 + 0])[0] is x


def test_elementwise_parts_are_one_loop() -> None:
    assert len(compile([tanh(x * 2 + 1) * x]).kernels) == 1
    assert compile([relu(x @ w + sum_to(y, shape=(2,)))]).source.count("kernel") == 1


def test_the_formula_is_printed() -> None:
    assert ops.tex(tanh(x @ w)) == r"\tanh(x w)"
    assert ops.tex(LOSSES["functions"]) == (
        r"\sum \left(e^{x} \odot \log(x \odot x + 1) + \tanh(x)\right)"
    )


def test_the_network_learns_the_digits() -> None:
    assert train() > 0.95


def test_examples() -> None:
    assert doctest.testmod(program).failed == 0


def test_it_is_about_400_lines() -> None:
    """Lines that are neither empty nor documentation."""
    total = 0
    for path in Path(minigrad.__file__).parent.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        words = set()
        for n in ast.walk(tree):
            if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant):
                words.update(range(n.lineno, (n.end_lineno or n.lineno) + 1))
        for number, line in enumerate(text.splitlines(), 1):
            stripped = line.strip()
            total += bool(stripped) and not stripped.startswith("#") and number not in words
    assert 300 < total < 420, total
