"""Eager mode, interruptions, operations that fail: nothing that can be computed is lost."""

import numpy as np
import pytest

import chainrule as torch
from chainrule import config
from chainrule.runtime import programs


@pytest.fixture
def eager(monkeypatch):
    monkeypatch.setattr(config, "eager", True)


def test_eager_mode_computes_at_once(eager):
    x = torch.ones(3) * 2
    assert x.storage.trace is None and x.storage.array.tolist() == [2, 2, 2]
    x += 1
    assert x.storage.array.tolist() == [3, 3, 3]


def test_eager_mode_gives_the_same_gradients(eager):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    v, _ = torch.sort(torch.tanh(x) * 2)
    a, b = v.chunk(2)
    loss = (a * b + v.sum()).sum()
    loss.backward()
    g = x.grad.tolist()
    config.eager = False
    y = torch.tensor([1.0, 2.0], requires_grad=True)
    v = torch.sort(torch.tanh(y) * 2)[0]
    (v[:1] * v[1:] + v.sum()).sum().backward()
    np.testing.assert_allclose(g, y.grad.tolist(), rtol=1e-6)


def test_an_interrupt_while_computing_loses_nothing(monkeypatch):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    loss = (y * y).sum()
    run = programs.run

    def interrupted(outputs, arrays):
        raise KeyboardInterrupt

    monkeypatch.setattr(programs, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        loss.item()
    monkeypatch.setattr(programs, "run", run)
    assert loss.item() == 45
    loss.backward()
    assert x.grad.tolist() == [18, 36] and y.tolist() == [3, 6]


def test_an_index_out_of_range_fails_alone():
    x = torch.arange(3.0)
    good = x + 1
    bad = x[torch.tensor([1, 2]) * 3]
    worse = bad * 2
    with pytest.raises(IndexError, match="out of range"):
        worse.tolist()
    assert good.tolist() == [1, 2, 3] and (x * 2).tolist() == [0, 2, 4]
    with pytest.raises(IndexError, match="out of range"):
        bad.tolist()


def test_a_look_at_something_else_does_not_raise():
    x = torch.arange(3.0)
    bad = x[torch.tensor([7]) + 0]
    good = x + 1
    assert good.tolist() == [1, 2, 3]
    with pytest.raises(IndexError):
        bad.item()


def test_a_failed_value_may_be_overwritten():
    x = torch.zeros(1)
    x[:] = torch.arange(3.0)[torch.tensor([7]) + 0]
    with pytest.raises(IndexError):
        x.tolist()
    x.fill_(5)
    assert x.tolist() == [5]
