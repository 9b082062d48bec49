"""`torch.autograd.profiler`: how long the named ranges of a program take, by the clock on the wall.

What is recorded is computed later; so while a profile runs, everything that waits is computed where
a range begins and ends, and the time of a range is the time of its own work.
"""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from chainrule import names
from chainrule.tensor import flush

__getattr__ = names.later(__name__)


class Event(NamedTuple):
    """One range: when it began and how long it took, in seconds, and how many are around it."""

    name: str
    start: float
    duration: float
    depth: int
    thread: int

    @property
    def cpu_time(self) -> float:
        """Microseconds."""
        return self.duration * 1e6

    @property
    def cpu_time_total(self) -> float:
        """Microseconds."""
        return self.cpu_time


class _Recorder(threading.local):
    depth = 0


_recorder = _Recorder()
_running: list[list[Event]] = []


class record_function:
    """A range with a name: a context manager and a decorator. Outside of a profile it costs
    nothing.
    """

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name, self.args = name, args
        self._starts: list[float] = []

    def __enter__(self) -> record_function:
        if _running:
            flush()
        _recorder.depth += 1
        self._starts.append(time.perf_counter())
        return self

    def __exit__(self, *_: object) -> None:
        if _running:
            flush()
        end, start = time.perf_counter(), self._starts.pop()
        _recorder.depth -= 1
        for events in _running:
            events.append(
                Event(self.name, start, end - start, _recorder.depth, threading.get_ident())
            )

    def __call__(self, f: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(f)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with record_function(self.name):
                return f(*args, **kwargs)

        return inside


@dataclass(frozen=True)
class Average:
    """All ranges of one name; times in microseconds."""

    key: str
    count: int
    cpu_time_total: float

    @property
    def cpu_time(self) -> float:
        """On average."""
        return self.cpu_time_total / self.count

    @property
    def self_cpu_time_total(self) -> float:
        """Of all of them."""
        return self.cpu_time_total


class EventList(list[Any]):
    """Ranges, or averages over those of one name."""

    def __init__(self, events: Any = (), total: float = 0.0) -> None:
        super().__init__(events)
        self._total = total

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds of the whole profile."""
        return self._total * 1e6

    def key_averages(self, *args: Any, **kwargs: Any) -> EventList:
        """One row for each name."""
        times: dict[str, list[float]] = {}
        for e in self:
            times.setdefault(e.name, []).append(e.duration)
        rows = [Average(name, len(t), sum(t) * 1e6) for name, t in times.items()]
        return EventList(rows, self._total)

    def total_average(self) -> Average:
        """All ranges together."""
        return Average("Total", max(len(self), 1), sum(e.cpu_time_total for e in self))

    def table(
        self, sort_by: str | None = None, row_limit: int = 100, max_src_column_width: int = 75,
        max_name_column_width: int = 55, max_shapes_column_width: int = 80,
        header: str | None = None, top_level_events_only: bool = False,
        time_unit: str | None = None,
    ) -> str:  # fmt: skip
        """A table of names, times and counts."""
        averages = self if self and isinstance(self[0], Average) else self.key_averages()
        rows = list(averages)
        if sort_by is not None:
            rows.sort(key=lambda r: r.count if sort_by == "count" else -r.cpu_time_total)
        rows = rows[: row_limit if row_limit >= 0 else None]
        width = max([len("Name"), *(len(r.key) for r in rows)])
        width = min(width, max_name_column_width)
        line = "-" * width + "  " + "  ".join("-" * 12 for _ in range(4))
        whole = self._total * 1e6 or 1.0
        heads = ("CPU total %", "CPU total", "CPU time avg", "# of Calls")
        out = [header] if header else []
        out += [line, f"{'Name':>{width}}  " + "  ".join(f"{h:>12}" for h in heads), line]
        for r in rows:
            share = f"{100 * r.cpu_time_total / whole:.2f}%"
            cells = (share, _time(r.cpu_time_total), _time(r.cpu_time), str(r.count))
            name = r.key if len(r.key) <= width else r.key[: width - 3] + "..."
            out.append(f"{name:>{width}}  " + "  ".join(f"{c:>12}" for c in cells))
        out += [line, f"CPU time total: {_time(self._total * 1e6)}"]
        return "\n".join(out) + "\n"

    __str__ = table

    def export_chrome_trace(self, path: str) -> None:
        """A JSON file for chrome://tracing and Perfetto."""
        events = [
            {
                "name": e.name, "ph": "X", "ts": e.start * 1e6, "dur": e.duration * 1e6,
                "pid": 0, "tid": e.thread, "cat": "user_annotation",
            }
            for e in self
        ]  # fmt: skip
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"traceEvents": events, "displayTimeUnit": "ms"}, file)


def _time(microseconds: float) -> str:
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if microseconds >= size:
            return f"{microseconds / size:.3f}{unit}"
    return f"{microseconds:.3f}us"


class profile:
    """Measures the ranges of `record_function` inside its block.

    >>> import chainrule as torch
    >>> with profile() as prof, record_function("product"):
    ...     _ = torch.ones(4, 4) @ torch.ones(4, 4)
    >>> [e.name for e in prof.function_events]
    ['product']
    """

    def __init__(self, enabled: bool = True, **options: Any) -> None:
        self.enabled = enabled
        self.function_events = EventList()
        self._start = 0.0

    def __enter__(self) -> profile:
        if self.enabled:
            self._begin()
        return self

    def __exit__(self, *_: object) -> None:
        if self.enabled:
            self._end()

    def _begin(self) -> None:
        flush()
        self.function_events = EventList()
        _running.append(self.function_events)
        self._start = time.perf_counter()

    def _end(self) -> None:
        flush()
        self.function_events._total = time.perf_counter() - self._start
        _running[:] = [e for e in _running if e is not self.function_events]

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0,
        group_by_overload_name: bool = False,
    ) -> EventList:  # fmt: skip
        """One row for each name."""
        return self.function_events.key_averages()

    def table(self, *args: Any, **kwargs: Any) -> str:
        """A table of names, times and counts."""
        return self.function_events.table(*args, **kwargs)

    def total_average(self) -> Average:
        """All ranges together."""
        return self.function_events.total_average()

    def export_chrome_trace(self, path: str) -> None:
        """A JSON file for chrome://tracing and Perfetto."""
        self.function_events.export_chrome_trace(path)

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds of the whole profile."""
        return self.function_events.self_cpu_time_total


class emit_nvtx:
    """The block runs as it is: there is no CUDA device to be marked."""

    def __init__(self, enabled: bool = True, record_shapes: bool = False) -> None:
        self.enabled = enabled

    def __enter__(self) -> emit_nvtx:
        return self

    def __exit__(self, *_: object) -> None:
        return None
