"""Every rule of the Loop IR has a kernel that breaks it, and an error that says so."""

import pytest

from chainrule.errors import GraphError
from chainrule.schedule.loops import Buffer, For, Kernel, Let, Local, Register, Set, Type, Value
from chainrule.schedule.text import parse_kernel
from chainrule.schedule.verify import verify_kernel

HEAD = "kernel f(@x: f32[8] in, @y: f32[8] out, @h: f16[8] inout, @n: i64[1] number) over %0 in 8:"

RIGHT = [
    "%1 = load %0 {@x} : f32\n  store @y[%0] %1",
    "%1 = ramp %0 {8} : i64x8\n  %2 = load %1 {@x} : f32x8\n  store @y[0:i64] %2",
    "%1 = load %0 {@h} : f16\n  %2 = cast %1 {f32} : f32\n  %3 = cast %2 {f16} : f16",
    "var $r: f32 = 1.0:f32\n  if true:i1:\n    set $r add= 2.0:f32\n  %1 = get {$r} : f32",
    "%1 = splat %0 {4} : i64x4\n  %2 = lt %1 %1 : i1x4\n  check %2 or 3 %1 %0",
    "local @a: i1[8]\n  store @a[%0] true:i1",
    "%1 = cast %0 {i32} : i32\n  %2 = load %1 {@x} : f32",
    "%1 = add %0 100:i64 : i64\n  %2 = lt %1 8:i64 : i1\n  %3 = load %1 %2 {@x} : f32",
]


@pytest.mark.parametrize("body", RIGHT)
def test_what_is_right_passes(body):
    verify_kernel(parse_kernel(f"{HEAD}\n  {body}"))


WRONG = {
    "%1 = add %0 1.0:f64 : i64": "types i64, f64: equal types expected",
    "%1 = add %0 1:i64 : i32": "the value has type i32: i64 expected",
    "%1 = add %0 : i64": "add takes 2 operands, got 1",
    "%1 = frobnicate %0 : i64": "no operation 'frobnicate'",
    "%1 = lt %0 0:i64 : i64": "has type i64: i1 expected",
    "%1 = sqrt %0 : i64": "sqrt of i64 is not defined",
    "%1 = rem 1.0:f32 2.0:f32 : f32": "rem of f32 is not defined",
    "%1 = add true:i1 true:i1 : i1": "add of i1 is not defined",
    "%1 = load %0 {@h} : f16\n  %2 = neg %1 : f16": "neg of f16 is not defined",
    "%1 = load %0 {@h} : f16\n  %2 = lt %1 %1 : i1": "lt of f16: cast it to f32 first",
    "%1 = neg 300:u8 : u8": "the constant 300 is no u8",
    "%1 = load %0 {@x} : f64": "a value of kind f64, but @x holds f32",
    "%1 = load 8:i64 {@x} : f32": "index 8 is outside @x: f32[8] in",
    "%1 = load 1:i64 {@x} : f32x8": "index 1 is outside @x",
    "%1 = add %0 9:i64 : i64\n  %2 = load %1 {@x} : f32": "index 9 is outside @x",
    "%1 = load -1:i64 {@x} : f32": "index -1 is outside @x",
    "%1 = load 0.0:f32 {@x} : f32": "an index of type f32",
    "%1 = ramp %0 {4} : i64x4\n  %2 = load %1 {@x} : f32x8": "4 indices for 8 lanes",
    "%1 = load %0 true:i1 {@x} : f32x4": "the mask has type i1: i1x4 expected",
    "store @x[%0] 1.0:f32": "@x is not written to",
    "store @n[0:i64] 1:i64": "@n is not written to",
    "store @y[%0] 1.0:f64": "a value of kind f64",
    "store @y[%0] 1.0:f32 if %0": "the mask has type i64: i1 expected",
    "if true:i1:\n    local @a: f32[8]\n  store @a[%0] 1.0:f32": "@a is not declared here",
    "local @x: f32[8]": "@x is taken",
    "if true:i1:\n    %1 = neg %0 : i64\n  %2 = neg %1 : i64": "outside the block that defines it",
    "for %1 in 0:i64 .. 4:i64 step 1:\n  %2 = neg %1 : i64": "outside the block",
    "if true:i1:\n    var $r: f32 = 1.0:f32\n  set $r = 2.0:f32": "$r is not declared here",
    "var $r: f32 = 1:i32": "its first value has type i32: f32 expected",
    "var $r: f32 = 1.0:f32\n  var $r: f32 = 1.0:f32": "$r is taken",
    "var $r: f32 = 1.0:f32\n  set $r = 1.0:f64": "the value has type f64: f32 expected",
    "var $r: f32 = 1.0:f32\n  set $r twice= 1.0:f32": "combined by 'twice'",
    "var $r: f32 = 1.0:f32\n  set $r and= 1.0:f32": "and of f32 is not defined",
    "var $r: f32 = 1.0:f32\n  %1 = get {$r} : i32": "has type i32: f32 expected",
    "for %1 in 0:i32 .. 4:i64 step 1:": "start has type i32: i64 expected",
    "for %1 in 0:i64 .. 4:i64 step 0:": "a step of 0",
    "if %0:": "the condition has type i64: i1 expected",
    "check %0 or 1": "the condition has type i64",
    "check true:i1 or 0": "code 0: a positive one expected",
    "check true:i1 or 1" + " 1:i64" * 8: "more than 7 details",
    "%1 = splat %0 {2} : i64x2\n  check true:i1 or 1 %1": "2 lanes of detail for 1",
    "%1 = splat %0 {0} : i64": "0 is no number of lanes",
    "%1 = splat %0 {2} : i64x2\n  %2 = splat %1 {4} : i64x4": "a number expected",
    "%1 = splat %0 {2} : i64x2\n  %2 = extract %1 {2} : i64": "lane 2: 0 to 1 expected",
    "%1 = splat %0 {2} : i64x2\n  %2 = shuffle %1 %1 {0, 4} : i64x2": "lane 4: 0 to 3 expected",
    "%1 = splat %0 {3} : i64x3\n  %2 = reduce %1 {add} : i64": "a power of two expected",
    "%1 = splat %0 {2} : i64x2\n  %2 = reduce %1 {div} : i64": "combined by 'div'",
    "%1 = cast %0 {text} : i64": "no kind 'text'",
    "%1 = bitcast %0 {i32} : i32": "the bits of i64 are no i32",
    "%1 = select %0 1:i32 2:i32 : i32": "the condition of a select of i32 has type i64",
}


@pytest.mark.parametrize("body", WRONG)
def test_what_is_wrong_is_told(body):
    with pytest.raises(GraphError) as error:
        verify_kernel(parse_kernel(f"{HEAD}\n  {body}"))
    assert WRONG[body] in str(error.value)
    assert str(error.value).startswith("kernel f, `")


def broken(*body, buffers=()):
    variable = Value("variable", (), (), Type("i64"), 1)
    return Kernel("f", tuple(buffers), variable, 8, list(body))


def test_what_no_text_can_say():
    one = Value("const", (), (1,), Type("i64"), 0)
    x = Value("neg", (one,), (), Type("i64"), 1)
    i = Value("variable", (), (), Type("i64"), 2)
    a, r = Buffer("a", "f32", 8, "local"), Register("r", Type("i64"))
    loop = For(i, one, one, 1, [])
    for kernel, why in [
        (broken(Let(x), Let(x)), "defined twice"),
        (broken(loop, loop), "its variable is defined twice"),
        (broken(Local(a), Local(a)), "@a is declared twice"),
        (broken(Set(r, one)), "$r is not declared here"),
        (broken(buffers=(a,)), "local memory is no argument"),
        (broken(buffers=(Buffer("b", "f32", 1, "in"),) * 2), "buffers of equal names: b, b"),
        (broken(buffers=(Buffer("b", "f32", 1, "number"),)), "one integer expected"),
        (broken(buffers=(Buffer("b", "c64", 1, "in"),)), "no kind 'c64'"),
        (broken()._replace(name="a b"), "'a b' is no name"),
    ]:
        with pytest.raises(GraphError, match="kernel") as error:
            verify_kernel(kernel)
        assert why in str(error.value)
