"""A run that was killed goes on as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from chainrule.keras import Sequential, layers
from chainrule.keras.callbacks import BackupAndRestore, Callback, LambdaCallback

PROGRAM = """
import hashlib, os, signal, sys
import numpy as np
from chainrule import keras
from chainrule.keras import layers

folder, freq, kill = sys.argv[1], sys.argv[2], int(sys.argv[3])
keras.utils.set_random_seed(7)
x = np.random.rand(40, 6).astype("f")
y = (x.sum(1, keepdims=True) > 3).astype("f")
model = keras.Sequential([
    keras.Input((6,)), layers.Dense(8, activation="relu"), layers.Dropout(0.5),
    layers.BatchNormalization(), layers.Dropout(0.2, seed=3), layers.Dense(1),
])
model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])

class Kill(keras.callbacks.Callback):
    done = 0
    def on_train_batch_end(self, batch, logs=None):
        Kill.done += 1
        if Kill.done == kill:
            os.kill(os.getpid(), signal.SIGKILL)

callbacks = [
    keras.callbacks.BackupAndRestore(folder, freq if freq == "epoch" else int(freq)),
    keras.callbacks.ReduceLROnPlateau("loss", patience=1, factor=0.5, min_delta=0.3),
    Kill(),
]
history = model.fit(x, y, epochs=4, batch_size=8, callbacks=callbacks, verbose=0)
digest = hashlib.sha256()
for array in [*model.get_weights(), *map(np.asarray, model.optimizer.variables)]:
    digest.update(array.tobytes())
print(digest.hexdigest(), int(model.optimizer.iterations), history.history["mae"][-1],
      float(model.optimizer.learning_rate), len(history.epoch))
"""


def run(folder, freq, kill):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), freq, str(kill)],
        capture_output=True, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    done = run(tmp_path_factory.mktemp("whole"), "epoch", 0)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("freq, kill, epochs", [("epoch", 13, 2), ("3", 14, 2), ("1", 10, 3)])
def test_a_run_that_was_killed_ends_with_the_same_bits(tmp_path, whole, freq, kill, epochs):
    assert run(tmp_path / "backup", freq, kill).returncode == -signal.SIGKILL
    assert (tmp_path / "backup" / "training_metadata.json").exists()
    again = run(tmp_path / "backup", freq, 0)
    assert again.returncode == 0, again.stderr
    assert again.stdout.split()[:4] == whole[:4]
    assert int(again.stdout.split()[4]) == epochs
    assert not (tmp_path / "backup").exists()


def model():
    made = Sequential([layers.Dense(1, input_shape=(2,), kernel_initializer="zeros")])
    made.compile("adam", "mse")
    return made


class Stop(Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


X, Y = np.ones((8, 2), "f"), np.ones((8, 1), "f")


def test_the_last_backup_but_one_helps_where_the_last_is_broken(tmp_path):
    folder = tmp_path / "backup"
    with pytest.raises(KeyboardInterrupt):
        keep = BackupAndRestore(folder, double_checkpoint=True)
        model().fit(X, Y, epochs=3, verbose=0, callbacks=[keep, Stop()])
    assert json.loads((folder / "training_metadata.json").read_text()) == {"epoch": 2, "batch": 0}
    (folder / "latest.pt").write_bytes(b"broken")
    seen = []
    look = LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(epoch))
    keep = BackupAndRestore(folder, delete_checkpoint=False)
    model().fit(X, Y, epochs=3, verbose=0, callbacks=[keep, look])
    assert seen == [1, 2] and (folder / "latest.pt").exists()


def test_a_backup_of_another_model_is_refused(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        model().fit(X, Y, epochs=3, verbose=0, callbacks=[BackupAndRestore(tmp_path), Stop()])
    other = Sequential([layers.Dense(3, input_shape=(2,)), layers.Dense(1)])
    other.compile("adam", "mse")
    with pytest.raises(ValueError, match="belongs to another model"):
        other.fit(X, Y, verbose=0, callbacks=[BackupAndRestore(tmp_path)])
    with pytest.raises(ValueError, match="Empty `backup_dir`"):
        BackupAndRestore("")
    with pytest.raises(ValueError, match="save_freq"):
        BackupAndRestore(tmp_path, save_freq="batch")


def test_files_of_others_in_the_folder_stay(tmp_path):
    (tmp_path / "mine").write_text("")
    model().fit(X, Y, epochs=2, verbose=0, callbacks=[BackupAndRestore(tmp_path)])
    assert os.listdir(tmp_path) == ["mine"]
