"""A program does the same whatever number of threads runs it, and says what went wrong."""

import ctypes
import gc
import random
import time
from collections.abc import Iterator

import numpy as np
import pytest
from native_kernels import BUSY, GATHER, MIRROR, ROW_SUMS, SAXPY, THROUGH_WORK, WHO, load

from chainrule.backends.llvm.arena import ALIGNMENT, Arena, Block
from chainrule.backends.llvm.pool import get_num_threads, pool, set_num_threads
from chainrule.backends.llvm.program import CheckError, NativeProgram, Step, plan

THREADS = [1, 2, 3, 4]


@pytest.fixture(autouse=True)
def the_same_number_afterwards() -> Iterator[None]:
    before = get_num_threads()
    yield
    set_num_threads(before)


@pytest.fixture(params=THREADS)
def threads(request: pytest.FixtureRequest) -> int:
    set_num_threads(request.param)
    return int(request.param)


def test_every_iteration_is_run_once(threads: int) -> None:
    (saxpy,) = load(SAXPY)
    for iterations, grain in [(1, 1), (2, 1), (7, 3), (1000, 1), (1000, 7), (1000, 0), (5, 100)]:
        x, y = np.ones(iterations, np.float32), np.zeros(iterations, np.float32)
        program = NativeProgram([Step(saxpy, (1, 2), (), iterations, grain)], arrays=2)
        for _ in range(20):
            program.run((x, y))
        assert (y == 40).all()


def test_rows_are_summed_to_the_same_bits(threads: int) -> None:
    (row_sums,) = load(ROW_SUMS)
    x = np.random.default_rng(0).standard_normal((300, 77)).astype(np.float32)
    expected = np.zeros(300, np.float32)
    for j in range(77):
        expected += x[:, j]
    r = np.empty(300, np.float32)
    NativeProgram([Step(row_sums, (1, 2), (77,), 300, 3)], arrays=2).run((x, r))
    assert r.tobytes() == expected.tobytes()


def test_a_step_that_waits_sees_all_of_the_steps_before(threads: int) -> None:
    """Each step reads what another thread's part of the step before has written."""
    (mirror,) = load(MIRROR)
    size, steps = 240, 60
    for grain in (1, 16, 240):
        x, y = np.zeros(size, np.int64), np.zeros(size, np.int64)
        chain = [
            Step(mirror, (1, 2) if k % 2 == 0 else (2, 1), (size,), size, grain)
            for k in range(steps)
        ]
        program = NativeProgram(chain, arrays=2)
        for _ in range(30):
            x[:] = np.arange(size)
            program.run((x, y))
            assert (x == np.arange(size) + steps).all()


def test_a_random_program_does_what_its_steps_do_in_order(threads: int) -> None:
    """Steps wait only when they touch what a step since the last wait has written (or read)."""
    (mirror,) = load(MIRROR)
    choose = random.Random(threads)
    for _ in range(40):
        size = choose.choice([1, 5, 64, 500])
        arrays = [np.random.default_rng(i).integers(0, 99, size) for i in range(6)]
        expected = [a.copy() for a in arrays]
        steps, read, written = [], set[int](), set[int]()
        for _ in range(choose.randrange(1, 40)):
            source, sink = choose.sample(range(6), 2)
            wait = source in written or sink in written or sink in read
            if wait:
                read, written = set(), set()
            read.add(source)
            written.add(sink)
            grain = choose.choice([0, 1, 10, 100])
            steps.append(Step(mirror, (source + 1, sink + 1), (size,), size, grain, wait))
            expected[sink][:] = expected[source][::-1] + 1
        NativeProgram(steps, arrays=6).run(tuple(arrays))
        for got, wanted in zip(arrays, expected, strict=True):
            assert (got == wanted).all()


def test_a_failed_check_is_said_and_stops_the_program(threads: int) -> None:
    gather, saxpy = load(GATHER, SAXPY)
    index = np.array([0, 1, 2, 9, 1], np.int64)
    x, y, z = np.arange(4, dtype=np.float32), np.zeros(5, np.float32), np.zeros(5, np.float32)
    program = NativeProgram(
        [Step(gather, (1, 2, 3, 0), (4,), 5, 1), Step(saxpy, (3, 4), (), 5, 1)], arrays=4
    )
    with pytest.raises(CheckError) as caught:
        program.run((index, x, y, z))
    assert caught.value.code == 7 and caught.value.details[:2] == (3, 9)
    assert (z == 0).all()
    index[3] = 3
    program.run((index, x, y, z))
    assert y.tolist() == [0, 1, 2, 3, 1] and z.tolist() == [0, 2, 4, 6, 2]


def test_each_thread_has_scratch_memory_of_its_own(threads: int) -> None:
    through, who, busy = load(THROUGH_WORK, WHO, BUSY)
    y, w, z = np.zeros(5000, np.int64), np.zeros(5000, np.int64), np.zeros(5000, np.int64)
    steps = [
        Step(through, (1,), (), 5000, 10),
        Step(busy, (3,), (300,), 5000, 10),
        Step(who, (2,), (), 5000, 10),
    ]
    program = NativeProgram(steps, arrays=3, work_bytes=512)
    seen: set[int] = set()
    runs, until = 0, time.monotonic() + 60
    while runs < 20 or (len(seen) < min(threads, 2) and time.monotonic() < until):
        program.run((y, w, z))
        runs += 1
        assert (y == np.arange(5000)).all()
        seen |= set(w.tolist())
    assert all(place % 64 == 0 for place in seen)
    assert (z == runs).all()
    # On a busy machine the others may be late, but sooner or later one comes.
    assert min(threads, 2) <= len(seen) <= threads


def test_temporaries_follow_the_arena() -> None:
    (saxpy,) = load(SAXPY)
    pool.release()
    x, y = np.ones(64, np.float32), np.zeros(64, np.float32)
    offsets = [0, 256, 1 << 16]

    def program(arena_bytes: int) -> NativeProgram:
        # y += 2 t with t += 2 x; arrays 1, 2; temporaries 3, 4, 5
        steps = [Step(saxpy, (1, 5), (), 64), Step(saxpy, (5, 2), (), 64)]
        return NativeProgram(steps, arrays=2, offsets=offsets, arena_bytes=arena_bytes)

    small = program((1 << 16) + 256)
    small.run((x, y))
    assert (y == 4).all()
    base = pool.arena.base
    assert base % ALIGNMENT == 0
    big = program(1 << 24)
    big.run((x, y))
    assert (y == 8).all() and pool.arena.nbytes == 1 << 24
    small.run((x, y))  # in the larger arena, where t is 2 already
    assert (y == 16).all()
    pool.release()
    assert pool.arena.nbytes == 0
    small.run((x, y))
    assert (y == 20).all()


def test_constants_are_kept() -> None:
    (saxpy,) = load(SAXPY)
    program = NativeProgram(
        [Step(saxpy, (2, 1), (), 8)], arrays=1, constants=[np.full(8, 3, np.float32)]
    )
    gc.collect()
    y = np.zeros(8, np.float32)
    program.run((y,))
    assert (y == 6).all()


def test_memory_that_the_system_does_not_have(threads: int) -> None:
    (saxpy,) = load(SAXPY)
    x, y = np.ones(64, np.float32), np.zeros(64, np.float32)
    step = Step(saxpy, (1, 2), (), 64, 8)
    for huge in ({"arena_bytes": 1 << 60}, {"work_bytes": 1 << 60}):
        program = NativeProgram([step], arrays=2, **huge)
        with pytest.raises(MemoryError, match="bytes were asked"):
            program.run((x, y))
    NativeProgram([step], arrays=2, arena_bytes=1 << 12, work_bytes=64).run((x, y))
    assert (y == 2).all()


def test_a_wrong_number_of_arrays_is_refused() -> None:
    with pytest.raises(TypeError, match="1 arrays came, 2 were expected"):
        NativeProgram([], arrays=2).run((np.zeros(1),))


def test_nothing_to_do() -> None:
    (saxpy,) = load(SAXPY)
    NativeProgram([], arrays=0).run(())
    x = np.zeros(0, np.float32)
    NativeProgram([Step(saxpy, (1, 1), (), 0)], arrays=1).run((x,))


def test_what_an_empty_step_waits_for_the_next_one_does() -> None:
    (f,) = load(SAXPY)
    steps = [Step(f, (), (), 8, 1), Step(f, (), (), 0, 1, True), Step(f, (), (), 8, 1, False)]
    assert [u.before for u in NativeProgram(steps, arrays=0).units] == [0, 8]


def test_small_steps_that_wait_for_each_other_are_one_unit() -> None:
    (f,) = load(SAXPY)
    wide, narrow = Step(f, (), (), 100, 10), Step(f, (), (), 5, 0)
    units, total = plan([narrow, narrow, narrow, wide, narrow, narrow, wide])
    assert [(u.first, u.steps, u.chunks, u.before) for u in units] == [
        (0, 3, 1, 0),
        (3, 1, 10, 1),
        (4, 2, 1, 10),
        (6, 1, 10, 1),
    ]
    assert total == 10
    apart, total = plan([wide, narrow._replace(wait=False), narrow._replace(wait=False), narrow])
    assert [(u.first, u.steps, u.before) for u in apart] == [
        (0, 1, 0),
        (1, 1, 0),
        (2, 1, 0),
        (3, 1, 12),
    ]
    assert total == 1


def test_a_step_that_need_not_wait_for_the_last_of_a_row_waits_for_the_row_before() -> None:
    (f,) = load(SAXPY)
    wide, narrow = Step(f, (), (), 100, 10, False), Step(f, (), (), 5, 0)
    units, total = plan([narrow, narrow, narrow, wide, narrow])
    assert [(u.first, u.steps, u.before) for u in units] == [
        (0, 2, 0),
        (2, 1, 1),
        (3, 1, 0),
        (4, 1, 11),
    ]
    assert total == 1


def test_too_fine_a_grain_is_made_coarser(threads: int) -> None:
    (saxpy,) = load(SAXPY)
    x, y = np.ones(1 << 18, np.float32), np.zeros(1 << 18, np.float32)
    step = Step(saxpy, (1, 2), (), 1 << 18, 1, False)
    program = NativeProgram([step] * 80, arrays=2)
    assert max(u.chunks for u in program.units) < 1 << 15
    assert any(u.before for u in program.units)  # a counter of chunks would overflow
    short = NativeProgram([step], arrays=2)
    short.run((x, y))
    assert (y == 2).all()


def test_ten_thousand_runs_and_a_thousand_programs_leak_nothing() -> None:
    def resident() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1])

    try:
        resident()
    except OSError:
        pytest.skip("no /proc")
    set_num_threads(2)
    (saxpy,) = load(SAXPY)
    x, y = np.ones(64, np.float32), np.zeros(64, np.float32)
    steps = [Step(saxpy, (1, 2), (), 64, 8)] * 50
    program = NativeProgram(steps, arrays=2)

    def work(times: int) -> None:
        for _ in range(times):
            program.run((x, y))
        for _ in range(times // 10):
            NativeProgram(steps, arrays=2).run((x, y))

    work(1000)
    gc.collect()
    before = resident()
    work(10_000)
    gc.collect()
    assert resident() - before < 250  # pages


def test_blocks_are_aligned_and_zero() -> None:
    for nbytes in (1, 5000, 3 << 20):
        block = Block(nbytes, "a test")
        assert block.address % ALIGNMENT == 0
        view = np.ctypeslib.as_array((ctypes.c_uint8 * nbytes).from_address(block.address))
        assert not view.any()
        view[-1] = 1
        del view
        block.close()


def test_an_arena_asks_again_after_a_failure() -> None:
    arena = Arena("a test")
    arena.reserve(1 << 16)
    with pytest.raises(MemoryError, match="for a test"):
        arena.reserve(1 << 60)
    assert arena.nbytes == 0 and arena.base == 0
    arena.reserve(1 << 12)
    assert arena.nbytes == 1 << 12
    arena.release()
