"""What is printed while a model is trained, and `summary()`, are Keras's characters."""

from __future__ import annotations

import contextlib
import io
import os
import re
import warnings
from typing import Any

import numpy as np
import pytest

from chainrule import keras as ours

os.environ.setdefault("KERAS_BACKEND", "torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import keras as theirs

pytestmark = pytest.mark.filterwarnings("ignore")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed(keras: Any, action: Any, out: io.StringIO) -> str:
    keras.backend.clear_session()
    with contextlib.redirect_stdout(out):
        action(keras)
    return out.getvalue()


def model(keras: Any) -> Any:
    made = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    made.compile("sgd", "mse", metrics=["mae"])
    return made


X, Y = np.ones((24, 4), "f"), np.ones((24, 2), "f")


def batches() -> Any:
    for _ in range(3):
        yield X[:8], Y[:8]


ACTIONS = {
    "an epoch": lambda k: model(k).fit(X, Y, verbose=1, batch_size=8),
    "epochs": lambda k: model(k).fit(X, Y, verbose=1, batch_size=8, epochs=2, validation_split=0.5),
    "lines": lambda k: model(k).fit(X, Y, verbose=2, batch_size=8, epochs=2),
    "silence": lambda k: model(k).fit(X, Y, verbose=0, epochs=2),
    "unknown steps": lambda k: model(k).fit(batches(), verbose=2),
    "evaluation": lambda k: model(k).evaluate(X, Y, verbose=1),
    "evaluation in a line": lambda k: model(k).evaluate(X, Y, verbose=2, batch_size=2),
    "prediction": lambda k: model(k).predict(X, verbose=1),
}


def last_drawn(text: str) -> list[str]:
    """The lines as a terminal shows them at the end, but for numbers that the clock makes."""
    lines = []
    for line in text.split("\n"):
        line = line.split("\r")[-1].replace("\b", "").rstrip()
        line = re.sub(r"\d+(:\d+)*s(\x1b\[0m)? -? ?\d+(ms|us|s)/step", "TIME", line)
        lines.append(re.sub(r"\d+\.\d{4}(e-\d\d)?", "0.0", line))
    return lines


@pytest.mark.parametrize("name", ACTIONS)
def test_progress_on_a_screen(name: str) -> None:
    found, expected = (last_drawn(printed(k, ACTIONS[name], Terminal())) for k in (ours, theirs))
    assert found == expected


@pytest.mark.parametrize("name", ACTIONS)
def test_progress_in_a_pipe_is_the_same_without_colours(name: str) -> None:
    found, expected = (
        [re.sub(r"\x1b\[\d+m", "", line) for line in last_drawn(printed(k, ACTIONS[name], out))]
        for k, out in ((ours, io.StringIO()), (theirs, io.StringIO()))
    )
    assert found == expected and "\x1b" not in printed(ours, ACTIONS[name], io.StringIO())


def functional(keras: Any) -> Any:
    layers = keras.layers
    a, b = keras.Input((8,), name="a"), keras.Input((8,), name="b")
    shared = layers.Dense(4, name="shared")
    x = layers.Concatenate()([shared(a), shared(b)])
    x = keras.ops.mean(x * 2 + 1, axis=-1, keepdims=True)
    inner = keras.Sequential([keras.Input((1,)), layers.Dense(2), layers.Dense(3)], name="inner")
    y = inner(x)
    made = keras.Model([a, b], [layers.Dense(1, name="out")(y), y], name="f")
    made.get_layer("shared").trainable = False
    return made


def recurrent(keras: Any) -> Any:
    q = keras.Input((3, 2))
    return keras.Model(q, keras.layers.LSTM(4, return_state=True)(q), name="lstm")


def subclassed(keras: Any) -> Any:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="own")
            self.first, self.second = keras.layers.Dense(4), keras.layers.Dense(2)
            self.unused = keras.layers.Dense(1)

        def call(self, x: Any) -> Any:
            return self.second(self.first(x))

    made = Own()
    made(np.zeros((2, 3), "f"))
    return made


@pytest.mark.parametrize("options", [
    {}, {"expand_nested": True, "show_trainable": True}, {"line_length": 100},
    {"line_length": 120, "positions": [0.4, 0.6, 0.75, 1.0]},
])  # fmt: skip
@pytest.mark.parametrize("make", [functional, recurrent, subclassed])
def test_summary(make: Any, options: dict[str, Any]) -> None:
    if "positions" in options and make is not functional:
        options = options | {"positions": [0.5, 0.8, 1.0]}
    found, expected = (
        printed(k, lambda k: make(k).summary(**options), io.StringIO()) for k in (ours, theirs)
    )
    assert found == expected


def test_summary_of_a_range() -> None:
    found, expected = (
        printed(k, lambda k: functional(k).summary(layer_range=["shared", "mean.*"]), io.StringIO())
        for k in (ours, theirs)
    )
    assert found == expected


def test_event_files_are_read_by_tensorboard(tmp_path: Any) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = ours.callbacks.TensorBoard(
        tmp_path, histogram_freq=1, write_images=True, update_freq="batch"
    )
    history = model(ours).fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[board])
    read = accumulator.EventAccumulator(str(tmp_path / "train"))
    read.Reload()
    tags = read.Tags()
    losses = [event.value for event in read.Scalars("epoch_loss")]
    np.testing.assert_allclose(losses, history.history["loss"], rtol=1e-6)
    assert len(read.Scalars("batch_mae")) == 6 and len(tags["histograms"]) == 2
    assert "keras" in tags["tensors"] and sum("image" in tag for tag in tags["tensors"]) == 2
