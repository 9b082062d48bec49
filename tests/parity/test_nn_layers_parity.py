"""Every layer beside PyTorch's: value, gradients, running values, keys of the state, text."""

import inspect
import itertools
import warnings
import zlib

import numpy as np
import pytest
import torch

import chainrule

# A layer as a program writes it, and shapes of its inputs: an empty batch and one element too.
LAYERS = {
    "Identity()": ["2 3", "0 3", ""],
    "Linear(3, 4)": ["5 3", "3", "2 0 3", "0 3", "1 3", "2 3 4 3"],
    "Linear(3, 4, bias=False)": ["5 3"],
    "Linear(1, 1)": ["1 1"],
    "Bilinear(3, 4, 2)": ["5 3, 5 4", "2 6 3, 2 6 4", "0 3, 0 4"],
    "Bilinear(3, 4, 2, bias=False)": ["1 3, 1 4"],
    "Flatten()": ["2 3 4", "0 3 4", "1 1"],
    "Flatten(0, 1)": ["2 3 4"],
    "Unflatten(1, (2, 3))": ["4 6", "0 6"],
    "Unflatten(-1, (2, -1))": ["4 6"],
    # convolutions
    "Conv1d(4, 6, 3)": ["2 4 9", "4 9", "0 4 9", "1 4 3"],
    "Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2)": ["2 4 11"],
    "Conv1d(4, 4, 2, padding='same', padding_mode='circular')": ["2 4 9"],
    "Conv1d(2, 3, 5, padding=2, padding_mode='reflect')": ["2 2 9", "2 9"],
    "Conv2d(3, 4, 3)": ["2 3 6 5", "3 6 5", "0 3 6 5", "1 3 3 3"],
    "Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2))": ["2 3 7 6"],
    "Conv2d(4, 8, 3, padding=1, groups=4, bias=False)": ["2 4 5 6"],
    "Conv2d(4, 4, 1)": ["2 4 3 3", "1 4 1 1"],
    "Conv2d(2, 3, (4, 3), padding='same')": ["2 2 6 7"],
    "Conv2d(2, 3, 3, padding='valid')": ["2 2 6 7"],
    "Conv2d(2, 3, 3, padding=1, padding_mode='replicate')": ["2 2 6 7"],
    "Conv2d(3, 40, 3, padding=1)": ["2 3 17 19"],
    "Conv3d(2, 3, 2)": ["2 2 4 3 5", "0 2 4 3 5", "2 4 3 5"],
    "Conv3d(2, 4, (2, 1, 3), stride=(1, 2, 1), padding=1, groups=2)": ["1 2 4 5 3"],
    "ConvTranspose1d(4, 6, 3)": ["2 4 5", "4 5", "0 4 5"],
    "ConvTranspose1d(4, 6, 3, stride=3, padding=1, output_padding=2, groups=2)": ["2 4 5"],
    "ConvTranspose2d(3, 4, 3)": ["2 3 4 5", "3 4 5", "0 3 4 5", "1 3 1 1"],
    "ConvTranspose2d(4, 6, (2, 3), stride=2, padding=1, output_padding=1, groups=2, dilation=2)": [
        "2 4 4 5"
    ],
    "ConvTranspose3d(2, 3, 2, stride=(1, 2, 1), bias=False)": ["2 2 3 2 4"],
    "Unfold(2)": ["2 3 4 5", "3 4 5", "0 3 4 5"],
    "Unfold((2, 3), dilation=1, padding=(1, 0), stride=(2, 1))": ["2 3 5 6"],
    "Fold((4, 5), 2)": ["2 12 12", "12 12"],
    "Fold((5, 6), (2, 3), padding=1, stride=2)": ["2 12 9"],
    # pooling
    "MaxPool1d(3)": ["2 3 9", "3 9", "0 3 9", "1 1 3"],
    "MaxPool1d(3, stride=2, padding=1, dilation=2, ceil_mode=True)": ["2 3 10"],
    "MaxPool1d(2, return_indices=True)": ["2 3 9"],
    "MaxPool2d(2)": ["2 3 6 7", "3 6 7", "0 3 6 7", "1 1 2 2", "2 40 20 20"],
    "MaxPool2d((3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2))": ["2 3 7 6"],
    "MaxPool2d(3, 2, ceil_mode=True)": ["2 3 6 8"],
    "MaxPool2d(3, 1, 1, return_indices=True)": ["2 3 5 4"],
    "MaxPool3d(2)": ["2 3 4 5 6", "3 4 5 6", "0 3 4 5 6"],
    "MaxPool3d((2, 1, 2), padding=(1, 0, 0), return_indices=True)": ["2 3 4 3 4"],
    "AvgPool1d(3)": ["2 3 9", "3 9", "0 3 9"],
    "AvgPool1d(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False)": ["2 3 10"],
    "AvgPool2d(2)": ["2 3 6 7", "3 6 7", "0 3 6 7", "2 40 20 20"],
    "AvgPool2d((3, 2), stride=(2, 1), padding=(1, 0))": ["2 3 7 6"],
    "AvgPool2d(3, 2, 1, ceil_mode=True)": ["2 3 6 8"],
    "AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False)": ["2 3 6 8"],
    "AvgPool2d(2, divisor_override=3)": ["2 3 6 7"],
    "AvgPool3d(2)": ["2 3 4 5 6", "0 3 4 5 6"],
    "AvgPool3d(2, padding=1, ceil_mode=True, count_include_pad=False)": ["2 3 4 5 5"],
    "LPPool1d(2, 3)": ["2 3 9", "3 9"],
    "LPPool2d(4, 2, stride=1, ceil_mode=True)": ["2 3 5 4"],
    "LPPool3d(2, 2)": ["2 3 4 4 4"],
    "AdaptiveAvgPool1d(4)": ["2 3 9", "3 9", "2 3 4", "0 3 9", "2 3 1"],
    "AdaptiveAvgPool2d((3, None))": ["2 3 7 6", "3 7 6"],
    "AdaptiveAvgPool2d(1)": ["2 3 7 6", "0 3 7 6"],
    "AdaptiveAvgPool3d((2, 1, 3))": ["2 3 5 4 6"],
    "AdaptiveMaxPool1d(4)": ["2 3 9", "3 9", "0 3 9"],
    "AdaptiveMaxPool2d((3, None))": ["2 3 7 6", "3 7 6"],
    "AdaptiveMaxPool2d(2, return_indices=True)": ["2 3 5 6"],
    "AdaptiveMaxPool3d((2, 1, 3))": ["2 3 5 4 6"],
    # activations
    "ReLU()": ["3 4", "0 4", "", "1"],
    "ReLU6()": ["3 4", "0 4"],
    "ELU()": ["3 4", "0 4"],
    "ELU(alpha=-0.5)": ["3 4"],
    "ELU(alpha=2.5)": ["3 4"],
    "CELU(0.7)": ["3 4", "0 4"],
    "SELU()": ["3 4", "0 4"],
    "GELU()": ["3 4", "0 4"],
    "GELU(approximate='tanh')": ["3 4"],
    "SiLU()": ["3 4", "0 4"],
    "Mish()": ["3 4", "0 4"],
    "Sigmoid()": ["3 4", "0 4", ""],
    "Tanh()": ["3 4", "0 4"],
    "Tanhshrink()": ["3 4"],
    "Softsign()": ["3 4"],
    "LogSigmoid()": ["3 4", "0 4"],
    "Softplus()": ["3 4"],
    "Softplus(beta=3, threshold=1.5)": ["3 4", "0 4"],
    "LeakyReLU()": ["3 4", "0 4"],
    "LeakyReLU(0.3)": ["3 4"],
    "LeakyReLU(-0.3)": ["3 4"],
    "Hardsigmoid()": ["3 4"],
    "Hardswish()": ["3 4", "0 4"],
    "Hardtanh()": ["3 4"],
    "Hardtanh(-0.4, 0.7)": ["3 4"],
    "Hardshrink()": ["3 4"],
    "Hardshrink(0.2)": ["3 4"],
    "Softshrink()": ["3 4"],
    "Softshrink(0.2)": ["3 4", "0 4"],
    "Threshold(0.1, 20)": ["3 4", "0 4"],
    "RReLU(0.2, 0.4)": ["3 4"],
    "PReLU()": ["3 4", "2 3 4 5", "0 4", "4"],
    "PReLU(3, init=0.1)": ["2 3", "2 3 4", "0 3 4"],
    "GLU()": ["3 4", "0 4"],
    "GLU(1)": ["3 4 5"],
    "Softmin(1)": ["3 4"],
    "Softmax(-1)": ["3 4", "0 4", "1", "2 3 4"],
    "Softmax(0)": ["3 4"],
    "Softmax2d()": ["2 3 4 5", "3 4 5"],
    "LogSoftmax(1)": ["3 4", "0 4", "2 3 4"],
    # normalisation
    "BatchNorm1d(4)": ["5 4", "5 4 3", "2 4 1"],
    "BatchNorm1d(4, eps=0.1, momentum=None)": ["5 4"],
    "BatchNorm1d(4, affine=False)": ["5 4"],
    "BatchNorm1d(4, track_running_stats=False)": ["5 4"],
    "BatchNorm1d(4, momentum=0.7, bias=False)": ["5 4"],
    "BatchNorm2d(4)": ["5 4 3 2", "1 4 2 2"],
    "BatchNorm3d(4)": ["2 4 3 2 2"],
    "InstanceNorm1d(4)": ["2 4 5", "4 5", "0 4 5"],
    "InstanceNorm1d(4, affine=True, track_running_stats=True)": ["2 4 5", "4 5"],
    "InstanceNorm2d(4)": ["2 4 5 3", "4 5 3"],
    "InstanceNorm2d(4, affine=True, track_running_stats=True, momentum=0.3)": ["2 4 5 3"],
    "InstanceNorm3d(4, affine=True)": ["2 4 3 2 2"],
    "LayerNorm(4)": ["3 4", "4", "2 3 4", "0 4"],
    "LayerNorm((3, 4), eps=0.1)": ["2 3 4", "3 4"],
    "LayerNorm(4, bias=False)": ["3 4"],
    "LayerNorm([4], elementwise_affine=False)": ["3 4"],
    "RMSNorm(4)": ["3 4", "2 3 4", "0 4"],
    "RMSNorm((3, 4), eps=0.1)": ["2 3 4"],
    "RMSNorm(4, elementwise_affine=False)": ["2 4"],
    "GroupNorm(2, 4)": ["3 4", "3 4 5", "0 4 5", "1 4 2 2"],
    "GroupNorm(1, 4, affine=False)": ["3 4 2"],
    "GroupNorm(4, 4, eps=0.1)": ["3 4 2"],
    "GroupNorm(2, 4, bias=False)": ["3 4 2"],
    "LocalResponseNorm(2)": ["2 5 4", "2 5 3 3"],
    "LocalResponseNorm(3, alpha=0.5, beta=0.6, k=2)": ["2 5 3 4"],
    # dropout, where nothing is random
    "Dropout(0.0)": ["3 4", "0 4"],
    "Dropout(1.0)": ["3 4"],
    "Dropout1d(1.0)": ["2 3 4"],
    "Dropout2d(1.0)": ["2 3 4 4"],
    "Dropout3d(1.0)": ["2 3 4 4 4"],
    "AlphaDropout(0.0)": ["3 4"],
    "FeatureAlphaDropout(0.0)": ["3 4 4"],
    # padding and resizing
    "ConstantPad1d(2, 3.5)": ["2 3 4", "3 4"],
    "ConstantPad2d((1, 2, 0, -1), 0.5)": ["2 3 4 4"],
    "ConstantPad3d(1, 2)": ["2 3 4 4 2"],
    "ZeroPad1d(1)": ["2 3 4"],
    "ZeroPad2d((1, 0, 2, 1))": ["2 3 4 4", "0 3 4 4"],
    "ZeroPad3d(1)": ["1 2 3 3 3"],
    "ReflectionPad1d((2, 1))": ["2 3 4", "3 4"],
    "ReflectionPad2d(2)": ["2 3 4 5", "3 4 5"],
    "ReflectionPad3d(1)": ["2 3 4 3 5"],
    "ReplicationPad1d((2, 1))": ["2 3 4", "3 4"],
    "ReplicationPad2d((1, 2, 3, 0))": ["2 3 4 5"],
    "ReplicationPad3d(1)": ["2 3 4 3 5"],
    "CircularPad1d(2)": ["2 3 4"],
    "CircularPad2d((1, 2, 0, 1))": ["2 3 4 5"],
    "CircularPad3d(1)": ["2 3 4 3 5"],
    "Upsample(scale_factor=2)": ["2 3 4", "2 3 4 5", "1 1 1 1"],
    "Upsample(size=7, mode='linear')": ["2 3 4"],
    "Upsample(scale_factor=(1.5, 2), mode='bilinear')": ["2 3 4 5"],
    "Upsample(size=(3, 9), mode='bilinear', align_corners=True)": ["2 3 4 5"],
    "Upsample(scale_factor=2, mode='bicubic')": ["2 3 4 5"],
    "Upsample(scale_factor=2, mode='trilinear')": ["1 2 3 2 4"],
    "UpsamplingNearest2d(scale_factor=3)": ["2 3 4 5"],
    "UpsamplingBilinear2d(size=(7, 6))": ["2 3 4 5"],
    "PixelShuffle(2)": ["2 8 3 4", "8 3 4"],
    "PixelUnshuffle(2)": ["2 3 4 6"],
    "ChannelShuffle(2)": ["2 6 3 4"],
    "CosineSimilarity()": ["3 4, 3 4"],
    "CosineSimilarity(dim=-1, eps=1e-3)": ["3 4, 4"],
    "PairwiseDistance()": ["3 4, 3 4", "4, 4"],
    "PairwiseDistance(p=1, eps=1e-3, keepdim=True)": ["3 4, 3 4"],
    "FractionalMaxPool2d(2, output_size=(3, 4), _random_samples=lib.full((2, 3, 2), 0.3))": [
        "2 3 7 9",
        "2 3 4 5",
    ],
    "FractionalMaxPool3d((2, 1, 2), output_ratio=0.6, _random_samples=lib.full((1, 2, 3), 0.7))": [
        "1 2 6 5 7"
    ],
    "FractionalMaxPool2d(2, 3, return_indices=True, _random_samples=lib.full((1, 3, 2), 0.9))": [
        "1 3 8 8"
    ],
    # recurrent
    "RNN(3, 4)": ["5 2 3", "5 3", "1 1 3", "5 2 3, 1 2 4", "5 3, 1 4", "5 0 3"],
    "RNN(3, 4, 2, 'relu', batch_first=True, bidirectional=True)": ["2 5 3", "2 5 3, 4 2 4"],
    "RNN(3, 4, bias=False)": ["5 2 3"],
    "GRU(3, 4)": ["5 2 3", "5 3", "5 2 3, 1 2 4", "5 0 3"],
    "GRU(3, 4, num_layers=2, batch_first=True, bidirectional=True)": ["2 5 3"],
    "GRU(3, 4, bias=False)": ["5 2 3"],
    "LSTM(3, 4)": ["5 2 3", "5 3", "1 1 3", "5 0 3"],
    "LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=True)": ["2 5 3"],
    "LSTM(3, 4, bias=False)": ["5 2 3"],
    "LSTM(3, 4, 2, proj_size=2, bidirectional=True)": ["5 2 3", "5 3"],
    "RNNCell(3, 4)": ["2 3", "3", "2 3, 2 4", "0 3"],
    "RNNCell(3, 4, bias=False, nonlinearity='relu')": ["2 3"],
    "GRUCell(3, 4)": ["2 3", "3", "2 3, 2 4", "0 3"],
    "GRUCell(3, 4, bias=False)": ["2 3"],
    "LSTMCell(3, 4)": ["2 3", "3", "0 3"],
    "LSTMCell(3, 4, bias=False)": ["2 3"],
    # attention
    "MultiheadAttention(6, 2)": ["4 2 6, 5 2 6, 5 2 6", "4 6, 5 6, 5 6"],
    "MultiheadAttention(6, 3, batch_first=True, bias=False)": ["2 4 6, 2 5 6, 2 5 6"],
    "MultiheadAttention(6, 2, kdim=3, vdim=4)": ["4 2 6, 5 2 3, 5 2 4"],
    "MultiheadAttention(6, 2, add_bias_kv=True, add_zero_attn=True)": ["4 2 6, 5 2 6, 5 2 6"],
    "TransformerEncoderLayer(6, 2, 7, dropout=0.0)": ["4 2 6", "4 6"],
    "TransformerEncoderLayer(6, 2, 7, 0.0, 'gelu', batch_first=True, norm_first=True)": ["2 4 6"],
    "TransformerEncoderLayer(6, 2, 7, dropout=0.0, bias=False)": ["4 2 6"],
    "TransformerDecoderLayer(6, 2, 7, dropout=0.0)": ["4 2 6, 5 2 6", "4 6, 5 6"],
    "TransformerDecoderLayer(6, 2, 7, dropout=0.0, batch_first=True, norm_first=True)": [
        "2 4 6, 2 5 6"
    ],
    "TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 7, 0.0), 2, nn.LayerNorm(6), False)": [
        "4 2 6"
    ],
    "TransformerDecoder(nn.TransformerDecoderLayer(6, 2, 7, 0.0), 2)": ["4 2 6, 5 2 6"],
    "Transformer(6, 2, 1, 2, 7, dropout=0.0)": ["5 2 6, 4 2 6"],
    "Transformer(6, 2, 1, 1, 7, dropout=0.0, batch_first=True, norm_first=True)": ["2 5 6, 2 4 6"],
    # tables; "n:" numbers below n
    "Embedding(7, 3)": ["7: 4", "7: 2 5", "7: 0", "7: "],
    "Embedding(7, 3, padding_idx=2)": ["7: 40"],
    "Embedding(7, 3, max_norm=1.0)": ["7: 2 5"],
    "Embedding(7, 3, max_norm=0.5, norm_type=1.0, scale_grad_by_freq=True)": ["7: 2 5"],
    "EmbeddingBag(7, 3)": ["7: 2 5"],
    "EmbeddingBag(7, 3, mode='sum', padding_idx=1)": ["7: 3 5"],
    "EmbeddingBag(7, 3, mode='max')": ["7: 2 5"],
}

ROWS = [(text, shapes) for text, all_shapes in LAYERS.items() for shapes in all_shapes]
RANDOM_IN_TRAINING = ("RReLU",)
SINGLE_IN_PYTORCH = ("CELU", "Hardsigmoid")  # their backward passes round 1/α and 1/6 to float32


def made(lib, text, dtype):
    with (
        warnings.catch_warnings()
    ):  # both advise against some settings; what they advise is not the subject
        warnings.simplefilter("ignore")
        layer = eval(f"nn.{text}", {"nn": lib.nn, "lib": lib})
    return layer.to(getattr(lib, dtype))


def arrays(text, shapes, dtype):
    rng = np.random.default_rng(zlib.crc32(f"{text}{shapes}".encode()))
    out = []
    for shape in shapes.split(","):
        below, _, sizes = shape.rpartition(":")
        size = tuple(map(int, sizes.split()))
        if below:
            out.append(rng.integers(0, int(below), size))
        else:
            out.append(rng.standard_normal(size).astype(dtype))
    return out


def flat(result):
    if isinstance(result, (tuple, list)):
        return [t for r in result for t in flat(r)]
    return [] if result is None else [result]


def ran(lib, layer, inputs):
    """Values, gradients of inputs and parameters, buffers afterwards."""
    xs = [lib.from_numpy(a.copy()) for a in inputs]
    xs = [x.requires_grad_() if x.is_floating_point() else x for x in xs]
    args = xs if len(xs) < 2 or not hasattr(layer, "all_weights") else [xs[0], xs[1]]
    outs = flat(layer(*args))
    rng = np.random.default_rng(1)
    total = sum(
        (o * lib.from_numpy(np.asarray(rng.standard_normal(tuple(o.shape)), inputs_type(o)))).sum()
        for o in outs
        if o.is_floating_point()
    )
    if total.requires_grad:
        total.backward()
    grads = [x.grad for x in xs] + [p.grad for _, p in sorted(layer.named_parameters())]
    buffers = [b for _, b in sorted(layer.named_buffers())]
    return outs, grads, buffers


def inputs_type(tensor):
    return str(tensor.dtype).rpartition(".")[2]


def same(ours, theirs, dtype):
    tolerance = (
        {"rtol": 3e-4, "atol": 3e-5} if dtype == "float32" else {"rtol": 1e-9, "atol": 1e-10}
    )
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        if a is None or b is None:
            zeros = b if a is None else a
            assert zeros is None or not zeros.detach().numpy().any()
            continue
        assert tuple(a.shape) == tuple(b.shape) and inputs_type(a) == inputs_type(b)
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), **tolerance)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("text", "shapes"), ROWS, ids=[f"{t} {s}" for t, s in ROWS])
def test_value_gradients_and_running_values(text, shapes, dtype, training):
    if training and text.startswith(RANDOM_IN_TRAINING):
        training = False
    torch.manual_seed(0)
    theirs, ours = made(torch, text, dtype), made(chainrule, text, dtype)
    with torch.no_grad():  # biases and weights of norms that do something
        for p in theirs.parameters():
            p.add_(torch.rand(p.shape, dtype=p.dtype) * 0.3)
    state = {k: chainrule.from_numpy(v.numpy().copy()) for k, v in theirs.state_dict().items()}
    ours.load_state_dict(state)
    theirs.train(training)
    ours.train(training)
    inputs = arrays(text, shapes, dtype)
    for _ in range(2 if training and list(theirs.buffers()) else 1):
        for layer in (theirs, ours):
            layer.zero_grad()
        close = "float32" if text.startswith(SINGLE_IN_PYTORCH) else dtype
        with warnings.catch_warnings():  # PyTorch's remarks on its own speed
            warnings.simplefilter("ignore")
            want = ran(torch, theirs, inputs)
        for a, b in zip(ran(chainrule, ours, inputs), want, strict=True):
            same(a, b, close)


@pytest.mark.parametrize("text", LAYERS)
def test_text_and_keys(text):
    ours, theirs = made(chainrule, text, "float32"), made(torch, text, "float32")
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert [tuple(p.shape) for p in ours.parameters()] == [
        tuple(p.shape) for p in theirs.parameters()
    ]
    assert [m._get_name() for m in ours.modules()] == [m._get_name() for m in theirs.modules()]


LAZY = {
    "LazyLinear(4)": "5 3",
    "LazyConv1d(4, 3)": "2 3 6",
    "LazyConv2d(6, 3, padding=1, groups=3, bias=False)": "2 3 6 6",
    "LazyConv3d(4, 2)": "2 3 4 4 4",
    "LazyConvTranspose1d(4, 3)": "2 3 6",
    "LazyConvTranspose2d(4, 3)": "2 3 6 6",
    "LazyConvTranspose3d(4, 2)": "2 3 4 4 4",
    "LazyBatchNorm1d()": "5 3",
    "LazyBatchNorm2d(affine=False)": "2 3 4 4",
    "LazyBatchNorm3d()": "2 3 2 2 2",
    "LazyInstanceNorm1d(affine=True)": "2 3 5",
    "LazyInstanceNorm2d()": "2 3 5 5",
    "LazyInstanceNorm3d()": "2 3 2 2 2",
}


@pytest.mark.parametrize("text", LAZY)
def test_lazy_layers_become_the_same_layer(text):
    ours, theirs = (made(lib, text, "float32") for lib in (chainrule, torch))
    assert repr(ours) == repr(theirs)
    (x,) = arrays(text, LAZY[text], "float32")
    for lib, layer in ((chainrule, ours), (torch, theirs)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            layer(lib.from_numpy(x))
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [tuple(p.shape) for p in ours.parameters()] == [
        tuple(p.shape) for p in theirs.parameters()
    ]


def test_every_layer_that_both_have_is_in_the_tables():
    def layers(lib):
        members = vars(lib.nn).items()
        return {n for n, m in members if inspect.isclass(m) and issubclass(m, lib.nn.Module)}

    elsewhere = {n for n in layers(torch) if n.endswith("Loss") or n.endswith("Loss2d")} | {
        "Module", "Container", "Sequential", "ModuleList", "ModuleDict", "ParameterList",
        "ParameterDict", "DataParallel", "RNNBase", "RNNCellBase", "SyncBatchNorm", "MaxUnpool1d",
        "MaxUnpool2d", "MaxUnpool3d", "CrossMapLRN2d", "AdaptiveLogSoftmaxWithLoss",
    }  # fmt: skip
    covered = {t.partition("(")[0] for t in (*LAYERS, *LAZY)}
    assert layers(torch) & layers(chainrule) - elsewhere - covered == set()
    assert layers(torch) - layers(chainrule) == {"Container"}  # deprecated there


@pytest.mark.parametrize("n", [1, 2, 3])
def test_unpooling(n):
    (x,) = arrays("unpool", " ".join(["2", "3", *["6"] * n]), "float64")
    results = []
    for lib in (chainrule, torch):
        pool = getattr(lib.nn, f"MaxPool{n}d")(2, stride=2, return_indices=True)
        unpool = getattr(lib.nn, f"MaxUnpool{n}d")(2, stride=2)
        t = lib.from_numpy(x.copy()).requires_grad_()
        y = unpool(*pool(t))
        (y * y).sum().backward()
        results.append([y, t.grad])
        assert repr(unpool) == repr(getattr(torch.nn, f"MaxUnpool{n}d")(2, stride=2))
    same(*results, "float64")


def copied(theirs, ours):
    ours.load_state_dict(
        {k: chainrule.from_numpy(v.numpy().copy()) for k, v in theirs.state_dict().items()}
    )


@pytest.mark.parametrize("bias", ["False", "True"])
def test_adaptive_softmax(bias):
    text = f"AdaptiveLogSoftmaxWithLoss(8, 20, [4, 11], div_value=2.0, head_bias={bias})"
    ours, theirs = (made(lib, text, "float64") for lib in (chainrule, torch))
    assert repr(ours) == repr(theirs) and list(ours.state_dict()) == list(theirs.state_dict())
    copied(theirs, ours)
    (x,) = arrays(text, "6 8", "float64")
    results = []
    for lib, layer in ((chainrule, ours), (torch, theirs)):
        t = lib.from_numpy(x.copy()).requires_grad_()
        output, loss = layer(t, lib.tensor([0, 19, 5, 11, 3, 10]))
        (loss + (output * output).sum()).backward()
        grads = [p.grad for p in layer.parameters()]
        single = layer(t[0], lib.tensor(12)).output
        results.append([output, loss, single, t.grad, layer.log_prob(t), layer.predict(t), *grads])
    same(*results, "float64")


@pytest.mark.parametrize("out", ["()", "(2, 3)"])
def test_linear_cross_entropy(out):
    text = f"LinearCrossEntropyLoss(5, 4, out_features={out}, bias=True, label_smoothing=0.1)"
    ours, theirs = (made(lib, text, "float64") for lib in (chainrule, torch))
    assert repr(ours) == repr(theirs) and list(ours.state_dict()) == list(theirs.state_dict())
    copied(theirs, ours)
    (x,) = arrays(text, "6 5", "float64")
    classes = np.random.default_rng(0).integers(0, 4, (6, *eval(out)))
    results = []
    for lib, layer in ((chainrule, ours), (torch, theirs)):
        t = lib.from_numpy(x.copy()).requires_grad_()
        loss = layer(t, lib.from_numpy(classes))
        loss.backward()
        results.append([loss, t.grad, *(p.grad for p in layer.parameters())])
    same(*results, "float64")


# ---- first values


DEFAULTS = [
    "Linear(300, 200)", "Bilinear(30, 20, 25)", "Conv1d(40, 50, 5)", "Conv2d(32, 64, 3)",
    "Conv2d(32, 64, 3, groups=4)", "Conv3d(8, 16, 3)", "ConvTranspose1d(50, 40, 5)",
    "ConvTranspose2d(32, 64, 3, groups=2)", "ConvTranspose3d(8, 16, 3)", "RNN(50, 60)",
    "LSTM(50, 60, 2, bidirectional=True)", "LSTM(50, 60, proj_size=20)", "GRU(50, 60)",
    "RNNCell(50, 60)", "LSTMCell(50, 60)", "GRUCell(50, 60)", "Embedding(300, 50)",
    "Embedding(300, 50, padding_idx=3)", "EmbeddingBag(300, 50)", "MultiheadAttention(60, 4)",
    "MultiheadAttention(60, 4, kdim=40, vdim=50, add_bias_kv=True)", "PReLU(100)",
    "BatchNorm2d(100)", "LayerNorm(100)", "GroupNorm(4, 100)", "RMSNorm(100)",
    "TransformerEncoderLayer(60, 4, 80)", "TransformerDecoderLayer(60, 4, 80)",
    "Transformer(40, 4, 1, 1, 60)",
]  # fmt: skip


@pytest.mark.parametrize("text", DEFAULTS)
def test_first_values_come_from_the_same_distribution(text):
    for lib in (chainrule, torch):
        lib.manual_seed(20)
    ours, theirs = (
        dict(made(lib, text, "float32").named_parameters()) for lib in (chainrule, torch)
    )
    for name, want in theirs.items():
        a = np.sort(ours[name].detach().numpy().reshape(-1))
        b = np.sort(want.detach().numpy().reshape(-1))
        if b[0] == b[-1]:
            assert (a == b).all(), name
            continue
        n = a.size
        both = np.concatenate([a, b])
        distance = np.abs(
            np.searchsorted(a, both, "right") / n - np.searchsorted(b, both, "right") / n
        ).max()
        assert distance < 2.2 * np.sqrt(2 / n), (
            name
        )  # Kolmogorov and Smirnov: exceeded once in 8000
        if n >= 2000:
            assert abs(a.std() / b.std() - 1) < 6 / np.sqrt(n), name
            bounded = b[-1] < 2.5 * b.std()  # a uniform distribution ends at √3 deviations
            if bounded:
                assert abs(a[-1] / b[-1] - 1) < 0.01 and abs(a[0] / b[0] - 1) < 0.01, name


# ---- masks of attention


T, S, B, H, E = 4, 5, 2, 3, 6


def _masks():
    rng = np.random.default_rng(3)
    look = rng.random((T, S)) < 0.4
    look[:, 0] = False
    pad = np.zeros((B, S), bool)
    pad[1, 3:] = True
    three = rng.random((B * H, T, S)) < 0.4
    three[..., 0] = False
    added = rng.standard_normal((T, S)).astype("float32")
    return {
        "none": {},
        "bool": {"attn_mask": look},
        "float": {"attn_mask": added},
        "3d bool": {"attn_mask": three},
        "3d float": {"attn_mask": rng.standard_normal((B * H, T, S)).astype("float32")},
        "padding": {"key_padding_mask": pad},
        "padding float": {"key_padding_mask": np.where(pad, -np.inf, 0).astype("float32")},
        "both": {"attn_mask": look, "key_padding_mask": pad},
        "unlike": {"attn_mask": added, "key_padding_mask": np.where(pad, -np.inf, 0).astype("f4")},
    }


@pytest.mark.parametrize("extra", ["", ", add_bias_kv=True", ", add_zero_attn=True"])
@pytest.mark.parametrize(("need", "average"), [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("masks", _masks().values(), ids=_masks().keys())
def test_masks(masks, need, average, extra):
    text = f"MultiheadAttention({E}, {H}{extra})"
    theirs, ours = made(torch, text, "float32"), made(chainrule, text, "float32")
    ours.load_state_dict(
        {k: chainrule.from_numpy(v.numpy().copy()) for k, v in theirs.state_dict().items()}
    )
    arrs = arrays("masks", f"{T} {B} {E}, {S} {B} {E}, {S} {B} {E}", "float32")
    results = []
    for lib, layer in ((chainrule, ours), (torch, theirs)):
        xs = [lib.from_numpy(a.copy()).requires_grad_() for a in arrs]
        named = {k: lib.from_numpy(v) for k, v in masks.items()}
        y, w = layer(*xs, **named, need_weights=need, average_attn_weights=average)
        (y * y).sum().backward()
        results.append([y, w, *(x.grad for x in xs)])
    same(*results, "float32")


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("settings", ["", ", 2, bidirectional=True"])
def test_packed_sequences(kind, settings):
    text = f"{kind}(3, 4{settings})"
    theirs, ours = made(torch, text, "float64"), made(chainrule, text, "float64")
    ours.load_state_dict(
        {k: chainrule.from_numpy(v.numpy().copy()) for k, v in theirs.state_dict().items()}
    )
    (x,) = arrays(text, "6 4 3", "float64")
    results = []
    for lib, layer in ((chainrule, ours), (torch, theirs)):
        utils = lib.nn.utils.rnn
        t = lib.from_numpy(x.copy()).requires_grad_()
        packed = utils.pack_padded_sequence(t, [3, 6, 1, 4], enforce_sorted=False)
        y, h = layer(packed)
        padded, _ = utils.pad_packed_sequence(y)
        total = sum((o * o).sum() for o in flat([padded, h]))
        total.backward()
        results.append([padded, *flat(h), y.data, t.grad, *(p.grad for p in layer.parameters())])
    same(*results, "float64")


def test_states_of_lstm():
    for text, sizes in itertools.product(["LSTM(3, 4)", "LSTM(3, 4, proj_size=2)"], [(2,), ()]):
        theirs, ours = made(torch, text, "float64"), made(chainrule, text, "float64")
        ours.load_state_dict(
            {k: chainrule.from_numpy(v.numpy().copy()) for k, v in theirs.state_dict().items()}
        )
        batch = " ".join(map(str, sizes))
        out = theirs.proj_size or 4
        arrs = arrays(text, f"5 {batch} 3, 1 {batch} {out}, 1 {batch} 4", "float64")
        results = []
        for lib, layer in ((chainrule, ours), (torch, theirs)):
            x, h, c = (lib.from_numpy(a.copy()).requires_grad_() for a in arrs)
            y, (hn, cn) = layer(x, (h, c))
            ((y * y).sum() + (hn * cn[..., :1]).sum()).backward()
            results.append([y, hn, cn, x.grad, h.grad, c.grad])
        same(*results, "float64")
