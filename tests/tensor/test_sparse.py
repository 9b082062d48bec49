"""Sparse tensors give what dense ones would, and gradients to what was kept."""

import numpy as np
import pytest

import chainrule as torch

PLACES = [[0, 1, 1, 0], [2, 0, 2, 2]]  # (0, 2) comes twice
DENSE = [[0.0, 0.0, 4.0], [4.0, 0.0, 5.0]]


def sparse(requires_grad: bool = False):
    return torch.sparse_coo_tensor(
        PLACES, [3.0, 4.0, 5.0, 1.0], (2, 3), requires_grad=requires_grad
    )


def test_values_at_equal_places_are_added() -> None:
    s = sparse()
    assert s.to_dense().tolist() == DENSE and s._nnz() == 4 and not s.is_coalesced()
    once = s.coalesce()
    assert once.indices().tolist() == [[0, 1, 1], [2, 0, 2]]
    assert once.values().tolist() == [4.0, 4.0, 5.0]
    with pytest.raises(RuntimeError, match="uncoalesced"):
        s.indices()


def test_they_print_as_in_pytorch() -> None:
    assert repr(sparse().coalesce()) == (
        "tensor(indices=tensor([[0, 1, 1],\n"
        "                       [2, 0, 2]]),\n"
        "       values=tensor([4., 4., 5.]),\n"
        "       size=(2, 3), nnz=3, layout=torch.sparse_coo)"
    )


@pytest.mark.parametrize("product", [torch.mm, torch.matmul, torch.sparse.mm, torch.spmm])
def test_products_with_dense_matrices(product) -> None:
    d = torch.arange(6.0).reshape(3, 2)
    want = torch.tensor(DENSE) @ d
    assert torch.equal(product(sparse(), d), want)
    assert torch.equal(d.T @ sparse().t(), want.T)


def test_the_gradient_of_a_product_reaches_values_and_matrix() -> None:
    v = torch.tensor([3.0, 4.0, 5.0, 1.0], requires_grad=True)
    d = torch.arange(6.0).reshape(3, 2).requires_grad_()
    (torch.sparse_coo_tensor(PLACES, v, (2, 3)) @ d).square().sum().backward()
    y = np.array(DENSE) @ d.detach().numpy()
    at = 2 * y @ d.detach().numpy().T
    np.testing.assert_allclose(v.grad, at[PLACES[0], PLACES[1]])
    np.testing.assert_allclose(d.grad, np.array(DENSE).T @ (2 * y))


def test_arithmetic_that_keeps_them_sparse() -> None:
    s, dense = sparse(), torch.tensor(DENSE)
    assert torch.equal((s @ s.t()).to_dense(), dense @ dense.T) and (s @ s.t()).is_sparse
    assert torch.equal((s + s * 2).to_dense(), dense * 3)
    assert torch.equal((s * torch.full((2, 3), 2.0)).to_dense(), dense * 2)
    assert s.sum().item() == 13.0 and torch.equal(s.relu().to_dense(), dense)


def test_a_dense_tensor_becomes_sparse_and_keeps_its_gradient() -> None:
    x = torch.tensor([[0.0, 1.0], [2.0, 0.0]], requires_grad=True)
    s = x.to_sparse()
    assert s.is_sparse and s._nnz() == 2 and not x.is_sparse
    (s.to_dense() * 3).sum().backward()
    assert x.grad.tolist() == [[0.0, 3.0], [3.0, 0.0]]


def test_what_is_missing_says_what_there_is() -> None:
    with pytest.raises(NotImplementedError, match="to_dense"):
        sparse().cumsum(0)


def test_rows_one_after_another() -> None:
    s = torch.sparse_csr_tensor([0, 2, 3], [0, 2, 1], [1.0, 2.0, 3.0], (2, 3))
    assert s.to_dense().tolist() == [[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]
    assert s.layout is torch.sparse_csr and s.is_sparse_csr and not s.is_sparse
    assert (s @ torch.ones(3, 1)).tolist() == [[3.0], [3.0]]
    again = s.to_dense().to_sparse().to_sparse_csr()
    assert again.crow_indices().tolist() == [0, 2, 3] and again.col_indices().tolist() == [0, 2, 1]
