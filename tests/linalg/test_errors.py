"""Matrices that have no such factorisation are refused at the line that asks for it."""

import pytest

import chainrule as torch
from chainrule import linalg

ZERO = torch.zeros(2, 2)
SECOND = torch.stack([torch.eye(2), ZERO])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: linalg.cholesky(ZERO), "leading minor of order 1 is not positive-definite"),
        (lambda: linalg.cholesky(SECOND), r"\(Batch element 1\): The factorization"),
        (lambda: linalg.inv(SECOND), r"linalg.inv: \(Batch element 1\): The diagonal element 1"),
        (lambda: linalg.solve(ZERO, torch.eye(2)), "the input matrix is singular"),
        (lambda: linalg.matrix_power(ZERO, -1), "the input matrix is singular"),
        (lambda: torch.cholesky_inverse(ZERO), "The diagonal element 1 is zero"),
        (lambda: linalg.solve_ex(ZERO, ZERO, check_errors=True), "singular"),
        (lambda: linalg.svd(ZERO / 0).U.numpy(), "contained non-finite values"),
    ],
)
def test_singular_matrices(call, says) -> None:
    with pytest.raises(torch.linalg.LinAlgError, match=says):
        call()
    assert issubclass(torch.linalg.LinAlgError, RuntimeError)


def test_forms_with_info_do_not_raise() -> None:
    assert linalg.cholesky_ex(SECOND).info.tolist() == [0, 1]
    assert linalg.inv_ex(SECOND).info.tolist() == [0, 1]
    assert linalg.solve_ex(SECOND, ZERO).info.tolist() == [0, 1]
    assert linalg.lu_factor_ex(SECOND).info.tolist() == [0, 1]
    assert linalg.ldl_factor_ex(SECOND).info.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: linalg.inv(torch.ones(2, 3)), "batches of square matrices, but they are 2 by 3"),
        (lambda: linalg.inv(torch.ones(2)), "must have at least 2 dimensions"),
        (lambda: linalg.inv(torch.ones(2, 2, dtype=torch.int64)), "Got Long"),
        (lambda: linalg.inv(torch.ones(2, 2).half()), "Low precision dtypes not supported"),
        (lambda: linalg.solve(torch.eye(2), torch.ones(3, 1)), r"AX = B \(2x2 and 3x1\)"),
        (lambda: linalg.solve(torch.eye(2), torch.ones(2).double()), "same dtype"),
        (lambda: linalg.qr(torch.eye(2), "x"), "unrecognized mode 'x'"),
        (lambda: linalg.eigh(ZERO, "x"), "UPLO"),
        (lambda: linalg.matrix_norm(ZERO, "x"), "Order x not supported"),
        (lambda: linalg.multi_dot([ZERO]), "at least 2 tensors"),
        (lambda: linalg.lu_factor(torch.eye(2), pivot=False), "not implemented on the CPU"),
        (lambda: linalg.lstsq(ZERO, ZERO, driver="x"), "should be one of"),
    ],
)
def test_what_is_no_such_matrix(call, says) -> None:
    with pytest.raises(RuntimeError, match=says):
        call()


def test_results_are_written_where_out_says() -> None:
    a = torch.tensor([[4.0, 2.0], [2.0, 5.0]])
    out = torch.empty(2, 2)
    assert linalg.cholesky(a, out=out) is out and out[1, 1] == 2
    q, r = torch.empty(0), torch.empty(0)
    found = linalg.qr(a, out=(q, r))
    assert found.Q is q and torch.allclose(q @ r, a)


def test_methods_are_the_functions() -> None:
    a = torch.tensor([[4.0, 2.0], [2.0, 5.0]])
    assert torch.allclose(a.inverse() @ a, torch.eye(2), atol=1e-6)
    assert a.det().item() == pytest.approx(16) and a.slogdet().sign == 1
    assert torch.allclose(a.cholesky(), linalg.cholesky(a))
    assert [p.shape for p in a.svd()] == [(2, 2), (2,), (2, 2)]
