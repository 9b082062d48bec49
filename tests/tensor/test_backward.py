"""`backward()` and `grad()`: PyTorch's promises, one by one, with and without a look in between."""

import gc
import weakref

import numpy as np
import pytest

import chainrule as torch
from chainrule.tensor import backward as engine_function  # noqa: F401  the package must not hide torch.tensor
from chainrule.tensor.backward import grad as grad_of


def leaf(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def grad(outputs, inputs, **kw):
    outs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    ins = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    given = kw.pop("grad_outputs", [None] * len(outs))
    return grad_of(outs, ins, given, **kw)


@pytest.fixture(params=["together", "looked at"])
def look(request):
    """A look at a value in the middle, or none."""
    return (lambda t: t) if request.param == "together" else (lambda t: (t.detach().numpy(), t)[1])


def test_the_second_backward_is_refused(look):
    x = leaf(1, 2)
    y = look((x * x).sum())
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_retain_graph_allows_it_and_gradients_add_up(look):
    x = leaf(1, 2)
    y = look((x * x).sum())
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [6, 12]
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_a_graph_that_saved_nothing_may_be_walked_twice():
    x = leaf(1, 2)
    y = (x + 1).sum()
    y.backward()
    y.backward()
    assert x.grad.tolist() == [2, 2]


def test_two_losses_with_retain_graph(look):
    x = leaf(1, 2)
    h = look(x * x)
    h.sum().backward(retain_graph=True)
    (h * 2).sum().backward()
    assert x.grad.tolist() == [6, 12]


def test_separate_graphs_over_one_leaf_are_separate(look):
    x = leaf(1, 2)
    a, b = look((x * x).sum()), (x * x * x).sum()
    a.backward()
    b.backward()
    assert x.grad.tolist() == [2 + 3, 4 + 12]


def test_hidden_state_carried_over_steps_is_refused_unless_detached(look):
    w = leaf(0.5)
    h = torch.ones(1, dtype=torch.float64)
    h = look(torch.tanh(h * w))
    h.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        torch.tanh(h * w).sum().backward()
    w.grad = None
    h = torch.ones(1, dtype=torch.float64)
    for _ in range(3):
        h = look(torch.tanh(h.detach() * w))
        h.sum().backward()
    assert w.grad is not None


def test_back_through_time_over_looks():
    """One graph in five pieces: each look closes a trace, the gradient goes through all of them."""
    w, h = leaf(0.5), torch.ones(1, dtype=torch.float64)
    for _ in range(5):
        h = torch.tanh(h * w)
        h.item()
    h.sum().backward()
    eps = 1e-6

    def f(v):
        s = 1.0
        for _ in range(5):
            s = np.tanh(s * v)
        return s

    assert abs(w.grad.item() - (f(0.5 + eps) - f(0.5 - eps)) / (2 * eps)) < 1e-8


def test_gradients_accumulate_over_the_same_input_twice():
    x = leaf(1, 2)
    for _ in range(3):
        (x * x).sum().backward()
    assert x.grad.tolist() == [6, 12]


def test_a_loss_only_of_constants_has_no_gradient():
    with pytest.raises(RuntimeError, match="does not require grad"):
        torch.ones(1).sum().backward()


def test_only_scalars_have_an_implicit_gradient():
    x = leaf(1, 2)
    with pytest.raises(RuntimeError, match="scalar outputs"):
        (x * 2).backward()
    (x * 2).backward(torch.tensor([1.0, 10.0], dtype=torch.float64))
    assert x.grad.tolist() == [2, 20]


def test_gan_like_steps(look):
    """Two networks, two losses, one of them through the other network."""
    g, d = leaf(0.5, 0.25), leaf(2, 3)
    z = torch.tensor([1.0, -1.0], dtype=torch.float64)
    for _ in range(2):
        g.grad = d.grad = None
        fake = look(g * z)
        d_loss = (fake.detach() * d).sum() ** 2
        look(d_loss)
        d_loss.backward()
        assert g.grad is None
        with torch.no_grad():
            d -= 0.1 * d.grad
        g_loss = (fake * d).sum()
        g_loss.backward()
        np.testing.assert_allclose(g.grad.numpy(), (z * d).detach().numpy())


def test_no_grad_and_enable_grad():
    x = leaf(1, 2)
    with torch.no_grad():
        y = x * 2
        with torch.enable_grad():
            z = x * 3
    assert not y.requires_grad and z.requires_grad and torch.is_grad_enabled()


def test_no_grad_as_decorator():
    @torch.no_grad()
    def f(t):
        return t * 2

    assert not f(leaf(1)).requires_grad


def test_what_was_made_under_no_grad_counts_as_a_constant():
    x = leaf(3)
    with torch.no_grad():
        c = x * x
    (c * x).sum().backward()
    assert x.grad.tolist() == [9]


def test_integer_paths_carry_no_gradient():
    x = leaf(1.5, 2.5)
    assert not x.long().requires_grad and not (x > 2).requires_grad and not x.argmax().requires_grad


# ------------------------------------------------------------------ grad()


def test_grad_does_not_touch_the_leaves(look):
    x = leaf(1, 2)
    (g,) = grad(look((x**3).sum()), x)
    assert g.tolist() == [3, 12] and x.grad is None


def test_grad_with_respect_to_a_computed_value(look):
    x = leaf(1, 2)
    h = look(x * x)
    y = look((h * h).sum())
    gh, gx = grad(y, [h, x])
    assert gh.tolist() == [2, 8] and gx.tolist() == [4, 32]


def test_unused_inputs_are_an_error_unless_allowed():
    x, u = leaf(1), leaf(1)
    with pytest.raises(RuntimeError, match="not have been used"):
        grad((x * 2).sum(), [x, u])
    assert grad((x * 2).sum(), [x, u], allow_unused=True)[1] is None


def test_double_backward(look):
    x = leaf(2, 3)
    (g,) = grad(look((x**3).sum()), x, create_graph=True)
    look(g)
    (gg,) = grad(g.sum(), x)
    assert gg.tolist() == [12, 18]


def test_third_order(look):
    x = leaf(2)
    y = (x**4).sum()
    for want in (32, 48, 48):
        (y,) = grad(look(y.sum()), x, create_graph=True)
        assert y.tolist() == [want]


def test_a_gradient_penalty_trains(look):
    w, x = leaf(2), leaf(3)
    out = look((w * x * x).sum())
    (gx,) = grad(out, x, create_graph=True)
    penalty = ((gx - 1) ** 2).sum()
    look(penalty)
    penalty.backward()
    assert w.grad.tolist() == [2 * (2 * 2 * 3 - 1) * 2 * 3]


def test_backward_with_create_graph_gives_a_gradient_that_has_one():
    x = leaf(3)
    (x**3).sum().backward(create_graph=True)
    g = x.grad
    x.grad = None
    g.sum().backward()
    assert x.grad.tolist() == [18]


def test_backward_into_chosen_inputs_only():
    x, w = leaf(2), leaf(3)
    (x * w).sum().backward(inputs=[w])
    assert x.grad is None and w.grad.tolist() == [2]


def test_a_separated_graph_walked_twice_by_grad(look):
    x = leaf(1, 2)
    y = look((x**2).sum())
    a = grad(y, x, retain_graph=True)[0]
    b = grad(y, x)[0]
    assert a.tolist() == b.tolist() == [2, 4]


# ------------------------------------------------------------------ hooks


def test_a_hook_on_a_leaf_sees_and_may_replace_the_gradient():
    x = leaf(1, 2)
    seen = []
    handle = x.register_hook(lambda g: seen.append(g.tolist()))
    x.register_hook(lambda g: g * 10)
    (x * x).sum().backward()
    assert seen == [[2, 4]] and x.grad.tolist() == [20, 40]
    handle.remove()
    (x * x).sum().backward()
    assert len(seen) == 1


def test_a_hook_on_a_computed_value(look):
    x = leaf(1, 2)
    h = x * 3
    seen = []
    h.register_hook(lambda g: (seen.append(g.tolist()), g * 2)[1])
    look((h * h).sum()).backward()
    assert seen == [[6, 12]] and x.grad.tolist() == [36, 72]


def test_a_hook_added_after_the_look():
    x = leaf(1, 2)
    h = x * 3
    y = (h * h).sum()
    y.item()
    seen = []
    h.register_hook(lambda g: seen.append(g.tolist()))
    y.backward()
    assert seen == [[6, 12]]


def test_retain_grad_keeps_the_gradient_of_a_computed_value(look):
    x = leaf(1, 2)
    h = x * 3
    h.retain_grad()
    look((h * h).sum()).backward()
    assert h.grad.tolist() == [6, 12]


def test_the_gradient_of_a_computed_value_is_none_without_it():
    x = leaf(1)
    h = x * 3
    h.sum().backward()
    with pytest.warns(UserWarning, match="not a leaf Tensor"):
        assert h.grad is None


def test_post_accumulate_hooks_run_when_the_gradient_is_there():
    x = leaf(1, 2)
    seen = []
    x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad.tolist()))
    (x * 2).sum().backward()
    (x * 2).sum().backward()
    assert seen == [[2, 2], [4, 4]]


def test_hooks_are_called_once_for_the_complete_gradient():
    x = leaf(1)
    h = x * 2
    calls = []
    h.register_hook(lambda g: calls.append(g.item()))
    (h * 3 + h * 4).sum().backward()
    assert calls == [7]


# ------------------------------------------------------------------ memory


def traces_alive():
    from chainrule.tensor.trace import Trace

    gc.collect()
    return sum(type(o) is Trace and bool(o.inputs) for o in gc.get_objects())


def test_a_list_of_unread_losses_keeps_values_not_graphs():
    x = leaf(*range(50))
    losses = []
    before = traces_alive()
    for _ in range(10):
        loss = (x * x).sum()
        loss.backward()
        x.grad = None
        losses.append(loss)
        torch.flush()
    assert traces_alive() - before <= 1
    assert [v.item() for v in losses] == [losses[0].item()] * 10


def test_a_closed_graph_goes_with_its_last_result():
    x = leaf(1, 2)
    y = (x * x).sum()
    y.item()
    trace = weakref.ref(y.history[0])
    assert trace() is not None
    del y
    torch.flush()
    gc.collect()
    assert trace() is None


def test_values_in_the_middle_are_not_kept_after_backward():
    x = leaf(1, 2)
    h = x.exp()
    y = (h * h).sum()
    y.item()
    trace = weakref.ref(y.history[0])
    y.backward()
    torch.flush()
    assert trace() is None and h.tolist() and y.item()


def test_heads_of_one_trunk_are_walked_one_after_the_other():
    """The trunk was computed, nothing of it is held but by what was recorded from it."""
    a, b = leaf(1, 2), leaf(3)
    h, k = a * a, b * b
    h.sum().item()
    y, z = h.sum() * 2, k.sum() * 3
    del h, k
    y.backward()
    z.backward()
    assert a.grad.tolist() == [4, 8] and b.grad.tolist() == [18]


def test_two_results_of_the_same_computation_are_walked_each():
    x = leaf(1, 2)
    a, b = x.exp(), x.exp()
    (a * 2).sum().backward()
    x.grad = None
    (b * 3).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 3 * np.exp([1, 2]))


def test_deep_graphs_do_not_overflow_the_stack():
    x = leaf(1)
    y = x
    for _ in range(5000):
        y = y + x
    y.sum().backward()
    assert x.grad.tolist() == [5001]


def test_looks_by_hooks_do_not_disturb_the_pass():
    """A hook that prints a gradient is the usual kind of hook."""
    a, b, c = leaf(1, 2), leaf(3, 4), leaf(5, 6)
    seen = []
    for t in (a, b, c):
        t.register_hook(lambda g: seen.append(g.tolist()))
        t.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad.sum().item()))
    (a * b * c).sum().backward()
    assert a.grad.tolist() == [15, 24] and b.grad.tolist() == [5, 12] and c.grad.tolist() == [3, 8]
    want = [[15.0, 24.0], 39.0, [5.0, 12.0], 17.0, [3.0, 8.0], 11.0]
    assert sorted(map(str, seen)) == sorted(map(str, want))


def test_an_optimiser_inside_the_backward_pass():
    a, b = leaf(1, 2), leaf(3, 4)

    def step(t):
        with torch.no_grad():
            t -= 0.1 * t.grad
        t.grad = None
        torch.flush()

    for t in (a, b):
        t.register_post_accumulate_grad_hook(step)
    (a * b).sum().backward()
    np.testing.assert_allclose(a.detach().numpy(), [0.7, 1.6])
    np.testing.assert_allclose(b.detach().numpy(), [2.9, 3.8])
    (a * b).sum().backward()
    np.testing.assert_allclose(a.detach().numpy(), [0.7 - 0.29, 1.6 - 0.38])


def test_grad_asks_only_for_what_it_was_asked_for():
    """What lies on other paths is not walked, so it may be overwritten."""
    x, w = leaf(1, 2), leaf(3, 4)
    h = w.exp()
    y = x * 2 + h
    h.add_(1)
    (g,) = grad(y.sum(), x)
    assert g.tolist() == [2, 2]


def test_a_buffer_that_is_filled_with_computed_values_carries_their_gradient():
    w = leaf(1, 2)
    buffer = torch.zeros(2, 2, dtype=torch.float64)
    buffer[0] = w * 3
    assert buffer.requires_grad and not buffer.is_leaf
    buffer.tolist()
    buffer[1] = w
    (buffer * buffer).sum().backward()
    assert w.grad.tolist() == [2 * 9 * 1 + 2 * 1, 2 * 9 * 2 + 2 * 2]


def test_a_view_made_before_the_write_carries_the_gradient_too():
    w = leaf(1, 2)
    buffer = torch.zeros(4, dtype=torch.float64)
    row = buffer[:2]
    buffer.tolist()
    buffer[:2] = w * 2
    buffer.tolist()
    (row * row).sum().backward()
    assert w.grad.tolist() == [8, 16]


def test_a_handle_that_was_used_up_does_not_take_a_later_hook_away():
    x = leaf(1, 2)
    seen = []
    old = x.register_hook(lambda g: seen.append("old"))
    old.remove()
    x.register_hook(lambda g: seen.append("new"))
    old.remove()
    x.sum().backward()
    assert seen == ["new"]


def test_leaves_made_on_the_way_are_told_apart() -> None:
    """Making a leaf and using it closes the trace in the middle of reading a call's arguments."""
    h, made = torch.zeros(2, requires_grad=True), []
    for k in range(3):
        w = torch.full((2,), k + 1.0, requires_grad=True)
        b = torch.full((2,), -k - 1.0, requires_grad=True)
        h = torch.addcmul(h, w, b)
        made.append((w, b))
    h.sum().backward()
    assert [w.grad.tolist() for w, _ in made] == [[-1.0] * 2, [-2.0] * 2, [-3.0] * 2]
    assert [b.grad.tolist() for _, b in made] == [[1.0] * 2, [2.0] * 2, [3.0] * 2]
