"""Programs that nobody wrote, and their gradients: a batch at once is one sample after another."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import dtypes
from chainrule.autodiff.batch import batched
from chainrule.ir.interpret import interpret
from chainrule.ops import input
from chainrule.runtime import programs
from chainrule.testing.graphs import draw

B = 3


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 63))
def test_a_batch_of_a_random_program(seed: int, mask: int) -> None:
    made = draw(seed, dtype=dtypes.float64, elements=400)
    outputs, inputs, arrays = made.outputs, made.inputs, made.arrays
    moving = [n for n in inputs if n.dtype is dtypes.float64]
    over = [n for i, n in enumerate(moving) if mask >> (i % 6) & 1] or moving[:1]
    rng = np.random.default_rng(seed)
    known = dict(zip(inputs, arrays, strict=True))
    many = {n: np.stack([known[n] * (1 + 0.1 * rng.random()) for _ in range(B)]) for n in over}
    mapping = {
        n: input(index=i, shape=(B, *n.shape), dtype=n.dtype, scope="all")
        for i, n in enumerate(over)
    }
    whole = batched(outputs, mapping, B)
    bound = {**known, **{mapping[n]: a for n, a in many.items()}}
    with np.errstate(all="ignore"):
        for s in range(B):
            want = interpret(outputs, {**known, **{n: a[s] for n, a in many.items()}})
            for w, y in zip(want, whole, strict=True):
                if y is None:
                    continue
                (got,) = interpret([y], bound)
                np.testing.assert_allclose(got[s], w, rtol=1e-7, atol=1e-9)


def test_compiled_as_well() -> None:
    made = draw(7, dtype=dtypes.float32, elements=400)
    moving = [n for n in made.inputs if n.dtype is dtypes.float32]
    known = dict(zip(made.inputs, made.arrays, strict=True))
    n = len(made.inputs)
    mapping = {
        m: input(index=n + i, shape=(B, *m.shape), dtype=m.dtype) for i, m in enumerate(moving)
    }
    many = [np.stack([known[m] * (1 + 0.1 * s) for s in range(B)]) for m in moving]
    nodes = [y for y in batched(made.outputs, mapping, B) if y is not None]
    got = programs.run(tuple(nodes), [*made.arrays, *many])
    bound = {**known, **dict(zip(mapping.values(), many, strict=True))}
    for a, b in zip(got, interpret(nodes, bound), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-4)
