"""Graphs in double precision, and slopes: against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

import chainrule as torch
from chainrule import dtypes, nn, ops
from chainrule.explain.checking.differences import Point, agreeing, slope
from chainrule.explain.recorded import recorded


def node(*shape: int, index: int = 0):
    return ops.input(index=index, shape=shape, dtype=dtypes.float32)


def values_of(found):
    """Arrays for the inputs of what was recorded."""
    held = {n: t.detach().numpy() for n, t in found.leaves.items() if t is not None}
    return {**held, **found.arrays}


def test_a_float32_graph_is_evaluated_in_float64() -> None:
    x = node(3)
    value = np.array([0.1, 0.2, 0.3])
    at = Point([ops.sum(ops.exp(ops.cast(x * 0.1, dtypes.float32)))], {x: value})
    assert at[at.outputs[0]] == pytest.approx(np.exp(value * 0.1).sum(), abs=1e-15)


def test_loops_are_evaluated_in_float64() -> None:
    torch.manual_seed(0)
    lstm = nn.LSTM(2, 3)
    x = torch.randn(4, 1, 2)
    out = lstm(x)[0].sum()
    found = recorded([out])
    at = Point(found.nodes, values_of(found))
    exact = lstm.double()(x.double())[0].sum().item()
    assert float(at[found.nodes[0]]) == pytest.approx(exact, abs=1e-14)


def test_random_numbers_are_those_of_the_graph() -> None:
    torch.manual_seed(1)
    x = torch.ones(50, requires_grad=True)
    y = nn.functional.dropout(x, 0.5)
    found = recorded([y])
    at = Point(found.nodes, values_of(found))
    np.testing.assert_array_equal(at[found.nodes[0]], y.detach().numpy())


@pytest.mark.parametrize(
    ("f", "derivative"),
    [(math.exp, 1.0), (math.sin, 1.0), (lambda t: (1 + t) ** 5, 5.0), (lambda t: t * t, 0.0)],
)
def test_slopes_are_those_of_smooth_functions(f, derivative: float) -> None:
    found = slope(f)
    assert found.value == pytest.approx(derivative, abs=1e-9)
    assert not found.kink


def test_a_kink_is_told_by_its_two_sides() -> None:
    found = slope(lambda t: max(t, 0.0) + 0.5 * t)
    assert found.kink
    assert found.left == pytest.approx(0.5) and found.right == pytest.approx(1.5)


def test_a_kink_nearby_is_left_outside() -> None:
    off, found = agreeing(lambda t: max(t - 1e-5, 0.0) + t, 1.0, 1.0, 1e-6)
    assert off < 1e-6 and not found.kink and found.step < 1e-5


def test_a_wrong_claim_stays_wrong() -> None:
    off, found = agreeing(math.exp, 1.1, 1.0, 1e-6)
    assert off == pytest.approx(0.1, rel=1e-3)
    assert found.error < 1e-6


def test_what_is_detached_is_a_constant_unless_it_is_not_to_be() -> None:
    x = node()
    y = ops.stop_gradient(x) * x
    values = {x: np.array(3.0)}
    assert slope(Point([y], values).along({x: np.array(1.0)})).value == pytest.approx(3.0)
    moving = Point([y], values, frozen=())
    assert slope(moving.along({x: np.array(1.0)})).value == pytest.approx(6.0)


def test_only_what_changes_is_computed_again() -> None:
    a, b = node(index=0), node(index=1)
    at = Point([ops.sin(a) + ops.cos(b)], {a: np.array(1.0), b: np.array(2.0)})
    count = [0]
    compute = at._compute

    def counted(n, values):
        count[0] += 1
        return compute(n, values)

    at._compute = counted
    (value,) = at.moved({a: np.array(0.0)}, at.outputs)
    assert value == pytest.approx(math.cos(2.0))
    assert count[0] == 2  # sin and the sum
