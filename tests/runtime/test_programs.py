"""Programs are found by their outputs, and what they give belongs to nobody else."""

from collections.abc import Sequence

import numpy as np
import pytest

from chainrule import compiler, config, dtypes, ops
from chainrule.backends import reference
from chainrule.ir.node import Node
from chainrule.runtime import programs
from chainrule.runtime.random import manual_seed


def x(index=0, shape=(3,)):
    return ops.input(index=index, shape=shape, dtype=dtypes.float64)


def test_the_same_outputs_are_the_same_program() -> None:
    y = ops.exp(x()) * 7.25
    before = compiler.built
    first = programs.program((y,))
    assert programs.program((ops.exp(x()) * 7.25,)) is first and compiler.built == before + 1


def test_results_share_memory_with_nothing() -> None:
    a = np.arange(3.0)
    node = x()
    views = (
        node,
        ops.copy(node),
        ops.reshape(node, shape=(3, 1)),
        ops.broadcast_to(node, shape=(2, 3)),
        node,
    )
    values = programs.run(views, [a])
    for i, v in enumerate(values):
        assert v.flags.writeable and v.flags.c_contiguous and not np.shares_memory(v, a)
        assert not any(np.shares_memory(v, w) for w in values[:i])


def test_programs_that_are_not_used_are_forgotten_and_those_that_are_stay() -> None:
    step = (ops.sin(x()),)
    used = programs.program(step)
    for i in range(1100):
        programs.program((x() + float(i),))
        assert programs.program(step) is used
    assert programs.count() <= 1024


def test_places_are_emptied_after_their_last_reader() -> None:
    node = x()
    for _ in range(10):
        node = ops.exp(node)
    program = reference.build([node])
    assert sum(len(i.free) for i in program.instructions) == len(program.instructions)


@pytest.mark.parametrize("backend", ["reference", "llvm"])
def test_stages_are_shown_as_text(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "backend", backend)
    stages = compiler.STAGES if backend == "reference" else compiler.CLAIMED + compiler.NATIVE
    text = compiler.stages([ops.sigmoid(x())])
    assert "recorded" in text and "sigmoid" in text
    assert all(stage.says in text for stage in stages)


def test_what_cannot_be_compiled_is_computed_with_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(nodes: object) -> None:
        raise AssertionError("no such loop")

    monkeypatch.setattr(config, "backend", "llvm")
    monkeypatch.setattr(compiler, "_native", broken)
    monkeypatch.setattr(compiler, "TINY", (0, 0))
    program = compiler.compile([ops.exp(x())])
    with pytest.warns(RuntimeWarning, match="AssertionError: no such loop"):
        first = program([np.ones(3, np.float32)])
    np.testing.assert_array_equal(program([np.ones(3, np.float32)])[0], first[0])


def test_sizes_that_change_from_run_to_run_are_left_to_the_reference_until_one_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A text that grows word by word: compiling for every length would take longer than to read."""
    compiled, native = [], compiler._native

    def counted(nodes: Sequence[Node]) -> object:
        compiled.append(nodes[0].shape[0])
        return native(nodes)

    monkeypatch.setattr(config, "backend", "llvm")
    monkeypatch.setattr(compiler, "CHEAP", 1 << 30)
    monkeypatch.setattr(compiler, "TINY", (0, 0))
    monkeypatch.setattr(compiler, "_native", counted)
    monkeypatch.setattr(compiler, "_moving", {})
    monkeypatch.setattr(config, "patience", 32)

    def of(length: int) -> compiler.Program:
        text = ops.input(index=0, shape=(length, 4), dtype=dtypes.float32)
        return compiler.compile([ops.softmax(ops.exp(text), axis=1)])

    programs_of = {n: of(n) for n in range(1, 8)}
    for n, program in programs_of.items():
        (row,) = program([np.ones((n, 4), np.float32)])
        np.testing.assert_allclose(row, 0.25)
    assert compiled == [1, 2]
    for _ in range(config.patience):
        programs_of[5]([np.ones((5, 4), np.float32)])
    assert compiled == [1, 2, 5]


def test_what_was_recorded_one_by_one_is_compiled_when_it_comes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four thousand images prepared in a loop of Python: one graph, computed once."""
    compiled = []
    monkeypatch.setattr(config, "backend", "llvm")
    monkeypatch.setattr(config, "patience", 32)
    monkeypatch.setattr(compiler, "_native", lambda nodes: compiled.append(len(nodes)))
    many = [ops.floor(ops.exp(x(i, (4,)))) for i in range(1200)]
    compiler.compile(many)([np.zeros(4)] * 1200)
    assert not compiled


def test_first_values_of_a_deep_network_are_drawn_without_compiling_a_kernel_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiled: list[int] = []
    monkeypatch.setattr(config, "backend", "llvm")
    monkeypatch.setattr(config, "patience", 32)
    monkeypatch.setattr(compiler, "_native", lambda nodes: compiled.append(len(nodes)))
    key = ops.input(index=0, shape=(2,), dtype=dtypes.int64)
    draws = [
        ops.random_uniform(key, offset=256 * i, shape=(32, 32), dtype=dtypes.float32) * 2.0 - 1.0
        for i in range(20)
    ]
    values = compiler.compile(draws)([np.array([3, 0])])
    assert not compiled and all(-1 <= v.min() < -0.9 < 0.9 < v.max() <= 1 for v in values)


def test_a_tiny_graph_is_compiled_once_it_has_run_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "OFTEN", 3)
    monkeypatch.setattr(config, "patience", 32)
    program = compiler.Program([ops.exp(x(shape=(2,))) * 3.5])
    runs = [program([np.array([0.0, 1.0])])[0] for _ in range(5)]
    assert program._native is not None
    for value in runs:
        np.testing.assert_allclose(value, [3.5, 3.5 * np.e], rtol=1e-15)


def test_what_comes_after_a_seed_does_not_depend_on_what_ran_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reference and machine code round differently; so do runs 1 and 40 of a program."""
    monkeypatch.setattr(config, "patience", 32)
    w = ops.input(index=0, shape=(64, 64), dtype=dtypes.float32)
    program = compiler.Program([ops.softmax(ops.tanh(ops.matmul(w, w)) * 1.7, axis=1)])

    def training() -> list[bytes]:
        manual_seed(0)
        value, seen = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32), []
        for _ in range(40):
            (value,) = program([value * 8])
            seen.append(value.tobytes())
        return seen

    first = training()
    assert program._native is not None and program._runs
    assert training() == first


def test_a_program_that_seeds_in_every_step_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "patience", 32)
    monkeypatch.setattr(compiler, "TINY", (0, 0))
    program = compiler.Program([ops.exp(x(shape=(2,))) * 4.5])
    for _ in range(compiler.RESTARTS + 2):
        manual_seed(0)
        program([np.zeros(2)])
    assert program._native is not None


@pytest.mark.parametrize("dtype", [dtypes.float64, dtypes.float32, dtypes.bfloat16])
def test_the_first_run_without_a_plan_gives_what_later_runs_give(
    monkeypatch: pytest.MonkeyPatch, dtype: dtypes.DType
) -> None:
    monkeypatch.setattr(config, "patience", 32)
    a = ops.input(index=0, shape=(4, 5), dtype=dtype)
    soft = ops.softmax(a * 2, axis=1)
    order = ops.argsort(a, axis=1, descending=False)
    outputs = [soft, ops.sum(soft, axis=0, keepdim=False), order, ops.permute(a, order=(1, 0)), a]
    program = compiler.Program(outputs)
    given = np.random.default_rng(0).normal(size=(4, 5)).astype(dtype.np)
    first = program([given])
    assert program._nodes is None  # nothing was planned
    second = program([given])
    assert program._nodes is not None
    for x, y in zip(first, second, strict=True):
        assert x.dtype == y.dtype and not np.shares_memory(x, given)
        close = 1e-2 if dtype is dtypes.bfloat16 else 1e-6
        np.testing.assert_allclose(x.astype(float), y.astype(float), rtol=close)
