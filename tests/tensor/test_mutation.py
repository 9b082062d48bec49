"""Writing in place: views write through, version counters refuse what PyTorch refuses, and nothing
else.
"""

import numpy as np
import pytest

import chainrule as torch
from chainrule.errors import GradientError


def leaf(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


# ------------------------------------------------------------------ views


def test_a_view_of_a_view_writes_through_to_its_base():
    x = torch.zeros(4, 6)
    x[1:3].t()[2:5, 0].fill_(7)
    want = np.zeros((4, 6))
    want[1, 2:5] = 7
    np.testing.assert_array_equal(x.numpy(), want)


def test_a_view_sees_what_is_written_to_its_base_later():
    x = torch.zeros(3, 2)
    v = x.view(6)[1::2]
    x += 1
    x[0, 1] = 5
    assert v.tolist() == [5, 1, 1]


def test_siblings_see_each_other():
    x = torch.arange(6.0)
    a, b = x.view(2, 3), x[3:]
    a.mul_(10)
    assert b.tolist() == [30, 40, 50]
    b.zero_()
    assert a.tolist() == [[0, 10, 20], [0, 0, 0]]


def test_a_pending_view_is_read_after_the_write():
    x = torch.ones(3) * 2
    v = x[1:]
    y = v + 1
    x.add_(10)
    assert (y.tolist(), v.tolist(), x.tolist()) == ([3, 3], [12, 12], [12, 12, 12])


@pytest.mark.parametrize("look", [False, True])
@pytest.mark.parametrize(
    ("view", "at"),
    [
        (lambda x: x.reshape(6, 2), np.s_[...]),
        (lambda x: x.permute(2, 0, 1), np.s_[...]),
        (lambda x: x.transpose(0, 2)[1], np.s_[:, :, 1]),
        (lambda x: x.select(1, 2), np.s_[:, 2]),
        (lambda x: x.narrow(1, 1, 2), np.s_[:, 1:3]),
        (lambda x: x.unsqueeze(0).squeeze(0), np.s_[...]),
        (lambda x: x.chunk(2, 0)[1], np.s_[1:]),
        (lambda x: x.split(1, 1)[2], np.s_[:, 2:3]),
        (lambda x: x.unbind(2)[1], np.s_[:, :, 1]),
        (lambda x: x.flatten()[3:], None),
        (lambda x: x.view(-1)[::5], None),
        (lambda x: x.diagonal(0, 0, 2), None),
        (lambda x: x.movedim(0, 2)[..., None], np.s_[...]),
        (lambda x: x.swapaxes(0, 1).T, np.s_[...]),
    ],
)
def test_every_view_shares_memory_with_its_base(view, at, look):
    x = torch.zeros(2, 3, 2)
    if look:
        x.numpy()
    v = view(x)
    v += 1
    assert int(x.sum()) == v.numel()
    if at is not None:
        want = np.zeros((2, 3, 2))
        want[at] = 1
        np.testing.assert_array_equal(x.numpy(), want)


def test_gradients_go_through_writes_to_a_view():
    x = leaf(1, 2, 3)
    y = x * 2
    y[1:] *= x[:2]
    y.sum().backward()
    # y = 2 x0, 2 x1 x0, 2 x2 x1
    assert x.grad.tolist() == [2 + 4, 2 + 6, 4]


def test_the_gradient_of_a_value_that_was_overwritten_is_zero():
    x, v = leaf(1, 2, 3), leaf(10)
    y = x.clone()
    y[1] = v[0] * 3
    (y * y).sum().backward()
    assert x.grad.tolist() == [2, 0, 6]
    assert v.grad.tolist() == [2 * 30 * 3]


def test_what_is_not_a_copy_of_anything_is_refused():
    x = torch.ones(3, 1).expand(3, 4)
    with pytest.raises(RuntimeError, match="single memory location"):
        x += 1


def test_a_leaf_is_refused_and_a_view_of_it_too():
    x = leaf(1, 2)
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        x += 1
    with pytest.raises(RuntimeError, match="view of a leaf"):
        x[0] = 3
    with torch.no_grad():
        x += 1
        x[0] = 5
    assert x.tolist() == [5, 3] and x.is_leaf and x.requires_grad


def test_an_operation_in_place_keeps_shape_and_type():
    x = torch.zeros(2, dtype=torch.int64)
    with pytest.raises(RuntimeError, match="can't be cast"):
        x += 1.5
    with pytest.raises(RuntimeError, match="doesn't match the broadcast shape"):
        x += torch.ones(3, 2, dtype=torch.int64)
    x += True
    assert x.tolist() == [1, 1]


def test_out_receives_the_result():
    out = torch.zeros(3)
    given = torch.add(torch.ones(3), 2, out=out)
    assert given is out and out.tolist() == [3, 3, 3]


def test_data_swaps_the_value_of_a_leaf():
    x = leaf(1, 2)
    x.data = torch.tensor([5.0, 6.0], dtype=torch.float64)
    (x * x).sum().backward()
    assert x.grad.tolist() == [10, 12]


def test_data_copy_changes_the_leaf_itself():
    x = leaf(1, 2)
    x.data.copy_(torch.tensor([3.0, 4.0]))
    x.data[0] += 1
    x.data.mul_(2)
    (x * x).sum().backward()
    assert x.grad.tolist() == [16, 16] and x.is_leaf


def test_detach_shares_memory_and_has_no_history():
    x = leaf(1, 2)
    y = x * 3
    d = y.detach()
    assert not d.requires_grad and d.tolist() == [3, 6]
    d[0] = 100
    assert y.tolist() == [100, 6] and y.requires_grad


# ------------------------------------------------------------------ what a backward may not read


REFUSED = {
    "exp_ after exp": lambda x: _after(x.exp(), lambda y: y.add_(1)),
    "sigmoid, then mul_": lambda x: _after(torch.sigmoid(x * 1), lambda y: y.mul_(2)),
    "input of a product": lambda x: _product(x, lambda a: a.add_(1)),
    "a view of what is read": lambda x: _after(x.exp(), lambda y: y[0].zero_()),
    "base written, view read": lambda x: _view_read(x),
    "tanh_ twice": lambda x: _after(x.tanh(), lambda y: y.tanh_().neg_()),
}


def _after(y, write):
    write(y)
    return y.sum()


def _product(x, write):
    a = x * 2
    b = a * x
    write(a)
    return b.sum()


def _view_read(x):
    a = x * 2
    b = a[:1] * x[1:2]
    a.zero_()
    return b.sum()


@pytest.mark.parametrize("look", [False, True], ids=["", "look"])
@pytest.mark.parametrize("name", REFUSED)
def test_a_backward_over_overwritten_values_is_refused(name, look):
    x = leaf(1, 2)
    loss = REFUSED[name](x)
    if look:
        loss.item()
    with pytest.raises((GradientError, RuntimeError), match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("look", [False, True], ids=["", "look"])
def test_a_weight_changed_between_forward_and_backward_is_refused(look):
    x, w = leaf(1, 2), leaf(3, 4)
    loss = (x * w).sum()
    if look:
        loss.item()
    with torch.no_grad():
        w += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("look", [False, True], ids=["", "look"])
def test_a_write_between_the_look_and_the_backward_is_seen(look):
    x = leaf(1, 2)
    y = x.exp()
    loss = y.sum()
    if look:
        loss.item()
    y.detach().zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


# ------------------------------------------------------------------ what it may


def _relu_after_linear(x):
    return torch.relu_(x @ torch.ones(2, 2, dtype=torch.float64) + 1).sum(), [2, 2]


def _add_where_nothing_is_saved(x):
    y = x + 1
    y += x
    y -= 3
    return y.sum(), [2, 2]


def _clone_first(x):
    y = x.exp()
    z = y.clone()
    z.add_(1)
    return (y.sum() + z.sum()), [2 * np.exp(1), 2 * np.exp(2)]


def _in_place_of_what_it_reads(x):
    y = x * 3
    y.exp_()
    return y.sum(), [3 * np.exp(3), 3 * np.exp(6)]


def _write_before_the_read(x):
    y = x * 1
    y[0] = 7
    return (y * y).sum(), [0, 4]


def _dropout_in_place(x):
    y = x * 2
    y.mul_(torch.tensor([1.0, 0.0]))
    return y.sum(), [2, 0]


def _zero_after_sum(x):
    y = x * 2
    s = y.sum()
    y.zero_()
    return s, [2, 2]


def _masked(x):
    y = x * x
    y.masked_fill_(torch.tensor([True, False]), -1.0)
    return y.sum(), [0, 4]


def _hardtanh_chain(x):
    y = (x * 0.25).clamp_(0, 0.4)
    y.mul_(8).add_(1)
    return y.sum(), [2, 0]


LEGAL = [
    _relu_after_linear, _add_where_nothing_is_saved, _clone_first, _in_place_of_what_it_reads,
    _write_before_the_read,
    _dropout_in_place, _zero_after_sum, _masked, _hardtanh_chain,
]  # fmt: skip


@pytest.mark.parametrize("look", [False, True], ids=["", "look"])
@pytest.mark.parametrize("program", LEGAL)
def test_legal_programs_are_not_refused(program, look):
    x = leaf(1, 2)
    loss, want = program(x)
    if look:
        loss.item()
    loss.backward()
    np.testing.assert_allclose(x.grad.numpy(), want, rtol=1e-12)


def test_writes_through_data_are_not_counted():
    """`.data` is PyTorch's way around the version counter: weight clipping, moving averages, manual
    updates.
    """
    x, w = leaf(1, 2), leaf(3, 4)
    before = w._version
    loss = (x * w).sum()
    w.data.clamp_(0, 1)
    assert w._version == before
    loss.backward()
    assert w.grad.tolist() == [1, 2]


def test_versions_count_writes():
    x = torch.zeros(3)
    assert x._version == 0
    x += 1
    x[0] = 2
    v = x[1:]
    v.zero_()
    assert x._version == v._version == 3


def test_a_parameter_updated_by_hand_in_a_loop():
    w = leaf(1.0)
    for _ in range(3):
        ((w - 5) ** 2).sum().backward()
        with torch.no_grad():
            w -= 0.25 * w.grad
        w.grad.zero_()
    assert abs(w.item() - 4.5) < 1e-12


def test_in_place_on_a_pending_value_that_others_read():
    a = torch.ones(2) + 1
    b = a * 3
    a.zero_()
    c = a + b
    assert (a.tolist(), b.tolist(), c.tolist()) == ([0, 0], [6, 6], [6, 6])


def test_swapping_two_rows_reads_before_it_writes():
    x = torch.arange(6.0).view(3, 2)
    x[0], x[2] = x[2].clone(), x[0].clone()
    assert x.tolist() == [[4, 5], [2, 3], [0, 1]]
    x[[0, 1]] = x[[1, 0]]
    assert x.tolist() == [[2, 3], [4, 5], [0, 1]]


@pytest.mark.parametrize("look", [False, True], ids=["", "look"])
@pytest.mark.parametrize("read_first", [False, True], ids=["", "read first"])
@pytest.mark.parametrize("how", ["data", "detach", "no_grad", "view of data"])
def test_gradients_do_not_see_a_write_behind_their_back(how, look, read_first):
    """PyTorch keeps the history of a computed tensor whose content is replaced this way."""
    x = leaf(1, 2)
    y = x * 3
    if look:
        y.tolist()
    before = (y + 1).sum() if read_first else 0
    if how == "data":
        y.data.fill_(10)
    elif how == "detach":
        y.detach().fill_(10)
    elif how == "view of data":
        y.data[:].fill_(10)
    else:
        with torch.no_grad():
            y.fill_(10)
    assert y.requires_grad and y.tolist() == [10, 10]
    ((y * y).sum() + before).backward()
    assert x.grad.tolist() == [2 * 10 * 3 + 3 * read_first] * 2


def test_a_write_without_gradient_to_a_view_of_a_computed_value():
    x = leaf(1, 2, 3)
    y = x * 3
    with torch.no_grad():
        y[0] = 0
    (y * y).sum().backward()
    assert x.grad.tolist() == [0, 2 * 6 * 3, 2 * 9 * 3]


@pytest.mark.parametrize("name", ["SiLU", "Mish", "ReLU", "ELU", "Hardswish", "LeakyReLU", "CELU"])
def test_an_activation_in_place_may_read_what_it_replaced(name):
    plain, inplace = getattr(torch.nn, name)(), getattr(torch.nn, name)(inplace=True)
    grads = []
    for layer in (plain, inplace):
        x = torch.tensor([-1.5, -0.2, 0.3, 2.0], requires_grad=True)
        y = layer(x * 2)
        (y * y).sum().backward()
        grads.append(x.grad.numpy())
    np.testing.assert_array_equal(grads[0], grads[1])
