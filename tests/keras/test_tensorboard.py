"""Event files under the TensorBoard callback, and of `tf.summary`."""

import struct

import numpy as np
import pytest

import chainrule as tf
from chainrule.keras import Sequential, layers, optimizers
from chainrule.keras.callbacks import TensorBoard

X, Y = np.ones((8, 4), "f"), np.ones((8, 1), "f")


def tags(folder):
    """The names of what the event files of a folder hold."""
    found = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            found += _tags(data[12 : 12 + length])
            data = data[16 + length :]
    return sorted(set(found))


def _fields(message):
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
        else:
            if kind == 2:
                size, at = _varint(message, at)
            else:
                size = {1: 8, 5: 4}[kind]
            value, at = message[at : at + size], at + size
        yield key >> 3, value


def _varint(message, at):
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _tags(event):
    for number, summary in _fields(event):
        if number == 5:
            for _, value in _fields(summary):
                yield next(v for n, v in _fields(value) if n == 1).decode()


def fit(folder, **options):
    model = Sequential([layers.Input((4,)), layers.Dense(1, name="d")], name="s")
    model.compile(optimizers.SGD(0.1), "mse")
    board = TensorBoard(folder, **options)
    model.fit(X, Y, batch_size=4, epochs=2, verbose=0, validation_data=(X, Y), callbacks=[board])


def test_values_of_epochs(tmp_path):
    fit(tmp_path)
    assert tags(tmp_path / "train") == ["epoch_learning_rate", "epoch_loss", "keras"]
    assert tags(tmp_path / "validation") == ["epoch_loss", "evaluation_loss_vs_iterations"]


def test_values_of_batches_and_weights(tmp_path):
    fit(tmp_path, update_freq="batch", histogram_freq=1, write_images=True, write_graph=False,
        write_steps_per_second=True)  # fmt: skip
    found = tags(tmp_path / "train")
    assert [t for t in found if "/" not in t] == [
        "batch_loss", "batch_steps_per_second", "epoch_learning_rate", "epoch_loss",
        "epoch_steps_per_second",
    ]  # fmt: skip
    assert {t.split("/")[-1] for t in found if "/" in t} == {"histogram", "image"}


def test_embeddings_are_told_to_the_projector(tmp_path):
    model = Sequential([layers.Input((2,)), layers.Embedding(5, 3, name="words"), layers.Flatten(),
                        layers.Dense(1)])  # fmt: skip
    model.compile("sgd", "mse")
    board = TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"words": "labels.tsv"})
    model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0, callbacks=[board])
    assert np.loadtxt(tmp_path / "words.tsv").shape == (5, 3)
    assert 'metadata_path: "labels.tsv"' in (tmp_path / "projector_config.pbtxt").read_text()
    with pytest.raises(ValueError, match="Unrecognized"):
        wrong = TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"others": "l.tsv"})
        model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0, callbacks=[wrong])


@pytest.mark.parametrize("wrong", [-1, (5, 2), (1, 2, 3), 0.5])
def test_batches_to_profile_are_checked(wrong):
    with pytest.raises(ValueError, match="profile_batch"):
        TensorBoard(profile_batch=wrong)


def test_profiling_is_accepted_and_warned_about():
    with pytest.warns(UserWarning, match="nothing is profiled"):
        TensorBoard(profile_batch="2,5")


def test_summaries_of_a_program(tmp_path):
    writer = tf.summary.create_file_writer(str(tmp_path))
    assert not tf.summary.scalar("nowhere", 1.0, step=0)
    with writer.as_default():
        with pytest.raises(ValueError, match="No step set"):
            tf.summary.scalar("loss", 1.0)
        tf.summary.scalar("loss", tf.tensor(0.5), step=1)
        tf.summary.histogram("w", np.arange(5.0), step=1)
        tf.summary.image("picture", np.zeros((1, 2, 2, 3)), step=1)
        tf.summary.text("note", "hello", step=1)
        with tf.summary.record_if(False):
            assert not tf.summary.scalar("unseen", 1.0, step=1)
    with writer.as_default(step=3):
        assert tf.summary.scalar("later", 2.0) and tf.summary.should_record_summaries()
    writer.close()
    assert tags(tmp_path) == ["later", "loss", "note/text_summary", "picture", "w"]
