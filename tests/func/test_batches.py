"""`vmap`: what a function of one sample sees, and what it gives for a batch."""

import logging

import numpy as np
import pytest

import chainrule as torch
from chainrule import config
from chainrule.func import debug_unwrap, functional_call, grad, stack_module_state, vmap
from chainrule.ir.op import Op, registry
from chainrule.tensor.record import apply

X = torch.arange(12.0).reshape(4, 3)


def test_a_function_sees_one_sample():
    seen = []

    def f(t):
        seen.append((t.shape, t.ndim, len(t), t.numel()))
        return t.sum()

    assert vmap(f)(X).tolist() == X.sum(1).tolist()
    assert seen == [((3,), 1, 3, 3)]


def test_a_sample_prints_as_all_of_them():
    texts = []
    vmap(lambda t: texts.append(repr(t)) or t)(X[:2, :2])
    assert texts == [
        "BatchedTensor(lvl=1, bdim=0, value=\n    tensor([[0., 1.],\n            [3., 4.]])\n)"
    ]
    vmap(lambda t: texts.append(tuple(debug_unwrap(t).shape)) or t)(X)
    assert texts[1] == (4, 3)


def test_values_that_all_samples_share_may_be_looked_at():
    w = torch.tensor([1.0, 2.0, 3.0])

    def f(t):
        return t * 2 if (w * w).sum() > 1 else t

    assert torch.equal(vmap(f)(X), X * 2)


def test_a_sample_has_no_value():
    for look in (
        lambda t: t.sum().item(),
        lambda t: t.numpy(),
        lambda t: t.tolist(),
        torch.nonzero,
    ):
        with pytest.raises(RuntimeError, match="vmap"):
            vmap(look)(X)
    with pytest.raises(RuntimeError, match="data-dependent control flow"):
        vmap(lambda t: t if t.sum() > 0 else -t)(X)


def test_what_escapes_says_so():
    kept = []
    vmap(lambda t: kept.append(t * 2) or t)(X)
    torch.flush()
    with pytest.raises(RuntimeError, match="return it from the function"):
        kept[0].tolist()


def test_a_failed_function_leaves_everything_as_it_was():
    with pytest.raises(ZeroDivisionError):
        vmap(lambda t: 1 / 0)(X)
    assert (X + 1).sum().item() == 78.0
    assert torch.equal(vmap(lambda t: t + 1)(X), X + 1)


def test_each_sample_draws_its_own_numbers_or_all_the_same():
    torch.manual_seed(0)
    for draw in (
        lambda: torch.rand(64),
        lambda: torch.randn(64),
        lambda: torch.randint(0, 1000, (64,)),
        lambda: torch.randperm(64),
        lambda: torch.nn.functional.dropout(torch.ones(64)),
        lambda: torch.bernoulli(torch.full((64,), 0.5)),
        lambda: torch.empty(64).uniform_(),
    ):
        own = vmap(lambda t, d=draw: d() + 0 * t[0].long(), randomness="different")(X)
        same = vmap(lambda t, d=draw: d() + 0 * t[0].long(), randomness="same")(X)
        assert own.shape == same.shape == (4, 64)
        assert len({tuple(r) for r in own.tolist()}) == 4
        assert len({tuple(r) for r in same.tolist()}) == 1
        with pytest.raises(RuntimeError, match="randomness"):
            vmap(lambda t, d=draw: d() + t[0])(X)


def test_different_numbers_are_those_of_one_large_draw_in_quality():
    torch.manual_seed(1)
    u = vmap(lambda t: torch.rand(1000), randomness="different")(torch.zeros(50)).numpy()
    assert abs(u.mean() - 0.5) < 0.01 and abs(np.corrcoef(u[0], u[1])[0, 1]) < 0.1
    both = vmap(vmap(lambda t: torch.rand(8), randomness="different"), randomness="different")(
        torch.zeros(3, 5)
    )
    assert len({tuple(r) for r in both.reshape(15, 8).tolist()}) == 15


def test_chunks_draw_the_same_numbers_too():
    same = vmap(lambda t: torch.rand(8), randomness="same", chunk_size=2)(torch.zeros(5))
    own = vmap(lambda t: torch.rand(8), randomness="different", chunk_size=2)(torch.zeros(5))
    assert len({tuple(r) for r in same.tolist()}) == 1
    assert len({tuple(r) for r in own.tolist()}) == 5


def test_the_generator_goes_on():
    torch.manual_seed(0)
    a = vmap(lambda t: torch.rand(8), randomness="different")(torch.zeros(3))
    b = vmap(lambda t: torch.rand(8), randomness="different")(torch.zeros(3))
    assert not torch.equal(a, b)


def test_writing_a_batch_into_one_value_is_refused():
    total = torch.zeros(3)
    with pytest.raises(RuntimeError, match="inplace arithmetic"):
        vmap(lambda t: total.add_(t))(X)
    assert total.tolist() == [0, 0, 0]


def test_batch_norm_cannot_follow_every_sample():
    with pytest.raises(RuntimeError, match="Batch norm got a batched tensor"):
        vmap(torch.nn.BatchNorm1d(3))(torch.randn(5, 4, 3))
    out = vmap(torch.nn.BatchNorm1d(3, track_running_stats=False))(torch.randn(5, 4, 3))
    assert out.mean(1).abs().max().item() < 1e-6
    model = torch.nn.BatchNorm1d(3).eval()
    assert vmap(model)(torch.randn(5, 4, 3)).shape == (5, 4, 3)


def test_one_operation_after_another(monkeypatch):
    """`config.eager`, which computes all that was recorded, waits for the end of a transform."""
    want = vmap(grad(lambda t: (t**2).sum()))(X)
    monkeypatch.setattr(config, "eager", True)
    assert torch.equal(vmap(grad(lambda t: (t**2).sum()))(X), want)
    assert torch.equal(vmap(lambda t: t.sum() + torch.zeros(2))(X)[:, 0], X.sum(1))


def test_a_second_step_records_nothing_new():
    from chainrule.ir.node import table_size

    w = torch.randn(3, 3)

    def step():
        return vmap(grad(lambda t: (t @ w).tanh().sum()))(X).sum().item()

    step(), step()
    before = table_size()
    assert step() == step()
    assert table_size() == before


def test_a_look_that_is_the_same_for_all_samples():
    """Whether matrices are singular is asked of the whole batch."""
    a = torch.eye(3) * torch.tensor([1.0, 2.0]).reshape(2, 1, 1)
    assert torch.allclose(vmap(torch.linalg.inv)(a), torch.linalg.inv(a))
    with pytest.raises(RuntimeError, match="zero"):
        vmap(torch.linalg.inv)(a * torch.tensor([1.0, 0.0]).reshape(2, 1, 1))


def test_models_side_by_side():
    models = [torch.nn.Linear(3, 2) for _ in range(5)]
    params, buffers = stack_module_state(models)
    out = vmap(lambda p, b, t: functional_call(models[0], (p, b), t), (0, 0, None))(
        params, buffers, X
    )
    for m, y in zip(models, out, strict=True):
        assert torch.allclose(m(X), y)
    out.sum().backward()
    assert params["weight"].grad.shape == (5, 2, 3)


def test_functional_call_gives_the_module_back():
    m = torch.nn.Linear(3, 2)
    w = m.weight
    functional_call(m, {"weight": torch.zeros(2, 3)}, X)
    assert m.weight is w
    tied = torch.nn.ModuleList([m, torch.nn.Linear(3, 2)])
    tied[1].weight = m.weight
    zero = torch.zeros(2, 3)

    class Both(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = tied

        def forward(self, t):
            return self.a(t) - self.b(t)

    both = Both()
    bias = {"a.bias": zero[:, 0], "b.bias": zero[:, 0]}
    assert functional_call(both, {"a.weight": zero, **bias}, X).abs().sum().item() == 0
    with pytest.raises(ValueError, match="tied"):
        functional_call(both, {"a.weight": zero, "b.weight": zero + 1}, X)


def test_an_op_without_a_rule_is_computed_in_a_loop_and_says_so(caplog):
    """The only slow way there is."""
    if "plus_three" not in registry:
        Op(
            "plus_three",
            infer=lambda x: x.type,
            reference=lambda x: x + 3,
            gradient=lambda g, y, x: g,
        )
    with caplog.at_level(logging.WARNING, "chainrule.func"):
        y = vmap(lambda t: apply(registry["plus_three"], t) * 2)(X)
    assert torch.equal(y, (X + 3) * 2)
    assert "plus_three" in caplog.text
    assert vmap(grad(lambda t: apply(registry["plus_three"], t).sum()))(X).tolist() == [[1] * 3] * 4
