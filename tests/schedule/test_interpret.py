"""The interpreter keeps what the Loop IR promises where NumPy alone would not."""

from fractions import Fraction

import numpy as np
import pytest

from chainrule.errors import GraphError
from chainrule.schedule.build import Builder
from chainrule.schedule.interpret import cast, interpret
from chainrule.schedule.text import parse_kernel


def fma(a, b, c):
    kind = {4: "f32", 8: "f64"}[a.dtype.itemsize]
    build = Builder()
    x = [build.buffer(n, kind, a.size, "in") for n in "abc"]
    y = build.buffer("y", kind, a.size, "out")
    with build.kernel("fma", a.size) as i:
        build.store(y, i, build.fma(*(build.load(v, i) for v in x)))
    arrays = {"a": a, "b": b, "c": c, "y": np.zeros_like(a)}
    interpret(build.finish(), arrays)
    return arrays["y"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_fused_multiply_add_is_the_nearest_float(dtype):
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(200).astype(dtype) for _ in range(2))
    c = (-a * b * (1 + rng.integers(-2, 3, 200) * np.finfo(dtype).eps)).astype(dtype)
    for x, y, z, found in zip(a, b, c, fma(a, b, c), strict=True):
        exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
        miss = abs(Fraction(float(found)) - exact)
        for other in (np.nextafter(found, dtype(9)), np.nextafter(found, dtype(-9))):
            assert miss <= abs(Fraction(float(other)) - exact)


def test_a_fused_multiply_add_at_the_edges():
    big, tiny = np.finfo("f4").max, np.float32(1e-45)
    a = np.array([big, big, np.inf, 0.0, -0.0, tiny, np.nan, 1.0], "f4")
    b = np.array([2.0, 2.0, 0.0, 5.0, 5.0, 0.5, 1.0, 1.0], "f4")
    c = np.array([0.0, -big, 1.0, -0.0, -0.0, 0.0, 1.0, -1.0], "f4")
    found = fma(a, b, c)
    np.testing.assert_array_equal(
        found, np.array([np.inf, big, np.nan, 0, -0.0, 0, np.nan, 0], "f4")
    )
    assert np.signbit(found[4]) and not np.signbit(found[[3, 7]]).any()


def test_casts_of_what_does_not_fit():
    x = np.array([np.nan, np.inf, -np.inf, 3e9, -3e9, 300.7, -1.5, 1e20], np.float32)
    least = -(2**31)
    assert cast(x, "i32").tolist() == [least] * 5 + [300, -1, least]
    assert cast(x, "u32").tolist() == [0, 0, 0, 3000000000, 1294967296, 300, 2**32 - 1, 0]
    assert cast(x, "i8").tolist() == [0, 0, 0, 0, 0, 44, -1, 0]
    assert cast(x, "u64").tolist()[:3] == [2**63, 0, 2**63]
    assert cast(x, "i1").tolist() == [True] * 8


def test_memory_outside_its_buffer_is_not_touched():
    text = """
    kernel outside(@x: f32[8] in, @y: f32[8] out) over %0 in 8:
      %1 = add %0 1:i64 : i64
      %2 = load %1 {@x} : f32
      store @y[%0] %2
    """
    arrays = {"x": np.arange(8, dtype="f4"), "y": np.zeros(8, "f4")}
    interpret(parse_kernel(text), arrays, 0, 7)
    np.testing.assert_array_equal(arrays["y"], [1, 2, 3, 4, 5, 6, 7, 0])
    with pytest.raises(GraphError, match=r"@x: f32\[8\] in is touched at \[8\]"):
        interpret(parse_kernel(text), arrays)


def test_arrays_that_do_not_fit_are_refused():
    kernel = parse_kernel("kernel f(@x: f32[8] in) over %0 in 1:")
    for wrong in (np.zeros(8), np.zeros(7, "f4"), np.zeros((8, 2), "f4")[:, 0], 3):
        with pytest.raises(GraphError, match="expected"):
            interpret(kernel, {"x": wrong})


def test_bounds_are_promises():
    kernel = parse_kernel("kernel f(@x: f32[8] in) over %0 in 4:\n  %1 = add %0 1:i64 : i64")
    kernel.body[0].value.bounds = (0, 2)
    with pytest.raises(GraphError, match="outside its bounds"):
        interpret(kernel, {"x": np.zeros(8, "f4")})


def test_scratch_memory_is_undefined_at_first():
    text = """
    kernel scratch(@y: f32[1] out) over %0 in 1:
      local @a: f32[1]
      %1 = load 0:i64 {@a} : f32
      store @y[0:i64] %1
    """
    y = np.zeros(1, "f4")
    interpret(parse_kernel(text), {"y": y})
    assert y.view(np.uint32)[0] == 0xABABABAB
