"""The printed derivation is the chain rule of the library, and each of its steps is right."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

import chainrule as torch
from chainrule import dtypes, explain, ops
from chainrule.autodiff import derivative, gradients
from chainrule.errors import GradientError, ShapeError
from chainrule.explain.printing.tidy import tidy
from chainrule.ir import registry
from chainrule.ir.interpret import interpret
from chainrule.tensor.record import apply
from chainrule.testing import samples


def lines(f):
    return [str(e).replace(r"\partial ", "d").replace(r"\frac", "") for e in f]


def test_one_layer():
    rng = np.random.default_rng(0)
    x, y = (torch.from_numpy(rng.standard_normal(s)) for s in ((5, 3), (5, 2)))
    W = torch.from_numpy(rng.standard_normal((2, 3))).requires_grad_()
    b = torch.zeros(2, dtype=torch.float64).requires_grad_()
    a = torch.sigmoid(x @ W.T + b)
    loss = ((y - a) ** 2).sum() / (2 * 5)
    f = explain.gradient(loss, names={"x": x, "y": y, "W": W, "b": b})
    assert lines(f) == [
        r"z = x W^{T} + b",
        r"a = \sigma(z)",
        r"L = {1}{10} \sum (y - a)^{2}",
        r"{dL}{da} = -0.2 (y - a)",
        r"{dL}{dz} = {dL}{da} \odot a \odot (1 - a)",
        r"{dL}{dW} = \left({dL}{dz}\right)^{T} x",
        r"{dL}{db} = \sum_{i} {dL}{dz}",
    ]
    # the printed steps, in NumPy, are what backward() computes
    loss.backward()
    A = a.detach().numpy()
    dz = -0.2 * (y.numpy() - A) * A * (1 - A)
    np.testing.assert_allclose(W.grad.numpy(), dz.T @ x.numpy(), rtol=1e-12)
    np.testing.assert_allclose(b.grad.numpy(), dz.sum(0), rtol=1e-12)


def test_only_what_was_asked():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    v = torch.tensor([1.0, 2.0], requires_grad=True)
    f = explain.gradient((w * v).sum(), w, names={"w": w, "v": v})
    assert lines(f) == [r"L = \sum w \odot v", "{dL}{dw} = v"]


def test_back_through_time():
    rng = np.random.default_rng(0)
    x, h0, W = (torch.from_numpy(rng.standard_normal(s)) for s in ((5, 2, 3), (2, 3), (3, 3)))
    W.requires_grad_()
    _, h = apply(registry["rnn"], x, h0, W, nonlinearity="tanh", reverse=False)
    f = explain.gradient((h * h).sum(), names={"x": x, "h0": h0, "W": W})
    assert lines(f) == [
        r"h_{t} = \tanh (x_{t} + h_{t-1} W^{T})",
        r"h = h_{T}",
        r"L = \sum h^{2}",
        r"{dL}{dh} = 2 h",
        r"\bar{h}_{T+1} = {dL}{dh}",
        r"G_{T+1} = 0",
        r"\delta_{t} = \bar{h}_{t+1} \odot (1 - {h_{t}}^{2})",
        r"\bar{h}_{t} = \delta_{t} W",
        r"G_{t} = G_{t+1} + {\delta_{t}}^{T} h_{t-1}",
        r"{dL}{dW} = G_{1}",
    ]


def test_refusals_say_what_to_do():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    v = torch.tensor(3.0, requires_grad=True)
    with pytest.raises(ShapeError, match=r"take \.sum"):
        explain.gradient(w * 2)
    with pytest.raises(GradientError, match="does not depend on v"):
        explain.gradient(w.sum(), v, names={"v": v})
    with pytest.raises(GradientError, match="requires_grad=True"):
        explain.gradient((torch.tensor([1.0]) * 2).sum())


def cases():
    rng = np.random.default_rng(0)
    for op in registry.values():
        for i, sample in enumerate(samples(op, dtypes.float64, rng)[:2]):
            yield pytest.param(op, sample, id=f"{op.name}-{i}")


def _parts(node):
    return node if hasattr(node.type, "dtype") else ops.items(node)[0]


@pytest.mark.parametrize(("op", "sample"), [*cases()])
def test_tidying_keeps_every_gradient_and_it_renders(op, sample):
    y = _parts(op(*sample.inputs, **sample.attrs))
    names = dict(zip("ABCD", sample.inputs, strict=False))
    renders(explain.formula(y, names=names))
    renders(explain.formula(y, names=names, expand=True))
    xs = [x for x in sample.inputs if x.dtype.is_floating_point]
    if y.dtype is not dtypes.float64 or not xs or not op.domain.order:
        return
    total = ops.sum(ops.sin(y), axis=tuple(range(y.ndim)), keepdim=False)
    grads = gradients(total, xs)
    bound = dict(zip(sample.inputs, sample.arrays, strict=True))
    with np.errstate(all="ignore"):
        before, after = interpret(grads, bound), interpret(tidy(grads), bound)
    for a, b in zip(before, after, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    found = derivative([total], [ops.full_like(total, 1)], xs).gradients
    asked = [x for x, g in zip(xs, found, strict=True) if g is not None]  # a cut-off has none
    renders(explain.gradient(total, asked, names=names))


def renders(formula):
    """A reader of TeX accepts it, where one is installed."""
    if importlib.util.find_spec("latex2mathml"):
        importlib.import_module("latex2mathml.converter").convert(formula.tex)
    assert formula.tex.count("{") == formula.tex.count("}")
