"""`torch.utils.benchmark`: how long a statement takes, measured several times.

What is recorded is computed later; a timed run ends with computing what it recorded.
"""

from __future__ import annotations

import itertools
import statistics
import time
import timeit
from collections.abc import Callable, Sequence
from typing import Any

from chainrule import names
from chainrule.tensor import flush

__all__ = ["Compare", "Measurement", "Timer", "timer"]

__getattr__ = names.later(__name__)

timer = time.perf_counter


def _unit(seconds: float) -> tuple[str, float]:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return unit, size
    return "ns", 1e-9


class Measurement:
    """Times of runs of one statement."""

    def __init__(
        self, number_per_run: int, raw_times: list[float], task_spec: dict[str, Any],
        metadata: dict[Any, Any] | None = None,
    ) -> None:  # fmt: skip
        self.number_per_run, self.raw_times, self.metadata = number_per_run, raw_times, metadata
        self.task_spec = task_spec

    @property
    def times(self) -> list[float]:
        """Seconds for one execution, of each run."""
        return [t / self.number_per_run for t in self.raw_times]

    @property
    def mean(self) -> float:
        """Seconds."""
        return statistics.fmean(self.times)

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.times)

    @property
    def iqr(self) -> float:
        """Seconds between the quartiles."""
        if len(self.times) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.times, n=4, method="inclusive")
        return high - low

    @property
    def title(self) -> str:
        """Of the task."""
        label = self.task_spec.get("label") or self.task_spec["stmt"]
        sub = self.task_spec.get("sub_label")
        return f"{label}: {sub}" if sub else str(label)

    def __repr__(self) -> str:
        unit, size = _unit(self.median)
        text = [f"<chainrule.utils.benchmark.Measurement object>\n{self.title}"]
        if len(self.times) > 1:
            text.append(f"  Median: {self.median / size:.2f} {unit}")
            text.append(f"  IQR:    {self.iqr / size:.2f} {unit}")
        else:
            text.append(f"  {self.median / size:.2f} {unit}")
        runs = f"{len(self.times)} measurement{'s' * (len(self.times) > 1)}"
        text.append(f"  {runs}, {self.number_per_run} runs per measurement")
        return "\n".join(text)


class Timer:
    """Times a statement, given as text.

    >>> import chainrule as torch
    >>> t = Timer("x @ x", globals={"x": torch.ones(8, 8)})
    >>> t.timeit(10).median > 0
    True
    """

    def __init__(
        self, stmt: str = "pass", setup: str = "pass", global_setup: str = "",
        timer: Callable[[], float] = timer, globals: dict[str, Any] | None = None,
        label: str | None = None, sub_label: str | None = None, description: str | None = None,
        env: str | None = None, num_threads: int = 1, language: Any = "python",
    ) -> None:  # fmt: skip
        if not isinstance(stmt, str):
            raise ValueError(f"currently only a `str` stmt is supported, got {type(stmt).__name__}")
        if str(language).lower() in ("c++", "cpp", "language.cpp"):
            raise NotImplementedError(
                "statements in C++ are not compiled here; time them in Python"
            )
        self._spec = {
            "stmt": stmt, "setup": setup, "label": label, "sub_label": sub_label,
            "description": description, "env": env, "num_threads": num_threads,
        }  # fmt: skip
        scope = {"__chainrule_flush": flush, **(globals or {})}
        self._timer = timeit.Timer(
            f"{stmt}\n__chainrule_flush()", setup or "pass", timer, globals=scope
        )

    def timeit(self, number: int = 1000000) -> Measurement:
        """One run of `number` executions, after a short one that compiles."""
        self._timer.timeit(max(number // 100, 2))
        return Measurement(number, [self._timer.timeit(number)], self._spec)

    def blocked_autorange(
        self, callback: Callable[[int, float], Any] | None = None, min_run_time: float = 0.2
    ) -> Measurement:
        """Runs of a fixed number of executions, until `min_run_time` seconds have passed."""
        number = self._block(min_run_time / 1000.0)
        times: list[float] = []
        while sum(times) < min_run_time:
            times.append(self._timer.timeit(number))
            if callback is not None:
                callback(number, times[-1])
        return Measurement(number, times, self._spec)

    def adaptive_autorange(
        self, threshold: float = 0.1, *, min_run_time: float = 0.01, max_run_time: float = 10.0,
        callback: Callable[[int, float], Any] | None = None,
    ) -> Measurement:  # fmt: skip
        """Runs until the quartiles lie close together, or `max_run_time` seconds have passed."""
        number = self._block(min_run_time / 10.0)
        times: list[float] = []
        while True:
            times.append(self._timer.timeit(number))
            if callback is not None:
                callback(number, times[-1])
            found = Measurement(number, times, self._spec)
            steady = len(times) > 3 and found.iqr / found.median < threshold
            if (steady and sum(times) > min_run_time) or sum(times) > max_run_time:
                return found

    def _block(self, seconds: float) -> int:
        self._timer.timeit(2)
        number = 1
        while self._timer.timeit(number) < seconds and number < 10_000_000:
            number *= 10
        return number


class Compare:
    """A table of several measurements: a row for each statement, a column for each description."""

    def __init__(self, results: Sequence[Measurement]) -> None:
        self._results = list(results)

    def extend_results(self, results: Sequence[Measurement]) -> None:
        """More of them."""
        self._results.extend(results)

    def trim_significant_figures(self) -> None:
        """Times are shown with three digits in any case."""

    def colorize(self, rowwise: bool = False) -> None:
        """The table has no colours."""

    highlight_warnings = trim_significant_figures

    def __str__(self) -> str:
        columns = list(dict.fromkeys(m.task_spec["description"] or "time" for m in self._results))
        rows: dict[str, dict[str, float]] = {}
        for m in self._results:
            name = m.task_spec["sub_label"] or m.task_spec["stmt"]
            rows.setdefault(name, {})[m.task_spec["description"] or "time"] = m.median
        cells = [["", *columns]]
        for name, row in rows.items():
            texts = []
            for c in columns:
                unit, size = _unit(row[c]) if c in row else ("", 1.0)
                texts.append(f"{row[c] / size:.3g} {unit}" if c in row else "")
            cells.append([name, *texts])
        widths = [max(map(len, column)) for column in itertools.zip_longest(*cells, fillvalue="")]
        lines = [" | ".join(f"{c:>{w}}" for c, w in zip(r, widths, strict=True)) for r in cells]
        return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])

    def print(self) -> None:
        """Show it."""
        print(self)
