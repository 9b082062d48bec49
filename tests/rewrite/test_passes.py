"""Each pass, as text: a program in, a program out. The programs are read with `ir.parse`."""

import textwrap

import pytest

from chainrule.ir import parse, print_graph, verify
from chainrule.rewrite import decompose, fold, merge_loops, simplify

CASES = {
    "a composite becomes its formula": (
        decompose,
        """
        graph(%0: f32[3]):
          %1 = sigmoid(%0) : f32[3]
          return %1
        """,
        """
        graph(%0: f32[3]):
          %1 = const() {value=1.0, dtype=f32} : f32[]
          %2 = neg(%0) : f32[3]
          %3 = exp(%2) : f32[3]
          %4 = add(%3, %1) : f32[3]
          %5 = div(%1, %4) : f32[3]
          return %5
        """,
    ),
    "composites inside composites": (
        decompose,
        """
        graph(%0: f32[3]):
          %1 = silu(%0) : f32[3]
          return %1
        """,
        """
        graph(%0: f32[3]):
          %1 = const() {value=1.0, dtype=f32} : f32[]
          %2 = neg(%0) : f32[3]
          %3 = exp(%2) : f32[3]
          %4 = add(%3, %1) : f32[3]
          %5 = div(%1, %4) : f32[3]
          %6 = mul(%0, %5) : f32[3]
          return %6
        """,
    ),
    "half types are computed in float32 and rounded once": (
        decompose,
        """
        graph(%0: f16[3]):
          %1 = square(%0) : f16[3]
          return %1
        """,
        """
        graph(%0: f16[3]):
          %1 = cast(%0) {dtype=f32} : f32[3]
          %2 = mul(%1, %1) : f32[3]
          %3 = cast(%2) {dtype=f16} : f16[3]
          return %3
        """,
    ),
    "parts of a composite with several": (
        decompose,
        """
        graph(%0: f32[4]):
          %1 = sort(%0) {axis=0, descending=False} : (f32[4], i64[4])
          %2 = item(%1) {index=0} : f32[4]
          return %2
        """,
        """
        graph(%0: f32[4]):
          %1 = argsort(%0) {axis=0, descending=False} : i64[4]
          %2 = take_along(%0, %1) {axis=0} : f32[4]
          return %2
        """,
    ),
    "the body of a loop": (
        decompose,
        """
        graph(%0: f32[2], %1: f32[5, 2]):
          %2 = scan(%0, %1) {body=<graph arg(%0: f32[2], %1: f32[2]):;   %2 = add(%0, %1) : f32[2];   %3 = relu(%2) : f32[2];   return %3>, carries=1, sequences=1, reverse=False} : (f32[2])
          %3 = item(%2) {index=0} : f32[2]
          return %3
        """,  # noqa: E501
        """
        graph(%0: f32[2], %1: f32[5, 2]):
          %2 = scan(%0, %1) {body=<graph arg(%0: f32[2], %1: f32[2]):;   %2 = add(%0, %1) : f32[2];   %3 = const() {value=0.0, dtype=f32} : f32[];   %4 = maximum(%2, %3) : f32[2];   return %4>, carries=1, sequences=1, reverse=False} : (f32[2])
          %3 = item(%2) {index=0} : f32[2]
          return %3
        """,  # noqa: E501
    ),
    "arithmetic on constants": (
        fold,
        """
        graph(%0: f32[3]):
          %1 = const() {value=2.0, dtype=f32} : f32[]
          %2 = const() {value=3.0, dtype=f32} : f32[]
          %3 = mul(%1, %2) : f32[]
          %4 = sqrt(%3) : f32[]
          %5 = mul(%0, %4) : f32[3]
          return %5
        """,
        """
        graph(%0: f32[3]):
          %1 = const() {value=2.4494898319244385, dtype=f32} : f32[]
          %2 = mul(%0, %1) : f32[3]
          return %2
        """,
    ),
    "what becomes −0 or depends on an input stays": (
        fold,
        """
        graph(%0: f32[]):
          %1 = const() {value=0.0, dtype=f32} : f32[]
          %2 = neg(%1) : f32[]
          %3 = add(%0, %2) : f32[]
          return %3
        """,
        """
        graph(%0: f32[]):
          %1 = const() {value=0.0, dtype=f32} : f32[]
          %2 = neg(%1) : f32[]
          %3 = add(%0, %2) : f32[]
          return %3
        """,
    ),
    "identities": (
        simplify,
        """
        graph(%0: f32[2, 3]):
          %1 = const() {value=1.0, dtype=f32} : f32[]
          %2 = mul(%0, %1) : f32[2, 3]
          %3 = neg(%2) : f32[2, 3]
          %4 = neg(%3) : f32[2, 3]
          %5 = stop_gradient(%4) : f32[2, 3]
          %6 = copy(%5) : f32[2, 3]
          %7 = div(%6, %1) : f32[2, 3]
          %8 = cast(%7) {dtype=f32} : f32[2, 3]
          %9 = exp(%8) : f32[2, 3]
          return %9
        """,
        """
        graph(%0: f32[2, 3]):
          %1 = exp(%0) : f32[2, 3]
          return %1
        """,
    ),
    "a factor of one that broadcasts stays": (
        simplify,
        """
        graph(%0: f32[3]):
          %1 = const() {value=1.0, dtype=f32} : f32[]
          %2 = broadcast_to(%1) {shape=(2, 3)} : f32[2, 3]
          %3 = mul(%0, %2) : f32[2, 3]
          return %3
        """,
        """
        graph(%0: f32[3]):
          %1 = const() {value=1.0, dtype=f32} : f32[]
          %2 = broadcast_to(%1) {shape=(2, 3)} : f32[2, 3]
          %3 = mul(%0, %2) : f32[2, 3]
          return %3
        """,
    ),
    "two moves are one": (
        simplify,
        """
        graph(%0: f32[2, 3, 4]):
          %1 = permute(%0) {order=(1, 2, 0)} : f32[3, 4, 2]
          %2 = permute(%1) {order=(2, 0, 1)} : f32[2, 3, 4]
          %3 = reshape(%2) {shape=(6, 4)} : f32[6, 4]
          %4 = reshape(%3) {shape=(24,)} : f32[24]
          %5 = slice(%4) {start=(0,), stop=(24,), step=(1,)} : f32[24]
          %6 = reshape(%5) {shape=(24, 1)} : f32[24, 1]
          %7 = sum(%6) {axis=(1,), keepdim=False} : f32[24]
          return %7
        """,
        """
        graph(%0: f32[2, 3, 4]):
          %1 = reshape(%0) {shape=(24,)} : f32[24]
          return %1
        """,
    ),
    "small powers": (
        simplify,
        """
        graph(%0: f32[3]):
          %1 = const() {value=2.0, dtype=f32} : f32[]
          %2 = pow(%0, %1) : f32[3]
          %3 = const() {value=3.0, dtype=f32} : f32[]
          %4 = pow(%2, %3) : f32[3]
          return %4
        """,
        """
        graph(%0: f32[3]):
          %1 = mul(%0, %0) : f32[3]
          %2 = const() {value=3.0, dtype=f32} : f32[]
          %3 = pow(%1, %2) : f32[3]
          return %3
        """,
    ),
    "a choice that is decided": (
        simplify,
        """
        graph(%0: f32[3], %1: f32[3]):
          %2 = const() {value=False, dtype=bool} : bool[]
          %3 = where(%2, %0, %1) : f32[3]
          return %3
        """,
        """
        graph(%0: f32[3]):
          return %0
        """,
    ),
    "a smaller loop reads the larger": (
        merge_loops,
        """
        graph(%0: f32[], %1: f32[5]):
          %2 = scan(%0, %1) {body=<graph arg(%0: f32[], %1: f32[]):;   %2 = add(%0, %1) : f32[];   return %2>, carries=1, sequences=1, reverse=False} : (f32[])
          %3 = item(%2) {index=0} : f32[]
          %4 = scan(%0, %1) {body=<graph arg(%0: f32[], %1: f32[]):;   %2 = add(%0, %1) : f32[];   %3 = mul(%0, %1) : f32[];   return %2, %3>, carries=1, sequences=1, reverse=False} : (f32[], f32[5])
          %5 = item(%4) {index=1} : f32[5]
          return %3, %5
        """,  # noqa: E501
        """
        graph(%0: f32[], %1: f32[5]):
          %2 = scan(%0, %1) {body=<graph arg(%0: f32[], %1: f32[]):;   %2 = add(%0, %1) : f32[];   %3 = mul(%0, %1) : f32[];   return %2, %3>, carries=1, sequences=1, reverse=False} : (f32[], f32[5])
          %3 = item(%2) {index=0} : f32[]
          %4 = item(%2) {index=1} : f32[5]
          return %3, %4
        """,  # noqa: E501
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_pass_by_text(name: str) -> None:
    run, before, after = CASES[name]
    made = run(parse(textwrap.dedent(before)).outputs)
    verify(made, primitive=run is decompose)
    assert print_graph(made).strip() == textwrap.dedent(after).strip()


@pytest.mark.parametrize("name", CASES)
def test_a_pass_that_has_run_finds_nothing_more(name: str) -> None:
    run, before, _ = CASES[name]
    once = run(parse(textwrap.dedent(before)).outputs)
    assert run(once) == once
