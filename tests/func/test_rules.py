"""Every op of the registry, for a batch at once: the same as one sample after another."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from chainrule import dtypes
from chainrule.autodiff import gradients
from chainrule.autodiff.batch import batched
from chainrule.ir.interpret import interpret
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import registry
from chainrule.ops import input, items, reshape, sum
from chainrule.testing.sampling import Sample, samples

B = 3
OPS = sorted(
    n for n, o in registry.items() if o.domain is not None and n not in ("random_uniform", "iota")
)


def parts(y: Node) -> tuple[Node, ...]:
    return (y,) if isinstance(y.type, TensorType) else items(y)


def check(outs: tuple[Node, ...], draws: list[Sample], over: tuple[bool, ...], rtol: float) -> None:
    """`outs` of the first sample's inputs; those in `over` differ from sample to sample."""
    first = draws[0]
    mapping, bound = {}, {}
    for i, (n, b) in enumerate(zip(first.inputs, over, strict=True)):
        if b:
            mapping[n] = input(index=i, shape=(B, *n.shape), dtype=n.dtype, scope="all")
            bound[mapping[n]] = np.stack([d.arrays[i] for d in draws])
        else:
            bound[n] = first.arrays[i]
    whole = batched(outs, mapping, B)
    for out, y in zip(outs, whole, strict=True):
        for s in range(B):
            one = {
                n: (draws[s] if b else first).arrays[i]
                for i, (n, b) in enumerate(zip(first.inputs, over, strict=True))
            }
            (want,) = interpret([out], one)
            if y is None:
                (got,) = interpret([out], one)
            else:
                assert y.shape == (B, *out.shape) and y.dtype is out.dtype
                got = interpret([y], bound)[0][s]
            np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol)


def cases(name: str, dtype: dtypes.DType) -> list[list[Sample]]:
    rng = np.random.default_rng(7)
    rounds = [samples(registry[name], dtype, rng) for _ in range(B)]
    return [list(c) for c in zip(*rounds, strict=True)]


@pytest.mark.parametrize("name", OPS)
def test_a_batch_is_what_a_loop_over_samples_gives(name: str) -> None:
    op = registry[name]
    dtype = dtypes.float64 if dtypes.float64 in op.domain.types else op.domain.types[-1]
    for draws in cases(name, dtype):
        outs = parts(op(*draws[0].inputs, **draws[0].attrs))
        for over in itertools.product((True, False), repeat=len(draws[0].inputs)):
            if any(over):
                check(outs, draws, over, 1e-9)


@pytest.mark.parametrize("name", [n for n in OPS if registry[n].domain.order >= 1])
def test_gradients_of_samples_are_gradients_of_the_batch(name: str) -> None:
    """vmap(grad f): the derived graph for a batch."""
    op = registry[name]
    if dtypes.float64 not in op.domain.types:
        return
    for draws in cases(name, dtypes.float64):
        outs = parts(op(*draws[0].inputs, **draws[0].attrs))
        total = None
        for y in outs:
            if y.dtype is dtypes.float64:
                s = sum(reshape(y, shape=(y.op and int(np.prod(y.shape)),)) * 0.7, axis=0)
                total = s if total is None else total + s
        wrt = [n for n in draws[0].inputs if n.dtype is dtypes.float64]
        if total is None or not wrt:
            continue
        found = tuple(gradients(total, wrt))
        check(found, draws, tuple(True for _ in draws[0].inputs), 1e-8)
