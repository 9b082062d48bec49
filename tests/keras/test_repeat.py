"""fit repeats a step without recording it again, and nothing but time tells the difference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import keras
from chainrule.keras.models import repeat

ROWS, BATCH = 50, 16  # the last batch is shorter

OPTIMIZERS: dict[str, Any] = {
    "sgd": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "adam with a schedule": lambda: keras.optimizers.Adam(
        keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)
    ),
    "adamw, clipped": lambda: keras.optimizers.AdamW(0.05, weight_decay=0.01, clipnorm=1.0),
    "nadam, which counts by itself": lambda: keras.optimizers.Nadam(0.01),
    "averaged": lambda: keras.optimizers.SGD(0.1, use_ema=True, ema_overwrite_frequency=3),
    "accumulated": lambda: keras.optimizers.SGD(0.1, gradient_accumulation_steps=3),
}


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.random((ROWS, 6), dtype=np.float32), rng.integers(0, 3, ROWS)


def model(optimizer: Any, eagerly: bool) -> Any:
    keras.utils.set_random_seed(1)
    made = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(8, activation="relu", kernel_regularizer="l2"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(3, activation="softmax", kernel_constraint="max_norm"),
        ]
    )
    made.compile(
        optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=eagerly
    )
    return made


def trained(optimizer: Any, eagerly: bool, **options: Any) -> tuple[Any, list[np.ndarray]]:
    x, y = data()
    made = model(optimizer, eagerly)
    history = made.fit(
        x, y, batch_size=BATCH, epochs=4, verbose=0, validation_data=(x, y), **options
    )
    return history.history, made.get_weights()


def count_records(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counted = [0]
    observe = repeat.Repeated._observe

    def counting(self: Any, *args: Any) -> None:
        counted[0] += 1
        observe(self, *args)

    monkeypatch.setattr(repeat.Repeated, "_observe", counting)
    return counted


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_numbers_are_those_of_recorded_steps(name: str) -> None:
    (history, weights), (expected, wanted) = (
        trained(OPTIMIZERS[name](), eagerly) for eagerly in (False, True)
    )
    assert history == expected
    for a, b in zip(weights, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


def test_few_steps_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = count_records(monkeypatch)
    x, y = data()
    made = model("adam", False)
    made.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)
    counted[0] = 0
    made.fit(x, y, batch_size=BATCH, epochs=20, verbose=0)
    assert counted[0] <= 6  # two of whole batches, two of short ones; 80 steps


def test_what_a_callback_changes_is_seen() -> None:
    class Meddler(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                self.model.optimizer.learning_rate = 0.5
            if epoch == 2:
                self.model.layers[0].trainable = False
            if epoch == 3:
                self.model.set_weights([np.ones_like(w) for w in self.model.get_weights()])

    both = [
        trained(keras.optimizers.Adam(0.01), eagerly, callbacks=[Meddler()])
        for eagerly in (False, True)
    ]
    assert both[0][0] == both[1][0]
    for a, b in zip(both[0][1], both[1][1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_number_that_differs_each_time_is_never_repeated() -> None:
    class Noisy(keras.layers.Layer):
        calls = 0

        def call(self, x: Any) -> Any:
            self.calls += 1
            return x * float(self.calls)

    x, _ = data()
    layer = Noisy()
    made = keras.Sequential([keras.Input((6,)), layer, keras.layers.Dense(1)])
    made.compile("sgd", "mse")
    before = layer.calls
    made.fit(x, x[:, :1], batch_size=10, epochs=2, verbose=0)
    assert layer.calls - before == 10


def test_a_step_of_ones_own_is_called_each_time() -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense, self.steps = keras.layers.Dense(1), 0

        def call(self, x: Any) -> Any:
            return self.dense(x)

        def train_step(self, data: Any) -> Any:
            self.steps += 1
            return super().train_step(data)

    x, _ = data()
    made = Own()
    made.compile("sgd", "mse")
    made.fit(x, x[:, :1], batch_size=10, epochs=2, verbose=0)
    assert made.steps == 10


def test_a_label_out_of_range_is_an_error_in_a_repeated_step() -> None:
    x, y = data()
    made = model("sgd", False)
    y[-1] = 7
    with pytest.raises(Exception, match="range"):
        made.fit(x, y, batch_size=1, epochs=1, verbose=0, shuffle=False)
    y[-1] = 0
    made.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)
    assert all(np.isfinite(w).all() for w in made.get_weights())
