"""`SummaryWriter`: what a training run wants to show, as a folder of event files."""

from __future__ import annotations

import os
import socket
import time
import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

from chainrule.utils.tensorboard import summary
from chainrule.utils.tensorboard.records import RecordWriter, block


class FileWriter:
    """Events into one file of a folder."""

    def __init__(
        self, log_dir: str, max_queue: int = 10, flush_secs: float = 120, filename_suffix: str = ""
    ) -> None:
        self._folder = str(log_dir)
        os.makedirs(self._folder, exist_ok=True)
        name = (
            f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}."
            f"{time.monotonic_ns() % 10**9}{filename_suffix}"
        )
        self._records = RecordWriter(os.path.join(self._folder, name))
        self._every, self._flushed = flush_secs, time.monotonic()
        self._queue, self._waiting = max_queue, 0
        self._records.write(summary.event(None, None, block(3, "brain.Event:2")))
        self._records.flush()

    def get_logdir(self) -> str:
        """The folder."""
        return self._folder

    def write(self, field: bytes, step: int | None, wall_time: float | None) -> None:
        """One event; readers see it when enough wait, or after some time."""
        self._records.write(summary.event(step, wall_time, field))
        self._waiting += 1
        late = time.monotonic() - self._flushed > self._every
        if late or self._waiting >= self._queue:
            self.flush()

    def flush(self) -> None:
        """Let readers see what was written."""
        self._records.flush()
        self._flushed, self._waiting = time.monotonic(), 0

    def close(self) -> None:
        """No more."""
        self._records.close()


class SummaryWriter:
    """Writes what TensorBoard shows into `log_dir` (runs/<time>_<machine> unless given).

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, SummaryWriter(folder) as writer:
    ...     for step in range(3):
    ...         writer.add_scalar("loss", 1.0 / (step + 1), step)
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: int = 120,
        filename_suffix: str = "",
    ) -> None:
        if not log_dir:
            stamp = datetime.now().strftime("%b%d_%H-%M-%S")
            log_dir = os.path.join("runs", f"{stamp}_{socket.gethostname()}{comment}")
        self.log_dir = os.fspath(log_dir)
        self._options = (max_queue, flush_secs, filename_suffix)
        self._writers: dict[str, FileWriter] = {}
        self._closed = False
        self._writer()

    def _writer(self, folder: str | None = None) -> FileWriter:
        path = self.log_dir if folder is None else folder
        if self._closed:  # PyTorch begins another file
            self._writers, self._closed = {}, False
        if path not in self._writers:
            self._writers[path] = FileWriter(path, *self._options)
        return self._writers[path]

    @property
    def file_writer(self) -> FileWriter:
        """Of the main folder."""
        return self._writer()

    def get_logdir(self) -> str:
        """The folder."""
        return self.log_dir

    def _add(self, field: bytes, step: Any, wall_time: float | None) -> None:
        self._writer().write(field, None if step is None else int(step), wall_time)

    def add_scalar(
        self, tag: str, scalar_value: Any, global_step: int | None = None,
        walltime: float | None = None, new_style: bool = False, double_precision: bool = False,
    ) -> None:  # fmt: skip
        """One number."""
        self._add(summary.scalar(tag, scalar_value), global_step, walltime)

    def add_scalars(
        self, main_tag: str, tag_scalar_dict: Mapping[str, Any], global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:  # fmt: skip
        """Several numbers in one chart: each in a folder of its own, as TensorBoard wants it."""
        at = None if global_step is None else int(global_step)
        for tag, x in tag_scalar_dict.items():
            folder = os.path.join(self.log_dir, f"{main_tag.replace('/', '_')}_{tag}")
            self._writer(folder).write(summary.scalar(main_tag, x), at, walltime)

    def add_histogram(
        self, tag: str, values: Any, global_step: int | None = None, bins: Any = "tensorflow",
        walltime: float | None = None, max_bins: int | None = None,
    ) -> None:  # fmt: skip
        """How often which values are."""
        self._add(summary.histogram(tag, values, bins, max_bins), global_step, walltime)

    def add_image(
        self, tag: str, img_tensor: Any, global_step: int | None = None,
        walltime: float | None = None, dataformats: str = "CHW",
    ) -> None:  # fmt: skip
        """One image: bytes, or floats from 0 to 1."""
        self._add(summary.image(tag, img_tensor, dataformats), global_step, walltime)

    def add_images(
        self, tag: str, img_tensor: Any, global_step: int | None = None,
        walltime: float | None = None, dataformats: str = "NCHW",
    ) -> None:  # fmt: skip
        """A batch of images, side by side."""
        self._add(summary.image(tag, img_tensor, dataformats), global_step, walltime)

    def add_figure(
        self, tag: str, figure: Any, global_step: int | None = None, close: bool = True,
        walltime: float | None = None,
    ) -> None:  # fmt: skip
        """A figure of Matplotlib, or several side by side, as images."""
        import matplotlib.pyplot as plt
        import numpy as np

        figures = figure if isinstance(figure, Sequence) else [figure]
        pictures = []
        for one in figures:
            one.canvas.draw()
            pictures.append(np.asarray(one.canvas.buffer_rgba())[..., :3].transpose(2, 0, 1))
            if close:
                plt.close(one)
        self.add_images(tag, np.stack(pictures), global_step, walltime)

    def add_text(
        self, tag: str, text_string: str, global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:  # fmt: skip
        """A text, shown as Markdown."""
        self._add(summary.text(tag, text_string), global_step, walltime)

    def add_hparams(
        self, hparam_dict: Mapping[str, Any], metric_dict: Mapping[str, Any],
        hparam_domain_discrete: Mapping[str, list[Any]] | None = None,
        run_name: str | None = None, global_step: int | None = None,
    ) -> None:  # fmt: skip
        """The settings of a run and what came out, in a folder of its own."""
        if not isinstance(hparam_dict, Mapping) or not isinstance(metric_dict, Mapping):
            raise TypeError("hparam_dict and metric_dict should be dictionary.")
        fields = summary.hparams(hparam_dict, metric_dict, hparam_domain_discrete)
        with SummaryWriter(os.path.join(self.log_dir, run_name or str(time.time()))) as writer:
            for field in fields:
                writer._add(field, None, None)
            for tag, x in metric_dict.items():
                writer.add_scalar(tag, x, global_step)

    def add_graph(
        self, model: Any, input_to_model: Any = None, verbose: bool = False,
        use_strict_trace: bool = True,
    ) -> None:  # fmt: skip
        """Warns and writes nothing: `chainrule.explain` shows the graph of a call."""
        warnings.warn(
            "add_graph writes nothing: chainrule.explain shows the graph of a call", stacklevel=2
        )

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError(
            "this writer has scalars, histograms, images, figures, texts and hyperparameters"
        )

    add_audio = add_video = add_embedding = add_pr_curve = add_pr_curve_raw = add_mesh = _refuse
    add_custom_scalars = add_custom_scalars_multilinechart = add_tensor = _refuse
    add_histogram_raw = add_onnx_graph = add_image_with_boxes = _refuse

    def flush(self) -> None:
        """Let readers see what was written."""
        for writer in self._writers.values():
            writer.flush()

    def close(self) -> None:
        """No more."""
        if not self._closed:
            for writer in self._writers.values():
                writer.close()
        self._closed = True

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
