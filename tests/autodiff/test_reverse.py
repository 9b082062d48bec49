"""The chain rule, graph to graph."""

import numpy as np
import pytest

from chainrule import dtypes, ops
from chainrule.autodiff import derivative, gradients, reverse, sum_to
from chainrule.errors import GradientError
from chainrule.ir.graph import topological
from chainrule.ir.interpret import interpret
from chainrule.ir.node import Node
from chainrule.ops.loop import scan
from chainrule.testing import check_gradients


def x(index: int = 0, shape: tuple[int, ...] = (3,), dtype: dtypes.DType = dtypes.float64) -> Node:
    return ops.input(index=index, shape=shape, dtype=dtype)


def seed(y: Node) -> Node:
    return ops.full(y.shape, 1.0, y.dtype)


def test_users_come_before_inputs() -> None:
    """y = a², z = y · a: dz/da = 3 a² needs both contributions before a is done."""
    a = x(0, ())
    y = a * a
    (g,) = gradients(y * a, [a])
    assert interpret([g], {a: np.float64(2.0)})[0] == 12


def test_what_does_not_depend_has_no_gradient() -> None:
    a, b = x(), x(1)
    y = ops.sum(a * 2)
    assert derivative([y], [seed(y)], [a, b]).gradients[1] is None
    assert interpret([gradients(y, [b])[0]], {a: np.ones(3), b: np.ones(3)})[0].tolist() == [
        0,
        0,
        0,
    ]


def test_a_stopped_gradient_stops() -> None:
    a = x()
    (g,) = gradients(ops.sum(ops.stop_gradient(a) * a), [a])
    assert interpret([g], {a: np.array([1.0, 2, 3])})[0].tolist() == [1, 2, 3]


def test_integers_carry_no_gradient() -> None:
    i = x(0, (3,), dtypes.int64)
    y = ops.sum(ops.cast(i, dtypes.float64))
    assert derivative([y], [seed(y)], [i]).gradients == [None]


def test_an_op_without_derivative_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops.lgamma, "gradient", None)
    a = x(0, (11,))
    with pytest.raises(GradientError, match="lgamma has no derivative"):
        gradients(ops.sum(ops.lgamma(a)), [a])


def test_the_same_question_is_answered_once() -> None:
    a = x(0, (5,))
    y = ops.sum(ops.exp(a * 3))
    first = derivative([y], [seed(y)], [a])
    before = reverse.derived
    assert derivative([y], [seed(y)], [a]) is first and reverse.derived == before


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [((2, 3), (3,)), ((2, 3), (1, 3)), ((2, 3), ()), ((4, 2, 3), (2, 1)), ((2, 3), (2, 3))],
)
def test_broadcasting_is_undone_by_sums(wide: tuple[int, ...], narrow: tuple[int, ...]) -> None:
    g = x(0, wide)
    array = np.arange(float(np.prod(wide))).reshape(wide)
    got = interpret([sum_to(g, narrow)], {g: array})[0]
    ones = np.ones(narrow)
    want = np.zeros(narrow)
    for i in np.ndindex(*wide):
        j = tuple(
            k if n != 1 else 0
            for k, n in zip(i[len(wide) - len(narrow) :], ones.shape, strict=True)
        )
        want[j] += array[i]
    np.testing.assert_array_equal(got, want)


def test_several_outputs_are_summed() -> None:
    a = x(0, ())
    ys = [a * a, a * 3]
    d = derivative(ys, [ops.const(10.0, dtypes.float64), ops.const(1.0, dtypes.float64)], [a])
    assert interpret([d.gradients[0]], {a: np.float64(2.0)})[0] == 10 * 4 + 3


def test_residuals_are_what_a_gradient_reads() -> None:
    a, b = x(), x(1)
    e = ops.exp(a)
    y = ops.sum(e + b * 2)
    d = derivative([y], [seed(y)], [a, b])
    assert d.residuals() == [e]
    assert set(d.readers()) == {e}


def test_of_windows_the_image_is_kept_and_not_nine_copies_of_it() -> None:
    image, weights = x(0, (2, 3, 8, 8)), x(1, (4, 3, 3, 3))
    e = ops.exp(image)
    y = ops.sum(ops.conv(e, weights, stride=(1, 1), low=(1, 1), high=(1, 1), dilation=(1, 1)))
    d = derivative([y], [seed(y)], [image, weights])
    assert d.residuals() == [e]


def test_a_rule_that_passes_its_cotangent_on_reads_nothing() -> None:
    a = x()
    h = a * 2
    y = ops.sum(ops.exp(h + 1))
    d = derivative([y], [seed(y)], [a])
    assert h not in d.readers()


def test_hooks_see_the_complete_cotangent_and_may_replace_it() -> None:
    a = x(0, ())
    h = a * 2
    seen = []

    def watch(g: Node) -> Node:
        seen.append(g)
        return g * 10

    d = derivative([h * 3 + h * 4], [ops.const(1.0, dtypes.float64)], [a], {h: watch})
    assert interpret([seen[0]], {a: np.float64(1.0)})[0] == 7
    assert interpret([d.gradients[0]], {a: np.float64(1.0)})[0] == 140


def test_gradients_are_derived_without_recursion() -> None:
    a = x(0, ())
    y = a
    for _ in range(5000):
        y = y * 1.0001
    (g,) = gradients(y, [a])
    assert interpret([g], {a: np.float64(1.0)})[0] == pytest.approx(1.0001**5000)


def test_products_with_zeros_have_the_right_gradient() -> None:
    a = x(0, (4,))
    for array in ([1.0, 0.0, 3.0, 4.0], [0.0, 0.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]):
        check_gradients([ops.prod(a), ops.cumprod(a, axis=0)], [a], [np.array(array)], order=2)


def test_a_loop_has_the_gradient_of_its_unrolled_form() -> None:
    h0, xs, w = x(0, (2,)), x(1, (4, 2)), x(2, (2, 2))

    def step(carry, inputs, constants):
        h = ops.tanh(ops.matmul(carry[0], constants[0]) + inputs[0])
        return [h], [h * inputs[0]]

    (end,), (ys,) = scan(step, [h0], [xs], [w])
    h, unrolled = h0, []
    for t in range(4):
        h = ops.tanh(ops.matmul(h, w) + ops.index_axis(xs, 0, t))
        unrolled.append(h * ops.index_axis(xs, 0, t))
    rng = np.random.default_rng(0)
    bound = {n: rng.standard_normal(n.shape) for n in (h0, xs, w)}
    a = ops.sum(end) + ops.sum(ys * ys)
    b = ops.sum(h) + ops.sum(ops.square(ops.stack(unrolled)))
    for p, q in zip(gradients(a, [h0, xs, w]), gradients(b, [h0, xs, w]), strict=True):
        u, v = interpret([p, q], bound)
        np.testing.assert_allclose(u, v, rtol=1e-12)
    check_gradients([end, ys], [h0, xs, w], list(bound.values()), order=2)


def test_a_loop_that_runs_backwards() -> None:
    h0, xs = x(0, ()), x(1, (3,))
    (end,), (ys,) = scan(lambda c, i, _: ([c[0] * 2 + i[0]], [c[0]]), [h0], [xs], reverse=True)
    got = interpret([end, ys], {h0: np.float64(1.0), xs: np.array([1.0, 10.0, 100.0])})
    assert got[0] == ((1 * 2 + 100) * 2 + 10) * 2 + 1 and got[1].tolist() == [214, 102, 1]
    check_gradients([end, ys], [h0, xs], [np.array(1.0), np.array([1.0, 2.0, 3.0])], order=2)


def test_the_graph_of_a_gradient_holds_no_forward_value_twice() -> None:
    a = x(0, (3,))
    y = ops.sum(ops.softmax(a, axis=0) * a)
    (g,) = gradients(y, [a])
    assert sum(n.op.name == "softmax" for n in topological([g, y])) == 1
