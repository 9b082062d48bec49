"""Keras's side (on TensorFlow): steps of `fit`, from epochs over some batches.

python -m benchmarks.keras_side        orders as for `benchmarks.worker`
"""

from __future__ import annotations

import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.pipes import serve

_LAYERS = keras.layers
_PER_EPOCH = 20


def _convolutions() -> list[Any]:
    made: list[Any] = []
    for width in (32, 64):
        made += [
            _LAYERS.Conv2D(width, 3, padding="same", activation="relu"), _LAYERS.MaxPooling2D(2),
        ]  # fmt: skip
    return made


def _network(name: str) -> tuple[Any, Any, tuple[int, ...], int, int]:
    """Layers, optimiser, shape of a row, batch size, classes."""
    if name == "mlp":
        layers = [_LAYERS.Dense(128, activation="relu"), _LAYERS.Dense(10)]
        return layers, keras.optimizers.Adam(1e-3), (784,), 128, 10
    if name == "dcnn":
        dense = [_LAYERS.Flatten(), _LAYERS.Dense(128, activation="relu"), _LAYERS.Dense(10)]
        return [*_convolutions(), *dense], keras.optimizers.SGD(0.01), (28, 28, 1), 64, 10
    if name == "lstm":
        layers = [_LAYERS.LSTM(50, return_sequences=True), _LAYERS.LSTM(50), _LAYERS.Dense(2)]
        return layers, keras.optimizers.Adam(0.01), (20, 10), 32, 2
    raise NotImplementedError(f"{name} is not written for Keras")


class Side:
    """What may be ordered."""

    def __init__(self) -> None:
        tf.config.threading.set_intra_op_parallelism_threads(2)
        self.made: dict[str, Any] = {}

    def version(self) -> str:
        return f"{keras.__version__} (TensorFlow {tf.__version__})"

    def network(self, name: str) -> Any:
        if name not in self.made:
            layers, optimizer, row, batch, classes = _network(name)
            model = keras.Sequential([keras.Input(row), *layers])
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile(optimizer=optimizer, loss=loss)
            rng = np.random.default_rng(0)
            x = rng.random((batch * _PER_EPOCH, *row), dtype=np.float32)
            self.made[name] = model, x, rng.integers(0, classes, len(x)), batch
        return self.made[name]

    def first(self, network: str) -> list[float]:
        model, x, y, batch = self.network(network)
        began = time.perf_counter()
        model.fit(x[:batch], y[:batch], batch_size=batch, verbose=0)
        first = time.perf_counter() - began
        return [first, self.train(network, _PER_EPOCH)[0]]

    def train(self, network: str, count: int) -> list[float]:
        """Epochs with about `count` steps in all; each is the mean of its steps."""
        model, x, y, batch = self.network(network)
        seconds = []
        for _ in range(max(1, round(count / _PER_EPOCH))):
            began = time.perf_counter()
            model.fit(x, y, batch_size=batch, verbose=0)
            seconds.append((time.perf_counter() - began) / _PER_EPOCH)
        return seconds

    def infer(self, network: str, count: int) -> list[float]:
        raise NotImplementedError("Keras is timed in fit only")

    def forget(self, network: str) -> None:
        self.made.pop(network, None)


if __name__ == "__main__":
    serve(Side())
