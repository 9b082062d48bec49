"""keras.utils, keras.ops, keras.random, keras.backend: NumPy's numbers."""

import hashlib
import tarfile

import numpy as np
import pytest

from chainrule import keras
from chainrule.errors import DataError
from chainrule.keras import ops, utils


def test_to_categorical():
    np.testing.assert_array_equal(utils.to_categorical([0, 2, 1]), np.eye(3)[[0, 2, 1]])
    assert utils.to_categorical(np.zeros((4, 1), int), 5).shape == (4, 5)
    with pytest.raises(ValueError, match="num_classes=2"):
        utils.to_categorical([0, 2], 2)


def test_pad_sequences():
    s = [[1], [2, 3], [4, 5, 6]]  # Keras's documented example
    np.testing.assert_array_equal(utils.pad_sequences(s), [[0, 0, 1], [0, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(
        utils.pad_sequences(s, value=-1, padding="post"), [[1, -1, -1], [2, 3, -1], [4, 5, 6]]
    )
    np.testing.assert_array_equal(utils.pad_sequences(s, maxlen=2), [[0, 1], [2, 3], [5, 6]])
    np.testing.assert_array_equal(
        keras.preprocessing.sequence.pad_sequences(s, maxlen=2, truncating="post"),
        [[0, 1], [2, 3], [4, 5]],
    )


def test_seeds():
    def draw():
        return keras.random.normal((3,)).numpy()

    utils.set_random_seed(1)
    a = draw()
    utils.set_random_seed(1)
    np.testing.assert_array_equal(a, draw())
    np.testing.assert_array_equal(
        keras.random.uniform((3,), seed=4).numpy(), keras.random.uniform((3,), seed=4).numpy()
    )
    gen = keras.random.SeedGenerator(4)
    assert (
        keras.random.uniform((3,), seed=gen).numpy() != keras.random.uniform((3,), seed=gen).numpy()
    ).any()


X = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("f")
OPS = {
    "sum": (ops.sum(X, axis=1, keepdims=True), X.sum(1, keepdims=True)),
    "mean": (ops.mean(X, axis=(0, 2)), X.mean((0, 2))),
    "std": (ops.std(X, axis=-1), X.std(-1)),
    "max": (ops.max(X), X.max()),
    "argmax": (ops.argmax(X, axis=1), X.argmax(1)),
    "transpose": (ops.transpose(X), X.T),
    "expand_dims": (ops.expand_dims(X, -1), X[..., None]),
    "tile": (ops.tile(X, (1, 2, 1)), np.tile(X, (1, 2, 1))),
    "repeat": (ops.repeat(X, 2, axis=1), X.repeat(2, 1)),
    "split": (ops.split(X, [1, 3], axis=2)[1], X[:, :, 1:3]),
    "stack": (ops.stack([X, X], axis=1), np.stack([X, X], 1)),
    "where": (ops.where(X > 0, X, 0.0), np.where(X > 0, X, 0)),
    "clip": (ops.clip(X, -0.5, 0.5), X.clip(-0.5, 0.5)),
    "matmul": (ops.matmul(X, X.transpose(0, 2, 1)), X @ X.transpose(0, 2, 1)),
    "einsum": (ops.einsum("bij,bkj->bik", X, X), np.einsum("bij,bkj->bik", X, X)),
    "tensordot": (ops.tensordot(X, X, axes=[[2], [2]]), np.tensordot(X, X, [[2], [2]])),
    "maximum": (ops.maximum(X, 0.1), np.maximum(X, 0.1)),
    "power": (ops.power(X, 2), X**2),
    "take": (ops.take(X, np.array([[0, 2]]), axis=1), X[:, [[0, 2]]]),
    "take_along_axis": (
        ops.take_along_axis(X, X.argsort(-1), -1), np.take_along_axis(X, X.argsort(-1), -1),
    ),
    "one_hot": (ops.one_hot(np.array([1, 0]), 3), np.eye(3)[[1, 0]]),
    "top_k": (ops.top_k(X, 2)[0], -np.sort(-X)[..., :2]),
    "cumsum": (ops.cumsum(X, axis=1), X.cumsum(1)),
    "norm": (ops.norm(X, axis=-1), np.linalg.norm(X, axis=-1)),
    "pad": (ops.pad(X, [(0, 0), (1, 2), (0, 1)]), np.pad(X, [(0, 0), (1, 2), (0, 1)])),
    "arange": (ops.arange(2, 10, 3), np.arange(2, 10, 3)),
    "any": (ops.any(X > 1.5, axis=0), (X > 1.5).any(0)),
    "logsumexp": (ops.logsumexp(X, axis=1), np.log(np.exp(X).sum(1))),
    "moveaxis": (ops.moveaxis(X, 0, 2), np.moveaxis(X, 0, 2)),
    "flip": (ops.flip(X, axis=1), X[:, ::-1]),
    "divide_no_nan": (ops.divide_no_nan(X, X * 0), X * 0),
}  # fmt: skip


@pytest.mark.parametrize("name", OPS)
def test_ops_are_numpys(name):
    have, want = OPS[name]
    np.testing.assert_allclose(ops.convert_to_numpy(have), want, rtol=1e-5, atol=1e-6)


def test_backend_names():
    K = keras.backend
    assert (K.floatx(), K.epsilon(), K.image_data_format()) == ("float32", 1e-7, "channels_last")
    np.testing.assert_allclose(K.get_value(K.square(K.variable([2.0]))), [4])
    keras.layers.Dense(1)
    K.clear_session()
    assert keras.layers.Dense(1).name == "dense"


def test_float_type():
    keras.config.set_floatx("float64")
    try:
        dense = keras.layers.Dense(2)
        assert dense(np.ones((1, 3))).numpy.__self__.dtype.name == "float64"
    finally:
        keras.config.set_floatx("float32")
    with pytest.raises(ValueError, match="int8"):
        keras.config.set_floatx("int8")


def test_public_names_exist():
    for module in (keras, keras.backend, keras.callbacks, keras.layers, keras.losses, keras.metrics,
                   keras.models, keras.saving, keras.utils):  # fmt: skip
        for name in getattr(module, "__all__", ()):
            assert hasattr(module, name), f"{module.__name__}.{name}"


def test_get_file_checks_and_unpacks(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    with tarfile.open(tmp_path / "data.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "a.txt", "inner/a.txt")
    origin = (tmp_path / "data.tar.gz").as_uri()
    digest = hashlib.sha256((tmp_path / "data.tar.gz").read_bytes()).hexdigest()
    folder = utils.get_file(origin=origin, extract=True, file_hash=digest, cache_dir=tmp_path / "c")
    with open(f"{folder}/inner/a.txt") as file:
        assert file.read() == "hello"
    plain = utils.get_file("b.tar.gz", origin, cache_dir=tmp_path / "c")
    (tmp_path / "data.tar.gz").unlink()
    assert (
        utils.get_file("b.tar.gz", origin, cache_dir=tmp_path / "c") == plain
    )  # not fetched twice
    with pytest.raises(DataError, match="put the file at"):
        utils.get_file("c", origin, cache_dir=tmp_path / "c")
    (tmp_path / "junk").write_text("x")
    with pytest.raises(DataError, match="hash"):
        utils.get_file("j", (tmp_path / "junk").as_uri(), file_hash="0" * 64, cache_dir=tmp_path)
    assert not (tmp_path / "datasets" / "j").exists()


def test_images(tmp_path):
    pytest.importorskip("PIL")
    x = np.random.default_rng(0).integers(0, 255, (4, 6, 3)).astype("f")
    utils.save_img(tmp_path / "x.png", x, scale=False)
    image = utils.load_img(tmp_path / "x.png")
    np.testing.assert_array_equal(utils.img_to_array(image), x)
    assert utils.img_to_array(utils.load_img(tmp_path / "x.png", "grayscale", (2, 3))).shape == (
        2,
        3,
        1,
    )
    with pytest.raises(ValueError, match="color_mode"):
        utils.load_img(tmp_path / "x.png", "cmyk")


def test_a_model_as_a_drawing(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="head")])
    utils.plot_model(model, tmp_path / "m.dot", show_shapes=True)
    text = (tmp_path / "m.dot").read_text()
    assert '"head" [label=' in text and "(None, 2)" in text
