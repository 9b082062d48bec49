"""`tf.data`: the elements that TensorFlow's methods give, in their order."""

import numpy as np
import pytest

import chainrule as tf

Dataset = tf.data.Dataset


def listed(ds):
    return [_plain(e) for e in ds.as_numpy_iterator()]


def _plain(x):
    if isinstance(x, tuple):
        return tuple(map(_plain, x))
    if isinstance(x, dict):
        return {k: _plain(v) for k, v in x.items()}
    return x.tolist() if hasattr(x, "tolist") else x


def test_slices_of_structures_keep_them() -> None:
    ds = Dataset.from_tensor_slices(({"a": [1, 2, 3], "b": ["x", "y", "z"]}, np.eye(3, 2)))
    assert listed(ds.batch(2)) == [
        ({"a": [1, 2], "b": [b"x", b"y"]}, [[1.0, 0.0], [0.0, 1.0]]),
        ({"a": [3], "b": [b"z"]}, [[0.0, 0.0]]),
    ]
    assert ds.element_spec[1] == tf.data.TensorSpec((2,), "float64")


def test_python_numbers_have_tensorflows_types() -> None:
    (x, y) = next(iter(Dataset.from_tensor_slices(([1, 2], [1.0, 2.0]))))
    assert (x.dtype, y.dtype) == (tf.int32, tf.float32)


def test_sizes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="first size"):
        Dataset.from_tensor_slices(([1, 2], [1, 2, 3]))


def test_map_unpacks_tuples_and_takes_dicts_whole() -> None:
    pairs = Dataset.from_tensor_slices(([1, 2], [10, 20]))
    assert listed(pairs.map(lambda a, b: a + b)) == [11, 22]
    assert listed(pairs.map(lambda a, b: {"a": a, "b": b}).map(lambda d: d["b"])) == [10, 20]


def test_map_of_arrays_calls_the_function_for_blocks_and_looks_fall_back_to_elements() -> None:
    calls = []

    def double(x):
        calls.append(x)
        return x * 2

    ds = Dataset.range(1000).map(double).batch(100)
    assert [b[0] for b in listed(ds)] == list(range(0, 2000, 200))
    assert len(calls) < 20
    looks = Dataset.range(5).map(lambda x: x * 2 if x > 2 else x).batch(5)
    assert listed(looks) == [[0, 1, 2, 6, 8]]


def test_every_element_of_a_mapped_block_draws_its_own_number() -> None:
    drawn = listed(Dataset.range(50).map(lambda x: tf.rand(())).batch(50))[0]
    assert len(set(drawn)) == 50
    numpy = Dataset.range(20).map(lambda x: x + int(np.random.default_rng().integers(1 << 30)))
    assert len({a - i for i, a in enumerate(listed(numpy))}) > 0


def test_shuffle_is_a_permutation_and_a_small_buffer_keeps_near_order() -> None:
    ds = Dataset.range(100).shuffle(100, seed=3)
    first, second = listed(ds), listed(ds)
    assert sorted(first) == list(range(100)) and first != second
    again = Dataset.range(100).shuffle(100, seed=3, reshuffle_each_iteration=False)
    assert listed(again) == listed(again)
    near = listed(Dataset.range(100).shuffle(10))
    assert sorted(near) == list(range(100)) and all(x <= i + 9 for i, x in enumerate(near))


def test_shuffle_keeps_rows_of_a_tuple_together() -> None:
    ds = Dataset.from_tensor_slices((np.arange(50), np.arange(50) * 2)).shuffle(7).batch(8)
    for x, y in ds:
        assert (x * 2 == y).all()


def test_batches_straddle_repetitions() -> None:
    assert listed(Dataset.range(3).repeat(2).batch(4)) == [[0, 1, 2, 0], [1, 2]]
    assert listed(Dataset.range(3).batch(2).repeat(2)) == [[0, 1], [2], [0, 1], [2]]
    assert listed(Dataset.range(5).batch(2, drop_remainder=True)) == [[0, 1], [2, 3]]
    assert listed(Dataset.range(3).repeat().batch(2).take(2)) == [[0, 1], [2, 0]]


def test_take_skip_shard_and_concatenate() -> None:
    ds = Dataset.range(10)
    assert listed(ds.skip(7)) == [7, 8, 9]
    assert listed(ds.take(2).concatenate(ds.take(1))) == [0, 1, 0]
    assert listed(ds.shard(4, 1)) == [1, 5, 9]
    assert listed(ds.filter(lambda x: x % 3 == 0).take(2)) == [0, 3]


def test_cardinalities() -> None:
    ds = Dataset.range(10)
    assert len(ds.batch(3)) == 4
    assert ds.repeat().cardinality().item() == tf.data.INFINITE_CARDINALITY
    assert ds.filter(lambda x: x > 1).cardinality().item() == tf.data.UNKNOWN_CARDINALITY
    with pytest.raises(TypeError, match="unknown"):
        len(ds.filter(lambda x: x > 1))
    with pytest.raises(TypeError, match="infinite"):
        len(ds.repeat())
    assert tf.data.experimental.cardinality(ds).item() == 10


def test_windows() -> None:
    ds = Dataset.range(7).window(3, shift=2, drop_remainder=True).flat_map(lambda w: w.batch(3))
    assert listed(ds) == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    assert [listed(w) for w in Dataset.range(5).window(2)] == [[0, 1], [2, 3], [4]]


def test_interleave_takes_turns() -> None:
    ds = Dataset.range(1, 4).interleave(
        lambda x: Dataset.from_tensors(x).repeat(3), cycle_length=2, block_length=2
    )
    assert listed(ds) == [1, 1, 2, 2, 1, 2, 3, 3, 3]


def test_padded_batches_and_buckets() -> None:
    def rows():
        for n in (1, 3, 2, 4):
            yield [n] * n

    ds = Dataset.from_generator(rows, output_signature=tf.data.TensorSpec((None,), "int32"))
    assert listed(ds.padded_batch(2)) == [[[1, 0, 0], [3, 3, 3]], [[2, 2, 0, 0], [4, 4, 4, 4]]]
    padded = ds.padded_batch(4, padded_shapes=[5], padding_values=-1)
    assert listed(padded)[0][0] == [1, -1, -1, -1, -1]
    buckets = ds.bucket_by_sequence_length(lambda x: x.shape[0], [3], [2, 2])
    assert listed(buckets) == [[[1, 0], [2, 2]], [[3, 3, 3, 0], [4, 4, 4, 4]]]
    with pytest.raises(tf.data.dataset.InvalidArgumentError, match="different shapes"):
        listed(ds.batch(2))


def test_zip_enumerate_reduce_and_unbatch() -> None:
    a, b = Dataset.range(3), Dataset.from_tensor_slices(["x", "y"])
    assert listed(Dataset.zip((a, b))) == [(0, b"x"), (1, b"y")]
    assert listed(Dataset.zip({"a": a, "b": b}))[1] == {"a": 1, "b": b"y"}
    assert listed(b.enumerate(5)) == [(5, b"x"), (6, b"y")]
    assert a.reduce(0, lambda s, x: s + x).item() == 3
    assert listed(Dataset.from_tensors(np.arange(3)).unbatch()) == [0, 1, 2]


def test_choosing_among_data_sets() -> None:
    parts = [Dataset.from_tensors(c).repeat() for c in "ab"]
    order = Dataset.from_tensor_slices(np.array([0, 1, 1], np.int64))
    assert listed(Dataset.choose_from_datasets(parts, order)) == [b"a", b"b", b"b"]
    sampled = Dataset.sample_from_datasets(parts, [0.0, 1.0], seed=1).take(3)
    assert listed(sampled) == [b"b"] * 3


def test_cache_keeps_what_the_first_pass_gave() -> None:
    calls = []

    def seen(x):
        calls.append(1)
        return x.numpy() + 1  # a look: one element at a time

    ds = Dataset.range(4).map(seen).cache()
    assert listed(ds) == listed(ds) == [1, 2, 3, 4]
    once = len(calls)
    listed(ds.batch(2))
    assert len(calls) == once


def test_text_files(tmp_path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\r\n")
    (tmp_path / "b.txt").write_text("drei\n")
    files = Dataset.list_files(str(tmp_path / "*.txt"), shuffle=False)
    assert listed(files.flat_map(tf.data.TextLineDataset)) == [b"one", b"two", b"drei"]
    with pytest.raises(NotImplementedError, match="from_tensor_slices"):
        tf.data.TFRecordDataset("x")


def test_a_pass_can_be_walked_by_hand() -> None:
    it = iter(Dataset.range(1))
    assert it.get_next().item() == 0
    with pytest.raises(tf.data.dataset.OutOfRangeError):
        it.get_next()


def test_fit_takes_a_data_set() -> None:
    keras = tf.keras
    x, y = np.random.rand(64, 3).astype("f4"), np.random.rand(64, 1).astype("f4")
    ds = Dataset.from_tensor_slices((x, y)).shuffle(64).batch(16)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    losses = model.fit(ds, epochs=2, validation_data=ds, verbose=0).history
    assert len(losses["loss"]) == len(losses["val_loss"]) == 2
    assert model.predict(ds.map(lambda a, b: a), verbose=0).shape == (64, 1)


def test_csv_files_become_batches_of_columns(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "a.csv").write_text('n,word,big\n1,"x, y",3000000000\n2,,0.5\n')
    (tmp_path / "b.csv").write_text("n,word,big\n3,z,\n")
    make = tf.data.experimental.make_csv_dataset
    (batch,) = make(str(tmp_path / "*.csv"), 8, num_epochs=1, shuffle=False)
    assert batch["n"].dtype == tf.int32 and batch["n"].tolist() == [1, 2, 3]
    assert batch["word"].numpy().tolist() == [b"x, y", b"", b"z"]
    assert batch["big"].dtype == tf.float32 and batch["big"].tolist() == [3e9, 0.5, 0]
    pairs = make(str(tmp_path / "*.csv"), 2, label_name="n", select_columns=["n", "big"])
    features, label = next(iter(pairs))
    assert list(features) == ["big"] and label.shape == (2,)


def test_a_row_of_a_csv_file_that_does_not_fit_names_its_line(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "a.csv"
    file.write_text("n,m\n1,2\nx,4\n5\n6,7\n")
    make = tf.data.experimental.make_csv_dataset
    with pytest.raises(ValueError, match=r"a.csv:4: Expect 2 fields but have 1"):
        make(str(file), 1, column_defaults=[int, 0])
    ds = make(str(file), 4, column_defaults=[int, 0], ignore_errors=True, num_epochs=1)
    (batch,) = ds
    assert sorted(batch["n"].tolist()) == [1, 6]
