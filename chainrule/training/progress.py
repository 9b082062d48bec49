"""Progress as Keras users know it.

    Epoch 1/10
    469/469 ━━━━━━━━━━━━━━━━━━━━ 1s 3ms/step - accuracy: 0.8950 - loss: 0.3646

On a screen (a terminal, a notebook) the line is drawn again and again in place, with Keras's bytes.
Where nobody watches (a pipe, a log) the same line is printed without colours when an epoch is over,
and about once a minute before that.

Reading a metric computes what was recorded for it, so that values are read only where a line is
drawn: `Progbar.due` says when.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from chainrule.training.callbacks import Callback, Logs, Values
from chainrule.training.messages import print_msg

#: A line in a pipe stays for ever: it is written so many times more seldom than on a screen.
_PATIENCE_OF_LOGS = 1000
_BOLD, _GREEN, _WHITE, _PLAIN = "\x1b[1m", "\x1b[32m", "\x1b[37m", "\x1b[0m"


def _on_screen() -> bool:
    """Whether somebody watches stdout."""
    return (
        (hasattr(sys.stdout, "isatty") and sys.stdout.isatty())
        or "ipykernel" in sys.modules
        or "PYCHARM_HOSTED" in os.environ
        or "FORCE_COLOR" in os.environ
    )


class Progbar:
    """A bar with the values of metrics behind it.

    `target` is the number of steps (None: nobody knows); `verbose` 0 is silent, 1 draws, 2 prints
    one line at the end. A line is drawn at most every `interval` seconds. Values are averaged over
    the steps, but for those named in `stateful_metrics` (or for all but those named in
    `stateless_metrics`), which are shown as they are.
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError(
                "Only one of `stateful_metrics` or `stateless_metrics` can be given: the first "
                "names what is not averaged, the second names all that is"
            )
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self.stateless_metrics = None if stateless_metrics is None else set(stateless_metrics)
        self.stateful_metrics = set(stateful_metrics or ()) if stateless_metrics is None else None
        self._on_screen = _on_screen()
        self._wait = interval if self._on_screen else interval * _PATIENCE_OF_LOGS
        self._seen = 0
        self._values: dict[str, tuple[float, int]] = {}  # sum, count
        self._start = time.time()
        self._drawn = 0.0 if self._on_screen else self._start
        self._after_first: float | None = None
        self._width_before = 0

    def due(self, current: int) -> bool:
        """Whether it is time to draw after step `current`."""
        if self.verbose != 1:
            return False
        now = time.time()
        if current == 1 and self._after_first is None:  # the first step also compiles
            self._after_first = now
        return now - self._drawn >= self._wait

    def update(
        self,
        current: int,
        values: Iterable[tuple[str, Any]] | None = None,
        finalize: bool | None = None,
    ) -> None:
        """Step `current` is done, with `values` as pairs of a name and a number.

        The last update (`finalize`, or the target is reached) is always drawn, with these values.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        for name, value in values or ():
            self._count(name, value, 1 if finalize else max(current - self._seen, 1), finalize)
        self._seen = current
        now = time.time()
        per_step = self._per_step(current, now)
        if self.verbose == 1 and (finalize or now - self._drawn >= self._wait):
            self._draw(current, now, per_step, finalize)
            self._drawn = now
        elif self.verbose == 2 and finalize and self.target:
            print_msg(self._line(current, now, per_step), line_break=False)

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """`n` more steps are done."""
        self.update(self._seen + n, values)

    def take_time(self, seconds: float) -> None:
        """A drawing, with the values for it, took so long: draw so seldom that it costs 1 %."""
        if self._on_screen:
            self._wait = max(self.interval, min(100 * seconds, 1.0))

    def end(self) -> None:
        """Leave an unfinished line as it is: what follows begins a new one."""
        if self._on_screen and self._width_before:
            print_msg("")
            self._width_before = 0

    def _count(self, name: str, value: Any, steps: int, last: bool) -> None:
        averaged = (
            name not in self.stateful_metrics
            if self.stateful_metrics is not None
            else name in (self.stateless_metrics or ())
        )
        number = float(np.mean(np.asarray(value)))
        if last or not averaged:
            self._values[name] = number, 1
        else:
            total, count = self._values.get(name, (0.0, 0))
            self._values[name] = total + number * steps, count + steps

    def _per_step(self, current: int, now: float) -> float:
        """Seconds for one step; the first, which also compiles, is left out if there are more."""
        if not current:
            return 0.0
        if self._after_first is not None and current > 1:
            return (now - self._after_first) / (current - 1)
        if current == 1 and self._after_first is None:
            self._after_first = now
        return (now - self._start) / current

    def _draw(self, current: int, now: float, per_step: float, last: bool) -> None:
        if self.target:
            done = min(int(self.width * current / self.target), self.width)
            count = f"{current:>{len(str(self.target))}}/{self.target}"
            bar = [(_BOLD, count), ("", " "), (_GREEN, "━" * done) if done else ("", ""),
                   (_WHITE, "━" * (self.width - done))]  # fmt: skip
        else:
            bar = [("", f"{current:>7}/Unknown")]
        if self.target and not last:
            clock = _remaining(per_step * (self.target - current))
        else:
            clock = f"{now - self._start:.0f}s"
        values = f"{_each(per_step, self.unit_name)}{self._shown(abs)}"
        line = [*bar, ("", " "), (_BOLD, clock), ("", values)]
        width = sum(len(text) for _, text in line)
        if not self._on_screen:
            print_msg("".join(text for _, text in line).rstrip())
            return
        if not last:  # a line that wraps cannot be drawn over
            room = shutil.get_terminal_size().columns - 1
            if width > room and sys.stdout.isatty():
                line[-1] = ("", values[: max(len(values) - (width - room), 0)])
                width = sum(len(text) for _, text in line)
        text = "\b" * self._width_before + "\r"
        text += "".join(f"{style}{part}{_PLAIN}" if style else part for style, part in line)
        text += " " * (self._width_before - width) + ("\n" if last else "")
        print_msg(text, line_break=False)
        self._width_before = 0 if last else width

    def _line(self, current: int, now: float, per_step: float) -> str:
        count = f"{current:>{len(str(self.target))}}/{self.target}"
        each = _each(per_step, self.unit_name)
        return f"{count} - {now - self._start:.0f}s -{each}{self._shown(float)}\n"

    def _shown(self, size: Any) -> str:
        """` - name: value` of every metric; `size` says what is compared with 0.001."""
        text = ""
        for name, (total, count) in self._values.items():
            mean = total / max(1, count)
            text += f" - {name}: " + (f"{mean:.4f}" if size(mean) > 1e-3 else f"{mean:.4e}")
        return text


def _remaining(seconds: float) -> str:
    s = int(seconds)
    if seconds > 3600:
        return f"{s // 3600}:{s % 3600 // 60:02d}:{s % 60:02d}"
    return f"{s // 60}:{s % 60:02d}" if seconds > 60 else f"{s}s"


def _each(seconds: float, unit: str) -> str:
    if seconds >= 1 or seconds == 0:
        return f" {seconds:.0f}s/{unit}"
    if seconds >= 1e-3:
        return f" {seconds * 1e3:.0f}ms/{unit}"
    return f" {seconds * 1e6:.0f}us/{unit}"


class ProgbarLogger(Callback):
    """Shows a run: `verbose` (0 nothing, 1 or "auto" a bar, 2 a line per epoch), `epochs` and
    `steps` are among the parameters that the loop gives to callbacks.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.progbar: Progbar | None = None
        self.target: int | None = None
        self.verbose = 1
        self.epochs = 1
        self._called_in_fit = False

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        verbose = params.get("verbose", 1)
        if verbose not in (0, 1, 2, "auto"):
            raise ValueError(f"verbose must be 0, 1, 2 or 'auto', got {verbose!r}")
        self.verbose = 1 if verbose == "auto" else int(verbose)
        self.epochs = params.get("epochs", 1)
        self.target = params.get("steps")

    def on_train_begin(self, logs: Values = None) -> None:
        self._called_in_fit = True  # an evaluation inside fit shows with its epoch

    def on_train_end(self, logs: Values = None) -> None:
        self._called_in_fit = False

    def on_epoch_begin(self, epoch: int, logs: Values = None) -> None:
        self._begin()
        if self.verbose and self.epochs > 1:
            print_msg(f"Epoch {epoch + 1}/{self.epochs}")

    def see_train_batch(self, batch: int, logs: Logs) -> None:
        self._advance(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Values = None) -> None:
        self._finish(logs)

    def on_test_begin(self, logs: Values = None) -> None:
        if not self._called_in_fit:
            self._begin()

    def see_test_batch(self, batch: int, logs: Logs) -> None:
        if not self._called_in_fit:
            self._advance(batch, logs)

    def on_test_end(self, logs: Values = None) -> None:
        if not self._called_in_fit:
            self._finish(logs)

    def on_predict_begin(self, logs: Values = None) -> None:
        self._begin()

    def on_predict_batch_end(self, batch: int, logs: Values = None) -> None:
        self._advance(batch, {})

    def on_predict_end(self, logs: Values = None) -> None:
        self._finish({})

    def abort(self) -> None:
        if self.progbar is not None:
            self.progbar.end()

    def _begin(self) -> None:
        self.seen = 0
        self.progbar = Progbar(
            target=self.target, verbose=self.verbose, unit_name="step", stateless_metrics=()
        )

    def _advance(self, batch: int, logs: Mapping[str, Any]) -> None:
        self.seen = batch + 1
        bar = self.progbar
        if bar is None or not bar.due(self.seen):
            return
        began = time.time()
        bar.update(self.seen, logs.items(), finalize=False)
        bar.take_time(time.time() - began)

    def _finish(self, logs: Values) -> None:
        if self.progbar is None:
            return
        if self.target is None:  # the next epoch's bar knows its end
            self.target = self.progbar.target = self.seen
        self.progbar.update(self.target, (logs or {}).items(), finalize=True)
