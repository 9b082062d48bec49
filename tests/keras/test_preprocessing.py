"""What older programs prepare data with: tokenizers, generators of images and of windows."""

import numpy as np
import pytest

from chainrule.keras import Input, Sequential, layers, utils
from chainrule.keras.preprocessing import image, sequence, text


def test_a_tokenizer_numbers_words_by_how_common_they_are():
    tokenizer = text.Tokenizer(num_words=4, oov_token="<?>")
    tokenizer.fit_on_texts(["The cat sat.", "The dog sat on the mat"])
    assert tokenizer.word_index == {
        "<?>": 1, "the": 2, "sat": 3, "cat": 4, "dog": 5, "on": 6, "mat": 7
    }  # fmt: skip
    assert tokenizer.texts_to_sequences(["the dog sat", "a cat"]) == [[2, 1, 3], [1, 1]]
    assert tokenizer.sequences_to_texts([[2, 3]]) == ["the sat"]
    again = text.tokenizer_from_json(tokenizer.to_json())
    assert again.word_index == tokenizer.word_index
    np.testing.assert_array_equal(again.texts_to_matrix(["the the sat"], "count"), [[0, 0, 2, 1]])


def test_skipgrams_pair_words_of_a_window():
    pairs, labels = sequence.skipgrams([1, 2, 0, 3], 5, window_size=1, seed=1)
    assert sorted(p for p, y in zip(pairs, labels, strict=True) if y) == [[1, 2], [2, 1]]
    assert len(labels) == 4


def test_windows_and_their_targets():
    x = np.arange(10).reshape(10, 1)
    windows = sequence.TimeseriesGenerator(x, x[:, 0] * 10, length=3, batch_size=4)
    got, targets = windows[0]
    assert got[:, :, 0].tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]]
    assert targets.tolist() == [30, 40, 50, 60]
    assert len(windows) == 2


def test_a_generator_of_images_changes_them_and_begins_again_with_its_seed(rng):
    x = rng.random((5, 8, 8, 3)).astype("f")
    generator = image.ImageDataGenerator(
        rotation_range=20, width_shift_range=0.2, zoom_range=0.1, horizontal_flip=True
    )
    first, second = (generator.flow(x, np.arange(5), batch_size=4, seed=3) for _ in range(2))
    (a, ya), (b, yb) = next(first), next(second)
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(ya, yb)
    assert not np.allclose(a, x[ya])
    assert [len(batch) for batch, _ in (first[0], first[1])] == [4, 1]


def test_feature_wise_statistics_and_whitening(rng):
    x = rng.random((20, 4, 4, 1)).astype("f")
    generator = image.ImageDataGenerator(
        featurewise_center=True, featurewise_std_normalization=True
    )
    generator.fit(x)
    batch = generator.flow(x, batch_size=20, shuffle=False)[0]
    assert abs(batch.mean()) < 1e-5 and abs(batch.std() - 1) < 1e-4


def test_fit_takes_a_flow_of_images(rng):
    x, y = rng.random((6, 4, 4, 1)).astype("f"), rng.random((6, 1)).astype("f")
    model = Sequential([Input((4, 4, 1)), layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    flow = image.ImageDataGenerator(horizontal_flip=True).flow(x, y, batch_size=4)
    assert len(model.fit(flow, epochs=2, verbose=0).history["loss"]) == 2


def test_images_of_folders(tmp_path, rng):
    pytest.importorskip("PIL")
    for kind in ("cats", "dogs"):
        (tmp_path / kind).mkdir()
        for i in range(3):
            utils.save_img(tmp_path / kind / f"{i}.png", rng.random((6, 5, 3)))
    flow = image.ImageDataGenerator(rescale=1 / 255, validation_split=0.34).flow_from_directory(
        tmp_path, target_size=(4, 4), batch_size=2, class_mode="binary", subset="training"
    )
    x, y = next(flow)
    assert (x.shape, y.shape, flow.class_indices) == ((2, 4, 4, 3), (2,), {"cats": 0, "dogs": 1})
    assert flow.samples == 4
    ds = utils.image_dataset_from_directory(
        tmp_path, image_size=(4, 4), batch_size=4, label_mode="categorical", verbose=False
    )
    shapes = [(tuple(x.shape), tuple(y.shape)) for x, y in ds]
    assert shapes == [((4, 4, 4, 3), (4, 2)), ((2, 4, 4, 3), (2, 2))]
    assert ds.class_names == ["cats", "dogs"]
    assert len(ds.file_paths) == 6


def test_workers_make_batches_ahead_and_in_order():
    class Squares(utils.PyDataset):
        def __len__(self):
            return 7

        def __getitem__(self, index):
            return np.full((2, 1), index, "f"), np.full((2, 1), index**2, "f")

    from chainrule.training.data import as_batches

    one, many = as_batches(Squares()), as_batches(Squares(workers=3))
    for (a, _, _), (b, _, _) in zip(one.epoch(), many.epoch(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert many.steps == 7


def test_texts_of_folders_become_word_numbers(tmp_path):
    for kind, words in {"neg": "bad film", "pos": "good film"}.items():
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "0.txt").write_text(words)
    ds = utils.text_dataset_from_directory(tmp_path, shuffle=False, verbose=False)
    layer = layers.TextVectorization(output_sequence_length=3)
    layer.adapt(ds.map(lambda x, y: x))
    assert layer.get_vocabulary() == ["", "[UNK]", "film", "good", "bad"]
    (x, y) = next(iter(ds.map(lambda x, y: (layer(x), y))))
    assert x.tolist() == [[4, 2, 0], [3, 2, 0]]
    assert y.tolist() == [0, 1]
