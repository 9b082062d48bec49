"""The mathematics of a model, computed as it is printed, is what model and gradient compute.

Nothing here looks at the library's graphs. The printed equations are read by a parser, evaluated
with NumPy, and compared with the model's own loss and with what backward() leaves behind.
"""

import numpy as np
import pytest

import chainrule as torch
from chainrule import explain, keras, nn
from chainrule.explain.observe import parameters_of
from chainrule.explain.reading import Sheet

RTOL = 1e-8


@pytest.fixture(autouse=True)
def _doubles():
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def computed(shown):
    """Every symbol's value, by reading what is printed, equal blocks by their index."""
    return Sheet(shown.values).run(shown.printed)


def assert_same(name, value, labels, want):
    got = np.broadcast_to(value.ordered(labels), want.shape)
    scale = np.abs(want).max()
    assert np.allclose(got, want, rtol=RTOL, atol=RTOL * scale + 1e-12), name


def assert_reads_as_it_computes(model, x, y, loss):
    shown = explain.math(model, x, y, loss)
    values = computed(shown)
    given = x if isinstance(x, tuple) else (x,)
    out = loss(model(*given), y)  # chance stands where it stood: masks are the same
    out.backward()
    assert_same("L", values["L"], (), out.detach().numpy())
    names = {g.name: g for g in shown.symbols}
    found = [(n, p) for n, p in model.named_parameters() if p.grad is not None]
    assert found
    for name, p in found:
        g = names[name]
        value = values[rf"\frac{{\partial L}}{{\partial {g.tex}}}"]
        assert_same(name, value, g.labels, p.grad.numpy())
    return shown


CE, MSE = nn.CrossEntropyLoss(), nn.MSELoss()


def classes(n):
    return torch.arange(n) % 2


class Recurrent(nn.Module):
    def __init__(self, kind, **options):
        super().__init__()
        self.recurrent = kind(3, 4, batch_first=True, **options)
        self.out = nn.Linear(8 if options.get("bidirectional") else 4, 2)

    def forward(self, x):
        return self.out(self.recurrent(x)[0][:, -1])


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.out = nn.Linear(4, 3)

    def forward(self, words):
        return self.out(self.embedding(words).mean(1))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1, bias=False))
            for _ in range(3)
        )
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(x.mean((2, 3)))


MODELS = {
    "a classifier": lambda: (
        nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2)),
        torch.randn(5, 3), classes(5), CE,
    ),
    "a regression": lambda: (
        nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(4, 1)),
        torch.randn(5, 3), torch.randn(5, 1), MSE,
    ),
    "activations": lambda: (
        nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 4), nn.SiLU(), nn.Linear(4, 4),
                      nn.ELU(), nn.LeakyReLU(0.1), nn.Softplus(), nn.RMSNorm(4)),
        torch.randn(5, 3), torch.randn(5, 4), nn.SmoothL1Loss(),
    ),
    "convolution, pooling, batch norm": lambda: (
        nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
                      nn.Conv2d(4, 3, 3, stride=2), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(),
                      nn.Linear(3, 2)),
        torch.randn(4, 1, 12, 12), classes(4), CE,
    ),
    "groups and dropout": lambda: (
        nn.Sequential(nn.Conv2d(2, 4, 3, padding=1, groups=2), nn.GroupNorm(2, 4), nn.ReLU(),
                      nn.MaxPool2d(3, 2, 1), nn.Flatten(), nn.Dropout(0.3), nn.Linear(36, 2)),
        torch.randn(4, 2, 6, 6), classes(4), CE,
    ),
    "there and back": lambda: (
        nn.Sequential(nn.Conv2d(1, 3, 3, 2, 1), nn.ReLU(), nn.ConvTranspose2d(3, 1, 4, 2, 1)),
        torch.randn(2, 1, 8, 8), torch.randn(2, 1, 8, 8), MSE,
    ),
    "a residual network": lambda: (Residual(), torch.randn(3, 1, 6, 6), classes(3), CE),
    "words": lambda: (Words(), torch.randint(0, 10, (4, 5)), classes(4), CE),
    "RNN": lambda: (Recurrent(nn.RNN), torch.randn(3, 5, 3), classes(3), CE),
    "LSTM": lambda: (Recurrent(nn.LSTM, num_layers=2), torch.randn(3, 5, 3), classes(3), CE),
    "LSTM both ways": lambda: (
        Recurrent(nn.LSTM, bidirectional=True), torch.randn(3, 4, 3), classes(3), CE,
    ),
    "GRU": lambda: (Recurrent(nn.GRU), torch.randn(3, 5, 3), classes(3), CE),
    "a Transformer block with dropout": lambda: (
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.1),
        torch.randn(3, 5, 8), torch.randn(3, 5, 8), MSE,
    ),
    "a Transformer": lambda: (
        nn.Transformer(8, 2, 1, 1, 16, batch_first=True, dropout=0.0),
        (torch.randn(2, 5, 8), torch.randn(2, 4, 8)), torch.randn(2, 4, 8), MSE,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_what_is_printed_gives_the_loss_and_every_gradient(name):
    assert_reads_as_it_computes(*MODELS[name]())


L = keras.layers


def _attention():
    inputs = L.Input((6, 8))
    h = L.LayerNormalization()(inputs + L.MultiHeadAttention(2, 4)(inputs, inputs))
    f = L.Dense(8)(L.Dense(16, activation="relu")(h))
    return keras.Model(inputs, L.LayerNormalization()(h + f))


def _residual():
    inputs = x = L.Input((8, 8, 4))
    for _ in range(2):
        y = L.Conv2D(4, 3, padding="same", use_bias=False)(x)
        x = L.add([x, L.Activation("relu")(L.BatchNormalization()(y))])
    return keras.Model(inputs, L.Dense(2)(L.GlobalMaxPooling2D()(x)))


KERAS = {
    "a classifier": (
        lambda: keras.Sequential(
            [L.Input((5,)), L.Dense(7, activation="relu"), L.Dense(3, activation="softmax")]
        ),
        (4, 5), "sparse_categorical_crossentropy", np.array([0, 1, 2, 1]),
    ),
    "a regression": (
        lambda: keras.Sequential([L.Input((5,)), L.Dense(7, activation="tanh"), L.Dense(1)]),
        (4, 5), "mse", (4, 1),
    ),
    "images": (
        lambda: keras.Sequential(
            [L.Input((8, 8, 2)), L.Conv2D(4, 3, padding="same"), L.BatchNormalization(),
             L.Activation("relu"), L.MaxPooling2D(), L.DepthwiseConv2D(3), L.Flatten(),
             L.Dropout(0.3), L.Dense(3, activation="softmax")]
        ),
        (3, 8, 8, 2), "sparse_categorical_crossentropy", np.array([0, 2, 1]),
    ),
    "a residual network": (_residual, (2, 8, 8, 4), "mse", (2, 2)),
    "LSTM": (
        lambda: keras.Sequential(
            [L.Input((6, 3)), L.LSTM(4, return_sequences=True), L.LSTM(3), L.Dense(2)]
        ),
        (4, 6, 3), "mse", (4, 2),
    ),
    "RNN": (
        lambda: keras.Sequential(
            [L.Input((5, 3)), L.Bidirectional(L.SimpleRNN(4)), L.Dense(2)]
        ),
        (4, 5, 3), "mae", (4, 2),
    ),
    "words": (
        lambda: keras.Sequential(
            [L.Input((6,), dtype="int64"), L.Embedding(9, 4), L.GlobalAveragePooling1D(),
             L.Dense(2)]
        ),
        np.arange(24).reshape(4, 6) % 9, "mse", (4, 2),
    ),
    "a Transformer block": (_attention, (3, 6, 8), "mse", (3, 6, 8)),
}  # fmt: skip


@pytest.mark.parametrize("name", KERAS)
def test_a_keras_model_reads_as_it_computes(name):
    build, x, loss, y = KERAS[name]
    numbers = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    before = keras.backend.floatx()
    keras.backend.set_floatx("float64")
    try:
        model = build()
        model.compile("adam", loss)
        x = numbers.standard_normal(x) if isinstance(x, tuple) else x
        y = numbers.standard_normal(y) if isinstance(y, tuple) else y
        shown = explain.math(model, x, y)
        values = computed(shown)
        weights = list(model.trainable_weights)
        for w in weights:
            w.requires_grad_(True)
        inputs, target = torch.as_tensor(x), torch.as_tensor(y)
        out = model.compute_loss(x=inputs, y=target, y_pred=model(inputs, training=True))
        found = torch.autograd.grad(out, weights)
        assert_same("L", values["L"], (), out.detach().numpy())
        names = {g.name: g for g in shown.symbols}
        for (path, _), want in zip(parameters_of(model, trainable=True), found, strict=True):
            g = names[path]
            value = values[rf"\frac{{\partial L}}{{\partial {g.tex}}}"]
            assert_same(path, value, g.labels, want.numpy())
        assert shown.rule is not None and shown.rule.name == "Adam"
    finally:
        keras.backend.set_floatx(before)


def test_a_wrong_sign_in_what_is_printed_is_noticed():
    model, x, y, loss = MODELS["a classifier"]()
    shown = explain.math(model, x, y, loss)
    lines = [line._replace(right=line.right.replace("(1 - ", "(1 + ")) for line in shown.printed]
    assert lines != shown.printed
    wrong = Sheet(shown.values).run(lines)
    right = computed(shown)
    name = r"\frac{\partial L}{\partial W^{(1)}}"
    assert not np.allclose(wrong[name].array, right[name].array)


def test_values_of_the_forward_pass_are_the_layers_outputs():
    model, x, y, loss = MODELS["convolution, pooling, batch norm"]()
    values = computed(explain.math(model, x, y, loss))
    outs = {}
    h = x
    for k, layer in enumerate(model):
        h = outs[k] = layer(h)
    for name, k in (("z^{(1)}", 0), ("u^{(2)}", 1), ("s^{(2)}", 3), ("z^{(4)}", 8)):
        labels = ("n", 0, "p", "q") if outs[k].ndim == 4 else ("n", 0)
        assert_same(name, values[name], labels, outs[k].detach().numpy())


def test_nothing_of_the_model_changes():
    model, x, y, loss = MODELS["convolution, pooling, batch norm"]()
    state = {k: v.clone() for k, v in model.state_dict().items()}
    chance = torch.get_rng_state()
    explain.math(model, x, y, loss)
    assert all((state[k] == v).all() for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert (chance == torch.get_rng_state()).all()


def test_a_loss_of_the_users_own_takes_targets_first_in_keras():
    def mine(y_true, y_pred):
        return torch.mean(torch.square(y_true) * y_pred)

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    x, y = np.ones((4, 3), "float32"), np.full((4, 1), 2.0, "float32")
    given = explain.math(model, x, y, mine)
    model.compile("sgd", mine)
    for shown in (given, explain.math(model, x, y)):
        assert computed(shown)["L"].array.item() == pytest.approx(model.evaluate(x, y, verbose=0))
