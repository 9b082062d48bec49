"""Kernels are printed and read again without loss, and what cannot be read is told."""

import pytest

from chainrule.errors import GraphError
from chainrule.schedule.build import Builder
from chainrule.schedule.text import parse_kernel, print_kernel

EVERYTHING = """
kernel every.thing(@x: f32[64] in, @h: bf16[8] inout, @y: i1[8] out, @n: i64[1] number) \
over %0 in 8 cost 2.5:
  %1 = load 0:i64 {@n} : i64
  local @local0: f32[16]
  var $r0: f32 = -0.0:f32
  var $r1: i1x4 = %2
""".replace(
    "  var $r1: i1x4 = %2\n",
    """\
  for %2 in 0:i64 .. %1 step 4 vector:
    %3 = ramp %2 {4} : i64x4
    %4 = splat 8:i64 {4} : i64x4
    %5 = lt %3 %4 : i1x4
    var $r1: i1x4 = %5
    %6 = load %2 %5 {@x} : f32x4
    store @local0[%2] %6
    store @local0[%3] %6 if %5
    %7 = reduce %6 {max} : f32
    set $r0 max= %7
    %8 = shuffle %6 %6 {0, 5, 2, 7} : f32x4
    %9 = extract %8 {3} : f32
    %10 = bitcast %9 {i32} : i32
    check %5 or 3 %3 %10
  %11 = get {$r0} : f32
  %12 = ne %11 inf:f32 : i1
  if %12:
    %13 = fma %11 -nan:f32 1e-45:f32 : f32
    set $r0 = %13
  else:
    %14 = cast %11 {bf16} : bf16
    store @h[%0] %14
    if false:i1:
      store @y[%0] true:i1
  for %15 in 0:i64 .. 0:i64 step 1:
  if true:i1:
  else:
    set $r0 = nan:f32
  %16 = select %12 3.4028234663852886e+38:f32 -inf:f32 : f32
""",
).rstrip()


def test_round_trips_are_exact():
    assert print_kernel(parse_kernel(EVERYTHING)) == EVERYTHING.lstrip()


def test_indentation_and_remarks_are_free():
    rows = EVERYTHING.splitlines()
    text = "\n".join("# a remark\n\n" + "     " + row for row in rows)
    assert print_kernel(parse_kernel(text)) == EVERYTHING.lstrip()


def test_what_is_built_prints_as_it_is_read():
    b = Builder()
    x, y = b.buffer("x", "f32", 64, "in"), b.buffer("y", "f32", 64, "out")
    with b.kernel("scale", 8) as i:
        r = b.register(b.const(0.1, "f32"))
        with b.loop(0, 8, note="vector") as j:
            at = b.add(b.mul(i, 8), j)
            b.set(r, b.load(x, at), "add")
            with b.branch(b.op("lt", j, i)):
                b.store(y, at, b.cast(b.op("rem", at, 3), "f32"))
        b.store(y, i, b.get(r))
    text = print_kernel(b.finish())
    again = parse_kernel(text)
    assert print_kernel(again) == text
    assert [s.value.bounds for s in again.body if hasattr(s, "value")][1:2] == [(0, 56)]


WRONG = {
    "kernel f(@x: f32[4] in) in 4:": "expected 'kernel name",
    "kernel f(@x: f99[4] in) over %0 in 4:": "cannot read the buffer",
    "kernel f() over %0 in 4:\n  frob %0": "no statement of the Loop IR",
    "kernel f() over %0 in 4:\n  %1 = neg %2 : i64": "%2 is used before its definition",
    "kernel f() over %0 in 4:\n  %0 = neg %0 : i64": "%0 is defined twice",
    "kernel f() over %0 in 4:\n  %1 = load %0 {@x} : f32": "no buffer @x: there are none",
    "kernel f() over %0 in 4:\n  set $r = 1.0:f32": "declare it first",
    "kernel f() over %0 in 4:\n  %1 = neg one:f32 : f32": "cannot read 'one:f32'",
    "kernel f() over %0 in 4:\n  %1 = neg 1:x32 : f32": "no kind 'x32'",
    "kernel f() over %0 in 4:\n  %1 = neg %0 : q64": "cannot read the type 'q64'",
    "kernel f() over %0 in 4:\n  %1 = neg %0 : i64\n    %2 = neg %0 : i64": "is indented by 4",
    "  kernel f() over %0 in 4:\n%1 = neg %0 : i64": "stands outside the kernel",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_cannot_be_read_is_told(text):
    with pytest.raises(GraphError) as error:
        parse_kernel(text)
    assert WRONG[text] in str(error.value)
