"""`autograd.grad` and `backward`: derivatives of any order, seeds, what is kept, hooks."""

import math

import pytest

import chainrule as torch
from chainrule import autograd


def scalar(value, grad=True):
    return torch.tensor(value, dtype=torch.float64, requires_grad=grad)


def test_derivatives_of_every_order():
    """dⁿ/dxⁿ sin x = sin(x + n π/2)"""
    x = scalar(0.7)
    y = x.sin()
    for n in range(1, 7):
        (y,) = autograd.grad(y, x, create_graph=True)
        assert y.item() == pytest.approx(math.sin(0.7 + n * math.pi / 2), abs=1e-14)


def test_seeds_weigh_the_outputs():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (g,) = autograd.grad([x**2, x**3], x, [torch.tensor([1.0, 10.0]), torch.tensor([0.0, 1.0])])
    assert g.tolist() == [2.0, 52.0]


def test_several_inputs_and_those_that_are_not_used():
    a, b, c = (scalar(v) for v in (2.0, 3.0, 4.0))
    assert [g.item() for g in autograd.grad(a * b, (a, b))] == [3.0, 2.0]
    with pytest.raises(RuntimeError, match="allow_unused=True"):
        autograd.grad(a * b, (a, c))
    first, nothing = autograd.grad(a * b, (a, c), allow_unused=True)
    assert first.item() == 3.0 and nothing is None
    _, zero = autograd.grad(a * b, (a, c), materialize_grads=True)
    assert zero.item() == 0.0


def test_grad_leaves_grad_alone():
    x = scalar(2.0)
    autograd.grad(x**2, x)
    assert x.grad is None
    autograd.backward([x**2, x**3], [scalar(1.0, False), scalar(2.0, False)])
    assert x.grad.item() == 4.0 + 24.0


def test_a_graph_is_walked_once_unless_it_is_kept():
    x = scalar(2.0)
    y = x**2 * x.exp()
    autograd.grad(y, x, retain_graph=True)
    autograd.grad(y, x)
    with pytest.raises(RuntimeError, match="second time"):
        autograd.grad(y, x)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: autograd.grad(x * 2, x, [torch.ones(1)] * 2), "got 1 tensors and 2 gradients"),
        (lambda x: autograd.grad(x * 2, x), "only for scalar outputs"),
        (lambda x: autograd.grad((x * 2).sum(), torch.ones(2)), "does not require grad"),
        (lambda x: autograd.grad(torch.ones(()), x), "does not require grad"),
        (lambda x: autograd.grad(x * 2, x, torch.ones(3)), r"Mismatch in shape.*\(3,\).*\(2,\)"),
    ],
)  # fmt: skip
def test_misuse(call, text):
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match=text):
        call(x)


def test_batched_seeds_give_a_gradient_for_each():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (found,) = autograd.grad(x**2, x, torch.eye(2), is_grads_batched=True)
    assert found.tolist() == [[2.0, 0.0], [0.0, 4.0]]


# ---- hooks


@pytest.mark.parametrize("look", [print, lambda g: g.sum().item(), lambda g: g.tolist()])
def test_hooks_may_look_at_values(look, capsys):
    """The trace goes on behind the look: gradients are those of the program without the hook."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    h = x * x
    seen = []
    h.register_hook(lambda g: seen.append(look(g)))
    x.register_hook(lambda g: seen.append(look(g)))
    (h.exp().sum() * 2).backward()
    want = [2 * math.exp(v * v) * 2 * v for v in (1.0, 2.0)]
    assert x.grad.tolist() == pytest.approx(want, rel=1e-6) and len(seen) == 2


def test_hooks_may_replace_the_gradient():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    h = x * 3
    handle = h.register_hook(lambda g: g * 10)
    h.sum().backward()
    assert x.grad.tolist() == [30.0, 30.0]
    handle.remove()
    x.grad = None
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_retained_gradients():
    x = scalar(3.0)
    y = x**2
    y.retain_grad()
    (y * 5).backward()
    assert y.grad.item() == 5.0 and x.grad.item() == 30.0


def test_module_hooks_may_print(capsys):
    net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1))
    for layer in net:
        layer.register_full_backward_hook(
            lambda m, gi, go: print(type(m).__name__, go[0].sum().item())
        )
    net(torch.ones(4, 2, requires_grad=True)).sum().backward()
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "Linear",
        "Tanh",
        "Linear",
    ]


# ---- switches


def test_no_grad_enable_grad_and_their_decorators():
    x = scalar(1.0)
    with torch.no_grad():
        assert not (x * 2).requires_grad
        with torch.enable_grad():
            assert (x * 2).requires_grad

    @torch.no_grad()
    def f():
        return x * 2

    assert not f().requires_grad and (x * 2).requires_grad
    with torch.set_grad_enabled(False):
        assert not torch.is_grad_enabled()


def test_anomalies_name_the_operation():
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    zero = torch.tensor([0.0, 1.0])
    for guard in (autograd.detect_anomaly(), autograd.set_detect_anomaly(True)):
        with guard:
            y = (x.sqrt() * zero).sum()
            assert torch.tensor([0.0]).log().item() == -math.inf  # forward it may be
            with pytest.raises(RuntimeError, match="'SqrtBackward0' returned nan values"):
                y.backward()
    (x.sqrt() * zero).sum().backward()
    assert math.isnan(x.grad[0].item())


def test_old_variables_are_tensors():
    x = autograd.Variable(torch.ones(2), requires_grad=True)
    x.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]
