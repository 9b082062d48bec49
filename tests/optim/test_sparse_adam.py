"""SparseAdam moves rows with a gradient, and those as Adam does."""

import pytest

import chainrule as torch


def test_rows_without_gradient_stay():
    w = torch.nn.Parameter(torch.ones(3, 2))
    optimizer = torch.optim.SparseAdam([w], lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (w[1] ** 2).sum().backward()
        optimizer.step()
    assert w[0].tolist() == w[2].tolist() == [1, 1]
    assert optimizer.state[w]["exp_avg"][0].tolist() == [0, 0]


def test_where_every_row_has_one_it_is_adam():
    pair = [torch.nn.Parameter(torch.arange(6.0).reshape(3, 2) + 1) for _ in range(2)]
    kinds = (torch.optim.SparseAdam, torch.optim.Adam)
    optimizers = [kind([w], lr=0.1, eps=1e-12) for kind, w in zip(kinds, pair, strict=True)]
    for _ in range(4):
        for w, optimizer in zip(pair, optimizers, strict=True):
            optimizer.zero_grad()
            (w**3).sum().backward()
            optimizer.step()
    assert torch.allclose(*pair)


def test_a_sparse_gradient_is_taken():
    w = torch.nn.Parameter(torch.ones(3, 1))
    w.grad = torch.sparse_coo_tensor([[2]], [[1.0]], (3, 1))
    torch.optim.SparseAdam([w], lr=0.5).step()
    assert w.flatten().tolist() == pytest.approx([1, 1, 0.5])
