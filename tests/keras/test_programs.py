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


def test_train_on_batch_says_the_loss_of_its_batch_not_of_all_so_far() -> None:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.ones((1, 1))])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x = np.ones((2, 1), np.float32)
    assert [float(model.train_on_batch(x, x + error)) for error in (1.0, 3.0)] == [1.0, 9.0]
    assert float(model.test_on_batch(x, x + 2.0)) == 4.0


class Doubled(keras.layers.Conv2D):
    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        return super().convolution_op(inputs, 2 * kernel)


def test_a_convolution_of_ones_own_keeps_bias_and_activation() -> None:
    x = np.random.default_rng(0).standard_normal((2, 6, 6, 3)).astype(np.float32)
    plain, own = keras.layers.Conv2D(4, 3), Doubled(4, 3, activation="relu")
    plain.build(x.shape)
    own.build(x.shape)
    bias = np.array([1.0, -2.0, 3.0, 0.0], np.float32)
    plain.set_weights([plain.kernel, bias])
    own.set_weights([plain.kernel, bias])
    expected = np.maximum(2 * (plain(x).numpy() - bias) + bias, 0)
    np.testing.assert_allclose(own(x).numpy(), expected, rtol=1e-5, atol=1e-5)
