"""Layers: first values as documented, running values, modes, lazy shapes, and errors at the line
that is wrong.
"""

import inspect
import math

import numpy as np
import pytest

import chainrule as torch
from chainrule import nn
from chainrule.nn.modules.simple import FunctionLayer

# ---- first values: PyTorch's documented formulas


def bound(layer, name, k):
    """U(−k, k): reached within a percent, never passed, with the variance k²/3 and the mean 0."""
    v = getattr(layer, name).detach().numpy().astype(float).reshape(-1)
    n = v.size
    assert np.abs(v).max() <= k * (1 + 1e-6)
    if n >= 1000:
        assert np.abs(v).max() > 0.99 * k
        assert abs(v.mean()) < 5 * k / math.sqrt(3 * n)
        assert abs(v.var() / (k * k / 3) - 1) < 5 * math.sqrt(0.8 / n)


UNIFORM = [
    ("Linear(400, 50)", 1 / 20, "weight bias"),
    ("Bilinear(100, 7, 9)", 1 / 10, "weight bias"),
    ("Conv1d(25, 30, 4)", 1 / 10, "weight bias"),
    ("Conv2d(16, 40, 5)", 1 / 20, "weight bias"),
    ("Conv2d(32, 40, 5, groups=2)", 1 / 20, "weight bias"),
    ("Conv3d(5, 20, (2, 2, 5))", 1 / 10, "weight bias"),
    ("ConvTranspose1d(30, 25, 4)", 1 / 10, "weight bias"),  # fan in: the axis behind the first
    ("ConvTranspose2d(40, 16, 5)", 1 / 20, "weight bias"),
    ("RNN(30, 64)", 1 / 8, "weight_ih_l0 weight_hh_l0 bias_ih_l0 bias_hh_l0"),
    ("LSTM(30, 64, 2)", 1 / 8, "weight_ih_l1 weight_hh_l1 bias_ih_l1 bias_hh_l1"),
    ("GRU(30, 64, bidirectional=True)", 1 / 8, "weight_ih_l0_reverse weight_hh_l0_reverse"),
    ("LSTMCell(30, 64)", 1 / 8, "weight_ih weight_hh bias_ih bias_hh"),
    ("GRUCell(30, 64)", 1 / 8, "weight_ih weight_hh bias_ih bias_hh"),
    ("MultiheadAttention(96, 4)", math.sqrt(6 / (96 + 288)), "in_proj_weight"),
    ("MultiheadAttention(64, 4, kdim=32, vdim=32)", math.sqrt(6 / 96), "k_proj_weight"),
]


@pytest.mark.parametrize(("text", "k", "names"), UNIFORM, ids=[t for t, _, _ in UNIFORM])
def test_first_values_are_uniform(text, k, names):
    torch.manual_seed(0)
    layer = eval(f"nn.{text}")
    for name in names.split():
        bound(layer, name, k)


def test_first_values_of_tables_norms_and_attention():
    torch.manual_seed(0)
    w = nn.Embedding(400, 50, padding_idx=-1).weight.detach().numpy()
    assert (w[-1] == 0).all()
    assert abs(w[:-1].mean()) < 5 / math.sqrt(w.size)
    assert abs(w[:-1].var() - 1) < 5 * math.sqrt(2 / w.size)
    norm = nn.BatchNorm2d(3)
    assert norm.weight.tolist() == [1.0] * 3 and norm.bias.tolist() == [0.0] * 3
    assert norm.running_mean.tolist() == [0.0] * 3 and norm.running_var.tolist() == [1.0] * 3
    attention = nn.MultiheadAttention(8, 2)
    assert not attention.in_proj_bias.any() and not attention.out_proj.bias.any()
    assert nn.PReLU(3).weight.tolist() == [0.25] * 3


def test_the_seed_decides_and_only_the_seed():
    def weights(disturb):
        torch.manual_seed(4)
        if disturb:
            torch.randn(5)
            nn.functional.dropout(torch.ones(5))
        return nn.Linear(3, 2).weight

    assert torch.equal(weights(False), weights(True))
    torch.manual_seed(5)
    assert not torch.equal(weights(False), nn.Linear(3, 2).weight)


@pytest.mark.parametrize(
    "text",
    ["Linear(0, 3)", "Linear(3, 0)", "Conv1d(0, 0, 2)", "LayerNorm(0)", "Embedding(0, 3)"],
)
def test_layers_without_elements_can_be_made(text):
    layer = eval(f"nn.{text}")
    assert all(p.numel() == 0 or p.dtype is torch.float32 for p in layer.parameters())


# ---- batch norm


@pytest.mark.parametrize("momentum", [0.1, 0.7, None])
def test_running_values(momentum):
    """r ← (1 − m) r + m · batch with the unbiased variance; None: the average of all batches."""
    rng = np.random.default_rng(0)
    layer = nn.BatchNorm1d(3, momentum=momentum)
    mean, var = np.zeros(3), np.ones(3)
    for count in range(1, 5):
        x = rng.normal(2.0, 3.0, (8, 3)).astype("float32")
        layer(torch.tensor(x))
        m = 1 / count if momentum is None else momentum
        mean = (1 - m) * mean + m * x.mean(0)
        var = (1 - m) * var + m * x.var(0, ddof=1)
        np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-5)
        np.testing.assert_allclose(layer.running_var.numpy(), var, rtol=1e-5)
        assert layer.num_batches_tracked.item() == count
    layer.eval()
    x = rng.standard_normal((4, 3)).astype("float32")
    want = (x - mean) / np.sqrt(var + 1e-5)
    np.testing.assert_allclose(layer(torch.tensor(x)).detach().numpy(), want, rtol=1e-4, atol=1e-6)
    assert layer.num_batches_tracked.item() == 4  # evaluation counts nothing
    layer.reset_running_stats()
    assert layer.running_var.tolist() == [1.0] * 3 and layer.num_batches_tracked.item() == 0


def test_without_running_values_the_batch_decides_always():
    layer = nn.BatchNorm1d(3, track_running_stats=False).eval()
    y = layer(torch.tensor([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]]))
    np.testing.assert_allclose(y.detach().numpy(), [[-1] * 3, [1] * 3], atol=1e-4)
    assert list(layer.state_dict()) == ["weight", "bias"]


def test_running_values_take_no_part_in_gradients():
    layer = nn.BatchNorm2d(2)
    x = torch.randn(4, 2, 3, 3, requires_grad=True)
    for _ in range(2):
        layer(x).pow(3).sum().backward()
    assert not layer.running_mean.requires_grad
    np.testing.assert_allclose(x.grad.sum((0, 2, 3)).numpy(), 0, atol=1e-4)  # shifts do nothing


def test_a_batch_of_one_is_refused_in_training_only():
    layer = nn.BatchNorm1d(3)
    with pytest.raises(ValueError, match=r"more than 1 value per channel when training.*\[1, 3\]"):
        layer(torch.ones(1, 3))
    assert layer.eval()(torch.ones(1, 3)).shape == (1, 3)


@pytest.mark.parametrize(
    ("layer", "shape", "text"),
    [
        (nn.BatchNorm1d(3), (2, 3, 4, 4), r"expected 2D or 3D input \(got 4D input\)"),
        (nn.BatchNorm2d(3), (2, 3), r"expected 4D input \(got 2D input\)"),
        (nn.BatchNorm2d(3), (2, 4, 5, 5), r"3 channels on axis 1, got shape \(2, 4, 5, 5\)"),
        (nn.InstanceNorm2d(3), (2, 3), "expected 3D or 4D input"),
        (nn.Softmax2d(), (2, 3), "expected input to be 3D or 4D"),
    ],
)
def test_ranks(layer, shape, text):
    with pytest.raises(ValueError, match=text):
        layer(torch.ones(shape))


def test_bias_alone_can_be_left_out():
    for layer in (
        nn.BatchNorm1d(3, bias=False),
        nn.GroupNorm(1, 3, bias=False),
        nn.LayerNorm(3, bias=False),
        nn.InstanceNorm1d(3, affine=True, bias=False),
    ):
        assert layer.bias is None and layer.weight.shape == (3,)
        assert "bias" not in layer.state_dict()


def test_files_of_the_first_version_have_no_count():
    layer = nn.BatchNorm1d(2)
    old = {k: v for k, v in layer.state_dict().items() if k != "num_batches_tracked"}
    layer.load_state_dict(old)
    assert layer.num_batches_tracked.item() == 0


# ---- modes, settings, texts


@pytest.mark.parametrize("name", ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout"])
def test_dropout_layers_act_in_training_only(name):
    layer = getattr(nn, name)(0.5)
    x = torch.ones(20, 20, 2, 2, 2) if name == "Dropout3d" else torch.ones(20, 20, 2)
    assert not torch.equal(layer(x), x)
    assert layer.eval()(x) is x
    with pytest.raises(ValueError, match="between 0 and 1, but got 2"):
        getattr(nn, name)(2)


def test_inplace_writes_into_the_input():
    for layer in (nn.ReLU(inplace=True), nn.Hardtanh(0, 1, inplace=True), nn.Dropout(1.0, True)):
        x = torch.tensor([-1.0, 0.5])
        assert layer(x) is x and x[0].item() == 0.0


def test_settings_are_attributes_that_can_be_changed():
    layer = nn.LeakyReLU(0.3)
    layer.negative_slope = 0.5
    assert layer(torch.tensor([-2.0])).tolist() == [-1.0]
    pool = nn.MaxPool2d(3)
    assert pool.stride == 3 and repr(pool).startswith("MaxPool2d(kernel_size=3, stride=3")


def test_layers_made_from_rows_look_like_written_ones():
    made = [c for c in vars(nn).values() if inspect.isclass(c) and issubclass(c, FunctionLayer)]
    assert len(made) > 50
    for layer in made:
        assert layer.__doc__ and getattr(nn, layer.__name__) is layer
        assert "args" not in str(inspect.signature(layer))
    with pytest.raises(TypeError, match="slope"):
        nn.LeakyReLU(slope=0.1)
    with pytest.raises(TypeError, match="kernel_size"):
        nn.MaxPool2d()


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("nn.Conv2d(3, 4, 3, groups=2)", ValueError, "in_channels must be divisible by groups"),
        ("nn.Conv2d(4, 3, 3, groups=2)", ValueError, "out_channels must be divisible by groups"),
        ("nn.Conv2d(4, 4, 3, groups=0)", ValueError, "groups must be a positive integer"),
        ("nn.Conv2d(4, 4, 3, padding='half')", ValueError, "Invalid padding string"),
        ("nn.Conv2d(4, 4, 3, 2, padding='same')", ValueError, "not supported for strided"),
        ("nn.Conv2d(4, 4, 3, padding_mode='mirror')", ValueError, "padding_mode must be one of"),
        ("nn.ConvTranspose2d(4, 4, 3, padding_mode='reflect')", ValueError, "Only 'zeros'"),
        ("nn.Embedding(3, 2, padding_idx=3)", AssertionError, "Padding_idx must be within"),
        ("nn.GroupNorm(2, 3)", ValueError, r"num_channels \(3\) must be divisible by num_groups"),
        ("nn.Hardtanh(1, 0)", AssertionError, "max_val must be larger than min_val"),
        ("nn.Bilinear(0, 1, 1)", ValueError, "in1_features must be > 0"),
        ("nn.Unflatten(1, (2.0, 3))", TypeError, "int"),
        ("nn.ConstantPad2d((1, 2), 0.0)", ValueError, "padding needs 1 or 4 numbers"),
        ("nn.Linear(2, 2, device='cuda')", RuntimeError, "cuda"),
    ],
)
def test_settings_that_cannot_be(text, error, says):
    with pytest.raises(error, match=says):
        eval(text)


def test_a_wrong_shape_names_the_layer_and_both_shapes():
    net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    with pytest.raises(RuntimeError) as caught:
        net(torch.ones(2, 1, 20, 20))
    text = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert "2x400 and 784x10" in text and "in_features=784" in text and "Linear" in text


def test_wrong_dtypes_say_both_and_how_to_convert():
    with pytest.raises(RuntimeError, match=r"float64 and .*float32.*\.to\(.*float32\)"):
        nn.Linear(3, 2)(torch.ones(1, 3, dtype=torch.float64))
    with pytest.raises(RuntimeError, match="int64"):
        nn.Linear(3, 2)(torch.ones(1, 3, dtype=torch.int64))
    with pytest.raises(RuntimeError, match=r"\.long\(\)"):
        nn.Embedding(3, 2)(torch.ones(2))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize(
    ("text", "shape"),
    [("Linear(4, 3)", (2, 4)), ("Conv2d(2, 3, 3)", (1, 2, 5, 5)), ("LayerNorm(4)", (2, 4)),
     ("BatchNorm1d(4)", (3, 4)), ("LSTM(4, 3)", (5, 2, 4)), ("MaxPool2d(2)", (1, 1, 4, 4))],
)  # fmt: skip
def test_layers_compute_in_their_dtype(kind, text, shape):
    layer = eval(f"nn.{text}").to(kind)
    x = torch.ones(shape, dtype=kind, requires_grad=True)
    y = layer(x)
    y = y[0] if isinstance(y, tuple) else y
    assert y.dtype is kind
    y.sum().backward()
    assert x.grad.dtype is kind
    assert all(p.grad.dtype is kind for p in layer.parameters())


# ---- shapes of convolutions


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("dilation", [1, 2])
def test_output_sizes(kernel, stride, padding, dilation):
    """⌊(L + 2p − d(k − 1) − 1)/s⌋ + 1, and its inverse with `output_size`."""
    length = 13
    x = torch.zeros(1, 2, length)
    y = nn.Conv1d(2, 3, kernel, stride, padding, dilation)(x)
    want = (length + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    assert y.shape == (1, 3, want)
    back = nn.ConvTranspose1d(3, 2, kernel, stride, padding, dilation=dilation)
    assert back(y, output_size=(length,)).shape == x.shape
    with pytest.raises(ValueError, match=r"requested an output size of \[99\], but valid sizes"):
        back(y, output_size=(99,))


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_padding_modes(mode):
    layer = nn.Conv1d(1, 1, 3, padding=1, padding_mode=mode, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[1.0, 10.0, 100.0]]]))
    ends = {"zeros": (0, 0), "reflect": (2, 2), "replicate": (1, 3), "circular": (3, 1)}
    a, b = ends[mode]
    want = [a + 10 * 1 + 100 * 2, 1 + 20 + 300, 2 + 30 + 100 * b]
    assert layer(torch.tensor([[[1.0, 2.0, 3.0]]])).tolist() == [[want]]


def test_channels_last_programs_run():
    layer = nn.Conv2d(1, 2, 3).to(memory_format=torch.channels_last)
    x = torch.ones(1, 1, 4, 4).to(memory_format=torch.channels_last)
    assert layer(x).shape == (1, 2, 2, 2)


# ---- layers that learn their shapes


def test_lazy_layers_learn_from_their_first_input():
    net = nn.Sequential(
        nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2)
    )
    net(torch.ones(2, 3, 6, 6))
    assert [type(m).__name__ for m in net] == ["Conv2d", "BatchNorm2d", "ReLU", "Flatten", "Linear"]
    assert net[0].in_channels == 3 and net[1].num_features == 4 and net[4].in_features == 64
    bound(net[4], "weight", 1 / 8)
    with pytest.raises(RuntimeError, match="in_features=64"):
        net[4](torch.ones(2, 65))


def test_lazy_layers_have_first_values_of_the_right_size():
    torch.manual_seed(0)
    layer = nn.LazyLinear(50)
    layer(torch.ones(1, 400))
    bound(layer, "weight", 1 / 20)
    bound(layer, "bias", 1 / 20)


# ---- embedding


def test_pretrained_vectors():
    table = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    frozen = nn.Embedding.from_pretrained(table)
    assert frozen(torch.tensor([1])).tolist() == [[3.0, 4.0]] and not frozen.weight.requires_grad
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad
    with pytest.raises(AssertionError, match="2-dimensional"):
        nn.Embedding.from_pretrained(torch.ones(3))


def test_the_padding_row_stays_zero():
    layer = nn.Embedding(4, 3, padding_idx=1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    for _ in range(3):
        optimizer.zero_grad()
        (layer(torch.tensor([0, 1, 1, 3])) - 5).pow(2).sum().backward()
        optimizer.step()
    assert layer.weight[1].tolist() == [0.0] * 3
