"""Convolutions and pooling against plain loops, in Keras's layouts."""

import numpy as np
import pytest
from numbers_np import conv2d, conv2d_transpose, pad_same, windows

from chainrule.errors import ShapeError
from chainrule.keras import layers

close = {"rtol": 2e-4, "atol": 2e-5}


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    "strides, dilation", [((1, 1), (1, 1)), ((2, 3), (1, 1)), ((1, 1), (2, 1))]
)
@pytest.mark.parametrize("size", [(3, 3), (2, 4)])
def test_conv2d(run, rng, padding, strides, dilation, size):
    x = rng.normal(size=(2, 9, 10, 3)).astype("f")
    layer = layers.Conv2D(4, size, strides, padding, dilation_rate=dilation)
    out, (w, b) = run(layer, x)
    assert w.shape == (*size, 3, 4)
    np.testing.assert_allclose(out, conv2d(x, w, strides, padding, dilation) + b, **close)
    assert layer.compute_output_shape((None, 9, 10, 3)) == (None, *out.shape[1:])


def test_groups_and_channels_first(run, rng):
    x = rng.normal(size=(2, 6, 6, 4)).astype("f")
    out, (w, b) = run(layers.Conv2D(6, 3, groups=2), x)
    halves = [conv2d(x[..., 2 * i : 2 * i + 2], w[..., 3 * i : 3 * i + 3]) for i in range(2)]
    np.testing.assert_allclose(out, np.concatenate(halves, -1) + b, **close)
    out, (w, b) = run(layers.Conv2D(5, 3, data_format="channels_first"), x.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(out.transpose(0, 2, 3, 1), conv2d(x, w) + b, **close)


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
def test_conv1d(run, rng, padding):
    x = rng.normal(size=(2, 8, 3)).astype("f")
    out, (w, b) = run(layers.Conv1D(4, 3, padding=padding, dilation_rate=2), x)
    padded = np.pad(x, [(0, 0), (4, 0), (0, 0)]) if padding == "causal" else x
    kind = "valid" if padding == "causal" else padding
    expected = conv2d(padded[:, :, None], w[:, None], padding=kind, dilation=(2, 1))[:, :, 0] + b
    np.testing.assert_allclose(out, expected, **close)


def test_depthwise_and_separable(run, rng):
    x = rng.normal(size=(2, 7, 7, 3)).astype("f")
    out, (w, b) = run(layers.DepthwiseConv2D(3, 2, "same", depth_multiplier=2), x)
    deep = np.concatenate(
        [conv2d(x[..., c : c + 1], w[:, :, c : c + 1], (2, 2), "same") for c in range(3)], -1
    )
    np.testing.assert_allclose(out, deep + b, **close)
    out, (d, p, b) = run(layers.SeparableConv2D(5, 3, padding="same"), x)
    deep = np.concatenate(
        [conv2d(x[..., c : c + 1], d[:, :, c : c + 1], padding="same") for c in range(3)], -1
    )
    np.testing.assert_allclose(out, deep @ p[0, 0] + b, **close)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size, strides", [(3, 2), (4, 2), (2, 3), (1, 2), (5, 1)])
def test_conv2d_transpose(run, rng, padding, size, strides):
    x = rng.normal(size=(2, 4, 5, 3)).astype("f")
    layer = layers.Conv2DTranspose(2, size, strides, padding)
    out, (w, b) = run(layer, x)
    expected = conv2d_transpose(x, w, (strides, strides), padding) + b
    np.testing.assert_allclose(out, expected, **close)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size, strides", [(2, None), (3, 2), (3, 1)])
def test_pooling(rng, padding, size, strides):
    x = rng.normal(size=(2, 7, 6, 3)).astype("f")
    step = (strides or size,) * 2
    largest = layers.MaxPooling2D(size, strides, padding)(x).numpy()
    mean = layers.AveragePooling2D(size, strides, padding)(x).numpy()
    w = windows(
        pad_same(x, (size, size), step, value=np.nan) if padding == "same" else x,
        (size, size),
        step,
    )
    np.testing.assert_allclose(largest, np.nanmax(w, (3, 4)), **close)
    np.testing.assert_allclose(mean, np.nanmean(w, (3, 4)), **close)


def test_pooling_over_steps_and_over_everything(rng):
    x = rng.normal(size=(2, 7, 3)).astype("f")
    np.testing.assert_allclose(
        layers.MaxPooling1D()(x).numpy(), x[:, :6].reshape(2, 3, 2, 3).max(2), **close
    )
    np.testing.assert_allclose(layers.GlobalAveragePooling1D()(x).numpy(), x.mean(1), **close)
    np.testing.assert_allclose(layers.GlobalMaxPooling1D()(x).numpy(), x.max(1), **close)
    image = rng.normal(size=(2, 4, 5, 3)).astype("f")
    np.testing.assert_allclose(
        layers.GlobalAveragePooling2D(keepdims=True)(image).numpy(),
        image.mean((1, 2), keepdims=True), **close,
    )  # fmt: skip


def test_errors_name_the_layer_and_the_shapes(rng):
    conv = layers.Conv2D(4, 3, name="first")
    with pytest.raises(ShapeError, match=r"'first'.*ndim=4.*\(2, 28, 28\)"):
        conv(np.zeros((2, 28, 28), "f"))
    conv(np.zeros((2, 8, 8, 3), "f"))
    with pytest.raises(ShapeError, match=r"'first'.*value 3.*\(2, 8, 8, 1\)"):
        conv(np.zeros((2, 8, 8, 1), "f"))
    with pytest.raises(ShapeError, match=r"kernel of \(3, 3\).*\(2, 2, 2, 3\)"):
        conv(np.zeros((2, 2, 2, 3), "f"))
    for wrong in ({"filters": 0}, {"kernel_size": 0}, {"strides": -1}, {"padding": "full"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            layers.Conv2D(**({"filters": 2, "kernel_size": 3} | wrong))
    with pytest.raises(ValueError, match="groups=2"):
        layers.Conv2D(4, 3, groups=2)(np.zeros((1, 8, 8, 3), "f"))
