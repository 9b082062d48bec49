"""explain.backprop: its numbers are NumPy's, its checks find what is wrong and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import chainrule as torch
from chainrule import explain, keras
from chainrule.errors import DtypeError, GradientError, ShapeError
from chainrule.ir.op import Op, registry
from chainrule.nn import functional
from chainrule.ops import add, mul
from chainrule.tensor.record import apply

nn = torch.nn


def _statuses(found: explain.Backprop) -> set[str]:
    return {b.status for b in found.backward}


def _largest_error(found: explain.Backprop) -> float:
    local = [t.check.error for b in found.backward for t in b.terms]
    return max([*local, *(b.check.error for b in found.backward)])


class Small(nn.Module):
    """2-2-1, tanh."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(2, 2)
        self.fc2 = nn.Linear(2, 1)

    def forward(self, x: Any) -> Any:
        return self.fc2(torch.tanh(self.fc1(x)))


def test_every_line_of_a_small_network_is_what_numpy_computes_by_hand() -> None:
    torch.manual_seed(0)
    model = Small().double()
    x = np.array([[0.0, 1.0], [1.0, 0.5]])
    y = np.array([[1.0], [0.0]])
    w1, b1, w2, b2 = (p.detach().numpy() for p in model.parameters())
    z1 = x @ w1.T + b1
    a = np.tanh(z1)
    z2 = a @ w2.T + b2
    u = (z2 - y) ** 2
    dz2 = (z2 - y) * 2 / 2
    da = dz2 @ w2
    dz1 = da * (1 - a**2)

    found = explain.backprop(model, torch.from_numpy(x), torch.from_numpy(y), loss=nn.MSELoss())
    forward = {f.name: f.value for f in found.forward}
    for name, value in {"z_{1}": z1, "a": a, "z_{2}": z2, "u": u, "L": u.mean()}.items():
        np.testing.assert_allclose(forward[name], value, rtol=1e-12)
    backward = {b.name: b.value for b in found.backward}
    for name, value in {"L": 1.0, "u": np.full((2, 1), 0.5), "z_{2}": dz2, "a": da}.items():
        np.testing.assert_allclose(backward[name], value, rtol=1e-12)
    np.testing.assert_allclose(backward["z_{1}"], dz1, rtol=1e-12)
    expected = {
        "fc1.weight": dz1.T @ x,
        "fc1.bias": dz1.sum(0),
        "fc2.weight": dz2.T @ a,
        "fc2.bias": dz2.sum(0),
    }
    assert found.gradients.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found.gradients[name], value, rtol=1e-12)
    assert found.ok
    assert _statuses(found) == {"agrees"}
    assert _largest_error(found) < 1e-8
    assert found.notes == []


def test_a_line_is_the_chain_rule_the_ops_rule_and_the_numbers_put_in() -> None:
    w = torch.tensor(3.0, requires_grad=True)
    found = explain.backprop(lambda x: torch.tanh(w * x), torch.tensor(0.25))
    lines = {b.name: b for b in found.backward}
    assert lines["u"].chain == (
        r"\frac{\partial L}{\partial L} \cdot \frac{\partial L}{\partial u}"
    )
    (term,) = lines["u"].terms
    assert term.formula.tex == r"\frac{\partial L}{\partial L} \cdot (1 - L^{2})"
    assert term.numbers.tex == r"1 \cdot (1 - 0.6351^{2})"
    (f, _) = found.forward
    assert f.formula.tex == r"w \cdot x"
    assert f.numbers.tex == r"3 \cdot 0.25"
    np.testing.assert_allclose(lines["w"].value, 0.25 * (1 - np.tanh(0.75) ** 2))


def test_the_contributions_of_several_users_stand_one_by_one() -> None:
    w = torch.tensor([1.0, 2.0], requires_grad=True, dtype=torch.float64)
    found = explain.backprop(lambda x: (w * x + torch.exp(w)).sum(), torch.ones(2).double())
    (line,) = [b for b in found.backward if b.name == "w"]
    assert len(line.terms) == 2
    np.testing.assert_allclose(sum(t.value for t in line.terms), line.value)
    np.testing.assert_allclose(line.value, 1 + np.exp([1.0, 2.0]))


def _networks() -> dict[str, Any]:
    torch.manual_seed(1)
    convolution = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8, 3)
    )
    return {
        "mlp": (nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(4, 2)), (2, 3), None),
        "convolution": (convolution, (2, 1, 6, 6), torch.tensor([0, 2])),
        "lstm": (nn.LSTM(2, 3), (3, 1, 2), lambda out: out[0].square().sum()),
        "attention": (nn.TransformerEncoderLayer(4, 2, 4, dropout=0.2), (3, 1, 4), None),
    }


@pytest.mark.parametrize("name", ["mlp", "convolution", "lstm", "attention"])
def test_all_lines_agree_with_differences_in_float64(name: str) -> None:
    model, shape, target = _networks()[name]
    model.double()
    if name == "attention":
        model.activation = functional.gelu
    x = torch.from_numpy(np.random.default_rng(0).standard_normal(shape))
    loss = target if callable(target) else (lambda out: out.square().mean())
    y = None
    if isinstance(target, torch.Tensor):
        y, loss = target, nn.CrossEntropyLoss()
    found = explain.backprop(model, x, y, loss=loss)
    assert _statuses(found) == {"agrees"}
    assert _largest_error(found) <= 1e-6
    assert found.gradients.keys() == dict(model.named_parameters()).keys()


def test_a_loop_is_written_out_and_its_gradient_is_a_sum_over_time() -> None:
    torch.manual_seed(0)
    found = explain.backprop(
        nn.RNN(2, 2), torch.ones(4, 1, 2), loss=lambda out: out[0].square().sum()
    )
    (line,) = [b for b in found.backward if "hh" in b.name and b.name.startswith("W")]
    assert len(line.terms) == 4
    assert [f.name for f in found.forward if f.name.startswith("h_")] == [
        "h_{1}", "h_{2}", "h_{3}", "h_{4}",
    ]  # fmt: skip
    assert found.ok


def test_a_loop_that_is_too_long_stays_one_line() -> None:
    torch.manual_seed(0)
    found = explain.backprop(nn.RNN(1, 1), torch.ones(90, 1, 1), loss=lambda out: out[1].sum())
    assert found.ok
    assert len(found.forward) < 8


def test_a_keras_model_has_its_compiled_loss_and_keras_paths() -> None:
    model = keras.Sequential(
        [keras.layers.Dense(2, activation="tanh"), keras.layers.Dense(1, activation="sigmoid")]
    )
    model.compile(loss="binary_crossentropy", optimizer="sgd")
    x = np.array([[0.2, 1.0], [1.0, -1.0]], np.float32)
    found = explain.backprop(model, x, np.array([[1.0], [0.0]]))
    assert found.ok
    assert {name.rpartition("/")[2] for name in found.gradients} == {"kernel", "bias"}
    assert len(found.gradients) == 4
    expected = float(model.evaluate(x, np.array([[1.0], [0.0]]), verbose=0))
    assert found.loss == pytest.approx(expected, rel=1e-5)


def test_at_a_kink_a_line_says_so() -> None:
    x = torch.tensor([0.0, 1.0, -1.0], requires_grad=True)
    found = explain.backprop(lambda v: torch.relu(v).sum(), x)
    line = found.backward[-1]
    assert line.status == "kink"
    assert line.check.kinks == 1
    assert found.ok
    assert "kink" in str(found)


def test_a_tie_of_maxima_is_a_kink() -> None:
    x = torch.tensor([[2.0, 2.0, 1.0]], requires_grad=True)
    found = explain.backprop(lambda v: v.amax(1).sum(), x)
    assert found.backward[-1].status == "kink"


def test_what_is_detached_counts_as_a_constant() -> None:
    x = torch.tensor([0.5, 2.0], requires_grad=True)
    found = explain.backprop(lambda v: (v * v.detach()).sum(), x)
    assert found.ok
    np.testing.assert_allclose(found.gradients["x"], [0.5, 2.0])


# ---------------------------------------------------------------------- planted faults


@pytest.fixture
def wrong_rule() -> Iterator[Op]:
    """z² + z with the gradient of z²."""

    def formula(x: Any) -> Any:
        return add(mul(x, x), x)

    op = Op("planted", formula=formula, gradient=lambda g, y, x: g * x * 2.0, tex=r"p({0})")
    yield op
    del registry["planted"]


def test_a_wrong_rule_is_found_at_its_line_and_nowhere_else(
    wrong_rule: Op, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "220")
    torch.manual_seed(0)
    first, second = nn.Linear(2, 3), nn.Linear(3, 1)
    model = nn.ModuleList([first, second])
    found = explain.backprop(
        lambda x: second(torch.tanh(apply(wrong_rule, first(x)))).sum(), torch.ones(2, 2)
    )
    assert model is not None
    assert not found.ok
    (line,) = found.wrong
    assert [t.user.node.op.name for t in line.terms] == ["planted"]
    assert line.status == "wrong"
    for b in found.backward:
        bad = [t for t in b.terms if t.check.verdict == "differs"]
        assert bool(bad) == (b is line)
    before = found.backward.index(line)
    assert {b.status for b in found.backward[:before]} == {"agrees"}
    after = {b.status for b in found.backward[before + 1 :]}
    assert after == {"follows"}
    assert all(b.because == (line.name,) for b in found.backward[before + 1 :])
    assert "wrong rule: planted" in str(found)


class Doubled(torch.autograd.Function):
    """e^x with twice its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (y,) = ctx.saved_tensors
        return 2 * g * y


class Outside(Doubled):
    """The same, computed by NumPy."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        y = torch.from_numpy(np.exp(x.detach().numpy()))
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (y,) = ctx.saved_tensors
        return g * y


def test_a_wrong_backward_of_the_users_is_found_too() -> None:
    w = torch.tensor([0.1, -0.3], requires_grad=True)
    found = explain.backprop(lambda x: Doubled.apply(torch.tanh(w * x)).sum(), torch.ones(2))
    assert [b.status for b in found.backward] == ["agrees", "agrees", "wrong", "follows", "follows"]
    assert "Doubled" in str(found)


def test_a_right_backward_of_the_users_passes_also_where_numpy_computes() -> None:
    w = torch.tensor([0.1, -0.3], requires_grad=True)
    found = explain.backprop(lambda x: Outside.apply(torch.tanh(w * x)).sum(), torch.ones(2))
    assert _statuses(found) == {"agrees"}
    assert any("float32" in note for note in found.notes)


# ---------------------------------------------------------------------- what is refused, and left


def test_what_is_too_large_to_read_is_refused_with_the_limit() -> None:
    with pytest.raises(ValueError, match="nodes=20"):
        explain.backprop(
            nn.Sequential(*(nn.Linear(2, 2) for _ in range(10))), torch.ones(1, 2),
            torch.ones(1, 2), nodes=20,
        )  # fmt: skip
    with pytest.raises(ValueError, match="elements=100"):
        explain.backprop(nn.Linear(20, 20), torch.ones(1, 20), torch.ones(1, 20), elements=100)


def test_the_loss_must_be_a_number_that_depends_on_something() -> None:
    with pytest.raises(ShapeError, match=r"one number, got \(1, 2\)"):
        explain.backprop(nn.Linear(2, 2), torch.ones(1, 2))
    with pytest.raises(GradientError, match="does not depend on any parameter"):
        explain.backprop(nn.Linear(2, 1), torch.ones(1, 2), loss=lambda out: out.detach().sum())


def test_the_model_is_left_as_it_was() -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    explain.backprop(model, torch.ones(4, 2) * torch.arange(4.0)[:, None], torch.ones(4, 3))
    first = torch.rand(3)
    for k, v in model.state_dict().items():
        assert torch.equal(v, before[k])
    assert all(p.grad is None for p in model.parameters())
    torch.manual_seed(3)
    nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
    assert torch.equal(torch.rand(3), first)


def test_what_the_loss_does_not_depend_on_is_named() -> None:
    model = nn.ModuleDict({"used": nn.Linear(1, 1), "idle": nn.Linear(1, 1)})

    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = model

        def forward(self, x: Any) -> Any:
            return self.parts["used"](x)

    found = explain.backprop(Half(), torch.ones(1, 1), torch.ones(1, 1))
    assert any("parts.idle.weight" in note for note in found.notes)


# ---------------------------------------------------------------------- what a program may do


def test_a_causal_mask_is_no_reason_to_give_up() -> None:
    torch.manual_seed(0)
    q = torch.randn(1, 1, 3, 2, requires_grad=True)
    found = explain.backprop(
        lambda x: functional.scaled_dot_product_attention(q, x, x, is_causal=True).sum(),
        torch.randn(1, 1, 3, 2),
    )
    assert _statuses(found) == {"agrees"}


def test_a_straight_through_estimator_is_what_its_writer_means() -> None:
    x = torch.tensor([0.3, 1.7], requires_grad=True)
    found = explain.backprop(lambda v: ((v + (v.round() - v).detach()) ** 2).sum(), x)
    assert found.ok
    np.testing.assert_allclose(found.gradients["x"], [0.0, 4.0], atol=1e-6)


def test_tied_weights_collect_from_both_places() -> None:
    torch.manual_seed(0)
    shared = nn.Linear(2, 2)
    model = nn.Sequential(shared, nn.Tanh(), shared)
    found = explain.backprop(model, torch.randn(3, 2), torch.randn(3, 2), loss=nn.MSELoss())
    assert found.ok
    (line,) = [b for b in found.backward if b.name.startswith("W")]
    assert len(line.terms) == 2


def test_where_there_are_no_finite_numbers_a_line_says_so() -> None:
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    found = explain.backprop(lambda v: v.sqrt().sum(), x)
    assert found.backward[-1].status == "none"
    assert "no finite differences" in str(found)


def test_complex_numbers_are_refused() -> None:
    w = torch.ones(2, dtype=torch.complex64, requires_grad=True)
    with pytest.raises(DtypeError, match="view_as_real"):
        explain.backprop(lambda x: (w * x).abs().sum(), torch.ones(2))
