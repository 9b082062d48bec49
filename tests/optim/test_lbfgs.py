"""L-BFGS finds minima, and its line search keeps the conditions that it is named after."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chainrule import optim
from chainrule.optim._line_search import Point, cubic_minimum, strong_wolfe
from chainrule.tensor.creation import tensor


def minimise(loss_of, start, steps=1, **options):
    x = tensor(start, dtype="float64", requires_grad=True)
    optimizer = optim.LBFGS([x], **options)

    def closure():
        optimizer.zero_grad()
        loss = loss_of(x)
        loss.backward()
        return loss

    for _ in range(steps):
        loss = optimizer.step(closure)
    return x.detach().numpy(), loss, optimizer


def test_a_quadratic_is_solved():
    a = np.array([[3.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 1.0]])
    b = np.array([1.0, -2.0, 3.0])
    matrix, target = tensor(a), tensor(b)
    x, _, _ = minimise(
        lambda x: 0.5 * (x @ matrix @ x) - target @ x,
        [0.0, 0.0, 0.0],
        line_search_fn="strong_wolfe",
        max_iter=50,
    )
    np.testing.assert_allclose(x, np.linalg.solve(a, b), atol=1e-6)


def test_rosenbrocks_valley_is_walked_to_its_end():
    x, _, _ = minimise(
        lambda x: ((1 - x[:-1]) ** 2 + 100 * (x[1:] - x[:-1] ** 2) ** 2).sum(),
        [-1.2, 1.0, -1.2, 1.0],
        line_search_fn="strong_wolfe",
        max_iter=200,
        max_eval=400,
    )
    np.testing.assert_allclose(x, np.ones(4), atol=1e-5)


def test_a_fixed_step_works_too_and_several_parameters_are_one_vector():
    x, y = tensor([2.0], requires_grad=True), tensor([[1.0, -1.0]], requires_grad=True)
    unused = tensor([7.0], requires_grad=True)
    optimizer = optim.LBFGS([x, y, unused], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (x**2).sum() + 3 * ((y - 1) ** 2).sum()
        loss.backward()
        return loss

    first = optimizer.step(closure)
    assert first.item() == pytest.approx(4 + 12)
    for _ in range(5):
        optimizer.step(closure)
    assert abs(x.item()) < 1e-3
    np.testing.assert_allclose(y.detach().numpy(), 1, atol=1e-3)
    assert unused.item() == 7.0


def test_nothing_moves_at_a_minimum():
    x, loss, optimizer = minimise(lambda x: (x * x).sum(), [0.0])
    assert x.tolist() == [0.0] and loss.item() == 0.0
    assert optimizer.state_dict()["state"][0]["func_evals"] == 1


def test_misuse_is_refused():
    w = tensor([1.0], requires_grad=True)
    with pytest.raises(ValueError, match="parameter groups"):
        optim.LBFGS([{"params": [w]}, {"params": [tensor([1.0], requires_grad=True)]}])
    with pytest.raises(TypeError, match="closure"):
        optim.LBFGS([w]).step()
    with pytest.raises(RuntimeError, match="strong_wolfe"):
        optim.LBFGS([w], line_search_fn="armijo").step(lambda: w)


FUNCTIONS = [
    (lambda t: (t - 3) ** 2, lambda t: 2 * (t - 3)),
    (lambda t: math.exp(t) - 5 * t, lambda t: math.exp(t) - 5),
    (lambda t: -t / (t * t + 2), lambda t: (t * t - 2) / (t * t + 2) ** 2),  # Moré-Thuente 1
]


@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 10.0, 100.0])
@pytest.mark.parametrize("index", range(len(FUNCTIONS)))
def test_the_line_search_keeps_the_strong_wolfe_conditions(index, first):
    f, slope = FUNCTIONS[index]

    def at(t):
        return Point(t, f(min(t, 500)), tensor([0.0]), slope(min(t, 500)))

    found, tried = strong_wolfe(at, at(0.0), first, 1.0)
    assert tried <= 26
    assert found.loss <= f(0) + 1e-4 * found.t * slope(0)
    assert abs(found.slope) <= 0.9 * abs(slope(0))


def test_a_cubic_is_minimised_exactly_and_degenerate_ones_in_the_middle():
    f = lambda t: t**3 - 3 * t  # noqa: E731
    df = lambda t: 3 * t * t - 3  # noqa: E731
    g = tensor([0.0])
    a, b = (Point(t, f(t), g, df(t)) for t in (0.0, 2.5))
    assert cubic_minimum(a, b) == pytest.approx(1.0)
    assert cubic_minimum(b, a) == pytest.approx(1.0)
    assert cubic_minimum(a, b, (1.5, 2.0)) == 1.5
    assert cubic_minimum(a, a) == 0.0
    assert cubic_minimum(Point(0.0, 1.0, g, 1.0), Point(2.0, 3.0, g, 1.0)) == 1.0
