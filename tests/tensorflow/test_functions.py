"""TensorFlow's array functions: values that TensorFlow 2 documents or gives."""

from pathlib import Path

import numpy as np
import pytest

import chainrule as tf


def test_shapes_are_known_numbers() -> None:
    x = tf.Variable(tf.ones((2, 3))) * 2.0
    batch = tf.shape(x)[0]
    assert isinstance(batch, int) and batch.numpy() == 2
    assert tf.reshape(x, [batch, -1]).shape.as_list() == [2, 3]
    assert tf.zeros((batch, 4)).shape == (2, 4)
    assert tf.reshape(x, tf.concat([[1], tf.shape(x)], 0)).shape == (1, 2, 3)
    assert tf.shape(x).numpy().tolist() == [2, 3] and tf.rank(x).item() == 2


def test_types_of_numbers() -> None:
    assert tf.constant(1).dtype == tf.int32 and tf.constant(1.0).dtype == tf.float32
    assert tf.constant(np.ones(2)).dtype == tf.float64
    assert tf.range(3).dtype == tf.int32 and tf.range(0.0, 1.0, 0.5).tolist() == [0.0, 0.5]
    assert tf.constant("a").dtype == tf.string


@pytest.mark.parametrize(
    ("got", "want"),
    [
        (lambda: tf.gather([[1, 2], [3, 4]], [1, 0], axis=1), [[2, 1], [4, 3]]),
        (lambda: tf.gather([[1, 2], [3, 4]], [[1], [0]], batch_dims=1), [[2], [3]]),
        (lambda: tf.gather(np.arange(8).reshape(2, 2, 2), [1, 0], axis=2, batch_dims=1),
         [[1, 3], [4, 6]]),
        (lambda: tf.gather_nd([[1, 2], [3, 4]], [[0, 1], [1, 0]]), [2, 3]),
        (lambda: tf.scatter_nd([[0], [2], [0]], [1, 2, 3], [4]), [4, 0, 2, 0]),
        (lambda: tf.tensor_scatter_nd_update([1, 2, 3], [[1]], [9]), [1, 9, 3]),
        (lambda: tf.boolean_mask([1, 2, 3], [True, False, True]), [1, 3]),
        (lambda: tf.one_hot([0, 3, -1], 3), [[1, 0, 0], [0, 0, 0], [0, 0, 0]]),
        (lambda: tf.one_hot([1], 2, on_value=5, off_value=-1, dtype=tf.int32), [[-1, 5]]),
        (lambda: tf.pad([[1, 2, 3]], [[0, 0], [2, 1]], "REFLECT"), [[3, 2, 1, 2, 3, 2]]),
        (lambda: tf.pad([[1, 2, 3]], [[0, 0], [2, 1]], "SYMMETRIC"), [[2, 1, 1, 2, 3, 3]]),
        (lambda: tf.cumsum([1, 2, 3], exclusive=True), [0, 1, 3]),
        (lambda: tf.cumsum([1, 2, 3], reverse=True), [6, 5, 3]),
        (lambda: tf.math.cumprod([2, 3, 4], exclusive=True), [1, 2, 6]),
        (lambda: tf.clip_by_norm([3.0, 4.0], 1.0), [0.6, 0.8]),
        (lambda: tf.reduce_mean([1, 2, 4]), 2),
        (lambda: tf.matmul([[1.0, 2.0]], [[3.0, 4.0]], transpose_b=True), [[11.0]]),
        (lambda: tf.transpose(np.zeros((2, 3)), perm=[1, 0]).shape, (3, 2)),
        (lambda: tf.math.divide_no_nan([1.0, 2.0], [0.0, 4.0]), [0.0, 0.5]),
        (lambda: tf.sequence_mask([1, 2], 3), [[True, False, False], [True, True, False]]),
        (lambda: tf.linalg.band_part(tf.ones((3, 3)), 0, 1), [[1, 1, 0], [0, 1, 1], [0, 0, 1]]),
        (lambda: tf.unique([3, 1, 3])[0], [3, 1]),
        (lambda: tf.math.top_k([1, 3, 2], k=2).indices, [1, 2]),
        (lambda: tf.math.segment_sum([1, 2, 3], [0, 0, 1]), [3, 3]),
        (lambda: tf.nn.l2_normalize([3.0, 4.0]), [0.6, 0.8]),
        (lambda: tf.nn.leaky_relu([-1.0, 1.0]), [-0.2, 1.0]),
        (lambda: tf.nn.moments([1.0, 3.0], axes=[0])[1], 1.0),
        (lambda: tf.reverse([1, 2, 3], axis=[0]), [3, 2, 1]),
        (lambda: tf.repeat([1, 2], [1, 2]), [1, 2, 2]),
        (lambda: tf.meshgrid([1, 2, 3], [4, 5])[0], [[1, 2, 3], [1, 2, 3]]),
        (lambda: tf.strings.length(["ab", "c"]), [2, 1]),
        (lambda: tf.strings.to_number(["1.5", "2"]), [1.5, 2.0]),
        (lambda: tf.strings.join(["a", "b"], "-").numpy(), b"a-b"),
        (lambda: tf.strings.regex_replace("a1b2", "[0-9]", "").numpy(), b"ab"),
        (lambda: tf.strings.reduce_join(["a", "b"]).numpy(), b"ab"),
        (lambda: tf.strings.unicode_split("hé", "UTF-8").text(), ["h", "é"]),
    ],
)  # fmt: skip
def test_values(got, want) -> None:
    found = got()
    if isinstance(want, bytes) or (isinstance(want, list) and isinstance(want[0], str)):
        assert (found if isinstance(want, bytes) else list(found)) == want
    else:
        np.testing.assert_allclose(found, want, 1e-6)


def test_losses_on_logits() -> None:
    x, y = np.array([[2.0, -1.0, 0.5]], "f4"), np.array([[0.2, 0.3, 0.5]], "f4")
    p = np.exp(x) / np.exp(x).sum()
    soft = tf.nn.softmax_cross_entropy_with_logits(labels=y, logits=x)
    np.testing.assert_allclose(soft, -(y * np.log(p)).sum(-1), 1e-6)
    sparse = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[2], logits=x)
    np.testing.assert_allclose(sparse, -np.log(p[:, 2]), 1e-6)
    s = 1 / (1 + np.exp(-x))
    want = -(y * np.log(s) + (1 - y) * np.log(1 - s))
    got = tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=x)
    np.testing.assert_allclose(got, want, 1e-5)


def test_random_numbers_follow_from_the_seed() -> None:
    tf.random.set_seed(3)
    a, b = tf.random.normal((4,), seed=1), tf.random.normal((4,), seed=1)
    tf.random.set_seed(3)
    again = tf.random.normal((4,), seed=1)
    assert (a == again).numpy().all() and not (a == b).numpy().any()
    s = tf.random.stateless_uniform((3,), seed=[1, 2])
    assert (s == tf.random.stateless_uniform((3,), seed=[1, 2])).numpy().all()
    t = tf.random.truncated_normal((1000,))
    assert abs(t.numpy()).max() <= 2.0
    whole = tf.random.uniform((100,), 2, 5, dtype=tf.int32).numpy()
    assert set(whole.tolist()) == {2, 3, 4}


def test_images(tmp_path) -> None:
    image = np.arange(48, dtype="u1").reshape(4, 4, 3)
    assert tf.image.resize(image, (2, 2)).dtype == tf.float32
    assert (
        tf.image.resize(image, (2, 2), method="nearest").numpy().tolist()
        == image[1::2, 1::2].tolist()
    )
    assert tf.image.convert_image_dtype(image, tf.float32).numpy().max() == pytest.approx(47 / 255)
    assert tf.image.flip_left_right(image).numpy().tolist() == image[:, ::-1].tolist()
    assert tf.image.central_crop(image, 0.5).shape == (2, 2, 3)
    assert tf.image.resize_with_crop_or_pad(image, 6, 2).shape == (6, 2, 3)
    assert tf.image.random_crop(image, (2, 2, 3)).shape == (2, 2, 3)
    standard = tf.image.per_image_standardization(image).numpy()
    assert abs(standard.mean()) < 1e-6 and standard.std() == pytest.approx(1.0)
    pytest.importorskip("PIL")
    path = str(tmp_path / "a.png")
    tf.io.write_file(path, tf.io.encode_png(image))
    assert tf.image.decode_png(tf.io.read_file(path), channels=3).numpy().tolist() == image.tolist()


def test_control_flow() -> None:
    assert (
        tf.while_loop(lambda i: tf.less(i, 5), lambda i: (i + 2,), (tf.constant(0),))[0].item() == 6
    )
    assert tf.cond(tf.constant(True), lambda: 1, lambda: 2) == 1
    assert tf.map_fn(lambda x: x * x, tf.range(3)).tolist() == [0, 1, 4]
    assert tf.scan(lambda s, x: s + x, tf.range(4)).tolist() == [0, 1, 3, 6]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def double(x):
        return x * 2.0

    assert double(tf.constant([1.0])).tolist() == [2.0]
    with pytest.raises(NotImplementedError, match="explain"):
        double.get_concrete_function()


def test_names_that_programs_use_are_there() -> None:
    listed = Path(__file__).parents[1] / "names" / "tensorflow.txt"
    missing = []
    for name in listed.read_text().split():
        found = tf
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is None:
            missing.append(name)
    assert not missing


def test_what_is_missing_says_so() -> None:
    with pytest.raises(AttributeError, match="nearest name there is 'reduce_mean'"):
        print(tf.reduce_meen)
