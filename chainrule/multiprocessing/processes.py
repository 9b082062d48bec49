"""`spawn`: one function in several processes, whose errors come back with their traceback."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


class ProcessException(Exception):
    """A process failed: which, and its number for the system."""

    def __init__(self, msg: str, error_index: int, error_pid: int) -> None:
        super().__init__(msg)
        self.msg, self.error_index, self.pid = msg, error_index, error_pid

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.msg, self.error_index, self.pid)


class ProcessRaisedException(ProcessException):
    """Its function raised an error; the message holds the traceback."""


class ProcessExitedException(ProcessException):
    """It ended by a signal or with another code than 0."""

    def __init__(
        self,
        msg: str,
        error_index: int,
        error_pid: int,
        exit_code: int,
        signal_name: str | None = None,
    ) -> None:
        super().__init__(msg, error_index, error_pid)
        self.exit_code, self.signal_name = exit_code, signal_name

    def __reduce__(self) -> tuple[Any, ...]:
        return (
            type(self),
            (self.msg, self.error_index, self.pid, self.exit_code, self.signal_name),
        )


def _run(fn: Callable[..., Any], i: int, args: tuple[Any, ...], report: str) -> None:
    try:
        fn(i, *args)
    except KeyboardInterrupt:
        return  # the parent was interrupted, too, and says so
    except Exception:
        Path(report).write_text(traceback.format_exc(), encoding="utf-8")
        sys.exit(1)


class ProcessContext:
    """Running processes, to be joined."""

    def __init__(self, processes: Sequence[Any], error_files: Sequence[str]) -> None:
        self.processes, self.error_files = list(processes), list(error_files)
        self.sentinels = {p.sentinel: i for i, p in enumerate(self.processes)}

    def pids(self) -> list[int]:
        """Their numbers for the system."""
        return [int(p.pid) for p in self.processes]

    def join(self, timeout: float | None = None, grace_period: float | None = None) -> bool:
        """Wait for all, or `timeout` seconds for one more to end. True once all ended well.

        Raises ProcessRaisedException or ProcessExitedException for the first that failed, after
        the others were ended (`grace_period` seconds after SIGTERM by SIGKILL).
        """
        if not self.sentinels:
            return True
        ready = multiprocessing.connection.wait(list(self.sentinels), timeout)
        failed = None
        for sentinel in ready:
            index = self.sentinels.pop(sentinel)
            self.processes[index].join()
            if self.processes[index].exitcode != 0:
                failed = index
                break
        if failed is None:
            return not self.sentinels
        for p in self.processes:
            if p.is_alive():
                p.terminate()
        end = time.monotonic() + (30.0 if grace_period is None else grace_period)
        for p in self.processes:
            p.join(max(0.0, end - time.monotonic()))
            if p.is_alive():
                p.kill()
                p.join()
        raise self._failure(failed)

    def _failure(self, index: int) -> ProcessException:
        p = self.processes[index]
        report = Path(self.error_files[index])
        if report.exists() and (text := report.read_text(encoding="utf-8")):
            message = f"\n\n-- Process {index} terminated with the following error:\n{text}"
            return ProcessRaisedException(message, index, p.pid)
        if p.exitcode < 0:
            name = signal.Signals(-p.exitcode).name
            return ProcessExitedException(
                f"process {index} terminated with signal {name}", index, p.pid, p.exitcode, name
            )
        return ProcessExitedException(
            f"process {index} terminated with exit code {p.exitcode}", index, p.pid, p.exitcode
        )


SpawnContext = ProcessContext


def start_processes(
    fn: Callable[..., Any],
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
    numa_options: Any = None,
) -> ProcessContext | None:
    """Call fn(i, *args) in process i of `nprocs`; wait for all of them, or give their context."""
    context: Any = multiprocessing.get_context(start_method)
    processes, reports = [], []
    for i in range(nprocs):
        number, report = tempfile.mkstemp(prefix="chainrule-process-", suffix=".txt")
        os.close(number)
        process = context.Process(target=_run, args=(fn, i, args, report), daemon=daemon)
        process.start()
        processes.append(process)
        reports.append(report)
    running = ProcessContext(processes, reports)
    if not join:
        return running
    try:
        while not running.join():
            continue
    finally:
        for report in reports:
            Path(report).unlink(missing_ok=True)
    return None


def spawn(
    fn: Callable[..., Any],
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """`start_processes` with fresh interpreters: fn must be importable, args picklable.

    Raises ProcessRaisedException, with the traceback of the process, if fn raised an error.
    """
    if start_method != "spawn":
        warnings.warn(
            f"This method only supports start_method=spawn (got: {start_method}).\n"
            "To use a different start_method use:\n\t\t"
            " torch.multiprocessing.start_processes(...)",
            FutureWarning,
            stacklevel=2,
        )
    return start_processes(fn, args, nprocs, join, daemon, start_method="spawn")
