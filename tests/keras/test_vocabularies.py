"""Texts, categories and numbers on their way into a network; values of Keras 3.15 where said."""

import numpy as np
import pytest

from chainrule.data import Dataset
from chainrule.hashes import fingerprint64, siphash
from chainrule.keras import Input, Model, Sequential, layers, utils
from chainrule.strings import StringTensor


def test_hashes_are_tensorflows():
    words = [b"", b"omar", b"a text of 17 byte", b"x" * 40, b"0123456789" * 13]
    # tf.strings.to_hash_bucket_fast(words, 10**9 + 7), TensorFlow 2.21
    wanted = [912170738, 962045231, 119812372, 29812075, 479056410]
    assert [fingerprint64(w) % (10**9 + 7) for w in words] == wanted
    assert siphash(b"A", (133, 137)) % 3 == 1


def test_hashing_masks_and_salts():
    words = [["A"], ["B"], [""], ["C"], ["D"]]
    assert layers.Hashing(3, mask_value="")(words).tolist() == [[1], [1], [0], [2], [2]]
    salted = layers.Hashing(3, salt=133)([["A"], ["B"], ["C"], ["D"], ["E"]])
    assert salted.tolist() == [[0], [0], [2], [1], [0]]


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [("int", [[1, 3, 0]]), ("multi_hot", [[1, 1, 0, 1]]), ("count", [[1, 1, 0, 1]]),
     ("one_hot", [[[0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0]]])],
)  # fmt: skip
def test_lookup_in_all_forms(mode, wanted):
    layer = layers.StringLookup(vocabulary=["a", "b", "c"], output_mode=mode)
    assert layer([["a", "c", "?"]]).tolist() == wanted


def test_lookup_there_and_back():
    there = layers.StringLookup(vocabulary=["a", "b"], mask_token="")
    back = layers.StringLookup(vocabulary=there.get_vocabulary(), mask_token="", invert=True)
    numbers = there(["b", "", "?"])
    assert numbers.tolist() == [3, 0, 1]
    assert back(numbers).text().tolist() == ["b", "", "[UNK]"]
    assert layers.IntegerLookup(vocabulary=[7, 9])([[9, 8]]).tolist() == [[2, 0]]


def test_what_is_adapted_is_ordered_by_how_common_it_is():
    layer = layers.StringLookup(max_tokens=3)
    layer.adapt(Dataset.from_tensor_slices(["b", "a", "b", "c", "a", "c", "b"]).batch(2))
    assert layer.get_vocabulary() == ["[UNK]", "b", "c"]


def test_rarity_of_words():
    layer = layers.TextVectorization(output_mode="tf_idf")
    layer.adapt(["a b", "a c", "a a"])
    words = layer.get_vocabulary()
    out = layer(["a a b"])[0].tolist()
    assert out[words.index("a")] == pytest.approx(2 * np.log(1 + 3 / 4))
    assert out[words.index("b")] == pytest.approx(np.log(1 + 3 / 2))


def test_texts_are_cut_and_joined():
    layer = layers.TextVectorization(ngrams=2, split="whitespace", vocabulary=["to be", "be"])
    assert layer(["To be, or"]).tolist() == [[1, 3, 1, 2, 1]]
    letters = layers.TextVectorization(split="character", standardize=None, vocabulary=["a"])
    assert letters(["ab"]).tolist() == [[2, 1]]
    own = layers.TextVectorization(standardize=lambda x: x.map(bytes.upper), vocabulary=["A"])
    assert own(StringTensor(["a b"])).tolist() == [[2, 1]]


def test_a_layer_of_texts_in_a_graph_has_its_shape():
    layer = layers.TextVectorization(output_sequence_length=5, vocabulary=["a", "b"])
    x = Input((1,), dtype="string")
    y = layer(x)
    assert (y.shape, y.dtype) == ((None, 5), "int64")
    model = Model(x, layers.Embedding(4, 3)(y))
    assert model(np.array([["a b"], ["b"]])).shape == (2, 5, 3)


def test_a_model_is_trained_on_texts():
    texts, y = np.array(["good film", "bad film"] * 4), np.array([1.0, 0.0] * 4)
    vectorize = layers.TextVectorization(output_mode="multi_hot")
    vectorize.adapt(texts)
    model = Sequential([Input((), dtype="string"), vectorize, layers.Dense(1)])
    model.compile("sgd", "mse")
    assert model.fit(texts, y, epochs=2, verbose=0).history["loss"][1] < 2
    assert model.predict(texts[:3], verbose=0).shape == (3, 1)


def test_normalization_of_batches_is_that_of_all(rng):
    x = rng.normal(3, 2, (20, 4)).astype("f")
    one, many = layers.Normalization(), layers.Normalization()
    one.adapt(x)
    many.adapt(Dataset.from_tensor_slices(x).batch(6))
    np.testing.assert_allclose(one(x).numpy(), many(x).numpy(), atol=1e-5)
    np.testing.assert_allclose(one(x).numpy(), (x - x.mean(0)) / x.std(0), atol=1e-5)
    back = layers.Normalization(mean=x.mean(0), variance=x.var(0), invert=True)
    np.testing.assert_allclose(back(one(x)).numpy(), x, atol=1e-4)


def test_ranges_hold_about_as_many():
    layer = layers.Discretization(num_bins=4)
    layer.adapt(np.arange(1000.0))
    counts = np.bincount(layer(np.arange(1000.0)).numpy())
    assert len(counts) == 4 and counts.min() > 230


def test_a_table_becomes_vectors():
    space = utils.FeatureSpace(
        {"age": "float_normalized", "job": "string_categorical", "id": "integer_hashed"},
        crosses=[("job", "id")],
        crossing_dim=5,
        hashing_dim=8,
    )
    rows = {"age": [1.0, 2.0, 3.0], "job": ["a", "b", "a"], "id": [4, 5, 6]}
    space.adapt(rows)
    out = space(rows)
    assert out.shape == (3, 1 + 3 + 8 + 5)
    assert space({name: column[0] for name, column in rows.items()}).tolist() == out[0].tolist()
    model = Model(space.get_inputs(), layers.Dense(1)(space.get_encoded_features()))
    assert model.output_shape == (None, 1)


def test_a_pipeline_runs_in_a_data_set():
    steps = layers.Pipeline([layers.Rescaling(0.5), layers.Resizing(2, 2)])
    ds = Dataset.from_tensor_slices(np.full((4, 4, 4, 1), 2.0, "f")).batch(2).map(steps)
    assert [tuple(x.shape) for x in ds] == [(2, 2, 2, 1)] * 2
    model = Sequential([Input((4, 4, 1)), steps])
    np.testing.assert_allclose(model.predict(np.full((1, 4, 4, 1), 2.0), verbose=0), 1.0)


def test_bands_of_a_tone():
    t = np.arange(4000) / 8000
    layer = layers.MelSpectrogram(
        num_mel_bins=20, sampling_rate=8000, sequence_stride=256, fft_length=512
    )
    out = layer(np.sin(2 * np.pi * 1000 * t).astype("f")).numpy()
    assert out.shape == (20, 16)
    assert abs(int(out.mean(1).argmax()) - 9) <= 1
