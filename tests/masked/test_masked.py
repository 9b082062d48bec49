"""Reductions of what a mask lets through."""

import math

import numpy as np
import pytest

import chainrule as torch
from chainrule import masked

X = torch.tensor([[1.0, 5.0, 2.0], [4.0, 0.5, 3.0], [7.0, 8.0, 9.0]])
MASK = torch.tensor([[True, False, True], [True, True, False], [False, False, False]])
ROWS = [[1.0, 2.0], [4.0, 0.5]]


@pytest.mark.parametrize(
    ("name", "f"),
    [
        ("sum", np.sum), ("prod", np.prod), ("amax", np.max), ("amin", np.min), ("mean", np.mean),
        ("median", np.min), ("std", lambda r: np.std(r, ddof=1)),
        ("var", lambda r: np.var(r, ddof=1)), ("norm", np.linalg.norm),
        ("logsumexp", lambda r: np.log(np.exp(r).sum())),
    ],
)  # fmt: skip
def test_reductions(name, f) -> None:
    call = getattr(masked, name)
    args = (2.0, 1) if name == "norm" else (1,)
    got = call(X, *args, mask=MASK).tolist()
    assert got[:2] == pytest.approx([f(r) for r in ROWS])
    empty = {"sum": 0.0, "prod": 1.0, "amax": -math.inf, "amin": math.inf, "norm": 0.0,
             "logsumexp": -math.inf}  # fmt: skip
    assert got[2] == empty[name] if name in empty else math.isnan(got[2])


def test_what_is_masked_out_gets_no_gradient() -> None:
    x = X.clone().requires_grad_()
    masked.softmax(x[:2], 1, mask=MASK[:2]).square().sum().backward()
    assert (x.grad[~MASK] == 0).all() and (x.grad[MASK] != 0).all()


def test_normalisations() -> None:
    y = masked.softmax(X, 1, mask=MASK)
    assert y[0, 1] == 0 and y[0].sum().item() == pytest.approx(1)
    assert masked.cumsum(X, 1, mask=MASK).tolist() == [[1, 1, 3], [4, 4.5, 4.5], [0, 0, 0]]
    unit = masked.normalize(X, 2.0, 1, mask=MASK)
    assert unit[0].tolist() == pytest.approx([1 / 5**0.5, 0, 2 / 5**0.5])


def test_masked_tensors() -> None:
    m = masked.masked_tensor(X, MASK, requires_grad=True)
    total = (m * 2 + 1).sum()
    assert total.to_tensor(0).item() == 2 * 7.5 + 4
    total.backward()
    assert m.grad.to_tensor(0).tolist() == (MASK * 2.0).tolist()
    assert m.amax(1).get_mask().tolist() == [True, True, False]
    with pytest.raises(ValueError, match="masks must match"):
        m + masked.masked_tensor(X, ~MASK)
