"""Functions with gradients of one's own: what reaches `backward`, what may be done there, what is
refused.
"""

import pytest

import chainrule as torch
from chainrule.autograd import Function, gradcheck, gradgradcheck
from chainrule.autograd.function import once_differentiable


class Exp(Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        return grad * y


class Product(Function):
    """Two inputs, a number that is no tensor, two outputs."""

    @staticmethod
    def forward(ctx, a, b, factor):
        ctx.save_for_backward(a, b)
        ctx.factor = factor
        return a * b * factor, a + b

    @staticmethod
    def backward(ctx, first, second):
        a, b = ctx.saved_tensors
        f = ctx.factor
        return first * b * f + second, first * a * f + second, None


def double(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def test_value_and_gradient():
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    y = Exp.apply(x)
    assert y.requires_grad and not y.is_leaf
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


def test_first_and_second_derivatives_agree_with_differences():
    a, b = double(3), double(3)
    assert gradcheck(Exp.apply, a) and gradgradcheck(Exp.apply, a)
    assert gradcheck(lambda a, b: Product.apply(a, b, 2.0), (a, b))
    assert gradgradcheck(lambda a, b: Product.apply(a, b, 2.0), (a, b))


def test_the_gradient_is_the_written_one():
    class Straight(Function):
        """round(x), with the derivative of the identity (Bengio et al. 2013)."""

        @staticmethod
        def forward(ctx, x):
            return x.round()

        @staticmethod
        def backward(ctx, grad):
            return grad

    x = torch.tensor([0.2, 1.7], requires_grad=True)
    y = Straight.apply(x * 2) * 3
    y.sum().backward()
    assert y.tolist() == [0.0, 9.0] and x.grad.tolist() == [6.0, 6.0]


def test_in_the_middle_of_a_network():
    torch.manual_seed(0)
    grads = []
    for f in (Exp.apply, torch.exp):
        torch.manual_seed(0)
        net = torch.nn.Linear(3, 4), torch.nn.Linear(4, 1)
        x = torch.ones(2, 3)
        net[1](f(net[0](x)) * 2).sum().backward()
        grads.append(net[0].weight.grad)
    assert torch.allclose(grads[0], grads[1])


@pytest.mark.parametrize("look", [print, lambda g: g.sum().item(), lambda g: g.numpy(), bool])
def test_backward_may_look_at_values(look, capsys):
    seen = []

    class Looking(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            seen.append(look(grad.sum()))
            return grad * 2 * x

    w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    before = w * 2
    y = Looking.apply(before)
    (y * torch.tensor([1.0, 0.0, 2.0])).sum().backward()
    assert w.grad.tolist() == [8.0, 0.0, 48.0] and len(seen) == 1


def test_backward_may_branch_on_values_and_be_differentiated_again():
    class Clipped(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            if x.abs().max().item() > 10:
                return grad * 0
            return grad * 3 * x * x

    x = torch.tensor(2.0, requires_grad=True)
    (g,) = torch.autograd.grad(Clipped.apply(x), x, create_graph=True)
    (h,) = torch.autograd.grad(g, x)
    assert g.item() == 12.0 and h.item() == 12.0
    far = torch.tensor(20.0, requires_grad=True)
    assert torch.autograd.grad(Clipped.apply(far), far)[0].item() == 0.0


def test_needs_input_grad_says_which():
    seen = []

    class Asking(Product):
        @staticmethod
        def backward(ctx, first, second):
            seen.append(ctx.needs_input_grad)
            return Product.backward(ctx, first, second)

    a, b = torch.ones(2, requires_grad=True), torch.ones(2)
    y, _ = Asking.apply(a, b, 3.0)
    y.sum().backward()
    assert seen == [(True, False, False)] and a.grad.tolist() == [3.0, 3.0]


def test_an_output_that_is_not_used_has_a_gradient_of_zeros():
    a, b = double(2), double(2)
    _, total = Product.apply(a, b, 2.0)
    total.sum().backward()
    assert a.grad.tolist() == b.grad.tolist() == [1.0, 1.0]


def test_setup_context_apart_from_forward():
    class Cube(Function):
        @staticmethod
        def forward(x):
            return x**3

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return 3 * x * x * grad

    assert gradcheck(Cube.apply, double(4))


def test_without_gradients_nothing_is_recorded():
    x = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        assert not Exp.apply(x).requires_grad
    assert not Exp.apply(torch.ones(2)).requires_grad


def test_outputs_marked_as_constant():
    class Largest(Function):
        @staticmethod
        def forward(ctx, x):
            values, places = x.max(0)
            ctx.mark_non_differentiable(places)
            ctx.save_for_backward(places)
            ctx.size = x.shape[0]
            return values, places

        @staticmethod
        def backward(ctx, grad, _):
            (places,) = ctx.saved_tensors
            return torch.nn.functional.one_hot(places, ctx.size).to(grad.dtype) * grad

    x = torch.tensor([1.0, 5.0, 2.0], requires_grad=True)
    value, place = Largest.apply(x)
    assert place.item() == 1 and not place.requires_grad
    value.backward()
    assert x.grad.tolist() == [0.0, 1.0, 0.0]


def test_overwriting_what_was_saved_is_an_error():
    class Square(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return 2 * x * grad

    w = torch.ones(2, requires_grad=True)
    x = w * 3
    y = Square.apply(x)
    x.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.parametrize(
    ("gives", "text"),
    [
        (lambda g: (g, g), "incorrect number of gradients"),
        (lambda g: g.sum().reshape(1, 1), r"invalid gradient at index 0 - got \[1, 1\]"),
    ],
)
def test_gradients_that_do_not_fit(gives, text):
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return gives(grad)

    x = torch.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match=text):
        Wrong.apply(x).sum().backward()


def test_what_is_not_written_says_so():
    class Nothing(Function):
        pass

    with pytest.raises(NotImplementedError, match="implement the forward"):
        Nothing.apply(torch.ones(1))

    class Half(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

    x = torch.ones(1, requires_grad=True)
    with pytest.raises(NotImplementedError, match="implement either the backward"):
        Half.apply(x).backward()


def test_once_differentiable():
    class Once(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        @once_differentiable
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return 2 * x * grad

    x = torch.tensor(3.0, requires_grad=True)
    (g,) = torch.autograd.grad(Once.apply(x), x)
    assert g.item() == 6.0
    (g,) = torch.autograd.grad(Once.apply(x), x, create_graph=True)
    with pytest.raises(RuntimeError):
        torch.autograd.grad(g, x)


def test_ten_steps_of_training_through_a_function():
    """The same program is found again in every step; the values are those of descent on x² e^x."""
    w = torch.tensor(1.0, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.01)
    x = 1.0
    for _ in range(10):
        optimizer.zero_grad()
        (w * w * Exp.apply(w)).backward()
        optimizer.step()
        x -= 0.01 * (2 * x + x * x) * 2.718281828459045**x
    assert w.item() == pytest.approx(x, rel=1e-5)


def test_inputs_overwritten_by_forward():
    class Doubled(Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    w = torch.tensor([1.0, 2.0], requires_grad=True)
    x = w * 3
    y = Doubled.apply(x)
    assert y is x and x.tolist() == [6.0, 12.0]
    x.sum().backward()
    assert w.grad.tolist() == [6.0, 6.0]


def test_an_input_given_back_as_it_is():
    class Reversed(Function):
        """The identity, with the gradient turned round (Ganin and Lempitsky 2015)."""

        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, grad):
            return -grad

    w = torch.tensor([1.0, 2.0], requires_grad=True)
    (Reversed.apply(w) * 3 + w).sum().backward()
    assert w.grad.tolist() == [-2.0, -2.0]


def test_a_function_can_be_derived_from_another():
    class Scaled(Function):
        @staticmethod
        def forward(x, factor):
            return x * factor

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.factor = inputs[1]

        @staticmethod
        def backward(ctx, grad):
            return grad * ctx.factor, None

    class Same(Scaled):
        pass

    x = double(3)
    assert gradcheck(lambda v: Same.apply(v, 3.0), x)
