"""`tf.summary`: numbers, pictures and distributions in TensorBoard's event files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from chainrule.names import later
from chainrule.strings import as_strings
from chainrule.tensorflow.convert import tensor
from chainrule.utils.tensorboard import SummaryWriter as _Events

_active: list[SummaryWriter] = []
_state: dict[str, Any] = {"step": None}


class SummaryWriter:
    """Writes events into a folder; `as_default()` makes the functions here write to it."""

    def __init__(self, logdir: Any) -> None:
        self.events = _Events(str(logdir))

    @contextmanager
    def as_default(self, step: Any = None) -> Iterator[SummaryWriter]:
        """A block whose events this writer takes."""
        _active.append(self)
        before = _state["step"]
        if step is not None:
            _state["step"] = int(step)
        try:
            yield self
        finally:
            _active.pop()
            _state["step"] = before

    def set_as_default(self, step: Any = None) -> None:
        """Take all events from now on."""
        _active.append(self)
        if step is not None:
            _state["step"] = int(step)

    def flush(self) -> None:
        self.events.flush()

    def close(self) -> None:
        self.events.close()


def create_file_writer(
    logdir: Any,
    max_queue: Any = None,
    flush_millis: Any = None,
    filename_suffix: Any = None,
    name: Any = None,
) -> SummaryWriter:
    """A writer of events into a folder."""
    return SummaryWriter(logdir)


def create_noop_writer() -> Any:
    """A writer that writes nothing."""
    return _Nothing()


class _Nothing:
    @contextmanager
    def as_default(self, step: Any = None) -> Iterator[_Nothing]:
        yield self

    def flush(self) -> None:
        return None

    close = flush


def _at(step: Any) -> int:
    number = _state["step"] if step is None else step
    if number is None:
        raise ValueError("No step set: pass step=, or call tf.summary.experimental.set_step")
    return int(number)


def scalar(name: str, data: Any, step: Any = None, description: Any = None) -> bool:
    """A number; whether there is a writer."""
    if _active:
        _active[-1].events.add_scalar(name, float(tensor(data)), _at(step))
    return bool(_active)


def histogram(
    name: str, data: Any, step: Any = None, buckets: Any = None, description: Any = None
) -> bool:
    """How numbers are distributed."""
    if _active:
        values = tensor(data).detach().numpy()
        _active[-1].events.add_histogram(name, values, _at(step))
    return bool(_active)


def image(
    name: str, data: Any, step: Any = None, max_outputs: int = 3, description: Any = None
) -> bool:
    """Pictures: (n, height, width, channels)."""
    if _active:
        pictures = np.asarray(tensor(data).detach().numpy())[: int(max_outputs)]
        for i, picture in enumerate(pictures):
            tag = name if len(pictures) == 1 else f"{name}/{i}"
            _active[-1].events.add_image(tag, picture, _at(step), dataformats="HWC")
    return bool(_active)


def text(name: str, data: Any, step: Any = None, description: Any = None) -> bool:
    """A text."""
    if _active:
        content = "\n".join(as_strings(data).text().reshape(-1).tolist())
        _active[-1].events.add_text(name, content, _at(step))
    return bool(_active)


class experimental:
    """`tf.summary.experimental`."""

    @staticmethod
    def set_step(step: Any) -> None:
        """The step of events that name none."""
        _state["step"] = None if step is None else int(step)

    @staticmethod
    def get_step() -> Any:
        return _state["step"]


def trace_on(*args: Any, **kwargs: Any) -> None:
    """Nothing is traced: see chainrule.profiler."""


def trace_export(*args: Any, **kwargs: Any) -> None:
    """Nothing was traced: see chainrule.profiler."""


__getattr__ = later(__name__)
