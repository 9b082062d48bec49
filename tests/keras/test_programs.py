"""What public programs do that nothing smaller asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import keras


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.inner = keras.layers.Dense(4, activation="relu")
        self.outer = keras.layers.Dense(2)

    def call(self, x: Any) -> Any:
        return self.outer(self.inner(x))


class OwnStep(Subclassed):
    def train_step(self, data: Any) -> dict[str, Any]:
        logs = super().train_step(data)
        del logs
        return {metric.name: metric.result() for metric in self.metrics}


def data() -> tuple[np.ndarray, np.ndarray]:
    return np.ones((8, 3), np.float32), np.zeros((8, 2), np.float32)


def test_the_summary_of_a_subclassed_model_that_was_fitted(capsys: Any) -> None:
    model = Subclassed()
    model.compile("sgd", "mse")
    model.fit(*data(), verbose=0)
    model.summary()
    assert "Trainable params: 26 " in capsys.readouterr().out


def test_an_output_shape_is_asked_for_by_the_name_input_shape() -> None:
    assert keras.layers.Dense(5).compute_output_shape(input_shape=(None, 3)) == (None, 5)


def test_a_train_step_returns_the_result_of_each_metric_also_of_those_in_one() -> None:
    model = OwnStep()
    model.compile("sgd", "mse", metrics=["mae"])
    history = model.fit(*data(), verbose=0).history
    assert set(history) == {"loss", "mae"}
