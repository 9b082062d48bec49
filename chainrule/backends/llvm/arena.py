"""Memory for what lives only while a program runs, shared by all programs of the process.

Programs run one at a time, so their temporaries may lie in the same block: each program places them
by offset, and the block is as large as the greediest program asks. It never shrinks by itself;
`Arena.release` gives it back, and the next run asks again.

Blocks come from the system, not from `malloc`: large pages (one entry of the page table for 2 MiB
instead of 512) where it has them, and memory that nobody has touched costs nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os

#: Every temporary begins at a multiple of this: a cache line, and a vector of 512 bits.
ALIGNMENT = 64
_LARGE_PAGE = 1 << 21


#: glibc's `mallopt`: numbers of its parameters, and the largest values that make sense.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_TRIM, _MAPPED = 1 << 29, 1 << 25


def keep_freed_memory() -> None:
    """Let `malloc` keep what a step frees for the next step, which asks for the same.

    Results (gradients above all) are NumPy arrays of their own. By default glibc gives their memory
    back to the system as soon as they are dropped, and every step pays for its pages again: half a
    millisecond for GPT's gradients. Elsewhere, or where MALLOC_… variables have spoken, nothing is
    changed.
    """
    if any(name.startswith("MALLOC_") for name in os.environ):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # not glibc
        return
    mallopt(_M_MMAP_THRESHOLD, _MAPPED)
    mallopt(_M_TRIM_THRESHOLD, _TRIM)


def aligned(nbytes: int) -> int:
    """The next multiple of `ALIGNMENT`."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


class Block:
    """`nbytes` of zeros at `address`. Raises `MemoryError` if the system has not that much."""

    def __init__(self, nbytes: int, purpose: str) -> None:
        self.nbytes = nbytes
        large = nbytes >= _LARGE_PAGE
        try:
            length = nbytes + _LARGE_PAGE if large else max(nbytes, mmap.PAGESIZE)
            self._memory = _private(length)
        except (OSError, OverflowError, ValueError) as error:
            raise MemoryError(
                f"no memory for {purpose}: {nbytes:,} bytes were asked of the system "
                f"({error}); free tensors, or use a smaller batch"
            ) from None
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self.address = -(-start // _LARGE_PAGE) * _LARGE_PAGE if large else start
        if large and hasattr(mmap, "MADV_HUGEPAGE"):
            with contextlib.suppress(OSError):  # a kernel without large pages
                self._memory.madvise(mmap.MADV_HUGEPAGE)

    def close(self) -> None:
        """Give the memory back. Its addresses are void from here on."""
        self._memory.close()


def _private(length: int) -> mmap.mmap:
    if hasattr(mmap, "MAP_PRIVATE"):  # after a fork each process has its own
        return mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return mmap.mmap(-1, length)


class Arena:
    """One growing block. `base` moves when it grows."""

    def __init__(self, purpose: str) -> None:
        self._purpose = purpose
        self._block: Block | None = None

    @property
    def base(self) -> int:
        """The address of the first byte, or 0 while there is none."""
        return self._block.address if self._block else 0

    @property
    def nbytes(self) -> int:
        return self._block.nbytes if self._block else 0

    def reserve(self, nbytes: int) -> None:
        """Have at least `nbytes`. What was in the block is lost if it grows.

        Raises `MemoryError`; the arena is then empty, and can be asked again.
        """
        if nbytes > self.nbytes:
            self.release()  # first: both at once may not fit
            self._block = Block(nbytes, self._purpose)

    def release(self) -> None:
        """Give all of it back to the system."""
        if self._block:
            self._block.close()
            self._block = None
