"""`torch.embedding` and the like take other arguments than `nn.functional` has."""

import pytest

import chainrule as torch

F = torch.nn.functional


def test_the_order_of_arguments_is_that_of_torch() -> None:
    w, i = torch.randn(5, 3), torch.tensor([1, 4])
    assert torch.equal(torch.embedding(w, i), F.embedding(i, w))
    x, m, v = torch.randn(4, 3), torch.zeros(3), torch.ones(3)
    a, b = torch.randn(3), torch.randn(3)
    assert torch.equal(
        torch.batch_norm(x, a, b, m, v, False, 0.1, 1e-5, False),
        F.batch_norm(x, m, v, a, b, False, 0.1, 1e-5),
    )
    assert torch.equal(torch.dropout(x, 0.5, train=False), x)
    y = torch.rand(4, 3)
    assert torch.kl_div(x, y, 2).item() == pytest.approx(F.kl_div(x, y, reduction="sum").item())


def test_cells_are_the_modules() -> None:
    x, h, c = torch.randn(2, 3), torch.randn(2, 4), torch.randn(2, 4)
    for name, states in (("lstm_cell", (h, c)), ("gru_cell", h), ("rnn_tanh_cell", h)):
        module = {"lstm_cell": "LSTMCell", "gru_cell": "GRUCell", "rnn_tanh_cell": "RNNCell"}[name]
        cell = getattr(torch.nn, module)(3, 4)
        weights = (cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh)
        got, want = getattr(torch, name)(x, states, *weights), cell(x, states)
        for a, b in zip(*((got, want) if name == "lstm_cell" else ((got,), (want,))), strict=True):
            assert torch.allclose(a, b, atol=1e-6)


def test_a_convolution_over_time() -> None:
    x, w, b = torch.randn(6, 2, 3), torch.randn(3, 3, 5), torch.randn(5)
    y = torch.conv_tbc(x, w, b, 1)
    assert y.shape == (6, 2, 5)
    want = sum(x[k : k + 4] @ w[k] for k in range(3)) + b
    assert torch.allclose(y[1:5], want, atol=1e-5)
