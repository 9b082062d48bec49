"""The second and later steps of an ordinary loop derive and plan nothing."""

import numpy as np
import pytest
from programs import Net, batch, counting

import chainrule as torch


def loss_of(net, x, y):
    return ((net(x) - y) ** 2).mean()


def train(net, steps, *, rate=lambda i: 0.1, look=lambda loss: None, n=lambda i: 5):
    losses = []
    for i in range(steps):
        x, y = batch(n(i), seed=i)
        loss = loss_of(net, x, y)
        look(loss)
        loss.backward()
        net.step(rate(i))
        losses.append(loss.detach())
    return [float(v) for v in losses]


def expected(steps, *, rate=lambda i: 0.1, n=lambda i: 5):
    """The same training by hand, in NumPy."""
    w1, b1, w2, b2 = (p.detach().numpy().copy() for p in Net().parameters)
    losses = []
    for i in range(steps):
        x, y = (t.numpy() for t in batch(n(i), seed=i))
        h = np.tanh(x @ w1 + b1)
        d = h @ w2 + b2 - y
        losses.append(float((d * d).mean()))
        g = 2 * d / d.size
        gh = g @ w2.T * (1 - h * h)
        for p, grad in ((w1, x.T @ gh), (b1, gh.sum(0)), (w2, h.T @ g), (b2, g.sum(0))):
            p -= rate(i) * grad
    return losses


LOOKS = {
    "no look": lambda loss: None,
    "item": lambda loss: loss.item(),
    "format": lambda loss: f"{loss:.3f}",
    "branch": lambda loss: bool(loss > 1e9),
    "detach": lambda loss: loss.detach().numpy(),
}


@pytest.mark.parametrize("look", LOOKS)
def test_later_steps_find_everything_again(look):
    net = Net()
    train(net, 3, look=LOOKS[look])
    with counting() as work:
        train(net, 4, look=LOOKS[look])
    assert (work.derived, work.built) == (0, 0)


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_does_not_change_the_numbers(look):
    np.testing.assert_allclose(train(Net(), 5, look=LOOKS[look]), expected(5), rtol=1e-12)


def test_a_changing_learning_rate_becomes_an_input_once():
    rate = lambda i: 0.1 * 0.9**i  # noqa: E731  it is what a schedule is
    net = Net()
    losses = train(net, 3, rate=rate)
    with counting() as work:
        train(net, 5, rate=lambda i: rate(i + 3))
    assert (work.derived, work.built) == (0, 0)
    np.testing.assert_allclose(losses, expected(3, rate=rate), rtol=1e-12)


def test_two_rates_in_one_step_stay_apart():
    a, b = torch.ones(3), torch.ones(3)
    seen = []
    for i in range(4):
        seen.append((a * (0.5 + i), b * (0.25 + i)))
        torch.flush()
    for i, (u, v) in enumerate(seen):
        assert u[0].item() == 0.5 + i and v[0].item() == 0.25 + i


def test_a_smaller_last_batch_is_one_more_program_not_more():
    n = lambda i: 5 if i % 3 < 2 else 2  # noqa: E731
    net = Net()
    train(net, 2, n=n)
    with counting() as work:
        train(net, 1, n=lambda i: 2)
    assert work.derived == 1 and work.built <= 2
    with counting() as work:
        train(net, 9, n=n)
    assert (work.derived, work.built) == (0, 0)


def test_nothing_is_computed_twice_when_a_look_splits_a_step():
    x, y = batch()
    net = Net()
    loss = loss_of(net, x, y)
    loss.item()
    loss.backward()
    net.step(0.1)
    with counting() as work:
        loss = loss_of(net, x, y)
        loss.item()
        loss.backward()
        net.step(0.1)
    assert [run.count("tanh") for run in work.runs] == [1, 0]
    products = [run.count("contract") for run in work.runs]
    assert products == [2, 3]  # forward: x w1, h w2; backward: for w1, w2 and h


def test_an_unused_look_costs_no_second_forward_in_inference():
    net, (x, _) = Net(), batch()
    with torch.no_grad():
        out = net(x)
        with counting() as work:
            out.sum().item()
            out.mean().item()
    assert sum(run.count("tanh") for run in work.runs) == 1


def test_a_number_that_never_changes_stays_a_constant():
    x = torch.tensor([1.0] * 7)  # a shape of its own: what other tests did to x[3] is remembered
    with counting() as work:
        for _ in range(5):
            (x * 2.5 + 1.0).numpy()
    assert work.built == 1


@pytest.mark.parametrize(
    "step",
    [
        lambda x, i: torch.full((3,), float(i)) + x,
        lambda x, i: x ** (1.5 + i),
        lambda x, i: x * i,
        lambda x, i: x + i,
        lambda x, i: torch.where(x > 0, x, 1.0 * i),
        lambda x, i: x.clamp(0.0, 1.0 + i),
        lambda x, i: torch.full_like(x, float(i)),
        lambda x, i: x.masked_fill(x > 0, float(i)),
        lambda x, i: torch.tensor(float(i)) * x,
        lambda x, i: x > i,
        lambda x, i: torch.add(x, x, alpha=0.5 + i),
    ],
)
def test_a_number_that_changes_every_step_does_not_build_a_program_every_step(step):
    x = torch.tensor([1.0, 2.0, 3.0])
    for i in range(3):
        step(x, i).numpy()
    with counting() as work:
        for i in range(3, 9):
            step(x, i).numpy()
    assert work.built == 0


def test_nan_as_a_constant_is_found_again():
    x = torch.ones(3)
    for _ in range(2):
        (x + float("nan")).numpy()
    with counting() as work:
        for _ in range(3):
            (x + float("nan")).numpy()
            (x + float("inf")).numpy()
    assert work.built <= 1


def test_dropout_like_masks_differ_in_every_step_of_one_program():
    torch.manual_seed(0)
    x = torch.ones(1000)
    masks = []
    for _ in range(2):
        masks.append(((torch.rand(1000) > 0.5) * x).numpy())
    with counting() as work:
        for _ in range(3):
            masks.append(((torch.rand(1000) > 0.5) * x).numpy())
    assert work.built == 0
    assert len({m.tobytes() for m in masks}) == 5


def test_pending_graphs_are_bounded():
    from chainrule.tensor.trace import state

    x = torch.zeros(2)
    for _ in range(20_000):
        x = x + 1
        assert len(state.trace.storages) <= 8200
    assert x[0].item() == 20_000


def test_a_loop_that_never_looks_runs_one_program_again_and_again():
    x = torch.zeros(2)
    for _ in range(30_000):
        x = x + 1
    torch.flush()
    with counting() as work:
        for _ in range(30_000):
            x = x + 1
    assert work.built <= 1


def test_layers_that_draw_random_numbers_are_equal_graphs():
    """Where a draw stands in its stream is data: else each dropout would be a kernel of its own."""
    from chainrule.rewrite.fuse import fuse
    from chainrule.tensor.trace import state

    torch.manual_seed(0)
    a, b, c = torch.rand(40, 30), torch.rand(40, 30), torch.rand(40, 30)
    nodes = [t.storage.node for t in (a, b, c)]
    assert len({n.inputs for n in nodes}) == 3 and len(state.trace.states) == 3
    assert len({kernel.graph for kernel in fuse(nodes)}) == 1
    assert len({float(t.sum()) for t in (a, b, c)}) == 3


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return g * Doubled.factor


def test_a_gradient_of_the_users_own_is_asked_every_time_but_derived_once():
    w = torch.ones(3, requires_grad=True)

    def step():
        w.grad = None
        y = (Doubled.apply(w * 3) ** 2).sum()
        y.item()
        y.backward()
        return w.grad.tolist()

    Doubled.factor = 2.0
    step(), step()
    with counting() as work:
        assert step() == [72.0] * 3
    assert work.derived == 0
    Doubled.factor = 20.0  # an answer that differs is not overlooked
    assert step() == [720.0] * 3


@pytest.mark.parametrize("steps", [5, 30])
def test_a_long_loop_with_looks_has_the_gradient_of_a_short_one(steps):
    """Its closed traces are computed one by one: for every number of steps by the same programs."""
    rows = np.random.default_rng(0).normal(size=(40, 3))
    w = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64, requires_grad=True)
    state = torch.zeros((), dtype=torch.float64)
    parts = []
    for row in rows[:steps]:
        state = torch.tanh(0.5 * state + (torch.tensor(row) * w).sum())
        parts.append(state * state)
        state.item()
    torch.stack(parts).sum().backward()

    h, g = np.zeros(steps + 1), np.zeros(3)
    for i in range(steps):
        h[i + 1] = np.tanh(0.5 * h[i] + rows[i] @ [0.5, -1.0, 2.0])
    back = 0.0
    for i in reversed(range(steps)):
        back = (back + 2 * h[i + 1]) * (1 - h[i + 1] ** 2)
        g += back * rows[i]
        back *= 0.5
    np.testing.assert_allclose(w.grad.numpy(), g, rtol=1e-12)


def test_loops_of_other_lengths_compile_nothing_for_their_steps():
    def episode(steps):
        w = torch.ones(3, requires_grad=True)
        parts = []
        for _ in range(steps):
            parts.append((w * 2).exp().sum())
            parts[-1].item()
        torch.stack(parts).sum().backward()
        return w.grad.tolist()

    episode(20)
    with counting() as work:
        np.testing.assert_allclose(episode(31), [31 * 2 * np.exp(2.0)] * 3, rtol=1e-5)
    assert work.derived <= 1 and work.built <= 3  # of the sum over all of them
