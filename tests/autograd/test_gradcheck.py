"""`gradcheck` finds wrong gradients, says where, and refuses what it cannot check."""

import numpy as np
import pytest

import chainrule as torch
from chainrule.autograd import Function, GradcheckError, gradcheck, gradgradcheck


def double(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


class Wrong(Function):
    """x², with a derivative that is right but for its second element."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * 2 * x + torch.tensor([0.0, 0.1, 0.0], dtype=x.dtype)


class WrongTwice(Function):
    """x³, whose derivative is right but is not differentiable as written."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * 3 * x.detach() ** 2


def test_right_gradients_pass():
    assert gradcheck(lambda x, y: (x @ y).sin(), (double(2, 3), double(3, 2)))
    assert gradgradcheck(lambda x, y: (x @ y).sin(), (double(2, 3), double(3, 2)))
    assert gradcheck(lambda x: (x * 2, x.sum()), double(3))
    assert gradcheck(lambda x: x * 2, double(0))


def test_inputs_without_gradient_are_given_as_they_are():
    assert gradcheck(lambda x, n: x.cumsum(n), (double(2, 3), 1))


def test_a_wrong_gradient_is_found_and_its_place_named():
    x = torch.ones(3, dtype=torch.float64, requires_grad=True)
    text = (
        r"output 0 with respect to input 0: d output\[\d\] / d input\[1\] is .* by the chain rule"
    )
    with pytest.raises(GradcheckError, match=text):
        gradcheck(Wrong.apply, x)
    assert gradcheck(Wrong.apply, x, raise_exception=False) is False


def test_a_wrong_second_derivative_is_found():
    x = double(3)
    assert gradcheck(WrongTwice.apply, x)
    with pytest.raises(GradcheckError):
        gradgradcheck(WrongTwice.apply, x)


def test_what_cannot_be_checked_is_refused():
    with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
        gradcheck(torch.sin, torch.ones(2, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"input 0 is .*float32; finite differences need float64"):
        gradcheck(torch.sin, torch.ones(2, requires_grad=True))


def test_the_inputs_are_left_as_they_were():
    x = double(3)
    before = x.detach().clone()
    gradcheck(torch.sin, x)
    assert torch.equal(x.detach(), before) and x.grad is None
    np.testing.assert_array_equal(x.detach().numpy(), before.numpy())
