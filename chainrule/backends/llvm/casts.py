"""Numbers of one kind as another, as NumPy and PyTorch do it on x86, on every target.

    float → i32, i64       toward zero; NaN and what does not fit: the least integer
    float → i8 i16 u8 u16  through i32, low bits
    float → u32            through i64, low bits
    float → u64            from 2⁶³ on: 2⁶³ is taken off and put on again
    f64 → f16              rounded once; bf16 ← f64 through f32, as PyTorch does
    integers → f16, bf16   through f32

LLVM calls the result of `fptosi` poison where the number does not fit, hence the selects; x86's own
instruction does what we want, and is used where there is one. Processors without half precision
get integer code, since LLVM would call a function that may not be there.
"""

from __future__ import annotations

from chainrule.backends.llvm.writer import BITS, Writer, constant, llvm_type
from chainrule.schedule.loops import FLOATS, Type

HALVES = ("f16", "bf16")


def signed(kind: str) -> bool:
    """Whether an integer kind has negative numbers (i1 has none)."""
    return kind[0] == "i" and kind != "i1"


class Casts(Writer):
    """Writes casts."""

    def cast(self, x: str, t: Type, to: str) -> str:
        """`x` of type t as `to`."""
        if t.kind == to:
            return x
        if t.kind in HALVES:
            wide = self._from_half(x, t)
            return self.cast(wide, Type("f32", t.lanes), to)
        if to in HALVES:
            return self._to_half(x, t, to)
        if to == "i1":
            test = "fcmp une" if t.kind in FLOATS else "icmp ne"
            return self.put(f"{test} {llvm_type(t)} {x}, {constant(0, t)}")
        if t.kind in FLOATS:
            if to in FLOATS:
                return self._convert("fpext" if to == "f64" else "fptrunc", x, t, to)
            return self._to_integer(x, t, to)
        if to in FLOATS:
            return self._convert("sitofp" if signed(t.kind) else "uitofp", x, t, to)
        if BITS[to] == BITS[t.kind]:
            return x
        if BITS[to] < BITS[t.kind]:
            return self._convert("trunc", x, t, to)
        return self._convert("sext" if signed(t.kind) else "zext", x, t, to)

    def _convert(self, how: str, x: str, t: Type, to: str) -> str:
        return self.put(f"{how} {llvm_type(t)} {x} to {llvm_type(Type(to, t.lanes))}")

    def _code(self, text: str, t: Type, x: str, y: int | float | str) -> str:
        """`add x, y`, with a number in all lanes or a name as y."""
        y = y if isinstance(y, str) else constant(y, t)
        return self.put(f"{text} {llvm_type(t)} {x}, {y}")

    # ------------------------------------------------------------------ float → integer

    def _to_integer(self, x: str, t: Type, to: str) -> str:
        n = t.lanes
        if to in ("i32", "i64"):
            return self._to_signed(x, t, to)
        if to != "u64":
            through = "i64" if to == "u32" else "i32"
            whole = self._to_signed(x, t, through)
            return self.cast(whole, Type(through, n), to)
        big = self._code("fcmp oge", t, x, 2.0**63)
        less = self._code("fsub", t, x, 2.0**63)
        high = self._to_signed(less, t, "i64")
        high = self._code("xor", Type("i64", n), high, -(2**63))
        low = self._to_signed(x, t, "i64")
        return self.pick(Type("i64", n), big, high, low)

    def _to_signed(self, x: str, t: Type, to: str) -> str:
        n, into = t.lanes, Type(to, t.lanes)
        if self.target.triple.startswith("x86_64"):
            if n == 1:
                return self._x86_one(x, t, to)
            if (t.kind, to) == ("f32", "i32") and n & (n - 1) == 0:
                return self._x86_many(x, n)
        half = 2.0 ** (BITS[to] - 1)
        above, below = self._code("fcmp oge", t, x, -half), self._code("fcmp olt", t, x, half)
        inside = self._code("and", Type("i1", n), above, below)
        safe = self.pick(t, inside, x, constant(0.0, t))
        whole = self._convert("fptosi", safe, t, to)
        return self.pick(into, inside, whole, constant(-(2 ** (BITS[to] - 1)), into))

    def _x86_one(self, x: str, t: Type, to: str) -> str:
        wide = "<4 x float>" if t.kind == "f32" else "<2 x double>"
        one = self.put(f"insertelement {wide} zeroinitializer, {llvm_type(t)} {x}, i32 0")
        name = "sse.cvttss2si" if t.kind == "f32" else "sse2.cvttsd2si"
        name = f"@llvm.x86.{name}" + ("64" if to == "i64" else "")
        self.declarations.add(f"declare {to} {name}({wide})")
        return self.put(f"call {to} {name}({wide} {one})")

    def _x86_many(self, x: str, n: int) -> str:
        widest = self.target.vector_bytes // 4
        if n > widest:
            whole = list(range(n))
            parts = [self.lanes_of(Type("f32", n), x, "poison", part)
                     for part in (whole[: n // 2], whole[n // 2 :])]  # fmt: skip
            a, b = (self._x86_many(part, n // 2) for part in parts)
            return self.lanes_of(Type("i32", n // 2), a, b, whole)
        if n == 2:
            wide = self.lanes_of(Type("f32", 2), x, "zeroinitializer", [0, 1, 2, 3])
            found = self._x86_many(wide, 4)
            return self.lanes_of(Type("i32", 4), found, "poison", [0, 1])
        name = {4: "sse2.cvttps2dq", 8: "avx.cvtt.ps2dq.256", 16: "avx512.mask.cvttps2dq.512"}[n]
        f, i = f"<{n} x float>", f"<{n} x i32>"
        types, given = f, f"{f} {x}"
        if n == 16:
            types, given = f"{f}, {i}, i16, i32", f"{given}, {i} zeroinitializer, i16 -1, i32 4"
        self.declarations.add(f"declare {i} @llvm.x86.{name}({types})")
        return self.put(f"call {i} @llvm.x86.{name}({given})")

    # ------------------------------------------------------------------ half precision

    @property
    def _has_half(self) -> bool:
        return self.target.has("f16c") or self.target.name == "neon"

    def _from_half(self, x: str, t: Type) -> str:
        """Half-precision bits to f32: exact."""
        n = t.lanes
        f, i = Type("f32", n), Type("u32", n)
        if t.kind == "bf16":
            bits = self._convert("zext", x, t, "u32")
            bits = self._code("shl", i, bits, 16)
            return self.put(f"bitcast {llvm_type(i)} {bits} to {llvm_type(f)}")
        if self._has_half:
            half = "half" if n == 1 else f"<{n} x half>"
            bits = self.put(f"bitcast {llvm_type(t)} {x} to {half}")
            return self.put(f"fpext {half} {bits} to {llvm_type(f)}")
        word = self._convert("zext", x, t, "u32")
        sign = self._code("shl", i, self._code("and", i, word, 0x8000), 16)
        small = self._code("shl", i, self._code("and", i, word, 0x7FFF), 13)
        exponent = self._code("and", i, small, 0x7C00 << 13)
        usual = self._code("add", i, small, 112 << 23)
        special = self._code("add", i, usual, 112 << 23)
        # Denormals: as a number between 2⁻¹⁴ and 2⁻¹³, less 2⁻¹⁴.
        tiny = self._code("add", i, usual, 1 << 23)
        tiny = self.put(f"bitcast {llvm_type(i)} {tiny} to {llvm_type(f)}")
        tiny = self._code("fsub", f, tiny, 2.0**-14)
        tiny = self.put(f"bitcast {llvm_type(f)} {tiny} to {llvm_type(i)}")
        is_special = self._code("icmp eq", i, exponent, 0x7C00 << 13)
        is_tiny = self._code("icmp eq", i, exponent, 0)
        found = self.pick(i, is_special, special, self.pick(i, is_tiny, tiny, usual))
        found = self._code("or", i, found, sign)
        return self.put(f"bitcast {llvm_type(i)} {found} to {llvm_type(f)}")

    def _to_half(self, x: str, t: Type, to: str) -> str:
        n = t.lanes
        f, i, h = Type("f32", n), Type("u32", n), Type("u16", n)
        if t.kind == "f64" and to == "f16":
            x = self._round_to_odd(x, n)
        elif t.kind != "f32":
            x = self.cast(x, t, "f32")
        if to == "f16" and self._has_half:
            half = "half" if n == 1 else f"<{n} x half>"
            x = self.put(f"fptrunc {llvm_type(f)} {x} to {half}")
            return self.put(f"bitcast {half} {x} to {llvm_type(h)}")
        word = self.put(f"bitcast {llvm_type(f)} {x} to {llvm_type(i)}")
        if to == "bf16":
            top = self._code("lshr", i, word, 16)
            up = self._code("add", i, self._code("and", i, top, 1), 0x7FFF)
            rounded = self._code("lshr", i, self._code("add", i, word, up), 16)
            nan = self._code("fcmp uno", f, x, 0.0)
            found = self.pick(i, nan, self._code("or", i, top, 0x40), rounded)
            return self._convert("trunc", found, i, "u16")
        sign = self._code("and", i, word, 1 << 31)
        size = self._code("xor", i, word, sign)
        # Usual numbers: the exponent moved, ties to even; a carry may reach infinity.
        odd = self._code("and", i, self._code("lshr", i, size, 13), 1)
        usual = self._code("add", i, size, 0xFFF - (112 << 23))
        usual = self._code("lshr", i, self._code("add", i, usual, odd), 13)
        # Denormals: adding ½ lets the processor round at their last place.
        tiny = self.put(f"bitcast {llvm_type(i)} {size} to {llvm_type(f)}")
        tiny = self._code("fadd", f, tiny, 0.5)
        tiny = self.put(f"bitcast {llvm_type(f)} {tiny} to {llvm_type(i)}")
        tiny = self._code("sub", i, tiny, 126 << 23)
        is_tiny = self._code("icmp ult", i, size, 113 << 23)
        is_large = self._code("icmp uge", i, size, 143 << 23)
        is_nan = self._code("icmp ugt", i, size, 255 << 23)
        large = self.pick(i, is_nan, constant(0x7E00, i), constant(0x7C00, i))
        found = self.pick(i, is_large, large, self.pick(i, is_tiny, tiny, usual))
        found = self._code("or", i, found, self._code("lshr", i, sign, 16))
        return self._convert("trunc", found, i, "u16")

    def _round_to_odd(self, x: str, n: int) -> str:
        """f64 → f32 so that rounding once more, to fewer bits, is as good as rounding once: what is
        not exact gets an odd last bit.
        """
        d, f, i = Type("f64", n), Type("f32", n), Type("u32", n)
        near = self._convert("fptrunc", x, d, "f32")
        back = self._convert("fpext", near, f, "f64")
        bits = self.put(f"bitcast {llvm_type(f)} {near} to {llvm_type(i)}")
        even = self._code("icmp eq", i, self._code("and", i, bits, 1), 0)
        inexact = self._code("fcmp one", d, back, x)
        beyond = self._code(
            "fcmp ogt", d, self.intrinsic("fabs", d, back), self.intrinsic("fabs", d, x)
        )
        step = self.pick(i, beyond, constant(-1, i), constant(1, i))
        other = self._code("add", i, bits, step)
        chosen = self._code("and", Type("i1", n), even, inexact)
        bits = self.pick(i, chosen, other, bits)
        return self.put(f"bitcast {llvm_type(i)} {bits} to {llvm_type(f)}")
