"""Callbacks: when they stop, save, slow down and write."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from chainrule.keras.callbacks import (
    Callback,
    CallbackList,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    MonitorCallback,
    OrbaxCheckpoint,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from chainrule.training.data import ArrayBatches
from chainrule.training.loop import Steps, evaluate, run


class Optimizer:
    learning_rate = 1.0


class Model:
    """What a callback may ask of a model."""

    def __init__(self):
        self.stop_training = False
        self.optimizer = Optimizer()
        self.metrics = ()
        self.weights = 0
        self.saved = []

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights

    def save(self, path, overwrite):
        self.saved.append(Path(path).name)

    save_weights = save


def train(callbacks, values, batches=2, name="val_loss", count=None):
    """Run epochs whose value is given; returns the model."""
    model = Model()
    epochs = iter(values)

    def results(returned):
        return {"loss": 1.0, name: next(epochs)}

    def step(batch):
        model.weights += 1

    data = ArrayBatches((np.zeros(batches), None, None), batch_size=1)
    listed = CallbackList(callbacks, model=model)
    run(Steps(step, results, lambda: None), data, listed, epochs=count or len(values))
    return model


def test_history_keeps_every_epoch():
    history = History()
    train([history], [3.0, 2.0])
    assert history.history == {"loss": [1.0, 1.0], "val_loss": [3.0, 2.0]} and history.epoch == [
        0,
        1,
    ]


def test_early_stopping_waits_and_can_go_back():
    stop = EarlyStopping(patience=2, restore_best_weights=True)
    model = train([stop], [5, 3, 4, 4, 1])
    assert stop.stopped_epoch == 3 and stop.best == 3
    assert model.weights == 4  # two batches in each of the two first epochs


@pytest.mark.parametrize("name, values, stopped", [
    ("val_accuracy", [0.1, 0.5, 0.4], 2), ("val_loss", [0.1, 0.5, 0.4], 1),
    ("val_auc", [0.1, 0.2, 0.1], 2),
])  # fmt: skip
def test_the_better_direction_is_known_from_the_name(name, values, stopped):
    stop = EarlyStopping(monitor=name)
    train([stop], values, name=name)
    assert stop.stopped_epoch == stopped


def test_small_gains_and_late_starts():
    assert_stopped = EarlyStopping(min_delta=0.5, patience=1)
    train([assert_stopped], [5, 4.8, 4.7, 4.6])
    assert assert_stopped.stopped_epoch == 1
    late = EarlyStopping(start_from_epoch=2)
    train([late], [1, 5, 4, 4])
    assert late.stopped_epoch == 3


def test_a_value_that_is_not_there():
    with pytest.warns(UserWarning, match="`val_acc`.*available.*: loss,val_loss"):
        train([EarlyStopping(monitor="val_acc")], [1.0])
    with pytest.warns(UserWarning, match="EarlyStopping mode 'least' is unknown"):
        EarlyStopping(mode="least")
    with pytest.raises(ValueError, match="Pass mode="):
        train([MonitorCallback("val_unknown"), EarlyStopping("val_unknown")], [1.0])


def test_checkpoints(tmp_path, capsys):
    every = ModelCheckpoint(tmp_path / "m{epoch:02d}-{val_loss:.1f}.keras")
    assert train([every], [2, 1]).saved == ["m01-2.0.keras", "m02-1.0.keras"]
    best = ModelCheckpoint(tmp_path / "best.keras", save_best_only=True, verbose=1)
    assert train([best], [2, 3, 1]).saved == ["best.keras"] * 2
    assert "val_loss improved from 2.00000 to 1.00000" in capsys.readouterr().out
    with pytest.raises(KeyError, match="available: epoch, loss, val_loss"):
        train([ModelCheckpoint(tmp_path / "{val_acc}.keras")], [1])
    with pytest.raises(ValueError, match=r"must end in `.weights.h5`"):
        ModelCheckpoint("m.keras", save_weights_only=True)
    with pytest.raises(NotImplementedError, match="ModelCheckpoint"):
        OrbaxCheckpoint(tmp_path)


def test_checkpoints_after_batches(tmp_path):
    some = ModelCheckpoint(tmp_path / "{epoch}-{batch}.keras", save_freq=3)
    assert train([some], [1] * 6, count=4).saved == ["2-1.keras", "3-2.keras"]


def test_the_newest_checkpoint(tmp_path):
    find = ModelCheckpoint("m.keras")._get_most_recently_modified_file_matching_pattern
    for epoch in (1, 2):
        (tmp_path / f"m{epoch:02d}.keras").write_text("")
        os.utime(tmp_path / f"m{epoch:02d}.keras", (9, 9))
    assert find(str(tmp_path / "m{epoch:02d}.keras")) == str(tmp_path / "m02.keras")
    assert find(str(tmp_path / "nothing{epoch}.keras")) is None


def test_learning_rates():
    model = train([LearningRateScheduler(lambda epoch, rate: rate / 2)], [1, 1])
    assert model.optimizer.learning_rate == 0.25
    model = train([LearningRateScheduler(lambda epoch: 0.1 * epoch)], [1, 1, 1])
    assert model.optimizer.learning_rate == pytest.approx(0.2)
    model = train([ReduceLROnPlateau(factor=0.5, patience=1, min_lr=0.3)], [1, 1, 1, 1, 1])
    assert model.optimizer.learning_rate == pytest.approx(0.3)
    waiting = ReduceLROnPlateau(factor=0.5, patience=1, cooldown=2)
    assert train([waiting], [1, 1, 1]).optimizer.learning_rate == 0.5
    with pytest.raises(ValueError, match="factor"):
        ReduceLROnPlateau(factor=1.5)


def test_values_of_an_epoch_reach_later_callbacks():
    history = History()
    train([ReduceLROnPlateau(), history], [1])
    assert history.history["learning_rate"] == [1.0]


def test_csv(tmp_path):
    path = tmp_path / "log.csv"
    train([CSVLogger(path)], [2, 1])
    train([CSVLogger(path, append=True)], [0])
    with path.open(newline="") as file:
        table = list(csv.reader(file))
    assert table == [
        ["epoch", "loss", "val_loss"],
        ["0", "1.0", "2"],
        ["1", "1.0", "1"],
        ["0", "1.0", "0"],
    ]


def test_not_a_number_ends_the_run(capsys):
    model = Model()
    data = ArrayBatches((np.zeros(5), None, None), batch_size=1)
    losses = iter([1.0, float("nan"), 1.0, 1.0, 1.0, 1.0])
    seen = []
    steps = Steps(seen.append, lambda r: {"loss": next(losses)}, lambda: None)
    run(steps, data, CallbackList([TerminateOnNaN()], model=model), epochs=3)
    assert len(seen) == 2 and "Batch 1" in capsys.readouterr().out


def test_values_of_a_batch_are_looked_at_only_for_those_who_ask():
    looks = []
    data = ArrayBatches((np.zeros(4), None, None), batch_size=1)

    def results(returned):
        looks.append(1)
        return {"loss": 1.0}

    steps = Steps(lambda batch: None, results, lambda: None)
    run(steps, data, CallbackList([History()], model=Model()), epochs=2)
    assert len(looks) == 2
    seen = []
    asks = LambdaCallback(on_batch_end=lambda batch, logs: seen.append(logs["loss"]))
    run(steps, data, CallbackList([asks, LambdaCallback(on_train_batch_end=None)], model=Model()))
    assert seen == [1.0] * 4 and len(looks) == 2 + 4 + 1


def test_the_order_of_the_calls():
    calls = []
    names = ("on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end", "on_batch_end")
    hooks = {name: (lambda *args, name=name: calls.append(name)) for name in names}
    model, data = Model(), ArrayBatches((np.zeros(1), None, None))
    steps = Steps(lambda batch: None, lambda r: {"loss": 1.0}, lambda: None)
    run(steps, data, CallbackList([LambdaCallback(**hooks)], model=model), epochs=2)
    epoch = ["on_epoch_begin", "on_batch_end", "on_epoch_end"]
    assert calls == ["on_train_begin", *epoch, *epoch, "on_train_end"]


def test_wrong_callbacks():
    with pytest.raises(TypeError, match="forget to call"):
        CallbackList([History], model=Model())


def test_an_error_closes_what_callbacks_hold():
    closed = []

    class Holder(Callback):
        def abort(self):
            closed.append(True)

    def fail(batch):
        raise KeyboardInterrupt

    data = ArrayBatches((np.zeros(1), None, None))
    with pytest.raises(KeyboardInterrupt):
        run(Steps(fail, lambda r: {}, lambda: None), data, CallbackList([Holder()], model=Model()))
    with pytest.raises(KeyboardInterrupt):
        evaluate(
            Steps(fail, lambda r: {}, lambda: None), data, CallbackList([Holder()], model=Model())
        )
    assert closed == [True, True]
