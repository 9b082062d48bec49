"""What `check` says: right gradients pass, wrong ones are found with their layer and rule."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

import chainrule as torch
from chainrule import compiler, keras, nn, ops
from chainrule.explain import reasons
from chainrule.explain.checking.check import check
from chainrule.explain.pages.words import CHINESE
from chainrule.ir.op import registry
from chainrule.runtime import random as streams
from chainrule.tensor.record import apply

CE = nn.CrossEntropyLoss
ROOM = Path(reasons.__file__).parent


def classes(n: int, k: int) -> torch.Tensor:
    return torch.arange(n) % k


class Convolutional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, stride=2)
        self.drop = nn.Dropout(0.3)
        self.fc = nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.max_pool2d(torch.relu(self.norm(self.conv1(x))), 2)
        return self.fc(self.drop(torch.relu(self.conv2(x)).flatten(1)))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(11, 4)
        self.lstm = nn.LSTM(4, 5, batch_first=True)
        self.fc = nn.Linear(5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.lstm(self.words(x))[0][:, -1])


class Attentive(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu")
        self.fc = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.layer(x).mean(1))


def sound() -> list:
    torch.manual_seed(0)
    y = classes(6, 3)
    return [
        ("mlp", nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)), torch.randn(6, 4), y),
        ("cnn", Convolutional(), torch.randn(6, 1, 10, 10), y),
        ("lstm", Recurrent(), torch.randint(0, 11, (6, 5)), classes(6, 2)),
        ("transformer", Attentive(), torch.randn(6, 4, 8), y),
    ]


@pytest.mark.parametrize("index", range(4), ids=["mlp", "cnn", "lstm", "transformer"])
def test_sound_models_are_right(index: int) -> None:
    _, model, x, y = sound()[index]
    found = check(model, (x, y), loss=CE())
    assert found.ok, str(found)
    assert {r.name for r in found.rows} >= {n for n, _ in model.named_parameters()}
    assert all(r.status in ("ok", "kink") for r in found.rows), str(found)
    assert all(r.error < 1e-5 for r in found.rows)


@pytest.mark.parametrize("index", [0, 3], ids=["mlp", "transformer"])
def test_second_derivatives_are_those_of_the_gradient(index: int) -> None:
    _, model, x, y = sound()[index]
    found = check(model, (x, y), loss=CE(), order=2, backends=False)
    assert found.ok, str(found)
    assert any(r.second is not None for r in found.rows)


def test_keras_models_are_checked_with_their_compiled_loss() -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.2),
            keras.layers.Flatten(),
            keras.layers.Dense(3, kernel_regularizer="l2", activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((5, 8, 8, 1)).astype("float32"), np.array([0, 1, 2, 0, 1])
    before = [w.copy() for w in model.get_weights()]
    found = check(model, (x, y))
    assert found.ok, str(found)
    assert any("kernel" in r.name for r in found.rows)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_nothing_of_the_users_changes() -> None:
    torch.manual_seed(3)
    model = Convolutional()
    x, y = torch.randn(6, 1, 10, 10), classes(6, 3)
    CE()(model(x), y).backward()
    weights = {n: t.numpy().copy() for n, t in model.state_dict().items()}
    grads = {n: p.grad.numpy().copy() for n, p in model.named_parameters()}
    state, x_before = streams.get_state(), x.numpy().copy()
    check(model, (x, y), loss=CE(), backends=False)
    assert streams.get_state() == state
    assert model.training and not x.requires_grad
    np.testing.assert_array_equal(x.numpy(), x_before)
    for n, t in model.state_dict().items():
        np.testing.assert_array_equal(t.numpy(), weights[n], err_msg=n)
    for n, p in model.named_parameters():
        np.testing.assert_array_equal(p.grad.numpy(), grads[n], err_msg=n)


# ---------------------------------------------------------------- planted faults


class WrongExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        return 1.1 * grad * y


class Uses(nn.Module):
    """A linear layer, a function, and another linear layer."""

    def __init__(self, function) -> None:
        super().__init__()
        self.inner = Inner(function)
        self.out = nn.Linear(4, 2)

    def forward(self, x):
        return self.out(self.inner(x))


class Inner(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 4)
        self.function = function

    def forward(self, x):
        return self.function(self.fc(x))


def wrong_in(function) -> object:
    torch.manual_seed(0)
    found = check(Uses(function), (torch.randn(5, 3), classes(5, 2)), loss=CE(), backends=False)
    assert not found.ok
    wrong = {r.name for r in found.rows if r.status == "wrong"}
    assert {"inner.fc.weight", "input"} <= wrong
    assert not wrong & {"out.weight", "out.bias"}
    (rule,) = found.wrong_rules
    assert rule.path == "inner" and rule.kind == "Inner"
    with pytest.raises(RuntimeError, match="is wrong"):
        found.raise_if_wrong()
    assert rule.op in str(found) and rule.op in found._repr_html_()
    return rule


def test_a_wrong_backward_is_found_with_its_layer_and_line() -> None:
    rule = wrong_in(WrongExp.apply)
    assert rule.op == "WrongExp"
    line = WrongExp.backward.__code__.co_firstlineno + 1  # below its decorator
    assert rule.place.endswith(f"test_check.py:{line}")
    assert 1e-3 < rule.error < 0.2


def test_a_wrong_function_of_numpy_is_found() -> None:
    class Outside(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            array = np.sinh(x.detach().numpy())
            ctx.array = np.cosh(x.detach().numpy())
            return torch.from_numpy(array)

        @staticmethod
        def backward(ctx, grad):
            return torch.from_numpy(grad.numpy() * ctx.array * FACTOR[0])

    FACTOR = [0.5]
    assert wrong_in(Outside.apply).op == "Outside"
    FACTOR[0] = 1.0
    torch.manual_seed(0)
    data = torch.randn(5, 3), classes(5, 2)
    found = check(Uses(Outside.apply), data, loss=CE(), backends=False)
    assert found.ok, str(found)
    assert [r.op for r in found.rules] == ["Outside"]


def test_a_wrong_rule_of_a_custom_op_is_found() -> None:
    @torch.library.custom_op("mine::sixth_power", mutates_args=())
    def sixth(x: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(x.numpy() ** 6)

    def backward(ctx, grad):
        return 5 * ctx.saved_tensors[0] ** 5 * grad

    sixth.register_autograd(
        backward, setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs)
    )
    rule = wrong_in(sixth)
    assert rule.op == "sixth_power"
    assert rule.place.endswith(f":{backward.__code__.co_firstlineno}")


def test_a_wrong_custom_gradient_is_found() -> None:
    @torch.custom_gradient
    def cube(x):
        def grad(upstream):
            return upstream * 2 * x * x

        return x * x * x, grad

    rule = wrong_in(cube)
    assert rule.op == "cube" and "test_check.py" in rule.place


def test_a_wrong_rule_of_a_registered_op_is_found() -> None:
    @ops.core.op(tex="{0}^{{2}}", elementwise=True)
    def odd_square(x):
        """x²"""
        return x * x

    @odd_square.vjp
    def _(g, y, x):
        return g * x  # the 2 is missing

    try:
        rule = wrong_in(lambda x: apply(odd_square, x))
    finally:
        del registry["odd_square"]  # other tests go through all ops
    assert rule.op == "odd_square" and "test_check.py" in rule.place


def test_a_wrong_rule_of_the_librarys_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = registry["erf"].gradient
    monkeypatch.setattr(registry["erf"], "gradient", lambda g, y, x: right(g, y, x) * 1.5)
    rule = wrong_in(torch.erf)
    assert rule.op == "erf"


def test_only_second_derivatives_may_be_wrong() -> None:
    class Once(torch.autograd.Function):  # a right gradient that is not differentiable again
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return grad * 3 * x.detach() ** 2

    torch.manual_seed(0)
    model, data = Uses(Once.apply), (torch.randn(5, 3), classes(5, 2))
    assert check(model, data, loss=CE(), backends=False).ok
    found = check(model, data, loss=CE(), order=2, backends=False)
    assert {r.name: r.status for r in found.rows}["inner.fc.weight"] == "wrong"


# ---------------------------------------------------------------- what is no fault


def test_kinks_are_no_errors() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    with torch.no_grad():
        model[0].bias.zero_()
    x = torch.randn(5, 4)
    x[0] = 0.0  # z = 0 in every unit
    found = check(model, (x, classes(5, 2)), loss=CE(), backends=False)
    assert found.ok, str(found)
    assert {r.name: r.status for r in found.rows}["0.bias"] == "kink"
    assert any("kink" in line for line in found.lines)


def test_what_gets_no_gradient_is_named() -> None:
    class Partial(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused, self.cut, self.frozen = (nn.Linear(3, 3) for _ in range(4))
            for p in self.frozen.parameters():
                p.requires_grad_(False)

        def forward(self, x):
            return self.used(self.frozen(self.cut(x).detach()))

    found = check(Partial(), (torch.randn(4, 3), classes(4, 3)), loss=CE(), backends=False)
    status = {r.name: r.status for r in found.rows}
    assert found.ok
    assert status["unused.weight"] == "unused" and status["cut.weight"] == "detached"
    assert status["frozen.weight"] == "frozen" and status["used.weight"] == "ok"
    (where,) = {r.where for r in found.rows if r.name == "cut.weight"}
    assert "detach" in where and "test_check.py" in where


def test_detached_values_are_constants() -> None:
    class Through(nn.Module):  # straight-through rounding
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 3)

        def forward(self, x):
            y = self.fc(x)
            return y + (y.round() - y).detach()

    found = check(Through(), (torch.randn(4, 3), classes(4, 3)), loss=CE(), backends=False)
    assert found.ok, str(found)


def test_without_a_loss_the_outputs_are_projected() -> None:
    found = check(nn.GRU(3, 4), torch.randn(5, 2, 3))
    assert found.ok, str(found)
    assert any("projection" in line for line in found.lines)


def test_a_look_in_the_middle_is_seen_through() -> None:
    class Looks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(3, 4), nn.Linear(4, 2)

        def forward(self, x):
            h = torch.tanh(self.a(x))
            return self.b(h if h.sum().item() < 1e9 else -h)

    found = check(Looks(), (torch.randn(5, 3), classes(5, 2)), loss=CE())
    assert found.ok, str(found)
    assert all(r.status == "ok" for r in found.rows)


def test_what_is_said_exists_in_chinese() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    found = check(model, (torch.zeros(4, 3), classes(4, 2)), loss=CE(), lang="zh")
    assert "梯度" in str(found)


def test_every_sentence_has_a_chinese_form() -> None:
    for file in (ROOM.parent / "checking" / "check.py", *ROOM.glob("*.py")):
        for text in sentences(ast.parse(file.read_text(encoding="utf-8"))):
            assert text in CHINESE, text


def sentences(tree: ast.AST) -> set[str]:
    """The texts that a file gives to `say`, `add` and `look`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            at = {"say": (0,), "look": (0,), "add": (2, 3)}.get(name, ())
            if name != "add" or len(node.args) >= 4:
                found |= {t for i in at if i < len(node.args) for t in constants(node.args[i])}
    return found


def constants(node: ast.AST) -> list[str]:
    """What an expression of constants, sums and choices may be."""
    if isinstance(node, ast.Constant):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return constants(node.body) + constants(node.orelse)
    if isinstance(node, ast.BinOp):
        return [a + b for a in constants(node.left) for b in constants(node.right)]
    return []


def test_a_wrong_compiler_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    data = torch.randn(4, 3), classes(4, 2)
    native = compiler.native

    def wrong(outputs):
        run = native(outputs)

        def changed(arrays, donated):
            values = run(arrays, donated)
            return [*values[:-1], values[-1] * np.float32(1.001)]

        return changed

    monkeypatch.setattr(compiler, "native", wrong)
    found = check(model, data, loss=CE())
    assert not found.ok and [b.name for b in found.backends if not b.ok] == ["∂/∂ input"]
    assert any("compiled backend" in line for line in found.lines)
    assert all(r.status == "ok" for r in found.rows)


def test_lower_precision_is_no_error() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).bfloat16()
    found = check(model, (torch.randn(4, 3).bfloat16(), classes(4, 2)), loss=CE())
    assert found.ok, str(found)
    assert all(r.error < 1e-5 for r in found.rows)


def test_a_wrong_gradient_in_a_keras_layer_is_found() -> None:
    @keras.ops.custom_gradient
    def halved(x):
        def grad(*args, upstream=None):
            return (args[0] if upstream is None else upstream) * 0.4

        return x * 0.5, grad

    class Halved(keras.layers.Layer):
        def call(self, x):
            return halved(x)

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(4, name="before"), Halved(name="half"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile("sgd", "mse")
    rng = np.random.default_rng(0)
    found = check(model, (rng.standard_normal((6, 3)), rng.standard_normal((6, 1))))
    (rule,) = found.wrong_rules
    assert rule.path == "half" and rule.op == "halved", str(found)
    assert "test_check.py" in rule.place
    assert {r.name for r in found.rows if r.status == "wrong"} >= {"before/kernel", "input"}
