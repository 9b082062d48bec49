"""Transposing in registers: tiles by shuffles, and pairs of loops that are taken in tiles."""

import itertools

import numpy as np
import pytest
from native import run_kernel

from chainrule.backends.llvm.target import named
from chainrule.schedule.build import Builder
from chainrule.schedule.interpret import interpret, numpy_kind
from chainrule.schedule.loops import For, Kernel, Let, statements
from chainrule.schedule.text import parse_kernel
from chainrule.schedule.transpose import crossed, transpose_tile
from chainrule.schedule.vectorise import vectorise
from chainrule.schedule.verify import verify_kernel


@pytest.mark.parametrize("kind", ["f32", "f64", "i8", "u16"])
@pytest.mark.parametrize("n", [1, 2, 4, 8, 16])
def test_rows_become_columns_by_shuffles_only(kind, n):
    b = Builder()
    x, y = b.buffer("x", kind, n * n, "in"), b.buffer("y", kind, n * n, "out")
    with b.kernel("tile", 1):
        rows = [b.load(x, n * k, n) for k in range(n)]
        for k, row in enumerate(transpose_tile(b, rows)):
            b.store(y, n * k, row)
    kernel = b.finish()
    shuffles = [s for s in kernel.body if isinstance(s, Let) and s.value.op == "shuffle"]
    assert len(shuffles) == n * (n.bit_length() - 1)
    given = np.arange(n * n).astype(numpy_kind(kind))
    found = np.zeros_like(given)
    verify_kernel(kernel)
    interpret(kernel, {"x": given, "y": found})
    assert found.tolist() == given.reshape(n, n).T.ravel().tolist()


def transposing(rows: int, columns: int, extent: int = 2) -> Kernel:
    """y[k, i, j] = x[k, j, i]"""
    size = rows * columns
    b = Builder()
    x, y = b.buffer("x", "f32", extent * size, "in"), b.buffer("y", "f32", extent * size, "out")
    with (
        b.kernel("transpose", extent) as k,
        b.loop(0, rows) as i,
        b.loop(0, columns, note="vector") as j,
    ):
        base = b.mul(k, size)
        v = b.load(x, b.add(base, b.add(b.mul(j, rows), i)))
        b.store(y, b.add(base, b.add(b.mul(i, columns), j)), b.op("mul", v, 2.0))
    return b.finish()


@pytest.mark.parametrize(
    ("rows", "columns", "vector_bytes"),
    list(itertools.product([3, 8, 21], [8, 5, 37], [16, 32, 64])),
)
def test_transposing_loops_do_the_same_in_tiles(rows, columns, vector_bytes):
    kernel = transposing(rows, columns)
    made = vectorise(kernel, vector_bytes)
    verify_kernel(made)
    x = np.arange(2 * rows * columns, dtype=np.float32)
    expected = 2 * x.reshape(2, columns, rows).transpose(0, 2, 1).ravel()
    y = np.zeros_like(x)
    interpret(made, {"x": x, "y": y})
    np.testing.assert_array_equal(y, expected)
    target = {16: named("x86-64"), 32: named("avx2")}.get(vector_bytes)
    if target is not None and target.runs_here:
        y[:] = 0
        run_kernel(made, {"x": x, "y": y}, target)
        np.testing.assert_array_equal(y, expected)


def test_tiles_gather_nothing():
    made = vectorise(transposing(32, 64), 32)
    loads = [s.value for s in statements(made.body) if isinstance(s, Let) and s.value.op == "load"]
    assert len(loads) == 8
    assert all(v.type.lanes == 8 and v.args[0].type.lanes == 1 for v in loads)


@pytest.mark.parametrize(
    "store",
    ["store @y[%2] %7", "store @y[%1] %7", "store @x[%9] %7"],
    ids=["one place for all rows", "one place for all columns", "what is written is read"],
)
def test_loops_whose_order_matters_are_no_pair(store):
    kernel = parse_kernel(
        f"""
        kernel no(@x: f32[4096] inout, @y: f32[4096] out) over %0 in 1:
          for %1 in 0:i64 .. 64:i64 step 1:
            for %2 in 0:i64 .. 64:i64 step 1 vector:
              %3 = mul %2 64:i64 : i64
              %4 = add %3 %1 : i64
              %7 = load %4 {{@x}} : f32
              %8 = mul %1 64:i64 : i64
              %9 = add %8 %2 : i64
              {store}
        """
    )
    (loop,) = kernel.body
    assert isinstance(loop, For) and crossed(loop) is None
