"""What a kernel means: machine code and the interpreter agree, on every operation, kind, number of
lanes and target.
"""

import numpy as np
import pytest
from native import run_kernel

from chainrule.backends.llvm.code import assemble, assembly
from chainrule.backends.llvm.emit import emit, work_bytes
from chainrule.backends.llvm.target import NAMES, named
from chainrule.schedule.build import Builder
from chainrule.schedule.interpret import interpret, numpy_kind
from chainrule.schedule.loops import FLOATS, Kernel
from chainrule.schedule.text import parse_kernel
from chainrule.schedule.verify import verify_kernel

TARGETS = [named(n) for n in NAMES]
#: Targets that do not run here only assemble, which says little: one width will do.
WIDTHS = [(t, n) for t in TARGETS for n in ((1, 2, 8, 32) if t.runs_here else (32,))]
INTEGERS = ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"]
KINDS = [*INTEGERS, "f32", "f64"]
ALL = ["i1", *KINDS, "f16", "bf16"]
COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge"]


def named_by(x) -> str:
    """What a case is called."""
    return getattr(x, "name", None) or str(x)


def values(kind: str, count: int, seed: int) -> np.ndarray:
    """Numbers of all sizes, and those where something may go wrong, shuffled."""
    rng, dtype = np.random.default_rng(seed), numpy_kind(kind)
    if kind == "i1":
        return rng.integers(0, 2, count).astype(dtype)
    if kind in FLOATS:
        edge = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, np.inf, -np.inf, np.nan, 1e-45]
        edge += [-1e-40, 3e38, -3e38, 6e-8, -3e-6, 65504, 65520, 1e5, 2.0**23 + 1, 2.0**31 - 128]
        edge += [2.0**31, -(2.0**31), 2.0**32, 2.0**63, -(2.0**63), 2.0**64, 1 + 2.0**-11, 300.7]
        edge += [1e-310, 1e308, 1 + 2.0**-11 + 2.0**-40, 1 + 2.0**-8 + 2.0**-40, 2.0**52 + 0.5]
        wide = rng.standard_normal(count) * 10.0 ** rng.integers(-8, 12, count)
        with np.errstate(all="ignore"):
            found = np.concatenate([np.tile(edge, 1 + count // 70), wide]).astype(dtype)
    else:
        info = np.iinfo(dtype)
        edge = [0, 1, 2, 3, 7, 8, info.max, info.min, info.max - 1, info.min + 1]
        edge += [-1, -2, -7] if info.min < 0 else [info.max // 2, info.max // 2 + 1]
        wide = rng.integers(info.min, info.max, count, dtype, endpoint=True)
        wide >>= rng.integers(0, info.bits, count).astype(dtype)
        found = np.concatenate([np.tile(np.array(edge, dtype), 1 + count // 26), wide])
    return rng.permutation(found)[:count]


def same(a: np.ndarray, b: np.ndarray, zeros: bool = True) -> None:
    """Equal bits, but for those of NaN (and, if asked, the signs of zeros)."""
    if a.dtype.kind in "biu":
        np.testing.assert_array_equal(a, b)
        return
    with np.errstate(invalid="ignore"):  # of NaN that signal
        a, b = a.astype(np.float64), b.astype(np.float64)
    np.testing.assert_array_equal(a, b)
    if zeros:
        number = ~np.isnan(a)
        np.testing.assert_array_equal(np.signbit(a[number]), np.signbit(b[number]))


def agree(kernel: Kernel, arrays: dict, target, zeros: bool = True) -> dict:
    """Runs both; they must write the same. Where the target does not run here, it must assemble."""
    verify_kernel(kernel)
    text = emit(kernel, target)
    if not target.runs_here:
        assert len(assemble(text, target)) > 100
        return arrays
    mine = {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in arrays.items()}
    code, meaning = run_kernel(kernel, mine, target), interpret(kernel, arrays)
    assert (code is None) == (meaning is None)
    for name, expected in arrays.items():
        if isinstance(expected, np.ndarray):
            try:
                same(mine[name], expected, zeros)
            except AssertionError as e:
                raise AssertionError(f"{name} on {target.name}\n{e}") from None
    return arrays


def table(kind: str, lanes: int, rows: dict, count: int = 256, operands: int = 2) -> tuple:
    """A kernel that does many things to the same numbers: name → (kind of the result, how)."""
    b = Builder()
    given = [b.buffer(f"in{i}", kind, count, "in") for i in range(operands)]
    outs = {n: b.buffer(n, to, count, "out") for n, (to, _) in rows.items()}
    with b.kernel("table", count // lanes) as i:
        at = b.op("mul", i, lanes)
        args = [b.load(g, at, lanes) for g in given]
        for n, (_, how) in rows.items():
            b.store(outs[n], at, how(b, *args))
    arrays = {f"in{i}": values(kind, count, i) for i in range(operands)}
    arrays |= {n: np.zeros(count, numpy_kind(to)) for n, (to, _) in rows.items()}
    return b.finish(), arrays


def op(name: str, arity: int):
    return lambda b, *x: b.op(name, *x[:arity])


@pytest.mark.parametrize(("target", "lanes"), WIDTHS, ids=named_by)
@pytest.mark.parametrize("kind", KINDS)
def test_arithmetic(kind, lanes, target):
    unary, binary = ["neg", "abs"], ["add", "sub", "mul", "div"]
    if kind in FLOATS:
        unary += ["sqrt", "floor", "ceil", "trunc", "rint"]
    else:
        unary += ["not"]
        binary += ["rem", "and", "or", "xor", "shl", "shr", "min", "max"]
    rows = {n: (kind, op(n, 1)) for n in unary} | {n: (kind, op(n, 2)) for n in binary}
    rows |= {n: ("i1", op(n, 2)) for n in COMPARISONS}
    rows["choice"] = (kind, lambda b, x, y: b.select(b.op("lt", x, y), x, y))
    if kind not in FLOATS:
        least = -(2 ** (8 * numpy_kind(kind).itemsize - 1))
        for i, n in enumerate(
            (3, -1 if kind[0] == "i" else 5, 0, least if kind[0] == "i" else 255)
        ):
            rows[f"by{i}"] = kind, lambda b, x, y, n=n: b.op("div", x, n)
            rows[f"rest{i}"] = kind, lambda b, x, y, n=n: b.op("rem", x, n)
        for n in (0, 1, 7, 8, 63, 64):
            rows[f"left{n}"] = kind, lambda b, x, y, n=n: b.op("shl", x, n)
            rows[f"right{n}"] = kind, lambda b, x, y, n=n: b.op("shr", x, n)
    agree(*table(kind, lanes, rows), target)


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("lanes", [1, 8, 64])
@pytest.mark.parametrize("kind", ["f32", "f64"])
def test_the_larger_of_two_floats_is_nan_if_one_is(kind, lanes, target):
    rows = {n: (kind, op(n, 2)) for n in ("min", "max")}
    rows |= {f"{n}_{k}": (kind, lambda b, x, y, n=n, k=k: b.op(n, x, k)) for n in ("min", "max")
             for k in (0.0, 1.5, float("inf"), float("nan"))}  # fmt: skip
    rows |= {f"{n}_of": (kind, lambda b, x, y, n=n: b.op(n, -1.5, y)) for n in ("min", "max")}
    agree(*table(kind, lanes, rows), target, zeros=False)


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("lanes", [1, 8, 64])
def test_logic(lanes, target):
    rows = {n: ("i1", op(n, 2)) for n in ["and", "or", "xor", "min", "max", *COMPARISONS]}
    rows["not"] = "i1", op("not", 1)
    rows["choice"] = "i1", lambda b, x, y: b.select(x, y, b.op("not", y))
    agree(*table("i1", lanes, rows), target)


@pytest.mark.parametrize("target", [t for t in TARGETS if t.fma], ids=lambda t: t.name)
@pytest.mark.parametrize("kind", ["f32", "f64"])
def test_a_fused_multiply_add_rounds_once(kind, target):
    for lanes in (1, 8):
        agree(*table(kind, lanes, {"fma": (kind, op("fma", 3))}, 512, 3), target)


@pytest.mark.parametrize("kind", ["f32", "f64"])
def test_without_the_instruction_it_rounds_twice(kind):
    target = named("x86-64")
    kernel, arrays = table(kind, 8, {"fma": (kind, op("fma", 3))}, 512, 3)
    a, b, c = (arrays[f"in{i}"] for i in range(3))
    if target.runs_here:
        run_kernel(kernel, arrays, target)
        with np.errstate(all="ignore"):
            same(arrays["fma"], a * b + c)


@pytest.mark.parametrize(("target", "lanes"), WIDTHS, ids=named_by)
@pytest.mark.parametrize("kind", ALL)
def test_casts(kind, lanes, target):
    rows = {f"to_{to}": (to, lambda b, x, to=to: b.cast(x, to)) for to in ALL}
    agree(*table(kind, lanes, rows, 512, 1), target)


@pytest.mark.parametrize("target", [t for t in TARGETS if t.runs_here], ids=lambda t: t.name)
def test_every_half_precision_number(target):
    for kind in ("f16", "bf16"):
        b = Builder()
        x, y = b.buffer("x", kind, 1 << 16, "in"), b.buffer("y", "f32", 1 << 16, "out")
        z = b.buffer("z", kind, 1 << 16, "out")
        with b.kernel("halves", 1 << 13) as i:
            at = b.mul(i, 8)
            wide = b.cast(b.load(x, at, 8), "f32")
            b.store(y, at, wide)
            b.store(z, at, b.cast(wide, kind))
        bits = np.arange(1 << 16, dtype=np.uint16).view(numpy_kind(kind))
        wide, back = np.zeros(1 << 16, np.float32), np.zeros_like(bits)
        run_kernel(b.finish(), {"x": bits, "y": wide, "z": back}, target)
        with np.errstate(invalid="ignore"):
            same(wide, bits.astype(np.float32))
        same(back, bits)


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("kind", ALL)
def test_lanes(kind, target):
    lanes = 8
    rows = {
        "swap": (kind, lambda b, x, y: b.shuffle(x, y, (7, 15, 0, 8, 3, 3, 9, 1))),
        "parts": (kind, lambda b, x, y: b.shuffle(
            b.shuffle(x, y, (0, 1, 2, 3)), b.shuffle(x, y, (12, 13, 14, 15)), tuple(range(8)))),
        "third": (kind, lambda b, x, y: b.splat(b.extract(x, 3), lanes)),
        "const": (kind, lambda b, x, y: b.const(1.5 if kind in FLOATS else 1, kind, lanes)),
        "pair": (kind, lambda b, x, y: b.shuffle(
            b.shuffle(b.extract(x, 1), b.extract(y, 2), (0, 1, 1, 0)), b.shuffle(
                y, y, (1, 2, 3, 4)), tuple(range(8)))),
    }  # fmt: skip
    if kind in KINDS:
        rows["ramp"] = kind, lambda b, x, y: b.ramp(b.extract(x, 0), lanes)
        rows["ramp3"] = kind, lambda b, x, y: b.ramp(b.const(3, kind), lanes)
    if kind != "i1":
        same_size = {1: "i8", 2: "i16", 4: "i32", 8: "u64"}[numpy_kind(kind).itemsize]
        rows["bits"] = same_size, lambda b, x, y: b.bitcast(x, same_size)
    agree(*table(kind, lanes, rows), target)


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("kind", ["i1", *KINDS])
def test_lanes_are_combined_in_a_fixed_order(kind, target):
    hows = ["min", "max"] if kind != "i1" else ["and", "or", "xor", "min", "max"]
    hows += ["add", "mul"] if kind != "i1" else []
    hows += ["and", "or", "xor"] if kind in INTEGERS else []
    for lanes in (2, 8, 32):
        rows = {
            how: (kind, lambda b, x, how=how: b.splat(b.reduce(x, how), x.type.lanes))
            for how in hows
        }
        agree(*table(kind, lanes, rows, 512, 1), target, zeros=False)


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("lanes", [1, 4, 16])
@pytest.mark.parametrize("kind", ALL)
def test_memory(kind, lanes, target):
    """Masks, gathers and scatters, and their tails beyond the buffer."""
    n = 61
    b = Builder()
    x, m = b.buffer("x", kind, n, "in"), b.buffer("m", "i1", 64, "in")
    p, q = b.buffer("p", "i64", 64, "in"), b.buffer("q", "i32", 64, "in")
    plain, gathered = b.buffer("plain", kind, 64, "out"), b.buffer("gathered", kind, 64, "out")
    few, scattered = b.buffer("few", kind, 64, "inout"), b.buffer("scattered", kind, n, "inout")
    tail, some = b.buffer("tail", kind, n, "out"), b.buffer("some", kind, 64, "out")
    with b.kernel("memory", 64 // lanes) as i:
        at = b.mul(i, lanes)
        lane = b.ramp(at, lanes) if lanes > 1 else at
        inside, on = b.op("lt", lane, n), b.load(m, at, lanes)
        places, short = b.load(p, at, lanes), b.load(q, at, lanes)
        v = b.load(x, at, lanes, inside)
        b.store(plain, at, v)
        b.store(tail, at, v, inside)
        b.store(gathered, at, b.load(x, places, lanes))
        b.store(some, at, b.load(x, short, lanes, on))
        b.store(few, at, v, on)
        b.store(scattered, places, v, b.op("and", on, inside))
    rng = np.random.default_rng(3)
    arrays = {
        "x": values(kind, n, 1), "m": values("i1", 64, 2), "p": rng.integers(0, n, 64),
        "q": rng.integers(0, n, 64).astype(np.int32), "few": values(kind, 64, 4),
        "scattered": values(kind, n, 5),
    }  # fmt: skip
    for name, size in (("plain", 64), ("gathered", 64), ("tail", n), ("some", 64)):
        arrays[name] = np.zeros(size, numpy_kind(kind))
    agree(b.finish(), arrays, target)


NESTS = """
kernel nests(@x: f32[64] in, @y: f32[8] inout, @n: i32[1] number) over %0 in 8:
  %1 = mul %0 8:i64 : i64
  %2 = load 0:i64 {@n} : i32
  %3 = cast %2 {i64} : i64
  local @row: f32[8]
  local @flags: i1[8]
  for %4 in 0:i64 .. 8:i64 step 4:
    %5 = add %1 %4 : i64
    %6 = load %5 {@x} : f32x4
    store @row[%4] %6
    %7 = splat 0.0:f32 {4} : f32x4
    %8 = gt %6 %7 : i1x4
    store @flags[%4] %8
  var $sum: f32 = 0.0:f32
  var $most: f32 = -inf:f32
  for %9 in 1:i64 .. %3 step 2:
    %10 = load %9 {@flags} : i1
    %11 = load %9 {@row} : f32
    if %10:
      set $sum add= %11
      if true:i1:
        set $most max= %11
    else:
      %12 = get {$sum} : f32
      %13 = sub %12 %11 : f32
      set $sum = %13
  for %14 in %3 .. 3:i64 step 1:
    set $sum = 77.0:f32
  for %15 in 5:i64 .. 6:i64 step 1:
    %16 = load %15 {@row} : f32
    set $sum add= %16
  for %17 in 6:i64 .. 6:i64 step 1:
    set $sum = 88.0:f32
  %18 = get {$sum} : f32
  %19 = get {$most} : f32
  %20 = load %0 {@y} : f32
  %21 = add %20 %18 : f32
  %22 = max %21 %19 : f32
  store @y[%0] %22
"""


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("n", [0, 1, 2, 7, 8])
def test_loops_branches_registers_and_scratch_memory(n, target):
    kernel = parse_kernel(NESTS)
    assert work_bytes(kernel) == 128  # each begins at a multiple of 64 bytes
    rng = np.random.default_rng(n)
    x, y = rng.standard_normal(64).astype("f4"), rng.standard_normal(8).astype("f4")
    agree(kernel, {"x": x, "y": y, "n": n}, target)


@pytest.mark.parametrize("target", [t for t in TARGETS if t.runs_here], ids=lambda t: t.name)
def test_any_split_of_the_shared_loop_gives_the_same(target):
    x, y = np.arange(64, dtype="f4"), np.zeros((2, 8), "f4")
    run_kernel(parse_kernel(NESTS), {"x": x, "y": y[0], "n": 8}, target)
    for lo, hi in ((5, 8), (0, 5), (3, 3), (4, 2)):
        run_kernel(parse_kernel(NESTS), {"x": x, "y": y[1], "n": 8}, target, lo=lo, hi=hi)
    np.testing.assert_array_equal(y[0], y[1])


@pytest.mark.parametrize("target", [t for t in TARGETS if t.runs_here], ids=lambda t: t.name)
def test_the_first_failure_is_told_with_its_details(target):
    kernel = parse_kernel("""
    kernel checked(@x: i32[8] in, @y: i32[8] out) over %0 in 1:
      %1 = load 0:i64 {@x} : i32x8
      %2 = splat 5:i32 {8} : i32x8
      %3 = lt %1 %2 : i1x8
      check %3 or 7 %1 5:i32 0.5:f32
      %4 = load 7:i64 {@x} : i32
      %5 = ne %4 4:i32 : i1
      check %5 or 9 %4
      store @y[0:i64] %1
    """)
    fine = np.array([1, 2, 3, 4, -5, -6, -7, 0], np.int32)
    for wrong, expected in ((None, None), (-9, None), (9, (7, 9, 5)), (4, (9, 4))):
        x, y = fine.copy(), np.zeros(8, np.int32)
        if wrong is not None:
            x[7] = wrong
        got, meant = (
            run_kernel(kernel, {"x": x, "y": y}, target),
            interpret(kernel, {"x": x, "y": y}),
        )
        np.testing.assert_array_equal(x, y)  # the kernel goes on
        if expected is None:
            assert got is None and meant is None
        else:
            assert got is not None and meant is not None
            assert got[: len(expected)] == expected == meant[: len(expected)]
            if len(meant) == 4:
                assert np.int64(got[3]).view(np.float64) == 0.5 == meant[3]


def test_wide_vectors_are_used_where_there_are_some():
    kernel, _ = table("f32", 16, {"y": ("f32", op("add", 2))})
    text = emit(kernel, named("avx512"))
    assert "zmm" in assembly(text, named("avx512"))
    assert "ymm" in assembly(emit(kernel, named("avx2")), named("avx2"))


def test_nothing_of_libm_is_called():
    """Neither rounding, nor half precision, nor a fused multiply-add."""
    kinds = ["f32", "f64"]
    for target in TARGETS:
        for kind in kinds:
            names = ["floor", "ceil", "trunc", "rint", "sqrt"]
            rows = {n: (kind, op(n, 1)) for n in names} | {"fma": (kind, op("fma", 3))}
            rows |= {f"to_{to}": (to, lambda b, x, *_, to=to: b.cast(x, to)) for to in ALL}
            kernel, _ = table(kind, 8, rows, operands=3)
            code = assembly(emit(kernel, target), target)
            assert "call" not in code and "\tbl\t" not in code, target.name


def test_what_is_known_about_indices_is_told():
    b = Builder()
    x, y = b.buffer("x", "f32", 64, "in"), b.buffer("y", "f32", 64, "out")
    with b.kernel("known", 64) as i:
        row = b.op("div", i, 8)
        b.store(y, b.add(b.mul(row, 8), b.op("rem", i, 8)), b.load(x, i))
    text = emit(b.finish(), named("avx2"))
    assert "udiv i64 %v0, 8" in text and "urem i64 %v0, 8" in text and "mul nsw i64" in text


def test_what_is_written_over_its_input_is_not_said_to_lie_apart():
    text = "kernel over(@x: f32[8] in, @z: f32[9] in, @y: f32[8] out) over %0 in 8:"
    text += "\n  %1 = load %0 {@x} : f32\n  %2 = load %0 {@z} : f32\n  %3 = add %1 %2 : f32"
    emitted = emit(parse_kernel(text + "\n  store @y[%0] %3"), named("avx2"))
    lists = dict(line.split(" = ") for line in emitted.splitlines() if line.startswith("!"))
    assert lists["!12"] == "!{!20}"  # x: z lies apart
    assert lists["!22"] == "!{!10, !30}"  # z: both do
    assert lists["!32"] == "!{!20}"  # y: z does
