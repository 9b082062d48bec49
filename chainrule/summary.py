"""`tf.summary`: numbers, histograms, images and texts into event files that TensorBoard shows.

    writer = tf.summary.create_file_writer("logs")
    with writer.as_default():
        tf.summary.scalar("loss", loss, step=step)

What is written goes to the writer that is the default where it is written; nowhere, if there is
none. Inside a model that `fit` trains, Python runs for the first steps only (as in a `tf.function`
the tracing): write from a callback, or from a loop of your own.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from chainrule import names
from chainrule.utils.tensorboard import FileWriter
from chainrule.utils.tensorboard import summary as events

__getattr__ = names.later(__name__)


class SummaryWriter:
    """Writes events into one file of a folder; the file is made with the first event."""

    def __init__(self, logdir: str | None, max_queue: int, flush_secs: float, suffix: str) -> None:
        self._options = (max_queue, flush_secs, suffix)
        self._logdir = logdir
        self._file: FileWriter | None = None
        self._closed = False

    def _write(self, field: bytes, step: int) -> None:
        if self._closed:
            raise RuntimeError(f"SummaryWriter for {self._logdir} is already closed")
        if self._logdir is None:
            return
        if self._file is None:
            self._file = FileWriter(self._logdir, *self._options)
        self._file.write(field, step, None)

    @contextlib.contextmanager
    def as_default(self, step: Any = None) -> Iterator[SummaryWriter]:
        """In this block, summaries go here, at `step` unless they name another."""
        before = (_state.writer, _state.step)
        _state.writer, _state.step = self, before[1] if step is None else step
        try:
            yield self
        finally:
            self.flush()
            _state.writer, _state.step = before

    def set_as_default(self, step: Any = None) -> None:
        """From now on, summaries go here."""
        _state.writer, _state.step = self, _state.step if step is None else step

    def init(self) -> None:
        """Nothing to do: the file is made with the first event."""

    def flush(self) -> None:
        """Let readers see what was written."""
        if self._file is not None and not self._closed:
            self._file.flush()

    def close(self) -> None:
        """No more."""
        if self._file is not None and not self._closed:
            self._file.close()
        self._closed = True


class _State:
    writer: SummaryWriter | None = None
    step: Any = None
    records: Any = True  # a bool, or a function of nothing
    scopes: tuple[str, ...] = ()


_state = _State()


def create_file_writer(
    logdir: Any,
    max_queue: int | None = None,
    flush_millis: int | None = None,
    filename_suffix: str | None = None,
    name: str | None = None,
    experimental_trackable: bool = False,
    experimental_mesh: Any = None,
) -> SummaryWriter:
    """A writer into the folder `logdir`."""
    seconds = 120.0 if flush_millis is None else flush_millis / 1000
    return SummaryWriter(os.fspath(logdir), max_queue or 10, seconds, filename_suffix or ".v2")


def create_noop_writer() -> SummaryWriter:
    """A writer that writes nothing."""
    return SummaryWriter(None, 10, 120, "")


def should_record_summaries() -> bool:
    """Whether a summary that is written now goes anywhere."""
    if _state.writer is None:
        return False
    return bool(_state.records() if callable(_state.records) else _state.records)


@contextlib.contextmanager
def record_if(condition: bool | Callable[[], Any]) -> Iterator[None]:
    """In this block, write only if `condition` (a bool, or a function that gives one)."""
    before, _state.records = _state.records, condition
    try:
        yield
    finally:
        _state.records = before


def _add(tag: str, make: Callable[[str], bytes], step: Any) -> bool:
    if not should_record_summaries():
        return False
    at = _state.step if step is None else step
    if at is None:
        raise ValueError(
            "No step set. Please specify one either through the `step` argument or through "
            "tf.summary.experimental.set_step()"
        )
    assert _state.writer is not None
    _state.writer._write(make("/".join((*_state.scopes, tag))), int(at))
    return True


def scalar(name: str, data: Any, step: Any = None, description: str | None = None) -> bool:
    """One number. Gives whether it was written.

    >>> scalar("loss", 0.5, step=1)  # there is no default writer
    False
    """
    return _add(name, lambda tag: events.scalar(tag, data), step)


def histogram(
    name: str, data: Any, step: Any = None, buckets: int | None = None,
    description: str | None = None,
) -> bool:  # fmt: skip
    """How the numbers of `data` are distributed."""
    bins = 30 if buckets is None else buckets
    return _add(name, lambda tag: events.histogram(tag, data, bins=bins), step)


def image(
    name: str, data: Any, step: Any = None, max_outputs: int = 3, description: str | None = None
) -> bool:
    """Images (N, H, W, C): bytes, or floats from 0 to 1; the first `max_outputs`."""
    return _add(name, lambda tag: events.images(tag, data, max_outputs), step)


def text(name: str, data: Any, step: Any = None, description: str | None = None) -> bool:
    """A text, shown as Markdown."""
    content = data.numpy() if hasattr(data, "numpy") else data
    content = content.decode() if isinstance(content, bytes) else str(content)
    return _add(name, lambda tag: events.text(tag, content), step)


def write(
    tag: str, tensor: Any, step: Any = None, metadata: Any = None, name: str | None = None
) -> bool:
    """A tensor under the plugin that `metadata` (a message of TensorBoard) names."""
    packed = b"" if metadata is None else metadata.SerializeToString()
    if isinstance(tensor, str):
        return _add(tag, lambda full: events.strings(full, [tensor], None, packed), step)
    return _add(tag, lambda full: events.tensor(full, np.asarray(tensor), packed), step)


def flush(writer: SummaryWriter | None = None, name: str | None = None) -> None:
    """Let readers see what was written."""
    chosen = writer or _state.writer
    if chosen is not None:
        chosen.flush()


def _get_step() -> Any:
    """The step at which summaries are written."""
    return _state.step


def _set_step(step: Any) -> None:
    """Write at this step from now on."""
    _state.step = step


@contextlib.contextmanager
def _summary_scope(
    name: str, default_name: str = "summary", values: Any = None
) -> Iterator[tuple[str, str]]:
    """Names of summaries inside begin with `name/`; gives the tag, and the scope."""
    tag = name or default_name
    yield "/".join((*_state.scopes, tag)), tag + "/"


#: `tf.summary.experimental`.
experimental = SimpleNamespace(get_step=_get_step, set_step=_set_step, summary_scope=_summary_scope)
