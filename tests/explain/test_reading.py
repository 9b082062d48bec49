"""The reader of printed mathematics gives what NumPy gives for the same words."""

from typing import NamedTuple

import numpy as np
import pytest

from chainrule.explain.reading import ReadError, Sheet, Value, evaluate

numbers = np.random.default_rng(0)
W = numbers.standard_normal((2, 3))
X = numbers.standard_normal((5, 3))
A = numbers.standard_normal((5, 2))
VALUES = {
    "W": Value(W, (0, 1)),
    "x": Value(X, ("n", 0)),
    r"\delta^{(1)}": Value(A, ("n", 0)),
    "y": Value(np.array([0, 2, 1, 0, 2]), ("n",)),
    "S": Value(numbers.standard_normal((4, 6, 6)), ("n", 0, 1)),
}


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("W x", X @ W.T),
        (r"W^{T} \delta^{(1)}", A @ W),
        (r"\sum_{n} {\delta^{(1)}}_{n} {x_{n}}^{T}", A.T @ X),
        (r"\sum_{n} \delta^{(1)}", A.sum(0)),
        (r"\sum_{i} x", X.sum(1)),
        (r"x^{2} \odot [x > 0] - \frac{1}{2} x", X**2 * (X > 0) - X / 2),
        (r"\frac{x}{\sqrt{x^{2} + 10^{-5}}}", X / np.sqrt(X**2 + 1e-5)),
        (r"\log \operatorname{softmax}(x)_{y_{n}}",
         np.log(np.exp(X) / np.exp(X).sum(1, keepdims=True))[range(5), [0, 2, 1, 0, 2]]),
        (r"\mathbf{e}^{3}_{y_{n}}", np.eye(3)[[0, 2, 1, 0, 2]]),
        (r"x_{2:3}", X[:, 1:3]),
        (r"x_{n=4}", X[3]),
        (r"\left[x; \delta^{(1)}\right]", np.concatenate([X, A], 1)),
        (r"\begin{cases}x & x < 0\\ 1 & \text{otherwise}\end{cases}", np.where(X < 0, X, 1)),
        (r"\max(x, 0) + e^{-x}", np.maximum(X, 0) + np.exp(-X)),
        (r"2 x \cdot 3 - (x - 1)", 6 * X - (X - 1)),
    ],
)  # fmt: skip
def test_words_of_the_notation(text, want):
    found = evaluate(text, VALUES)
    assert np.allclose(found.array.reshape(want.shape), want, rtol=1e-12)


def test_a_row_of_a_matrix_is_softmaxed_and_summed_by_itself():
    s = VALUES["S"].array
    p = np.exp(s) / np.exp(s).sum(2, keepdims=True)
    found = evaluate(r"\sum_{j} \operatorname{softmax}(S) \odot S", VALUES)
    assert np.allclose(found.ordered(("n", 0)), (p * s).sum(2))
    assert np.allclose(evaluate("S_{t} S^{T}_{:,t}", VALUES).array.shape[0], 4)


def test_heads_are_split_and_put_together():
    found = evaluate(r"\operatorname{split}_{h=1,i=3}(x)", VALUES)
    assert found.labels == ("n", "h", 0) and found.array.shape == (5, 1, 3)
    back = evaluate(r"\operatorname{concat}_{h}(\operatorname{split}_{h=3,i=1}(x))", VALUES)
    assert np.array_equal(back.array, X)


def test_a_convolution_is_a_sum_over_windows_and_its_transposes_are_transposes():
    x = numbers.standard_normal((2, 3, 7, 6))
    k = numbers.standard_normal((4, 3, 3, 2))
    values = {"x": Value(x, ("n", 0, "p", "q")), "K": Value(k, (0, 1, 2, 3))}
    y = evaluate(r"K \star_{s=2;p=1} x", values).ordered(("n", 0, "p", "q"))
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    want = np.zeros((2, 4, 4, 4))
    for n, o, p, q in np.ndindex(*want.shape):
        want[n, o, p, q] = (padded[n, :, 2 * p : 2 * p + 3, 2 * q : 2 * q + 2] * k[o]).sum()
    assert np.allclose(y, want)
    d = numbers.standard_normal(y.shape)
    values["d"] = Value(d, ("n", 0, "p", "q"))
    back = evaluate(r"K \star^{T}_{s=2;p=1;7\times6} d", values).ordered(("n", 0, "p", "q"))
    grown = evaluate(r"\sum_{n} d_{n} \circledast_{s=2;p=1;3\times2} x_{n}", values)
    assert np.isclose((back * x).sum(), (d * want).sum())
    assert np.isclose((grown.ordered((0, 1, 2, 3)) * k).sum(), (d * want).sum())


class Step(NamedTuple):
    left: str
    right: str
    over: object = None


class Over(NamedTuple):
    number: int = 0
    letter: str = "t"
    length: int = 4
    reverse: bool = False


def test_loops_are_evaluated_step_by_step():
    x = numbers.standard_normal((4, 3))
    lines = [
        Step("{h}_{t=0}", r"\mathbf{0}_{3}"),
        Step("{h}_{t}", r"\tanh (x_{t} + 2 {h}_{t-1})", Over()),
        Step("s", r"\sum_{t} {h}_{t} \odot {h}_{t-1}"),
        Step("l", "{h}_{t=4}"),
    ]
    values = Sheet({"x": Value(x, ("t", 0))}).run(lines)
    h, states = np.zeros(3), [np.zeros(3)]
    for t in range(4):
        h = np.tanh(x[t] + 2 * h)
        states.append(h)
    assert np.allclose(values["h"].array, states[1:]) and np.allclose(values["l"].array, h)
    assert np.allclose(
        values["s"].array, sum(a * b for a, b in zip(states[1:], states[:-1], strict=True))
    )


@pytest.mark.parametrize("text", ["W +", r"\operatorname{unknown}(x)", "W q", "(x", r"\sum_{t} x"])
def test_what_is_not_of_the_notation_is_refused(text):
    with pytest.raises(ReadError):
        evaluate(text, VALUES)
