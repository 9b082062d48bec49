"""Random programs of tensors: leaves made on the way, views, writes in place, looks, gradients.

A program is a list of statements on a list of tensors of shape (3, 4), so that any module with
PyTorch's names can run it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

UNARY = (
    "tanh",
    "sigmoid",
    "relu",
    "exp_small",
    "square",
    "standard",
    "sum0",
    "sum1",
    "flip",
    "clone",
)
BINARY = ("add", "sub", "mul", "addcmul", "layer_norm", "where", "matmul", "maximum", "cat", "row")
INPLACE = (
    "add_",
    "mul_",
    "row_write",
    "columns_write",
    "view_add",
    "masked",
    "zero",
    "copy",
    "tanh_",
)


LAYERS = ("norm", "scale", "dense")


def program(seed: int, length: int = 40) -> list[tuple[Any, ...]]:
    """A program's statements; the numbers in it are places in the list of tensors."""
    r = np.random.default_rng(seed)
    out: list[tuple[Any, ...]] = [("leaf", True, 0), ("leaf", False, 1)]
    count = 2
    for _ in range(length):
        kind = r.choice(
            [
                "leaf",
                "unary",
                "binary",
                "layer",
                "inplace",
                "look",
                "detach",
                "no_grad",
                "backward",
            ],
            p=[0.1, 0.19, 0.28, 0.12, 0.13, 0.07, 0.03, 0.04, 0.04],
        )
        a, b, c = (int(i) for i in r.integers(0, count, 3))
        if kind == "leaf":
            out.append(("leaf", bool(r.random() < 0.7), int(r.integers(0, 5))))
        elif kind in ("unary", "no_grad"):
            out.append((kind, str(r.choice(UNARY)), a))
        elif kind == "binary":
            out.append((kind, str(r.choice(BINARY)), a, b, c))
        elif kind == "layer":
            out.append((kind, str(r.choice(LAYERS)), a))
        elif kind == "inplace":
            out.append((kind, str(r.choice(INPLACE)), a, b))
            continue
        elif kind == "detach":
            out.append((kind, a))
        else:
            out.append((kind, a))
            continue
        count += 1
    return [*out, ("backward", int(r.integers(0, count)))]


def run(torch: Any, statements: list[tuple[Any, ...]], looks: bool = False) -> list[Any]:
    """What happened: numbers that were looked at, errors, values and gradients at the end.

    looks   look at every value as soon as it is made
    """
    values: list[Any] = []
    made: list[Any] = []
    happened: list[Any] = []
    for at, (kind, *what) in enumerate(statements):
        try:
            if kind == "leaf":
                values.append(_leaf(torch, at, *what))
            elif kind == "unary":
                values.append(_unary(torch, what[0], values[what[1]]))
            elif kind == "no_grad":
                with torch.no_grad():
                    values.append(_unary(torch, what[0], values[what[1]]))
            elif kind == "binary":
                values.append(_binary(torch, what[0], *(values[i] for i in what[1:])))
            elif kind == "layer":
                values.append(_layer(torch, what[0], values[what[1]], made))
            elif kind == "detach":
                values.append(values[what[0]].detach())
            elif kind == "look":
                happened.append((at, values[what[0]].sum().item()))
            elif kind == "inplace":
                _write(torch, what[0], values[what[1]], values[what[2]])
            else:
                t = values[what[0]]
                if t.requires_grad:
                    (t * t).sum().backward(retain_graph=True)
            if looks:
                for t in values:
                    t.sum().item()
        except RuntimeError as error:
            happened.append((at, "error", _gist(error)))
            if kind in ("unary", "no_grad", "binary", "layer", "detach"):
                values.append(torch.zeros(3, 4, dtype=torch.float64))
    end = [t.detach().numpy() for t in values]
    grads = [t.grad for t in (*values, *made) if t.is_leaf]
    return [*happened, *end, *(None if g is None else g.numpy() for g in grads)]


def _gist(error: Exception) -> str:
    text = str(error)
    return next(
        (
            known
            for known in (
                "a leaf Variable that requires grad",
                "modified by an inplace operation",
                "a view of a leaf Variable",
                "unsupported operation",
            )
            if known in text
        ),
        text,
    )


def _leaf(torch: Any, at: int, wanted: bool, how: int) -> Any:
    options = {"dtype": torch.float64, "requires_grad": wanted}
    if how == 0:
        return torch.tensor(np.random.default_rng(at).uniform(-1, 1, (3, 4)), **options)
    if how == 1:
        return torch.ones(3, 4, **options)
    if how == 2:
        return torch.zeros(3, 4, **options)
    if how == 3:
        return torch.full((3, 4), 0.5, **options)
    return (
        torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(3, 4).clone().requires_grad_(wanted)
    )


def _unary(torch: Any, name: str, a: Any) -> Any:
    if name == "exp_small":
        return (a.clamp(-2, 2) * 0.3).exp()
    if name == "square":
        return (a.clamp(-2, 2)) ** 2
    if name == "standard":
        return torch.nn.functional.layer_norm(a, (4,))
    if name == "sum0":
        return a.sum(0, keepdim=True).expand(3, 4) * 0.3
    if name == "sum1":
        return a.mean(1, keepdim=True) + torch.zeros(1, 4, dtype=torch.float64)
    if name == "flip":
        return a.flip(0)
    return getattr(a, name)()


def _layer(torch: Any, name: str, h: Any, made: list[Any]) -> Any:
    """A layer whose parameters are made as it is called."""
    options = {"dtype": torch.float64, "requires_grad": True}
    if name == "dense":
        w, b = torch.full((4, 4), 0.2, **options), torch.zeros(4, **options)
        out = torch.nn.functional.linear(h, w, b)
    elif name == "norm":
        w, b = torch.ones(4, **options), torch.zeros(4, **options)
        out = torch.nn.functional.layer_norm(h, (4,), w, b)
    else:
        w, b = torch.full((4,), 1.5, **options), torch.full((4,), -0.5, **options)
        out = torch.addcmul(h, w, b)
    made.extend((w, b))
    return out


def _binary(torch: Any, name: str, a: Any, b: Any, c: Any) -> Any:
    if name in ("add", "sub", "maximum"):
        return getattr(torch, name)(a, b)
    if name == "mul":
        return a * b.tanh()
    if name == "addcmul":
        return torch.addcmul(a, b.tanh(), c, value=0.5)
    if name == "layer_norm":
        return torch.nn.functional.layer_norm(a, (4,), b[0], c[1])
    if name == "where":
        return torch.where(a > 0.0123, b, c)
    if name == "matmul":
        return (a @ b.t()) @ c * 0.2
    if name == "cat":
        return torch.cat([a[:1], b[1:]])
    return a + b[1]


def _write(torch: Any, name: str, a: Any, b: Any) -> None:
    if name == "add_":
        a.add_(b)
    elif name == "mul_":
        a.mul_(0.5)
    elif name == "row_write":
        a[1] = b[0]
    elif name == "columns_write":
        a[:, 1:3] *= 0.5
    elif name == "view_add":
        a[2].add_(b[0].tanh())
    elif name == "masked":
        a.masked_fill_(a > 1, 0.25)
    elif name == "zero":
        a[0].zero_()
    elif name == "copy":
        a.copy_(b)
    else:
        a.tanh_()


def same(expected: list[Any], got: list[Any]) -> None:
    """Assert that the same happened. Where a backward pass was refused because of what had been
    written over, what it had added up before is not looked at: who keeps fewer values need not
    refuse. A gradient of zeros may be none.
    """
    if any("inplace" in str(x[-1]) for x in (*expected, *got) if type(x) is tuple):
        return
    assert len(expected) == len(got)
    for x, y in zip(expected, got, strict=True):
        if x is None or y is None:
            assert not np.any(x if y is None else y)
        elif isinstance(x, np.ndarray):
            np.testing.assert_allclose(y, x, rtol=1e-9, atol=1e-9)
        elif isinstance(x[-1], float):
            assert x[0] == y[0]
            np.testing.assert_allclose(y[1], x[1], rtol=1e-9, atol=1e-9)
        else:
            assert x == y
