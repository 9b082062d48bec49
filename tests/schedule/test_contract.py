"""Products and convolutions as blocked loops: they are what einsum says, for any shape, spec, view
and epilogue, on every target.
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from native import run_kernel

from chainrule import dtypes, ops
from chainrule.backends.llvm.target import Target, host, named
from chainrule.ir.graph import Graph, topological
from chainrule.ir.interpret import interpret as run_graph
from chainrule.ir.node import Node
from chainrule.schedule.contract import accepts, epilogue, lower_contraction
from chainrule.schedule.interpret import interpret, numpy_kind
from chainrule.schedule.loops import Local, statements
from chainrule.schedule.lowered import Lowered
from chainrule.schedule.text import print_kernel
from chainrule.schedule.vectorise import vectorise
from chainrule.schedule.verify import verify_kernel

TARGETS = ["avx512", "avx2", "x86-64"]


def x(index: int, *shape: int, dtype=dtypes.float32) -> Node:
    return ops.input(index=index, shape=shape, dtype=dtype, scope="k")


def lower(*outputs: Node, target: Target | None = None) -> tuple[Graph, Lowered]:
    nodes = topological(outputs)
    inputs = sorted((n for n in nodes if n.op.name == "input"), key=lambda n: n.attr("index"))
    (anchor,) = (n for n in nodes if n.op.name == "contract")
    assert accepts(anchor)
    graph = Graph(inputs, outputs)
    return graph, lower_contraction(graph, anchor, target or host())


def run(lowered: Lowered, graph: Graph, arrays: list, target: Target, parts: int = 1) -> list:
    """Runs the steps: native where the target is this machine's, else by the interpreter."""
    outputs = [np.full(o.shape, 77, o.dtype.np) for o in graph.outputs]
    temporaries = [np.full(t.size, 77, numpy_kind(t.kind)) for t in lowered.temporaries]
    for step in lowered.steps:
        kernel = vectorise(step.kernel, target.vector_bytes)
        verify_kernel(kernel)
        given = {}
        for buffer, place in zip(kernel.buffers, step.places, strict=True):
            memory = {"input": arrays, "output": outputs, "temporary": temporaries}[place.what]
            given[buffer.name] = memory[place.number].reshape(-1)
        if target.runs_here:
            for k in range(parts):
                lo, hi = (step.extent * (k + i) // parts for i in (0, 1))
                run_kernel(kernel, given, target, lo=lo, hi=hi)
        else:
            interpret(kernel, given)
    return outputs


def check(*outputs: Node, target: Target | str = "host", parts: int = 1, tolerance=1e-5) -> None:
    """The steps compute what the graph means."""
    target = host() if target == "host" else target if isinstance(target, Target) else named(target)
    graph, lowered = lower(*outputs, target=target)
    rng = np.random.default_rng(0)
    arrays = [np.asarray(rng.standard_normal(i.shape), i.dtype.np) for i in graph.inputs]
    made = run(lowered, graph, arrays, target, parts)
    wanted = run_graph(graph.outputs, dict(zip(graph.inputs, arrays, strict=True)))
    for got, want in zip(made, wanted, strict=True):
        scale = max(float(np.abs(want.astype(np.float64)).max()), 1.0)
        np.testing.assert_allclose(
            got.astype(np.float64), want.astype(np.float64), rtol=0, atol=tolerance * scale
        )


MATRICES = ["ik,kj->ij", "ik,jk->ij", "ki,kj->ij", "ki,jk->ij", "ik,kj->ji", "ki,jk->ji"]


@pytest.mark.parametrize("spec", MATRICES)
def test_products_of_any_size(spec: str) -> None:
    rng = np.random.default_rng(len(spec))
    for _ in range(6):
        n = dict(zip("ikj", (int(v) for v in rng.integers(2, 41, 3)), strict=True))
        left, right = spec.split("->")[0].split(",")
        check(ops.contract(x(0, *(n[c] for c in left)), x(1, *(n[c] for c in right)), spec=spec))


def product(m: int, k: int, n: int, dtype=dtypes.float32) -> Node:
    return ops.contract(x(0, m, k, dtype=dtype), x(1, k, n, dtype=dtype), spec="ik,kj->ij")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("shape", [(7, 5, 9), (2, 1, 33), (20, 37, 18), (33, 3, 2)])
def test_products_on_every_target(shape: tuple[int, int, int], target: str) -> None:
    check(product(*shape), target=target)
    m, k, n = shape
    check(ops.contract(x(0, m, k), x(1, n, k), spec="ik,jk->ij"), target=target)


@pytest.mark.skipif(not named("avx2").runs_here, reason="needs AVX2")
def test_plans_for_wide_vectors_run_on_halves() -> None:
    """What is planned for 512 bits, as machine code of 256."""
    wide = replace(named("avx2"), vector_bytes=64, registers=32, caches=named("avx512").caches)
    check(product(33, 40, 50), target=wide)
    check(ops.contract(x(0, 300, 70), x(1, 300, 90), spec="ki,kj->ij"), target=wide)
    check(ops.contract(x(0, 70, 300), x(1, 90, 300), spec="ik,jk->ij"), target=wide)
    y = convolution(CONVS[2])
    check(ops.maximum(y + x(2, 20, 1, 1), 0.0), target=wide)
    y = convolution(dict(x=(3, 4, 8, 8), w=(20, 4, 3, 3), stride=(2, 2), pad=(1, 1)))
    check(y, target=wide)


SPECS = [
    ("bik,bkj->bij", (5, 7, 11), (5, 11, 9)),
    ("bqhd,bkhd->bhqk", (2, 17, 3, 8), (2, 19, 3, 8)),
    ("bhqk,bkhd->bqhd", (2, 3, 17, 19), (2, 19, 3, 8)),
    ("Ak,ok->Ao", (33, 20), (10, 20)),
    ("ABk,ok->ABo", (4, 10, 50), (150, 50)),
    ("ABo,ABk->ok", (4, 10, 30), (4, 10, 50)),
    ("Ao,ok->Ak", (12, 10), (10, 50)),
    ("i,j->ij", (9,), (20,)),
    ("i,j->ji", (9,), (20,)),
    ("abc,cde->adbe", (3, 4, 5), (5, 2, 6)),
    ("kaj,kb->jab", (7, 3, 11), (7, 6)),
    ("k,kj->j", (30,), (30, 21)),
    ("bk,bkj->bj", (3, 30), (3, 30, 21)),
]


@pytest.mark.parametrize("target", ["host", "avx512"])
@pytest.mark.parametrize(("spec", "a", "b"), SPECS, ids=[s[0] for s in SPECS])
def test_any_spec(spec: str, a: tuple, b: tuple, target: str) -> None:
    check(ops.contract(x(0, *a), x(1, *b), spec=spec), target=target)


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(dtypes.float64, 1e-13), (dtypes.float16, 2e-3), (dtypes.bfloat16, 1e-2)],
    ids=str,
)
@pytest.mark.parametrize("spec", ["ik,kj->ij", "ik,jk->ij", "ki,kj->ij"])
def test_other_dtypes(spec: str, dtype: dtypes.DType, tolerance: float) -> None:
    n = {"i": 21, "k": 13, "j": 18}
    left, right = spec.split("->")[0].split(",")
    a, b = (x(i, *(n[c] for c in s), dtype=dtype) for i, s in enumerate((left, right)))
    check(ops.contract(a, b, spec=spec), tolerance=tolerance)


def test_random_contractions() -> None:
    """Letters in any order, sizes around those of vectors and tiles."""
    rng = np.random.default_rng(3)
    for _ in range(25):
        counts = [(0, 1, 1, 1), (1, 1, 1, 1), (1, 2, 1, 2), (0, 1, 2, 2), (0, 2, 2, 1)]
        batch, rows, columns, inner = counts[rng.integers(len(counts))]
        letters = "abcdefgh"[: batch + rows + columns + inner]
        groups = np.split(list(letters), np.cumsum([batch, rows, columns]))
        few = [1, 2, 3, 4, 7, 8, 9, 15, 16, 17]
        size = {c: int(rng.choice(few)) for c in letters}
        b, r, c, k = (list(g) for g in groups)
        left, right, out = ("".join(rng.permutation(s)) for s in (b + r + k, b + c + k, b + r + c))
        y = ops.contract(
            x(0, *(size[c] for c in left)), x(1, *(size[c] for c in right)),
            spec=f"{left},{right}->{out}",
        )  # fmt: skip
        if accepts(y):
            check(y * x(2, *y.shape), target=("host", "x86-64")[int(rng.integers(2))])


def test_long_sums_with_few_results_are_cut() -> None:
    _, lowered = lower(ops.contract(x(0, 8200, 20), x(1, 8200, 24), spec="ki,kj->ij"))
    assert len(lowered.steps) == 2
    assert lowered.temporaries
    check(ops.contract(x(0, 8200, 20), x(1, 8200, 24), spec="ki,kj->ij"), tolerance=1e-4)


@pytest.mark.parametrize("shape", [(130, 2100, 140), (300, 1030, 33)])
def test_blocks_of_k(shape: tuple[int, int, int]) -> None:
    check(product(*shape), tolerance=1e-4)
    check(ops.maximum(product(*shape) + x(2, shape[2]), 0.0), tolerance=1e-4)


def test_any_division_of_the_work_gives_the_same_bits() -> None:
    graph, lowered = lower(ops.contract(x(0, 200, 300), x(1, 300, 170), spec="ik,kj->ij"))
    rng = np.random.default_rng(1)
    arrays = [rng.standard_normal(i.shape).astype(np.float32) for i in graph.inputs]
    one, two, five = (run(lowered, graph, arrays, host(), n)[0] for n in (1, 2, 5))
    assert (one == two).all()
    assert (one == five).all()


# ------------------------------------------------------------------ views and epilogues


@pytest.mark.parametrize("target", ["host", "avx512"])
def test_operands_may_be_views(target: str) -> None:
    a, b = x(0, 6, 40), x(1, 12, 9)
    turned = ops.permute(ops.reshape(a, shape=(6, 4, 10)), order=(1, 0, 2))
    check(
        ops.contract(
            turned, ops.slice(b, start=(0, 1), stop=(10, 9), step=(1, 2)), spec="bik,kj->bij"
        ),
        target=target,
    )
    check(
        ops.contract(
            ops.flip(a, (1,)), ops.pad(b, low=(20, 0), high=(8, 3), value=0.5), spec="ik,kj->ij"
        ),
        target=target,
    )


def test_operands_may_be_expressions() -> None:
    a = ops.exp(x(0, 9, 7)) * 0.1
    b = ops.where(x(2, 7, 1) > 0.0, x(1, 7, 20), 0.0)
    check(ops.contract(a, b, spec="ik,kj->ij"))


@pytest.mark.parametrize("target", TARGETS)
def test_epilogues(target: str) -> None:
    y = product(19, 8, 21)
    bias, residual = x(2, 21), x(3, 19, 21)
    check(ops.maximum(y + bias, 0.0), target=target)
    check(y + residual, ops.maximum(y, 0.0), target=target)
    check(ops.reshape(x(2, 19), shape=(19, 1)) * y, target=target)
    check(ops.tanh(y + bias), y > 0.0, target=target)


@pytest.mark.parametrize("target", ["host", "avx512"])
def test_epilogues_that_read_large_arrays(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their rows are finished one after another, each over all panels."""
    monkeypatch.setattr(epilogue, "_STREAM", 1)
    check(product(19, 8, 70) + x(2, 19, 70), target=target)
    y = ops.reshape(product(18, 8, 37), shape=(3, 6, 37))
    check(ops.exp(y * 0.1) * x(2, 3, 6, 37), y > 0.0, target=target)
    y = convolution(dict(x=(2, 3, 7, 7), w=(5, 3, 3, 3), stride=(1, 1), pad=(1, 1)))
    check(ops.maximum(y + x(2, 2, 5, 7, 7), 0.0), target=target)
    if target == "host":
        y = product(30, 2100, 140)  # K in blocks
        check(ops.maximum(y + x(2, 30, 140), 0.0), tolerance=1e-4)


def test_epilogues_that_are_steps_of_their_own() -> None:
    y = product(19, 8, 21)
    check(ops.sum(y, axis=(1,), keepdim=False))
    check(ops.permute(y, order=(1, 0)) + x(2, 21, 19))
    long = ops.contract(x(0, 8200, 20), x(1, 8200, 24), spec="ki,kj->ij")
    check(long * 0.1 + x(2, 20, 24), tolerance=1e-4)


# ------------------------------------------------------------------ convolutions

CONVS = [
    dict(x=(2, 3, 9, 8), w=(5, 3, 3, 3), stride=(1, 1), pad=(1, 1)),
    dict(x=(2, 5, 16, 16), w=(7, 5, 3, 3), stride=(1, 1), pad=(1, 1)),
    dict(x=(2, 9, 3, 45), w=(20, 9, 3, 3), stride=(1, 1), pad=(1, 1)),
    dict(x=(1, 9, 5, 37), w=(20, 9, 3, 5), stride=(1, 1), pad=(1, 4), dilation=(1, 2)),
    dict(x=(3, 4, 4, 4), w=(6, 4, 3, 3), stride=(1, 1), pad=(1, 1)),
    dict(x=(3, 4, 2, 2), w=(6, 4, 3, 3), stride=(1, 1), pad=(1, 1)),
    dict(x=(2, 4, 9, 11), w=(6, 4, 3, 3), stride=(2, 2), pad=(1, 1)),
    dict(x=(2, 4, 8, 8), w=(6, 4, 1, 1), stride=(1, 1), pad=(0, 0)),
    dict(x=(2, 4, 8, 8), w=(6, 4, 1, 1), stride=(2, 2), pad=(0, 0)),
    dict(x=(2, 4, 30), w=(6, 4, 5), stride=(1,), pad=(2,)),
    dict(x=(1, 2, 5, 6, 7), w=(3, 2, 3, 2, 3), stride=(1, 2, 1), pad=(1, 0, 1)),
    dict(x=(2, 6, 8, 8), w=(4, 3, 3, 3), stride=(1, 1), pad=(1, 1), groups=2),
    dict(x=(2, 6, 9, 16), w=(6, 1, 3, 3), stride=(1, 1), pad=(1, 1), groups=6),
    dict(x=(2, 3, 12, 12), w=(5, 3, 3, 3), stride=(1, 1), pad=(2, 2), dilation=(2, 2)),
]


def convolution(c: dict) -> Node:
    n = len(c["stride"])
    return ops.conv.expand(ops.conv(
        x(0, *c["x"]), x(1, *c["w"]), stride=c["stride"], low=c["pad"], high=c["pad"],
        dilation=c.get("dilation", (1,) * n), groups=c.get("groups", 1),
    ))  # fmt: skip


@pytest.mark.parametrize("target", ["host", "avx512"])
@pytest.mark.parametrize("c", CONVS, ids=lambda c: f"{c['x']}*{c['w']}")
def test_convolutions(c: dict, target: str) -> None:
    check(convolution(c), target=target)


@pytest.mark.parametrize("c", CONVS, ids=lambda c: f"{c['x']}*{c['w']}")
def test_weight_gradients(c: dict) -> None:
    y = convolution(c)
    anchor = next(n for n in topological([y]) if n.op.name == "contract")
    left, out = anchor.attr("spec").split("->")
    la, lb = left.split(",")
    check(ops.contract(anchor.inputs[0], x(2, *anchor.shape), spec=f"{la},{out}->{lb}"))


def test_windows_share_what_is_packed() -> None:
    """Where vectors lie along an image row, its columns are packed once for all taps."""
    _, lowered = lower(convolution(CONVS[2]), target=named("avx2"))
    body = lowered.steps[-1].kernel.body
    local = [s.buffer.size for s in statements(body) if isinstance(s, Local)]
    assert local[0] % (9 * 3 * 24) == 0  # channels, rows, two vectors and what is beyond them


def test_a_window_may_be_longer_than_any_block_of_k() -> None:
    check(convolution(dict(x=(1, 2, 1100), w=(3, 2, 1040), stride=(1,), pad=(0,))))


def test_epilogues_under_another_shape() -> None:
    y = ops.reshape(product(18, 8, 21), shape=(3, 6, 21))
    check(y)
    check(ops.maximum(y + x(2, 6, 1), 0.0), ops.reshape(y, shape=(54, 7)))
    y = convolution(dict(x=(2, 6, 8, 8), w=(4, 3, 3, 3), stride=(1, 1), pad=(1, 1), groups=2))
    check(ops.maximum(y + x(2, 1, 4, 1, 1), 0.0))


# ------------------------------------------------------------------ as text

GOLDEN = Path(__file__).parent / "golden"
SHOWN = {
    "contract_plain": ops.contract(x(0, 4, 20), x(1, 20, 16), spec="ik,kj->ij"),
    "contract_bias": ops.maximum(
        ops.contract(x(0, 3, 20), x(1, 11, 20), spec="Ak,ok->Ao") + x(2, 11), 0.0
    ),
}


@pytest.mark.parametrize("name", SHOWN)
def test_the_kernel_as_text(name: str) -> None:
    """CHAINRULE_GOLDEN=1 writes it anew."""
    _, lowered = lower(SHOWN[name], target=named("avx2"))
    made = "".join(print_kernel(step.kernel) + "\n" for step in lowered.steps)
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("CHAINRULE_GOLDEN"):
        golden.write_text(made)
    assert golden.read_text() == made
