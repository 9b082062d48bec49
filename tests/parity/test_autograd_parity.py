"""`torch.autograd` beside PyTorch's: what happens, in which order, and what is refused."""

import pytest
import torch

import chainrule

CASES = {}


def case(f):
    CASES[f.__name__] = f
    return f


def leaf(T, *values):
    return T.tensor(values, dtype=T.float64, requires_grad=True)


def plain(x):
    """Results as they can be compared."""
    if hasattr(x, "tolist"):
        return x.tolist()
    if isinstance(x, (tuple, list)):
        return [plain(i) for i in x]
    return x


@case
def hooks_on_leaves_and_values(T):
    log = []
    a = leaf(T, 1.0, 2.0)
    a.register_hook(lambda g: log.append(("a", plain(g))))
    a.register_hook(lambda g: g * 2)
    a.register_hook(lambda g: log.append(("a2", plain(g))))
    b = a * 3
    b.register_hook(lambda g: log.append(("b", plain(g))))
    b.register_hook(lambda g: g * 10)
    b.retain_grad()
    a.register_post_accumulate_grad_hook(lambda t: log.append(("post", plain(t.grad))))
    b.sum().backward()
    return log, a.grad, b.grad


@case
def hooks_can_be_taken_away(T):
    a = leaf(T, 1.0)
    h = a.register_hook(lambda g: g * 100)
    (a * 2).sum().backward()
    h.remove()
    (a * 2).sum().backward()
    return a.grad


@case
def hooks_of_nodes(T):
    log = []
    a = leaf(T, 1.0, 2.0)
    b = a * 3
    b.grad_fn.register_prehook(lambda gs: log.append(plain(gs)))
    b.grad_fn.register_prehook(lambda gs: (gs[0] * 2,))
    acc = a.view_as(a).grad_fn.next_functions[0][0]
    acc.register_hook(lambda *_: log.append("accumulated"))
    b.sum().backward()
    return log, a.grad


@case
def multi_grad_hooks(T):
    every, first = [], []
    a, b, c = leaf(T, 1.0), leaf(T, 2.0), leaf(T, 3.0)
    hook = T.autograd.graph.register_multi_grad_hook
    hook((a, b), lambda gs: every.append(plain(gs)))
    handle = hook((a, b, c), lambda g: first.append("any"), mode="any")
    (a * b).sum().backward()
    (a * c).sum().backward()
    handle.remove()
    (a * c).sum().backward()
    return every, first


@case
def names_in_the_graph(T):
    a = leaf(T, 1.0, 2.0)
    b = leaf(T, 3.0, 4.0)
    y = a * b + a
    names = [y.grad_fn.name(), [f.name() for f, _ in y.grad_fn.next_functions]]
    for z in (a.exp(), a.sum(), a / b, a - b, a**2.0, a.tanh(), a.log(), a.sin(), a.clone()):
        names.append(type(z.grad_fn).__name__)
    names.append(isinstance(y.grad_fn, T.autograd.graph.Node))
    names.append([a.grad_fn is None, a.is_leaf, y.is_leaf, (a.detach()).is_leaf])
    return names


@case
def functions_in_the_graph(T):
    class Twice(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    y = Twice.apply(leaf(T, 1.0))
    return type(y.grad_fn).__name__, y.grad_fn.name(), y.requires_grad, y.is_leaf


@case
def what_a_function_is_told(T):
    log = []

    class F(T.autograd.Function):
        @staticmethod
        def forward(ctx, x, k, y):
            ctx.save_for_backward(x, y)
            ctx.k = k
            ctx.set_materialize_grads(False)
            out = x * k, y * k, (x > 0)
            ctx.mark_non_differentiable(out[2])
            return out

        @staticmethod
        def backward(ctx, gx, gy, gz):
            log.append((ctx.needs_input_grad, gx is None, gy is None, gz is None, ctx.k))
            _x, _y = ctx.saved_tensors
            return (None if gx is None else gx * ctx.k), None, (None if gy is None else gy * ctx.k)

    a, b = leaf(T, 1.0), T.tensor([2.0], dtype=T.float64)
    u, v, w = F.apply(a, 3.0, b)
    u.sum().backward()
    return log, a.grad, v.requires_grad, w.requires_grad


@case
def missing_gradients_are_zeros_unless_told(T):
    log = []

    class F(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1, x * 2

        @staticmethod
        def backward(ctx, g, h):
            log.append((plain(g), plain(h)))
            return g + 2 * h

    a = leaf(T, 1.0, 2.0)
    F.apply(a)[0].sum().backward()
    return log, a.grad


@case
def a_function_in_place(T):
    class F(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 2

    a = leaf(T, 1.0, 2.0)
    b = a * 1
    c = F.apply(b)
    c.sum().backward()
    return a.grad, b, c is b


@case
def saved_tensors_are_packed(T):
    log = []

    class Square(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * x * g

    def pack(t):
        log.append("pack")
        return t.detach().numpy()

    def unpack(a):
        log.append("unpack")
        return T.from_numpy(a)

    a = leaf(T, 1.0, 2.0)
    with T.autograd.graph.saved_tensors_hooks(pack, unpack):
        y = Square.apply(a)
    y.sum().backward()
    return log, a.grad


@case
def gradients_of_chosen_inputs(T):
    a, b = leaf(T, 1.0), leaf(T, 2.0)
    y = a * b
    g = T.autograd.grad(y, (a, b), allow_unused=True, retain_graph=True)
    h = T.autograd.grad(a * 2, (a, b), allow_unused=True)
    m = T.autograd.grad(a * 2, (a, b), materialize_grads=True)
    y.backward(inputs=[b])
    e = T.autograd.grad((a**2).sum(), T.autograd.graph.get_gradient_edge(a))
    return g, [x is None for x in h], m, a.grad is None, b.grad, e


@case
def grad_modes(T):
    a = leaf(T, 1.0)
    found = []
    with T.no_grad():
        found.append((a * 2).requires_grad)
        with T.enable_grad():
            found.append((a * 2).requires_grad)
    with T.set_grad_enabled(False):
        found.append(T.is_grad_enabled())

    @T.no_grad()
    def f():
        return (a * 2).requires_grad

    with T.inference_mode():
        found.append((a * 2).requires_grad)
    found += [f(), T.is_grad_enabled(), T.autograd.Variable(T.ones(2), requires_grad=True).is_leaf]
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_the_same_happens(name):
    assert plain(CASES[name](chainrule)) == plain(CASES[name](torch))


def function_of(T, backward, forward=lambda ctx, x: x * 2, **more):
    body = {"forward": staticmethod(forward), "backward": staticmethod(backward), **more}
    return type("F", (T.autograd.Function,), body)


def disabled(T):
    graph = T.autograd.graph
    hooks = graph.saved_tensors_hooks(lambda t: t, lambda t: t)
    with graph.disable_saved_tensors_hooks("not here"), hooks:
        pass


REFUSED = {
    "twice": lambda T: [y := leaf(T, 1.0).exp().sum(), y.backward(), y.backward()],
    "not a number": lambda T: (leaf(T, 1.0, 2.0) * 2).backward(),
    "nothing requires a gradient": lambda T: T.ones(1).sum().backward(),
    "unused": lambda T: T.autograd.grad(leaf(T, 1.0).sum(), leaf(T, 2.0)),
    "no gradient asked for": lambda T: T.autograd.grad(leaf(T, 1.0).sum(), T.ones(1)),
    "shape of a seed": lambda T: leaf(T, 1.0, 2.0).exp().backward(T.ones(3, dtype=T.float64)),
    "a leaf in place": lambda T: leaf(T, 1.0).add_(1),
    "overwritten": lambda T: [a := leaf(T, 1.0) * 1, y := a.exp(), y.add_(1), y.sum().backward()],
    "integers": lambda T: T.ones(2, dtype=T.int64).requires_grad_(),
    "a hook where no gradient flows": lambda T: T.ones(2).register_hook(print),
    "a hook after a value": lambda T: (leaf(T, 1.0) * 2).register_post_accumulate_grad_hook(print),
    "too few gradients": lambda T: function_of(
        T, lambda ctx, g: g, lambda ctx, x, y: x * y
    ).apply(leaf(T, 1.0), leaf(T, 1.0)).sum().backward(),
    "a gradient of another shape": lambda T: function_of(T, lambda ctx, g: g.sum().reshape(1, 1, 1)
    ).apply(leaf(T, 1.0, 2.0)).sum().backward(),
    "once only": lambda T: T.autograd.grad(
        T.autograd.grad(function_of(T, T.autograd.function.once_differentiable(
            lambda ctx, g: g * 2)).apply(a := leaf(T, 1.0)).pow(2).sum(), a, create_graph=True)[0],
        a,
    ),
    "an anomaly": lambda T: [
        T.autograd.set_detect_anomaly(True),
        (leaf(T, 0.0).sqrt() * 0).sum().backward(),
    ],
    "materialised but not unused": lambda T: T.autograd.grad(
        (a := leaf(T, 1.0)).sum(), a, allow_unused=False, materialize_grads=True),
    "instances": lambda T: function_of(T, lambda ctx, g: g)()(T.ones(1)),
    "what is saved": lambda T: function_of(
        T, lambda ctx, g: g, lambda ctx, x: ctx.save_for_backward(3) or x * 2
    ).apply(leaf(T, 1.0)),
    "mode of a multi hook": lambda T: T.autograd.graph.register_multi_grad_hook(
        (leaf(T, 1.0),), print, mode="none"),
    "an edge without gradient": lambda T: T.autograd.graph.get_gradient_edge(T.ones(1)),
    "hooks that are disabled": disabled,
    "gradcheck without inputs": lambda T: T.autograd.gradcheck(T.sin, (leaf(T, 1.0).detach(),)),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", REFUSED)
def test_the_same_refusals(name):
    kinds = []
    for T in (torch, chainrule):
        try:
            with pytest.raises(Exception) as caught:
                REFUSED[name](T)
        finally:
            T.autograd.set_detect_anomaly(False)
        kinds.append(caught.type)
    theirs, ours = kinds
    assert issubclass(ours, theirs) or issubclass(theirs, ours), (ours, theirs)
