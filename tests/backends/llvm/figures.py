"""Prints what running programs costs on this machine: `python tests/backends/llvm/figures.py`.

Least times, because whatever else runs on the machine only adds.
"""

import ctypes
import mmap
import pathlib
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from native_kernels import BUSY, SAXPY, load

from chainrule.backends.llvm.arena import Block
from chainrule.backends.llvm.pool import set_num_threads
from chainrule.backends.llvm.program import NativeProgram, Step


def least(call: Callable[[], object], repeat: int = 30, number: int = 20) -> float:
    """µs of one call."""
    best = float("inf")
    for _ in range(repeat):
        begun = time.perf_counter()
        for _ in range(number):
            call()
        best = min(best, (time.perf_counter() - begun) / number)
    return 1e6 * best


def row(text: str, *values: float) -> None:
    print(f"{text:58s}", *(f"{v:10.2f}" for v in values))


def main() -> None:
    saxpy, busy = load(SAXPY, BUSY)
    x, y, z = np.ones(4096, np.float32), np.zeros(4096, np.float32), np.zeros(1000, np.int64)
    arrays = tuple(np.zeros(4, np.float32) for _ in range(300))

    def tiny(chunks: int, wait: bool = True) -> Step:
        return Step(busy, (1,), (1,), chunks, 1, wait)

    empty, wide = NativeProgram([], arrays=0), NativeProgram([], arrays=300)
    row("empty program, µs", least(lambda: empty.run(())))
    row("empty program of 300 arrays, µs", least(lambda: wide.run(arrays)))
    print(f"{'':58s}{'1 thread':>11s}{'2 threads':>11s}")

    def both(text: str, program: NativeProgram, given: tuple[np.ndarray, ...], **how: int) -> None:
        times = []
        for threads in (1, 2):
            set_num_threads(threads)
            program.run(given)
            times.append(least(lambda: program.run(given), **how))
        row(text, *times)

    both("one tiny shared step, µs", NativeProgram([tiny(2)], 1), (z,))
    both("100 tiny shared steps, waiting, µs", NativeProgram([tiny(2)] * 100, 1), (z,))
    serial = [tiny(2)] + [tiny(1)] * 100
    both("1 shared and 100 serial tiny steps, waiting, µs", NativeProgram(serial, 1), (z,))
    serial = [tiny(2)] + [tiny(1, False)] * 100
    both("1 shared and 100 serial tiny steps, not waiting, µs", NativeProgram(serial, 1), (z,))
    step = Step(saxpy, (1, 2), (), 4096, 512)
    both("20 steps of 4096 multiply-adds, waiting, µs", NativeProgram([step] * 20, 2), (x, y))
    for length in (5, 50, 500):
        step = Step(busy, (1,), (length,), 1000, 10)
        ten = NativeProgram([step] * 10, 1)
        both(f"10 steps of 1000 × {length} additions, waiting, µs", ten, (z,), number=2)

    halves = [Step(busy, (1,), (400,), 2, 1)] * 100
    both("100 steps of two chunks of 0.5 µs, waiting, µs", NativeProgram(halves, 1), (z,))

    set_num_threads(2)
    program = NativeProgram([Step(busy, (1,), (200,), 1000, 10)], 1)
    for pause in (0.0, 0.0001, 0.002):
        times = []
        for _ in range(200):
            until = time.perf_counter() + pause
            while time.perf_counter() < until:
                pass
            begun = time.perf_counter()
            program.run((z,))
            times.append(1e6 * (time.perf_counter() - begun))
        times.sort()
        text = f"1000 × 200 additions, {1e3 * pause:.1f} ms after the last: least, median"
        row(text, times[0], times[100])

    for large in (False, True) * 2:  # the system may have to fetch the very first block's memory
        block = Block(1 << 26, "figures")
        if not large:
            block._memory.madvise(mmap.MADV_NOHUGEPAGE)
        words = (ctypes.c_float * (block.nbytes // 4)).from_address(block.address)
        view = np.ctypeslib.as_array(words)
        first = least(lambda v=view: v.fill(1), 1, 1)
        again = least(lambda v=view: v.fill(1), 5, 1)
        pages = "large" if large else "small"
        row(f"64 MiB, {pages} pages: first and next writing, ms", first / 1e3, again / 1e3)
        block.close()


TWO = """
import sys, time
sys.path.insert(0, sys.argv[1])
import numpy as np
from native_kernels import BUSY, load
from chainrule.backends.llvm.pool import set_num_threads
from chainrule.backends.llvm.program import NativeProgram, Step
(busy,) = load(BUSY)
set_num_threads(2)
z = np.zeros(1000, np.int64)
program = NativeProgram([Step(busy, (1,), (int(sys.argv[2]),), 1000, 10)] * 10, 1)
program.run((z,))
time.sleep(max(0, float(sys.argv[3]) - time.time()))
runs, until = 0, time.time() + 0.7
while time.time() < until:
    program.run((z,))
    runs += 1
print(runs)
"""


def fairness() -> None:
    """Two processes of two threads each on the same cores, in turn with one process alone."""
    here = str(pathlib.Path(__file__).parent)
    for length in (5, 50, 500):
        ratios = []
        for _ in range(5):
            counts = []
            for processes in (1, 2, 1):
                command = [sys.executable, "-c", TWO, here, str(length), str(time.time() + 1)]
                running = [
                    subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
                    for _ in range(processes)
                ]
                counts.append(sum(int(p.communicate()[0]) for p in running))
            ratios.append(2 * counts[1] / (counts[0] + counts[2]))
        text = f"steps of 1000 × {length} additions, two processes: rate / one's"
        print(f"{text:58s}", *(f"{r:6.2f}" for r in sorted(ratios)))


if __name__ == "__main__":
    main()
    fairness()
