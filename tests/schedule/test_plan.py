"""Order, places, waits."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import graphs, prepared

from chainrule import dtypes, ops
from chainrule.autodiff import gradients
from chainrule.backends.llvm.target import named
from chainrule.ir.node import Node
from chainrule.rewrite.fuse import fuse
from chainrule.rewrite.homes import is_leaf
from chainrule.schedule.lower import lower
from chainrule.schedule.plan import Memory, NativeStep, Plan, Slot, Work, chunk, plan

TARGET = named("avx2")


def planned(outputs: Sequence[Node], donated: dict[Node, Node] | None = None) -> Plan:
    nodes = prepared(list(outputs))
    works = [Work(k, lower(k, TARGET)) for k in fuse(nodes)]
    return plan(works, [n for n in nodes if not is_leaf(n)], donated)


def spans(made: Plan) -> list[tuple[list[tuple[int, int, int]], list[tuple[int, int, int]], bool]]:
    """What every step reads and writes, as (array, first byte, last byte), and whether it waits."""
    found = []
    for s in made.steps:
        assert isinstance(s, NativeStep)
        reads, writes = [], []
        for a, b in zip(s.args, s.kernel.buffers, strict=True):
            if isinstance(a, Slot):
                span = (a.array, a.offset, a.offset + max(b.bytes, 1))
                (writes if b.role == "out" else reads).append(span)
        found.append((reads, writes, s.wait))
    return found


def meet(a: tuple[int, int, int], b: tuple[int, int, int]) -> bool:
    return a[0] == b[0] and a[1] < b[2] and b[1] < a[2]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 5000), min_size=1, max_size=40), st.data())
def test_intervals_that_are_taken_do_not_overlap(sizes: list[int], data: st.DataObject) -> None:
    memory, live = Memory(), {}
    for k, n in enumerate(sizes):
        start = memory.take(n)
        assert start % 64 == 0 and start + n <= memory.size
        assert all(start + n <= s or s + m <= start for s, m in live.values())
        live[k] = start, n
        if data.draw(st.booleans()):
            memory.give(*live.pop(data.draw(st.sampled_from(sorted(live)))))
    for start, n in live.values():
        memory.give(start, n)
    whole = memory.size
    assert memory.take(whole) == 0 and memory.size == whole


@settings(max_examples=60, deadline=None, derandomize=True)
@given(graphs(), st.booleans())
def test_values_in_the_arena_keep_until_their_last_reader(
    graph: tuple[list[Node], list[Node]], derived: bool
) -> None:
    inputs, outputs = graph
    if derived:
        outputs = gradients(ops.sum(outputs[-1]), inputs)
    made = planned(outputs)
    last: dict[tuple[int, int], int] = {}  # (array, first byte) → the step that wrote there last
    for t, (reads, writes, _) in enumerate(spans(made)):
        for span in reads:
            if span[0] < 0:  # what is read was written, and by nobody else since
                assert span[:2] in last
        for span in writes:
            for other in [k for k in last if k != span[:2] and k[0] == span[0]]:
                if meet(span, (*other, other[1] + 1)):
                    del last[other]
            last[span[:2]] = t


@settings(max_examples=60, deadline=None, derandomize=True)
@given(graphs(), st.booleans())
def test_steps_wait_for_what_they_read_or_write_over(
    graph: tuple[list[Node], list[Node]], derived: bool
) -> None:
    inputs, outputs = graph
    if derived:
        outputs = gradients(ops.sum(outputs[-1]), inputs)
    pending: list[tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]] = []
    for reads, writes, wait in spans(planned(outputs)):
        if wait:
            pending.clear()
        for r, w in pending:
            assert not any(meet(a, b) for a in reads for b in w)
            assert not any(meet(a, b) for a in writes for b in [*r, *w])
        pending.append((reads, writes))


def x(index: int, *shape: int) -> Node:
    return ops.input(index=index, shape=shape, dtype=dtypes.float32)


def test_an_update_is_written_where_the_parameter_lies() -> None:
    p, g = x(0, 100), x(1, 100)
    new = p - g * 0.1
    assert planned([new], {new: p}).reused == {new: p}
    assert planned([new]).reused == {}


def test_what_others_still_read_is_not_written_over_before_they_have() -> None:
    p, a = x(0, 64, 32), x(1, 100, 64)
    y = ops.matmul(a, p)
    new = p - 0.1 * p
    made = planned([new, y], {new: p})
    assert made.reused == {new: p}
    assert [w.fused.kind for w in made.order] == ["contract", "flat"]


def test_what_is_read_behind_the_update_keeps_its_memory() -> None:
    p, a = x(0, 64, 32), x(1, 100, 64)
    new = p - 0.1 * p
    y = ops.matmul(ops.matmul(a, new), ops.permute(p, order=(1, 0)))
    assert planned([new, y], {new: p}).reused == {}


def test_what_is_given_away_is_written_after_all_that_can_fail() -> None:
    p, table, i = x(0, 100), x(1, 10, 4), ops.input(index=2, shape=(5,), dtype=dtypes.int64)
    new = p - 0.1 * p
    made = planned([new, ops.exp(ops.take(table, i, axis=0))], {new: p})
    assert made.reused == {new: p} and made.order[-1].fused.outputs == (new,)


def test_a_dying_value_is_written_over_in_place() -> None:
    h = ops.matmul(x(0, 64, 64), x(1, 64, 64))
    for _ in range(3):  # dear, and read by products: all of them are stored
        h = ops.matmul(ops.tanh(ops.tanh(h)), x(1, 64, 64))
    assert planned([h]).arena <= 2 * 64 * 64 * 4 + 65536


@pytest.mark.parametrize("cost, extent", [(0.1, 10), (1e6, 3), (50.0, 100_000), (1.0, 1), (0.0, 9)])
def test_chunks_are_worth_claiming(cost: float, extent: int) -> None:
    grain = chunk(cost, extent)
    assert 1 <= grain <= extent
    if grain < extent and grain > 1:
        assert 5_000 <= grain * cost <= 50_000
