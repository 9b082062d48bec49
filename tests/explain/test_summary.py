"""`explain.summary` says what a hand counts, and leaves the model as it was."""

import math

import numpy as np
import pytest

import chainrule as torch
from chainrule import explain, keras, nn
from chainrule.explain.costs import Summary
from chainrule.vision import models

LAYERS = keras.layers


def counted(model, *size, **more) -> Summary:
    return explain.summary(model, size, time=False, **more)


def mlp():
    return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


# ---------------------------------------------------------------------- counts by hand


def test_a_multilayer_perceptron():
    found = counted(mlp(), 64, 784)
    first, second = 784 * 128, 128 * 10
    assert found.macs == 64 * (first + second)
    assert found.flops == 2 * found.macs + 64 * (128 + 10) + 64 * 128  # biases, ReLU
    assert found.total_params == first + 128 + second + 10
    # Backward: both weights' gradients, and the input's of the second layer; sums for the biases;
    # a comparison for the ReLU.
    assert found.train_macs == found.macs + 64 * (first + 2 * second)
    backward = 2 * 64 * (first + 2 * second) + 64 * (128 + 10) + 64 * 128
    assert found.train_flops == found.flops + backward
    # What the ReLU's rule and the second layer's weights read: one array. The input is data.
    assert found.kept == 64 * 128 * 4
    x, w, h = 64 * 784 * 4, (784 * 128 + 128) * 4, 64 * 128 * 4
    assert found["0"].bytes == x + w + h
    assert found["1"].bytes == 2 * h


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 10),
    )  # fmt: skip


def test_a_convolutional_network():
    found = counted(lenet(), 2, 1, 28, 28)
    first, second = 28 * 28 * 6 * 25, 10 * 10 * 16 * 6 * 25
    dense = 400 * 120, 120 * 10
    assert found.macs == 2 * (first + second + sum(dense))
    biases = 28 * 28 * 6 + 10 * 10 * 16 + 120 + 10
    relus = 28 * 28 * 6 + 10 * 10 * 16 + 120
    pools = 28 * 28 * 6 + 10 * 10 * 16  # every element is looked at once
    assert found.flops == 2 * found.macs + 2 * (biases + relus + pools)
    assert found["3"].macs == 2 * second and found["3"].shapes == [(2, 16, 10, 10)]
    # The first layer's input needs no gradient.
    assert found.train_macs == 2 * (2 * first + 3 * second + 3 * sum(dense))


def test_an_lstm():
    t, b, n, m = 7, 3, 5, 6
    found = counted(nn.LSTM(n, m), t, b, n)
    assert found.macs == t * b * 4 * m * (n + m)
    # W x + b + W h + b'. σ is −x, exp, + 1, 1/: four; three σ, two tanh, f c, i g and their sum,
    # o tanh c.
    gates = 4 * m * 3 + m * (3 * 4 + 2 + 3 + 1)
    assert found.flops == 2 * found.macs + t * b * gates


def test_a_transformer_encoder_layer():
    b, t, c, f, h = 2, 16, 64, 128, 4
    found = counted(nn.TransformerEncoderLayer(c, h, f, batch_first=True), b, t, c)
    tokens = b * t
    macs = tokens * (3 * c * c + c * c + 2 * c * f) + 2 * b * t * t * c
    assert found.macs == macs
    biases = tokens * (3 * c + c + f + c)
    scores = b * h * t * t
    attention = tokens * c + 5 * scores  # q / √d; max, −, exp, Σ, /
    norms = 2 * (6 * tokens * c + 5 * tokens)  # Σ, −, ², Σ, ·; /n twice, + ε, √, 1/; weight
    norms += 2 * tokens * c  # bias
    rest = 2 * tokens * c + tokens * f  # residuals, ReLU
    assert found.flops == 2 * macs + biases + attention + norms + rest
    assert found["self_attn"].macs == tokens * 4 * c * c + 2 * b * t * t * c


def test_batch_norm_and_residuals_count_elementwise():
    model = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4))
    found = counted(model, 2, 3, 8, 8)
    n = 2 * 4 * 6 * 6
    # (x − μ) / √(σ² + ε) · γ + β; + ε, √ and 1/ for every channel only
    assert found["1"].flops == 4 * n + 3 * 4
    assert found["1"].params == 8 and found["1"].macs == 0


# ---------------------------------------------------------------------- layers and their tree


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.twice, self.unused = nn.Linear(4, 4), nn.Linear(9, 9)

    def forward(self, x):
        return self.twice(torch.relu(self.twice(x))) + 1


def test_a_layer_that_is_called_twice_counts_twice_with_one_set_of_parameters():
    found = counted(Shared(), 5, 4)
    assert found["twice"].calls == 2 and found["twice"].macs == 2 * 5 * 16
    assert found["twice"].params == 20 and found.total_params == 20 + 90
    assert found["unused"].calls == 0 and found["unused"].flops == 0
    # relu and + 1 are the model's own
    assert found.flops - found["twice"].flops == 2 * 5 * 4
    assert [r.path for r in found.rows] == ["", "twice", "unused"]


def test_a_container_is_the_sum_of_what_is_inside():
    found = counted(models.resnet18(num_classes=10), 1, 3, 64, 64)
    block = found["layer1.0"]
    inside = [r for r in block.walk() if r.is_leaf]
    assert block.macs == sum(r.macs for r in inside)
    assert block.params == sum(r.params for r in inside)
    assert block.kept == sum(r.kept for r in inside)
    assert block.flops == sum(r.flops for r in inside) + math.prod(block.shapes[0])  # the residual
    assert block.depth == 2 and found["layer1.0.conv1"].parent is block


def test_frozen_parameters_are_not_trainable_and_have_no_gradient():
    model = mlp()
    model[0].requires_grad_(False)
    found = counted(model, 64, 784)
    assert found.trainable_params == 1290 and found["0"].trainable == 0
    assert found.train_macs == found.macs + 64 * 1280  # only the second weight's gradient
    assert found.kept == 64 * 128 * 4


def test_several_inputs_and_inputs_by_name():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 2), nn.Linear(5, 2)

        def forward(self, x, *, y):
            return {"sum": self.a(x) + self.b(y)}

    found = explain.summary(Two(), {"x": torch.zeros(4, 3), "y": torch.zeros(4, 5)}, time=False)
    assert found.macs == 4 * 2 * 8 and found.input_shapes == [(4, 3), (4, 5)]
    pair = explain.summary(nn.Bilinear(3, 5, 2), input_size=[(4, 3), (4, 5)], time=False)
    assert pair.macs > 0 and pair.total_params == 32


def test_indices_come_with_their_dtype():
    found = explain.summary(
        nn.Embedding(1000, 8), input_size=(4, 6), dtypes=[torch.int64], time=False
    )
    assert found.flops == 0 and found.root.shapes == [(4, 6, 8)]
    # the indices, as many rows of the table, and the result: not the whole table
    assert found.bytes == 4 * 6 * (8 + 2 * 8 * 4)


def test_without_an_input_only_parameters_are_known():
    found = explain.summary(mlp())
    assert (found.total_params, found.flops, found.seen) == (101770, 0, False)
    assert "input_size" in str(found)


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match="give the model itself"):
        explain.summary(torch.relu, (1, 2))
    with pytest.raises(ValueError, match="twice"):
        explain.summary(mlp(), (64, 784), input_size=(64, 784))
    with pytest.raises(RuntimeError) as caught:
        counted(mlp(), 64, 783)
    assert "input_size with the batch axis" in "".join(caught.value.__notes__)


# ---------------------------------------------------------------------- the model stays as it was


def test_nothing_of_the_model_changes():
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.LazyLinear(3), nn.ReLU()
    )
    model[1].eval()
    torch.rand(5)
    state = {k: v.numpy().copy() for k, v in model[:2].state_dict().items()}
    modes = [m.training for m in model.modules()]
    numbers = torch.get_rng_state().numpy().copy()
    explain.summary(model, (8, 6))
    assert [m.training for m in model.modules()] == modes
    assert all((v.numpy() == state[k]).all() for k, v in model[:2].state_dict().items())
    assert model[1].num_batches_tracked.item() == 0
    assert (torch.get_rng_state().numpy() == numbers).all()
    assert all(p.grad is None for p in model[0].parameters())
    assert isinstance(model[3], nn.LazyLinear)
    assert model(torch.ones(8, 6)).shape == (8, 3)


def test_nothing_of_a_keras_model_changes():
    model = keras.Sequential(
        [keras.Input((6,)), LAYERS.Dense(4), LAYERS.BatchNormalization(), LAYERS.Dropout(0.5)]
    )
    before = [w.copy() for w in model.get_weights()]
    seed = [np.array(v) for v in model.non_trainable_variables]
    explain.summary(model, (8, 6))
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    for a, v in zip(seed, model.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(a, np.array(v))


# ---------------------------------------------------------------------- Keras


def test_a_keras_model_that_knows_its_inputs():
    model = keras.Sequential(
        [keras.Input((28, 28, 1)), LAYERS.Conv2D(8, 3, activation="relu"), LAYERS.Flatten(),
         LAYERS.Dense(10, activation="softmax", name="out")]
    )  # fmt: skip
    found = explain.summary(model, time=False)
    assert found.macs == 26 * 26 * 8 * 9 + 26 * 26 * 8 * 10
    assert found.total_params == model.count_params()
    assert found["out"].flops == 2 * 26 * 26 * 8 * 10 + 10 + 5 * 10


def test_a_functional_model_with_named_inputs_and_a_shared_layer():
    a, b = keras.Input((16,), name="a"), keras.Input((16,), name="b")
    dense = LAYERS.Dense(6, name="shared")
    model = keras.Model({"a": a, "b": b}, LAYERS.Add()([dense(a), dense(b)]))
    given = {k: np.zeros((5, 16), np.float32) for k in "ab"}
    found = explain.summary(model, given, time=False)
    assert found["shared"].calls == 2 and found["shared"].macs == 2 * 5 * 16 * 6
    assert found.total_params == 16 * 6 + 6
    assert explain.summary(model, time=False).macs == 2 * 16 * 6


def test_a_subclassed_keras_model_that_is_not_built():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense, self.norm = LAYERS.Dense(3), LAYERS.BatchNormalization()

        def call(self, x, training=False):
            return self.norm(keras.ops.relu(self.dense(x)), training=training)

    model = Model()
    found = explain.summary(model, (2, 4), time=False)
    assert found.macs == 2 * 4 * 3 and found.total_params == 15 + 12
    assert found.trainable_params == 15 + 6
    assert not model.built


# ---------------------------------------------------------------------- measured


def test_times_shares_and_memory_are_measured():
    found = explain.summary(mlp(), (64, 784))
    assert found.time > 0 < found.train_time
    assert all(found[p].time > 0 < found[p].train_time for p in ("", "0", "1", "2"))
    assert math.isclose(found[""].time, sum(found[p].time for p in "012"))
    share = found["0"].flops / found["0"].time / found.peak.flops
    assert found["0"].compute_share == share
    assert found["0"].bound in ("compute", "memory", "overhead")
    x, parameters = 64 * 784 * 4, 101770 * 4
    assert found.peak_memory >= x + 2 * parameters + 64 * 10 * 4 + found.kept


def test_memory_is_planned_where_nothing_is_measured():
    slow, quick = explain.summary(mlp(), (64, 784)), counted(mlp(), 64, 784)
    assert quick.time is None and quick["0"].compute_share is None
    assert quick.peak_memory == slow.peak_memory
    assert counted(mlp(), 64, 784, train=False).peak_memory is None


def test_a_long_reduction_waits_for_memory_and_a_large_product_for_arithmetic():
    assert counted(nn.Linear(1024, 1024), 512, 1024).root.bound == "compute"
    assert counted(nn.ReLU(), 1 << 20).root.bound == "memory"
    assert counted(nn.Flatten(), 4, 5, 6).root.bound == ""


def test_layers_that_come_between_parts_of_others_run_one_after_another():
    class Inside(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            y = torch.tanh(x) * 2
            y = self.a(y) + y
            return (self.b(torch.exp(y)) * y).sum()

    found = explain.summary(Inside(), (3, 4))
    assert found[""].time > found["a"].time + found["b"].time


# ---------------------------------------------------------------------- as text


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_its_width_in_both_languages(lang, width):
    from rich.cells import cell_len

    found = explain.summary(lenet(), (2, 1, 28, 28), lang=lang)
    lines = found.text(width).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert ("Parameters" in found.text(width)) == (lang == "en")
    page = found.html()
    assert page.count("<tr") > 11 and "http" not in page and page.startswith("<!doctype html>")


def test_the_table_says_shapes_and_counts():
    text = counted(lenet(), 2, 1, 28, 28).text(120)
    assert "├ 3 (Conv2d)" in text and "(2, 16, 10, 10)" in text and "61,326" not in text
    assert "Forward pass" in text and "multiply-adds" in text


def test_depth_folds_what_is_deeper():
    found = counted(models.resnet18(num_classes=10), 1, 3, 64, 64, depth=1)
    shown = [r.path for r in found.shown()]
    assert "layer1" in shown and "layer1.0" not in shown and "layer1.0" in {
        r.path for r in found.rows
    }  # fmt: skip


def test_a_page_is_written_whole(tmp_path):
    file = counted(mlp(), 64, 784).save(tmp_path / "summary.html", lang="zh")
    text = file.read_text(encoding="utf-8")
    assert '<html lang="zh-CN">' in text and "参数" in text


def test_keras_own_summary_shows_costs_where_they_are_asked_for(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    model = keras.Sequential([keras.Input((8,)), LAYERS.Dense(4, name="first"), LAYERS.Dense(2)])
    model.summary(line_length=90)
    plain = capsys.readouterr().out
    assert "FLOPs" not in plain and "Forward" not in plain
    model.summary(line_length=90, costs=np.zeros((16, 8), np.float32))
    told = capsys.readouterr().out
    assert "FLOPs" in told and "Kept" in told and "Forward pass:" in told and "Moved" not in told
    first = next(line for line in told.splitlines() if "first" in line)
    assert "1.09 k" in first  # 2 · 16 · 8 · 4 + 16 · 4
    assert " Total params: 46 (184.00 B)" in told
    wide: list[str] = []
    model.summary(costs=True, print_fn=wide.append, show_trainable=True, line_length=140)
    assert all(name in wide[0] for name in ("Train", "Moved", "Peak"))
    with pytest.raises(ValueError, match="Insufficient"):
        model.summary(costs=True, line_length=38)


class Exponential(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * y


def test_gradients_that_the_user_wrote_are_counted_as_they_are_written():
    class Custom(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 4), nn.Linear(4, 2)

        def forward(self, x):
            return self.b(Exponential.apply(self.a(x)))

    found = counted(Custom(), 5, 3)
    assert found.train_macs == found.macs + 5 * (12 + 2 * 8)
    # biases twice, exp, and the user's product
    assert found.train_flops == 2 * found.train_macs + 2 * 5 * (4 + 2) + 5 * 4 + 5 * 4


def test_what_is_computed_again_is_counted_again():
    from chainrule.utils.checkpoint import checkpoint

    class Forgetful(nn.Module):
        def __init__(self, forget):
            super().__init__()
            self.first = nn.Linear(3, 3)
            self.inner = nn.Sequential(nn.Linear(3, 64), nn.Tanh(), nn.Linear(64, 3))
            self.forget = forget

        def forward(self, x):
            x = self.first(x)
            return checkpoint(self.inner, x, use_reentrant=False) if self.forget else self.inner(x)

    plain, less = counted(Forgetful(False), 5, 3), counted(Forgetful(True), 5, 3)
    assert less.macs == plain.macs and less.kept < plain.kept
    assert less.train_macs >= plain.train_macs + 5 * 3 * 64
