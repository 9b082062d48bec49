"""`torch.profiler`: how long the named ranges of a program take, step by step.

Times are those of the wall clock for the ranges that `record_function` names; single operations
have none here, because they are compiled together. `chainrule.explain` shows what they became.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from chainrule import names
from chainrule.autograd import profiler as _ranges
from chainrule.autograd.profiler import record_function

__all__ = [
    "ProfilerAction", "ProfilerActivity", "kineto_available", "profile", "record_function",
    "schedule", "supported_activities", "tensorboard_trace_handler",
]  # fmt: skip

__getattr__ = names.later(__name__)


class ProfilerActivity(Enum):
    """What a profile may look at; on this machine the CPU."""

    CPU = 0
    CUDA = 2
    XPU = 1
    MTIA = 3
    HPU = 4
    PrivateUse1 = 5


class ProfilerAction(Enum):
    """What to do in a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


def supported_activities() -> set[ProfilerActivity]:
    """The CPU."""
    return {ProfilerActivity.CPU}


def kineto_available() -> bool:
    """False: PyTorch's library of that name is not used."""
    return False


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0,
    skip_first_wait: int = 0, **options: Any,
) -> Callable[[int], ProfilerAction]:  # fmt: skip
    """Steps to wait, to warm up and to record, again and again (`repeat` times; 0: for ever).

    >>> plan = schedule(wait=1, warmup=1, active=2, repeat=1)
    >>> [plan(i).name for i in range(5)]
    ['NONE', 'WARMUP', 'RECORD', 'RECORD_AND_SAVE', 'NONE']
    """

    def action(step: int) -> ProfilerAction:
        if step < 0:
            raise AssertionError(f"Step must be non-negative. Got {step}.")
        if step < skip_first:
            return ProfilerAction.NONE
        step -= skip_first
        if skip_first_wait:
            step += wait
        cycle = wait + warmup + active
        if repeat > 0 and step // cycle >= repeat:
            return ProfilerAction.NONE
        at = step % cycle
        if at < wait:
            return ProfilerAction.NONE
        if at < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD_AND_SAVE if at == cycle - 1 else ProfilerAction.RECORD

    return action


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False
) -> Callable[[Any], None]:
    """For `on_trace_ready`: writes each trace as JSON into a folder."""

    def write(prof: Any) -> None:
        os.makedirs(dir_name, exist_ok=True)
        who = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        prof.export_chrome_trace(os.path.join(dir_name, f"{who}.{time.time_ns()}.pt.trace.json"))

    return write


class profile(_ranges.profile):
    """A profile of steps: `schedule` says what to do in each, `step()` ends one,
    `on_trace_ready(profile)` is called with what was recorded.
    """

    def __init__(
        self,
        *,
        activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[..., Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        with_modules: bool = False,
        experimental_config: Any = None,
        execution_trace_observer: Any = None,
        acc_events: bool = False,
        post_processing_timeout_s: float | None = None,
        use_cuda: bool | None = None,
        custom_trace_id_callback: Any = None,
    ) -> None:
        super().__init__()
        self.activities = set(activities) if activities is not None else supported_activities()
        self.schedule = schedule or (lambda step: ProfilerAction.RECORD)
        self.on_trace_ready = on_trace_ready
        self.step_num = 0
        self.current_action = self.schedule(0)
        self._recording = False
        self._range: record_function | None = None

    def start(self) -> None:
        """Begin."""
        self._turn(ProfilerAction.NONE, self.current_action)

    def stop(self) -> None:
        """End; what is being recorded is handed over."""
        self._close_range()
        if self._recording:
            self._hand_over()

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def step(self) -> None:
        """The next step begins."""
        self._close_range()
        before = self.current_action
        self.step_num += 1
        self.current_action = self.schedule(self.step_num)
        self._turn(before, self.current_action)

    def _turn(self, before: ProfilerAction, now: ProfilerAction) -> None:
        records = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)
        if self._recording and (before is ProfilerAction.RECORD_AND_SAVE or now not in records):
            self._hand_over()
        if not self._recording and now in records:
            self._begin()
            self._recording = True
        if self._recording and self.schedule is not None:
            self._range = record_function(f"ProfilerStep#{self.step_num}")
            self._range.__enter__()

    def _close_range(self) -> None:
        if self._range is not None:
            self._range.__exit__()
            self._range = None

    def _hand_over(self) -> None:
        self._end()
        self._recording = False
        if self.on_trace_ready is not None:
            self.on_trace_ready(self)

    def events(self) -> _ranges.EventList:
        """The ranges."""
        return self.function_events

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """Raises NotImplementedError: stacks are not recorded."""
        raise NotImplementedError("stacks are not recorded; see export_chrome_trace")

    def add_metadata(self, key: str, value: str) -> None:
        """Nothing is added."""
