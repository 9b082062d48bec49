"""What TensorBoard shows of a run: event files, written without it."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.keras.callbacks.rates import learning_rates
from chainrule.keras.layers import Embedding
from chainrule.summary import SummaryWriter, create_file_writer, record_if
from chainrule.training.callbacks import Callback, Logs, Values
from chainrule.utils.tensorboard import summary


class TensorBoard(Callback):
    """Writes the values of epochs into `log_dir`/train and `log_dir`/validation.

    `update_freq` (a number of batches, "batch" or "epoch") says how often values of batches are
    written too, `histogram_freq` and `embeddings_freq` (in epochs) how often weights are, as
    histograms (with `write_images` also as images) and as points. `write_graph` keeps the model's
    architecture. `profile_batch` is checked and otherwise ignored, with a warning:
    `chainrule.profiler` profiles. Where values of batches are written, `tf.summary` in the
    program's own step (with `run_eagerly`) writes into the same files.
    """

    def __init__(
        self,
        log_dir: Any = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: int | str = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: str | dict[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.log_dir = str(log_dir)
        self.histogram_freq = histogram_freq
        self.write_graph = write_graph
        self.write_images = write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self.embeddings_freq = embeddings_freq
        self.embeddings_metadata = embeddings_metadata
        _check_profile(profile_batch)
        self._train_dir = os.path.join(self.log_dir, "train")
        self._val_dir = os.path.join(self.log_dir, "validation")
        self._writers: dict[str, SummaryWriter] = {}
        self._default = ExitStack()
        self._global_train_batch = self._global_test_batch = 0
        self._batch_began = self._epoch_began = 0.0
        self._iterations_before = 0

    # where events go ------------------------------------------------------------------------------

    def _writer(self, folder: str) -> SummaryWriter:
        if folder not in self._writers:
            self._writers[folder] = create_file_writer(folder)
        return self._writers[folder]

    def _write(self, folder: str, step: int, *fields: bytes) -> None:
        for field in fields:
            self._writer(folder)._write(field, step)

    def _become_default(self, folder: str, step: int) -> None:
        """`tf.summary` in the program's step writes here."""
        if self.update_freq == "epoch":
            return
        self._default.close()
        due = step % int(self.update_freq) == 0
        self._default.enter_context(self._writer(folder).as_default(step))
        self._default.enter_context(record_if(due))

    def _scalars(self, folder: str, form: str, values: Mapping[str, Any], step: int) -> None:
        fields = [summary.scalar(form.format(n), v) for n, v in values.items() if np.ndim(v) == 0]
        self._write(folder, step, *fields)

    def _close(self) -> None:
        self._default.close()
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def abort(self) -> None:
        self._close()

    # hooks ----------------------------------------------------------------------------------------

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        self._close()

    def on_train_begin(self, logs: Values = None) -> None:
        self._global_train_batch = 0
        if self.write_graph and getattr(self.model, "graph", None) is not None:
            self._write(self._train_dir, 0, summary.keras_model("keras", self.model.to_json()))
        if self.embeddings_freq:
            self._configure_embeddings()

    def on_train_end(self, logs: Values = None) -> None:
        self._close()

    def on_train_batch_begin(self, batch: int, logs: Values = None) -> None:
        self._global_train_batch += 1
        self._become_default(self._train_dir, self._global_train_batch)
        if self.write_steps_per_second:
            self._batch_began = time.perf_counter()

    def see_train_batch(self, batch: int, logs: Logs) -> None:
        if self.update_freq == "epoch" or self._global_train_batch % int(self.update_freq):
            return
        step = self._global_train_batch
        if self.write_steps_per_second:
            rate = 1.0 / max(time.perf_counter() - self._batch_began, 1e-9)
            self._scalars(self._train_dir, "{}", {"batch_steps_per_second": rate}, step)
        self._scalars(self._train_dir, "batch_{}", logs.read(), step)

    def on_test_batch_begin(self, batch: int, logs: Values = None) -> None:
        self._global_test_batch += 1
        self._become_default(self._val_dir, self._global_test_batch)

    def on_test_end(self, logs: Values = None) -> None:
        self._default.close()
        iterations = getattr(self.model.optimizer, "iterations", None)
        if logs and iterations is not None:
            form = "evaluation_{}_vs_iterations"
            self._scalars(self._val_dir, form, logs, int(iterations))
            self._writer(self._val_dir).flush()

    def on_epoch_begin(self, epoch: int, logs: Values = None) -> None:
        if self.write_steps_per_second:
            self._iterations_before = int(self.model.optimizer.iterations)
            self._epoch_began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Values = None) -> None:
        if logs:
            self._write_epoch(epoch, logs)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            self._write_embeddings(epoch)
        for writer in self._writers.values():
            writer.flush()

    def _write_epoch(self, epoch: int, logs: Mapping[str, Any]) -> None:
        train = {name: value for name, value in logs.items() if not name.startswith("val_")}
        validation = {name[4:]: value for name, value in logs.items() if name.startswith("val_")}
        if getattr(self.model, "optimizer", None) is not None:
            train |= learning_rates(self.model)
        if self.write_steps_per_second:
            steps = int(self.model.optimizer.iterations) - self._iterations_before
            train["steps_per_second"] = steps / max(time.perf_counter() - self._epoch_began, 1e-9)
        self._scalars(self._train_dir, "epoch_{}", train, epoch)
        if validation:
            self._scalars(self._val_dir, "epoch_{}", validation, epoch)

    # weights --------------------------------------------------------------------------------------

    def _write_weights(self, epoch: int) -> None:
        for layer in self.model.layers:
            for weight in layer.weights:
                name = weight.path.replace(":", "_")
                values = np.asarray(weight.numpy())
                fields = [summary.histogram(f"{name}/histogram", values)] if values.size else []
                pictures = _pictures(values) if self.write_images else None
                if pictures is not None:
                    fields.append(summary.images(f"{name}/image", pictures))
                self._write(self._train_dir, epoch, *fields)

    def _embeddings(self) -> list[Embedding]:
        return [layer for layer in self.model.layers if isinstance(layer, Embedding)]

    def _configure_embeddings(self) -> None:
        """Tell TensorBoard's projector where the vectors and their labels are."""
        metadata = self.embeddings_metadata
        named = dict(metadata) if isinstance(metadata, dict) else {}
        text = ""
        for layer in self._embeddings():
            label = metadata if isinstance(metadata, str) else named.pop(layer.name, None)
            text += f'embeddings {{\n  tensor_name: "{layer.name}"\n'
            text += f'  metadata_path: "{label}"\n' if label else ""
            text += f'  tensor_path: "{layer.name}.tsv"\n}}\n'
        if named:
            raise ValueError(
                "Unrecognized `Embedding` layer names passed to `keras.callbacks.TensorBoard` "
                f"`embeddings_metadata` argument: {named.keys()}"
            )
        Path(self.log_dir).mkdir(parents=True, exist_ok=True)
        Path(self.log_dir, "projector_config.pbtxt").write_text(text)

    def _write_embeddings(self, epoch: int) -> None:
        for layer in self._embeddings():
            if layer.built:
                rows = np.asarray(layer.weights[0].numpy(), np.float32)
                np.savetxt(Path(self.log_dir, f"{layer.name}.tsv"), rows, "%.6g", "\t")


def _pictures(weight: np.ndarray) -> np.ndarray | None:
    """A weight as images (N, H, W, 1): a row for a bias, wide for a matrix, one for each kernel."""
    w = np.squeeze(weight)
    if w.ndim == 1:
        return w[None, :, None, None]
    if w.ndim == 2:
        return (w.T if w.shape[0] > w.shape[1] else w)[None, :, :, None]
    if w.ndim == 3:
        return np.moveaxis(w, 2, 0)[..., None]
    return w if w.ndim == 4 and w.shape[-1] in (1, 3, 4) else None


def _check_profile(batches: Any) -> None:
    """Raises ValueError unless it is a number of a batch, or two of them."""
    parts = batches.split(",") if isinstance(batches, str) else batches
    numbers = [int(part) for part in parts] if isinstance(parts, list | tuple) else [parts]
    ok = len(numbers) in (1, 2) and all(isinstance(n, int) for n in numbers)
    if not ok or numbers[0] < 0 or numbers[-1] < numbers[0]:
        raise ValueError(
            "profile_batch must be a non-negative integer or 2-tuple of positive integers. A pair "
            f"of positive integers signifies a range of batches to profile. Found: {batches}"
        )
    if numbers[-1]:
        warnings.warn(
            f"profile_batch={batches}: nothing is profiled; use chainrule.profiler", stacklevel=3
        )
