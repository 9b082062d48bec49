"""Runs one kernel: emitted, compiled and called on NumPy arrays."""

import ctypes
import functools
import itertools
from collections.abc import Mapping

import llvmlite.binding as llvm
import numpy as np

from chainrule.backends.llvm.code import assemble
from chainrule.backends.llvm.emit import emit, work_bytes
from chainrule.backends.llvm.target import Target, host
from chainrule.schedule.loops import Kernel
from chainrule.schedule.text import print_kernel

_numbers = itertools.count()
_SIGNATURE = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3, *[ctypes.c_int64] * 2)


@functools.cache
def _linker() -> llvm.orcjit.LLJIT:
    return llvm.create_lljit_compiler(use_jit_link=True)


@functools.lru_cache(512)
def _compiled(name: str, text: str, target: Target) -> tuple[object, int]:
    library = llvm.JITLibraryBuilder().add_object_img(assemble(text, target)).export_symbol(name)
    library.add_current_process()
    tracker = library.link(_linker(), f"native.{next(_numbers)}")
    return tracker, tracker[name]


def run_kernel(
    kernel: Kernel,
    arrays: Mapping[str, np.ndarray | int],
    target: Target | None = None,
    *,
    lo: int = 0,
    hi: int | None = None,
) -> tuple[int, ...] | None:
    """Iterations [lo, hi) of a kernel, on arrays by the names of its buffers (and integers for
    those with the role "number"). Gives the words of the status buffer if a check failed.
    """
    _, address = _compiled(kernel.name, emit(kernel, target or host()), target or host())
    status = np.zeros(8, np.int64)
    table, args = [status.ctypes.data], []
    for b in kernel.buffers:
        given = arrays[b.name]
        if b.role == "number":
            args.append(int(given))
            continue
        assert isinstance(given, np.ndarray) and given.flags.c_contiguous, b
        assert b.size == 0 or given.nbytes == b.bytes, (
            f"{b} got {given.nbytes} bytes:\n{print_kernel(kernel)}"
        )
        args.append(len(table))
        table.append(given.ctypes.data)
    addresses, numbers = np.array(table, np.int64), np.array(args or [0], np.int64)
    work = np.full(work_bytes(kernel) + 64, 0xAB, np.uint8)  # never zero by luck
    aligned = -(-work.ctypes.data // 64) * 64
    hi = kernel.extent if hi is None else hi
    _SIGNATURE(address)(addresses.ctypes.data, numbers.ctypes.data, aligned, lo, hi)
    return tuple(status.tolist()) if status[0] else None
