"""Tensors by chance: from the streams of random numbers, PyTorch's names and errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import dtypes, ops, shapes
from chainrule.dtypes import DType
from chainrule.errors import DtypeError
from chainrule.ops.random import blocks, normal_blocks
from chainrule.runtime import random as streams
from chainrule.runtime.random import Generator
from chainrule.tensor.handle import Tensor, blank, from_array, wrap
from chainrule.tensor.making import finished, sizes_of, type_like
from chainrule.tensor.record import apply, found_node
from chainrule.tensor.trace import Storage, state


def _float(dtype: DType | None, what: str) -> DType:
    d = dtype or dtypes.get_default_dtype()
    if not d.is_differentiable:
        raise DtypeError(f"{what} takes a floating point or complex dtype, got {d}")
    return d


def draw(
    kind: str,
    shape: tuple[int, ...],
    dtype: DType,
    generator: Generator | None = None,
    stream: str = "default",
    **bounds: Any,
) -> Tensor:
    """Random numbers from a stream, recorded: "uniform", "normal", "exponential", "integers" (low=,
    high=), or "bernoulli" (p=; bool). Under `config.random = "mt19937"` they are PyTorch's.

    Complex numbers have such parts; normal ones have variance 1 in all.
    """
    if dtype.is_complex:
        parts = draw(kind, (*shape, 2), dtype.to_real(), generator, stream, **bounds)
        z: Tensor = apply(ops.view_as_complex, parts)
        return z * math.sqrt(0.5) if kind == "normal" else z
    g = generator if generator is not None else streams.stream(stream)
    if (twister := g.twister) is not None:
        if kind == "bernoulli":
            return _dealt(lambda: twister.bernoulli(shape, **bounds), dtypes.bool_)
        return _dealt(lambda: getattr(twister, kind)(shape, dtype, **bounds), dtype)
    if kind == "normal":
        s, offset = state.trace.random_state(g, normal_blocks(shape, dtype))
        return wrap(found_node(ops.random_normal, s, offset=offset, shape=shape, dtype=dtype), 0)
    if kind == "integers":
        s, offset = state.trace.random_state(g, blocks(shape, dtypes.float64))
        drawn = found_node(
            ops.random_integers, s, offset=offset, shape=shape, dtype=dtype, **bounds
        )
        return wrap(drawn, 0)
    s, offset = state.trace.random_state(g, blocks(shape, dtype))
    u = wrap(found_node(ops.random_uniform, s, offset=offset, shape=shape, dtype=dtype), 0)
    if kind == "bernoulli":
        return u < bounds["p"]
    return -(-u).log1p() if kind == "exponential" else u


def _dealt(make: Callable[[], np.ndarray], dtype: DType) -> Tensor:
    """Random numbers that are drawn at once; inside vmap, for every sample."""
    lanes = state.here.lanes
    found: Tensor = lanes[-1].deal(make, dtype) if lanes else from_array(make(), dtype)
    return found


def stream_state(
    stream: str | Generator, shape: tuple[int, ...], dtype: DType
) -> tuple[Tensor, int]:
    """The state of a stream as a tensor of the present trace, and the offset at which uniform
    numbers of this shape are reserved: for functions of nodes that draw numbers.
    """
    trace = state.here.trace
    generator = streams.stream(stream) if isinstance(stream, str) else stream
    node, offset = trace.random_state(generator, blocks(shape, dtype))
    t: Tensor = blank(Tensor, Storage(None, node, trace), node.shape, node.dtype)
    t.node, t.seen_in, t.version = node, trace.serial, 0
    return t, offset


def rand(
    *size: Any,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    **kw: Any,
) -> Tensor:
    """Uniform numbers in [0, 1)."""
    shape = sizes_of((kw.pop("size"),) if "size" in kw else size)
    return finished(draw("uniform", shape, _float(dtype, "rand"), generator), requires_grad, device)


def randn(
    *size: Any,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    **kw: Any,
) -> Tensor:
    """Standard normal numbers."""
    shape = sizes_of((kw.pop("size"),) if "size" in kw else size)
    return finished(draw("normal", shape, _float(dtype, "randn"), generator), requires_grad, device)


def randint(
    low: Any,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Integers in [low, high), or in [0, high) when called randint(high, size)."""
    if size is None:
        low, high, size = (0, low, high) if high is not None else (0, low, ())
    elif high is None:
        low, high = 0, low
    low, high = int(low), int(high)
    if high <= low:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    found = draw(
        "integers", sizes_of((size,)), dtype or dtypes.int64, generator, low=low, high=high
    )
    return finished(found, requires_grad, device)


def randperm(
    n: int, *, generator: Generator | None = None, dtype: DType = dtypes.int64,
    device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """The numbers 0 … n − 1 in random order."""
    g = generator if generator is not None else streams.stream("default")
    found = _dealt(lambda: (g.twister or g.numpy()).permutation(n).astype(dtype.np), dtype)
    return finished(found, False, device)


def rand_like(input: Tensor, *, dtype: DType | None = None, **kw: Any) -> Tensor:
    """Uniform numbers in the shape and type of `input`."""
    kw.pop("memory_format", None)
    return rand(input._shape, dtype=type_like(input, dtype), **kw)


def randn_like(input: Tensor, *, dtype: DType | None = None, **kw: Any) -> Tensor:
    """Standard normal numbers in the shape and type of `input`."""
    kw.pop("memory_format", None)
    return randn(input._shape, dtype=type_like(input, dtype), **kw)


def randint_like(
    input: Tensor, low: Any, high: Any = None, *, dtype: DType | None = None, **kw: Any
) -> Tensor:
    """Integers in [low, high) in the shape and type of `input`."""
    low, high = (0, low) if high is None else (low, high)
    return randint(low, high, input._shape, dtype=type_like(input, dtype), **kw)


def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Any = None,
    requires_grad: bool = False,
    out: Any = None,
    **_: Any,
) -> Tensor:
    """Normal numbers with given means and standard deviations (numbers or tensors)."""
    given = [t for t in (mean, std) if isinstance(t, Tensor)]
    if given:
        shape = shapes.broadcast(*(t._shape for t in given))
        d = dtype or given[0]._dtype
    else:
        if size is None:
            raise TypeError("normal() with two numbers needs size=")
        shape, d = sizes_of((size,)), _float(dtype, "normal")
    z = draw("normal", shape, d, generator)
    return finished(z * std + mean, requires_grad, device)


def bernoulli(input: Tensor, p: Any = None, *, generator: Generator | None = None) -> Tensor:
    """1 with probability `input` (or p), else 0."""
    if p is not None:
        return draw("bernoulli", input._shape, dtypes.float32, generator, p=p).to(input._dtype)
    wide = input._dtype if input._dtype is dtypes.float64 else dtypes.float32
    return (draw("uniform", input._shape, wide, generator) < input).to(input._dtype).detach()


def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Indices drawn in proportion to the rows of `input` (unnormalised probabilities).

    Without replacement by the largest log p − log(−log u) (Gumbel; Efraimidis and Spirakis 2006).
    """
    p = input.detach()
    if not p.dtype.is_floating_point:
        raise RuntimeError(
            f"multinomial only supports floating-point dtypes for input, got: {p.dtype}"
        )
    if num_samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    if p.ndim not in (1, 2):
        raise RuntimeError(f"prob_dist must be 1 or 2 dim, got shape {tuple(p._shape)}")
    values = p._concrete().astype(np.float64)
    if not np.isfinite(values).all() or (values < 0).any() or (values.sum(-1) <= 0).any():
        raise RuntimeError(
            "probability tensor contains either `inf`, `nan` or element < 0, or sums to zero"
        )
    source = generator if generator is not None else streams.stream("default")
    rows = values.reshape(-1, values.shape[-1])
    if not replacement and num_samples > (rows > 0).sum(-1).min():
        raise RuntimeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement (zeros do not "
            "count)"
        )
    if (twister := source.twister) is not None:
        picked = twister.multinomial(rows.astype(p._dtype.np), num_samples, replacement)
    elif replacement:
        g = source.numpy()
        edges = np.cumsum(rows, -1)
        u = g.random((len(rows), num_samples)) * edges[:, -1:]
        picked = np.stack(
            [np.searchsorted(e, x, side="right") for e, x in zip(edges, u, strict=True)]
        )
        picked = np.minimum(picked, rows.shape[1] - 1)
    else:
        with np.errstate(divide="ignore"):
            score = np.log(rows) + source.numpy().gumbel(size=rows.shape)
        picked = np.argsort(-score, -1)[:, :num_samples]
    return from_array(
        picked.reshape(*values.shape[:-1], num_samples).astype(np.int64), dtypes.int64
    )


def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Poisson distributed numbers with the rates of `input`."""
    g = generator if generator is not None else streams.stream("default")
    drawn = g.numpy().poisson(input.detach()._concrete().astype(np.float64))
    return from_array(np.asarray(drawn, input._dtype.np), input._dtype)
