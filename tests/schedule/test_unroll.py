"""Loops noted "unroll" are written out, and mean what they meant."""

import textwrap

import numpy as np

from chainrule.schedule.interpret import interpret
from chainrule.schedule.text import parse_kernel, print_kernel
from chainrule.schedule.unroll import unroll
from chainrule.schedule.verify import verify_kernel

BEFORE = """
kernel taps(@x: f32[32] in, @w: f32[3] in, @y: f32[30] out) over %0 in 30:
  var $r0: f32 = 0.0:f32
  for %1 in 0:i64 .. 3:i64 step 1 unroll:
    %2 = add %0 %1 : i64
    %3 = load %2 {@x} : f32
    %4 = load %1 {@w} : f32
    %5 = mul %3 %4 : f32
    %6 = eq %1 1:i64 : i1
    if %6:
      set $r0 add= %5
    else:
      %7 = mul %5 0.5:f32 : f32
      set $r0 add= %7
  %8 = get {$r0} : f32
  store @y[%0] %8
"""

AFTER = """
kernel taps(@x: f32[32] in, @w: f32[3] in, @y: f32[30] out) over %0 in 30:
  var $r0: f32 = 0.0:f32
  %1 = load %0 {@x} : f32
  %2 = load 0:i64 {@w} : f32
  %3 = mul %1 %2 : f32
  %4 = mul %3 0.5:f32 : f32
  set $r0 add= %4
  %5 = add %0 1:i64 : i64
  %6 = load %5 {@x} : f32
  %7 = load 1:i64 {@w} : f32
  %8 = mul %6 %7 : f32
  set $r0 add= %8
  %9 = add %0 2:i64 : i64
  %10 = load %9 {@x} : f32
  %11 = load 2:i64 {@w} : f32
  %12 = mul %10 %11 : f32
  %13 = mul %12 0.5:f32 : f32
  set $r0 add= %13
  %14 = get {$r0} : f32
  store @y[%0] %14
"""


def test_iterations_one_after_another():
    kernel = unroll(parse_kernel(BEFORE))
    verify_kernel(kernel)
    assert print_kernel(kernel) == AFTER.strip()


def test_the_meaning_stays():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal(32).astype("f4"), rng.standard_normal(3).astype("f4")
    y, z = np.zeros(30, "f4"), np.zeros(30, "f4")
    interpret(parse_kernel(BEFORE), {"x": x, "w": w, "y": y})
    interpret(unroll(parse_kernel(BEFORE)), {"x": x, "w": w, "y": z})
    np.testing.assert_array_equal(y, z)
    assert y.any()


def test_loops_that_are_too_long_or_not_noted_stay():
    kernel = parse_kernel(BEFORE)
    assert "for" in print_kernel(unroll(kernel, most=10))
    plain = parse_kernel(BEFORE.replace(" unroll", ""))
    assert unroll(plain) is plain


def test_everything_is_copied():
    text = textwrap.dedent("""
    kernel all(@x: f32[64] in, @h: bf16[8] inout, @m: i1[8] in, @n: i64[1] number) over %0 in 1:
      %1 = load 0:i64 {@n} : i64
      local @local0: f32[16]
      for %2 in 0:i64 .. 8:i64 step 8:
        for %3 in 0:i64 .. 2:i64 step 1 unroll:
          %4 = load %2 {@m} : i1x8
          %5 = load %2 %4 {@x} : f32x8
          %6 = ramp %3 {8} : i64x8
          %7 = load %6 {@x} : f32x8
          %8 = splat 2.0:f32 {8} : f32x8
          %9 = fma %5 %7 %8 : f32x8
          %10 = lt %5 %9 : i1x8
          %11 = select %10 %5 %9 : f32x8
          %12 = shuffle %11 %5 {0, 9, 2, 11} : f32x4
          %13 = reduce %12 {add} : f32
          %14 = extract %11 {3} : f32
          %15 = add %13 %14 : f32
          %16 = bitcast %15 {i32} : i32
          %17 = gt %16 %16 : i1
          check %17 or 3 %15
          if %17:
            store @local0[%3] %15
          %18 = cast %15 {bf16} : bf16
          store @h[%3] %18 if %17
    """).strip()
    kernel = unroll(parse_kernel(text))
    verify_kernel(kernel)
    copied = print_kernel(kernel)
    assert copied.count("check") == copied.count("fma") == copied.count("reduce") == 2
    assert "unroll" not in copied
