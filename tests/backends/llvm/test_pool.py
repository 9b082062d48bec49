"""The pool survives what happens to a process: forks, signals, other threads, its end."""

import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from native_kernels import BUSY, SAXPY, load

from chainrule.backends.llvm import cores
from chainrule.backends.llvm.pool import get_num_threads, pool, set_num_threads
from chainrule.backends.llvm.program import NativeProgram, Step

HERE = pathlib.Path(__file__).parent
posix = pytest.mark.skipif(os.name != "posix", reason="signals and forks")


@pytest.fixture(autouse=True)
def the_same_number_afterwards() -> Iterator[None]:
    before = get_num_threads()
    yield
    set_num_threads(before)


def saxpy_program() -> NativeProgram:
    (saxpy,) = load(SAXPY)
    return NativeProgram([Step(saxpy, (1, 2), (), 1000, 10)] * 3, arrays=2, work_bytes=64)


def workers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("chainrule-")]


def child(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a script that may use what this file imports."""
    head = f"""
        import sys, os, time, threading, signal
        sys.path.insert(0, {str(HERE)!r})
        import numpy as np
        from native_kernels import BUSY, SAXPY, load
        from chainrule.backends.llvm.pool import *
        from chainrule.backends.llvm.program import NativeProgram, Step
        saxpy, busy = load(SAXPY, BUSY)
        shared = NativeProgram([Step(saxpy, (1, 2), (), 1000, 10)] * 3, arrays=2)
        x, y = np.ones(1000, np.float32), np.zeros(1000, np.float32)
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )


def test_no_thread_is_started_before_it_is_needed() -> None:
    set_num_threads(3)
    assert not workers()
    (saxpy,) = load(SAXPY)
    x, y = np.ones(10, np.float32), np.zeros(10, np.float32)
    NativeProgram([Step(saxpy, (1, 2), (), 10)] * 5, arrays=2).run((x, y))
    assert not workers()  # each step is one chunk
    NativeProgram([Step(saxpy, (1, 2), (), 10, 2)], arrays=2).run((x, y))
    assert len(workers()) == 2
    set_num_threads(1)
    assert not workers()


def test_the_number_may_change_between_runs() -> None:
    program = saxpy_program()
    x, y = np.ones(1000, np.float32), np.zeros(1000, np.float32)
    for run, number in enumerate([1, 2, 4, 1, 3, 2] * 3, 1):
        set_num_threads(number)
        assert get_num_threads() == number
        program.run((x, y))
        assert (y == 6 * run).all()
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="at least one"):
            set_num_threads(wrong)


def test_several_python_threads_at_once() -> None:
    set_num_threads(2)
    wrong: list[float] = []

    def work() -> None:
        program = saxpy_program()
        x, y = np.ones(1000, np.float32), np.zeros(1000, np.float32)
        for _ in range(300):
            program.run((x, y))
        if not (y == 1800).all():
            wrong.append(float(y.min()))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong and not any(t.is_alive() for t in threads)


def test_a_program_may_be_shared_by_python_threads() -> None:
    set_num_threads(2)
    program = saxpy_program()
    arrays = [(np.ones(1000, np.float32), np.zeros(1000, np.float32)) for _ in range(4)]

    def work(number: int) -> None:
        for _ in range(300):
            program.run(arrays[number])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all((y == 1800).all() for _, y in arrays)


def test_programs_come_and_go_while_workers_are_on_their_way() -> None:
    """A worker may be late by any time; the memory that it reads must still be there."""
    set_num_threads(4)
    (saxpy,) = load(SAXPY)
    x, y = np.ones(64, np.float32), np.zeros(64, np.float32)
    for run in range(1, 1500):
        NativeProgram([Step(saxpy, (1, 2), (), 64, 4)] * (run % 5 + 1), arrays=2).run((x, y))
    assert (y == sum(2 * (run % 5 + 1) for run in range(1, 1500))).all()


def test_workers_sleep_when_there_is_nothing_to_do() -> None:
    set_num_threads(2)
    x, y = np.ones(1000, np.float32), np.zeros(1000, np.float32)
    program = saxpy_program()
    program.run((x, y))
    used, until = 1.0, time.monotonic() + 60
    while used > 0.05 and time.monotonic() < until:  # on a busy machine idling enough takes a while
        before = time.process_time()
        time.sleep(0.3)
        used = time.process_time() - before
    assert used < 0.05
    for run in range(2, 12):
        program.run((x, y))
        time.sleep(0.002)
        assert (y == 6 * run).all()


@posix
def test_a_fork_has_a_pool_of_its_own() -> None:
    set_num_threads(2)
    program = saxpy_program()
    x, y = np.ones(1000, np.float32), np.zeros(1000, np.float32)
    program.run((x, y))
    pid = os.fork()
    if pid == 0:
        program.run((x, y))
        fine = (y == 12).all() and len(workers()) == 1
        os._exit(0 if fine else 1)
    program.run((x, y))
    assert (y == 12).all()
    assert os.waitpid(pid, 0)[1] == 0


@posix
def test_a_fork_while_other_threads_run_programs() -> None:
    script = """
        stop = threading.Event()
        def work():
            a, b = np.ones(1000, np.float32), np.zeros(1000, np.float32)
            while not stop.is_set():
                shared.run((a, b))
        threads = [threading.Thread(target=work) for _ in range(2)]
        for t in threads: t.start()
        codes = []
        for _ in range(10):
            pid = os.fork()
            if pid == 0:
                shared.run((x, y))
                os._exit(int(not (y == 6).all()))
            codes.append(os.waitpid(pid, 0)[1])
        stop.set()
        for t in threads: t.join()
        print(codes)
    """
    # Python warns of any fork beside threads, of which there are two here.
    run = child(script, PYTHONWARNINGS="ignore", CHAINRULE_NUM_THREADS="2")
    assert run.stdout.strip() == str([0] * 10), run.stderr


@posix
def test_interrupting_a_program_raises_when_it_is_done() -> None:
    set_num_threads(2)
    (busy,) = load(BUSY)
    y = np.zeros(40, np.int64)
    program = NativeProgram([Step(busy, (1,), (5_000_000,), 40, 1)], arrays=1)
    program.run((y,))
    main = threading.main_thread().ident
    assert main is not None
    # A shell starts what runs in its background with Ctrl-C ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.05, lambda: signal.pthread_kill(main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        for _ in range(1000):
            program.run((y,))
    signal.signal(signal.SIGINT, before)
    assert (y == y[0]).all() and y[0] >= 2  # whole programs only
    program.run((y,))
    done: list[bool] = []
    other = threading.Thread(target=lambda: done.append(program.run((y,)) is None))
    other.start()
    other.join(30)
    assert done == [True]  # the lock is free, for other threads too


@posix
def test_a_signal_handler_may_run_a_program_even_while_threads_are_started() -> None:
    program, inner = saxpy_program(), saxpy_program()
    x, y, z = (np.full(1000, v, np.float32) for v in (1, 0, 0))
    wrong: list[float] = []
    calls = 0

    def run(one: NativeProgram, out: np.ndarray) -> None:
        out[:] = 0
        one.run((x, out))
        if not (out == 6).all():
            wrong.append(float(out.min()))

    def handler(*_: object) -> None:
        nonlocal calls
        calls += 1
        run(inner, z)

    old = signal.signal(signal.SIGALRM, handler)
    until, turn = time.monotonic() + 1.0, 0
    try:
        while time.monotonic() < until or calls < 20:
            signal.setitimer(signal.ITIMER_REAL, 0.0003)
            turn += 1
            if turn % 3 == 0:
                set_num_threads(turn % 4 + 1)
            elif turn % 5 == 0:
                pool.release()
            for _ in range(turn % 50):
                run(program, y)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert not wrong


@pytest.mark.parametrize("pause", [0.0, 0.05])
def test_a_process_ends_with_workers_awake_or_asleep(pause: float) -> None:
    script = f"""
        shared.run((x, y))
        time.sleep({pause})
        print(len(threading.enumerate()), float(y.sum()))
    """
    for threads in ("2", "4"):
        run = child(script, CHAINRULE_NUM_THREADS=threads)
        assert run.returncode == 0 and run.stderr == ""
        assert run.stdout.split() == [threads, "6000.0"]


def test_a_process_ends_while_a_program_runs() -> None:
    script = """
        z = np.zeros(100, np.int64)
        long = NativeProgram([Step(busy, (1,), (3_000_000,), 100, 1)], arrays=1)
        threading.Thread(target=lambda: long.run((z,)), daemon=True).start()
        time.sleep(0.05)
        print("bye")
    """
    run = child(script, CHAINRULE_NUM_THREADS="2")
    assert run.returncode == 0 and run.stderr == "" and run.stdout == "bye\n"


def test_a_program_may_run_at_exit() -> None:
    script = """
        import atexit
        atexit.register(lambda: (shared.run((x, y)), print(float(y.sum()))))
        shared.run((x, y))
    """
    run = child(script, CHAINRULE_NUM_THREADS="2")
    assert (run.returncode, run.stderr, run.stdout) == (0, "", "12000.0\n")


def test_sleeping_in_python_where_the_system_offers_nothing_else() -> None:
    script = """
        from chainrule.backends.llvm import driver
        driver.sleeps_natively = lambda: False
        from chainrule.backends.llvm import pool as room, program
        program.sleeps_natively = driver.sleeps_natively
        driver.driver.cache_clear()
        room.pool._native_sleep = False
        shared = NativeProgram([Step(saxpy, (1, 2), (), 1000, 10)] * 3, arrays=2)
        runs = 0
        for _ in range(20):
            shared.run((x, y)); runs += 1
        for _ in range(10):
            time.sleep(0.01)
            for _ in range(5):
                shared.run((x, y)); runs += 1
        assert (y == 6 * runs).all()
        until = time.monotonic() + 60
        while room.pool._get("parked") < 2 and time.monotonic() < until:
            time.sleep(0.01)
        print(room.pool._get("parked"), get_num_threads())
        set_num_threads(2)
        shared.run((x, y))
        print((y == 6 * runs + 6).all())
    """
    run = child(script, CHAINRULE_NUM_THREADS="3")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.split() == ["2", "3", "True"]


def test_the_system_gives_no_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    set_num_threads(4)
    started: list[object] = []
    real = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith("chainrule-") and started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    x, y = np.ones(1000, np.float32), np.zeros(1000, np.float32)
    saxpy_program().run((x, y))
    assert (y == 6).all() and len(workers()) == 1


def test_memory_is_given_back_and_taken_again() -> None:
    set_num_threads(2)
    x, y = np.ones(1000, np.float32), np.zeros(1000, np.float32)
    program = saxpy_program()
    program.run((x, y))
    pool.release()
    program.run((x, y))
    assert (y == 12).all()


# --- how many cores -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, float("inf")),
        ({"sys/fs/cgroup/cpu.max": "max 100000"}, float("inf")),
        ({"sys/fs/cgroup/cpu.max": "150000 100000"}, 1.5),
        ({"sys/fs/cgroup/a/cpu.max": "200000 100000", "sys/fs/cgroup/a/b/cpu.max": "max 1"}, 2.0),
        ({"sys/fs/cgroup/a/cpu.max": "nonsense"}, float("inf")),
        ({"sys/fs/cgroup/unified/a/b/cpu.max": "50000 100000"}, 0.5),
        (
            {
                "sys/fs/cgroup/cpu/v1/cpu.cfs_quota_us": "300000",
                "sys/fs/cgroup/cpu/v1/cpu.cfs_period_us": "100000",
            },
            3.0,
        ),
        (
            {
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            float("inf"),
        ),
    ],
)
def test_quotas_of_control_groups(
    tmp_path: pathlib.Path, files: dict[str, str], quota: float
) -> None:
    groups = "4:memory:/x\n3:cpu,cpuacct:/v1\n0::/a/b\n"
    for name, text in {"proc/self/cgroup": groups, **files}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cores._quota(tmp_path) == quota


def test_the_environment_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in cores.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert cores.asked() == cores.available() >= 1
    monkeypatch.setenv("OMP_NUM_THREADS", "5,2")
    assert cores.asked() == 5
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "3")
    assert cores.asked() == 3
    monkeypatch.setenv("CHAINRULE_NUM_THREADS", "0")
    assert cores.asked() == 5
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert cores.asked() == cores.available()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_the_affinity_mask_is_honoured() -> None:
    script = """
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        from chainrule.backends.llvm import cores
        print(cores.available())
        shared.run((x, y))
        print(float(y.sum()))
    """
    run = child(script, CHAINRULE_NUM_THREADS="3")  # three threads on one core: slow, not stuck
    assert run.stdout.split() == ["1", "6000.0"], run.stderr
