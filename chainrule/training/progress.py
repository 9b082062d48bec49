"""Progress as Keras users know it: a live bar in a terminal or notebook, else a plain line per
epoch.

    Epoch 1/10
    469/469 ━━━━━━━━━━━━━━━━━━━━ 1s 3ms/step - accuracy: 0.8950 - loss: 0.3646

Reading a metric computes what was recorded for it, so that the bar reads only when it draws: ten
times a second.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from chainrule.training.callbacks import Callback, Logs

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

# rich is imported where somebody watches: plain lines do without it (20 ms).

_WIDTH = 20
_INTERVAL = 0.1  # seconds between two drawings


#: Pieces of a line, each with rich's name of its style.
Styled = list[tuple[str, str]]


def _watched() -> Console | None:
    """The console where a bar can live: a terminal or a notebook, or one that is said to be."""
    if not (sys.stdout.isatty() or "ipykernel" in sys.modules or "FORCE_COLOR" in os.environ):
        return None
    from rich.console import Console

    return Console(highlight=False)


class Progress(Callback):
    """Shows a run. `verbose`: 0 nothing, 1 or "auto" a live bar (a line where there is no
    terminal), 2 a line.
    """

    def __init__(
        self, verbose: int | str | bool = "auto", *, console: Console | None = None
    ) -> None:
        super().__init__()
        if verbose not in (0, 1, 2, "auto"):
            raise ValueError(f"verbose must be 0, 1, 2 or 'auto', got {verbose!r}")
        self.console = console if console is not None or not verbose else _watched()
        live = self.console is not None and (self.console.is_terminal or self.console.is_jupyter)
        self.verbose = int(verbose != 0) if verbose != 2 else 2
        self.live = self.verbose == 1 and live
        self._display: Live | None = None
        self._training = False

    # training -------------------------------------------------------------------------------------

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        self._training = True

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        self._training = False

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        if self.verbose:
            self._print(f"Epoch {epoch + 1}/{self.params.get('epochs', '?')}")
        self._start()

    def see_train_batch(self, batch: int, logs: Logs) -> None:
        self._advance(batch + 1, logs)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self._finish(logs or {})

    # evaluation -----------------------------------------------------------------------------------

    def on_test_begin(self, logs: Mapping[str, float] | None = None) -> None:
        if not self._training:  # validation inside fit shows with the epoch
            self._start()

    def see_test_batch(self, batch: int, logs: Logs) -> None:
        if not self._training:
            self._advance(batch + 1, logs)

    def on_test_end(self, logs: Mapping[str, float] | None = None) -> None:
        if not self._training:
            self._finish(logs or {})

    # prediction -----------------------------------------------------------------------------------

    def on_predict_begin(self, logs: Mapping[str, float] | None = None) -> None:
        self._start()

    def on_predict_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        self._advance(batch + 1, None)

    def on_predict_end(self, logs: Mapping[str, float] | None = None) -> None:
        self._finish({})

    # drawing --------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._done = 0
        self._began = self._drawn = time.perf_counter()
        self._after_first = self._began
        if self.live:
            from rich.live import Live

            self._display = Live(console=self.console, auto_refresh=False, transient=False)
            self._display.start()

    def _advance(self, done: int, logs: Logs | None) -> None:
        self._done = done
        now = time.perf_counter()
        if done == 1:  # the first step also compiles
            self._after_first = now
        if self._display is None or now - self._drawn < _INTERVAL:
            return
        self._drawn = now
        self._draw(self._text(now, dict(logs) if logs is not None else {}, final=False))

    def _finish(self, logs: Mapping[str, float]) -> None:
        if not self.verbose:
            return
        text = self._text(time.perf_counter(), logs, final=True)
        if self._display is None:
            self._print("".join(part for part, _ in text))
            return
        self._draw(text)
        self.abort()

    def _print(self, line: str) -> None:
        if self.console is None:
            print(line, flush=True)
        else:
            self.console.print(line, soft_wrap=True)

    def _draw(self, text: Styled) -> None:
        if self._display is not None:
            from rich.text import Text

            self._display.update(Text.assemble(*text), refresh=True)

    def abort(self) -> None:
        if self._display is not None:
            self._display.stop()
            self._display = None

    def _text(self, now: float, logs: Mapping[str, float], *, final: bool) -> Styled:
        total = self.params.get("steps")
        step = _per_step(self._began, self._after_first, now, self._done)
        if total:
            text = [(f"{self._done:>{len(str(total))}}/{total}", "bold")]
        else:
            text = [(f"{self._done}/{self._done if final else 'unknown'}", "bold")]
        if self.live:
            filled = int(_WIDTH * (self._done / total if total else final))
            text += [(" ", ""), ("━" * filled, "green"), ("━" * (_WIDTH - filled), "dim")]
            seconds = now - self._began if final or not total else step * (total - self._done)
            text.append((f" {_clock(seconds)} {_duration(step)}/step", ""))
        else:
            text.append((f" - {_clock(now - self._began)} - {_duration(step)}/step", ""))
        text += [(f" - {name}: {number(value)}", "") for name, value in logs.items()]
        return text


def number(value: float) -> str:
    """Four decimals, or an exponent for what four decimals would hide.

    >>> number(0.25), number(1e-5)
    ('0.2500', '1.0000e-05')
    """
    return f"{value:.4f}" if abs(value) > 1e-3 or value == 0 else f"{value:.4e}"


def _per_step(began: float, after_first: float, now: float, done: int) -> float:
    if done > 1:
        return (now - after_first) / (done - 1)
    return now - began


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f}s"
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _duration(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.0f}s"
    return f"{seconds * 1e3:.0f}ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us"
