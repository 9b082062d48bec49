"""Two ends of a pipe: `serve` in the side's process, `Peer` in the one that asks."""

from __future__ import annotations

import gc
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
#: A library that waits by spinning goes to sleep before the other side's turn.
PAUSE = 0.15


def timed(call: Callable[[], Any], count: int) -> list[float]:
    """Seconds of each of `count` calls."""
    gc.collect()
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return seconds


def peak_memory() -> int:
    """Bytes that were resident at most in this process since it began to run this program."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:  # no /proc: macOS
        pass
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def serve(side: Any) -> None:
    """Answer orders until standard input ends. What a library prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = {"ok": getattr(side, order.pop("do"))(**order)}
        except Exception as error:  # the report says so; the other rows go on
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")


class Failed(RuntimeError):
    """A side could not do what it was asked."""


class Peer:
    """A side's process."""

    def __init__(
        self, name: str, python: str, arguments: list[str], environment: Mapping[str, str] = {}
    ) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [python, "-m", *arguments],
            cwd=ROOT,
            env=environment_of_a_side() | dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, do: str, **arguments: Any) -> Any:
        """Do it there, and give the answer. Raises `Failed`."""
        process = self.process
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise Failed(f"{self.name}: the process ended ({process.wait()})")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(f"{self.name}: {answer['error']}")
        time.sleep(PAUSE)
        return answer["ok"]

    def close(self) -> None:
        """End the process."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def environment_of_a_side() -> dict[str, str]:
    """Two threads for whoever asks the environment; this project can be imported."""
    threads = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"),
        "2",
    )
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore", "KERAS_BACKEND": "tensorflow"}
    return {**os.environ, **threads, **quiet, "PYTHONPATH": os.pathsep.join(paths)}


def two_processors() -> None:
    """Let this process and its children run on two processors, where there are more."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
