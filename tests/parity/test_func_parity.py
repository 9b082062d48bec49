"""`torch.func` beside PyTorch's: the same program, run with both libraries."""

import inspect

import numpy as np
import pytest
import torch

import chainrule
from chainrule.pytree import tree_flatten

RNG = np.random.default_rng(3)
DATA = {
    shape: RNG.standard_normal(shape)
    for shape in [
        (),
        (3,),
        (4,),
        (2, 3),
        (3, 2),
        (4, 3),
        (3, 4),
        (4, 4),
        (5, 3),
        (5, 4, 3),
        (2, 3, 4),
        (3, 3),
        (2, 5, 3),
        (4, 1, 6, 6),
        (4, 3, 8),
        (5, 2, 3, 6, 6),
        (4, 3, 3, 3),
        (5, 7),
        (4, 2, 3),
    ]
}
PROGRAMS = {}


def program(f):
    PROGRAMS[f.__name__] = f
    return f


def x(T, *shape):
    return T.tensor(DATA[shape], dtype=T.float64)


def run(f, T):
    leaves, _ = tree_flatten(f(T))
    return [np.asarray(t.detach().numpy()) if hasattr(t, "detach") else t for t in leaves]


# ---------------------------------------------------------------- derivatives


@program
def grad_of_grad(T):
    F = T.func

    def f(t):
        return (t**3).sin()

    a = x(T)
    return F.grad(f)(a), F.grad(F.grad(f))(a), F.grad(F.grad(F.grad(f)))(a)


@program
def grad_by_several_arguments_and_trees(T):
    def f(p, k, q):
        return (p["a"] @ p["b"][0] * k + q).tanh().sum()

    p = {"a": x(T, 2, 3), "b": [x(T, 3, 4)]}
    g = T.func.grad(f, argnums=(0, 2))(p, 2.0, x(T, 4))
    h = T.func.grad(f)(p, 2.0, x(T, 4))
    return g, h


@program
def aux_and_value(T):
    def f(t):
        return ((t**2).sum(), {"aux": t * 2})

    g, (value, aux) = T.func.grad_and_value(f, has_aux=True)(x(T, 3))
    g2, aux2 = T.func.grad(f, has_aux=True)(x(T, 3))
    return g, value, aux, g2, aux2


@program
def unused_arguments_have_zeros(T):
    return T.func.grad(lambda a, b: (a * 2).sum(), argnums=(0, 1))(x(T, 3), x(T, 4))


@program
def closed_over_values_are_constants(T):
    a = x(T, 3)
    return T.func.grad(lambda b: (a * b).sum())(a), T.func.jvp(lambda b: a * b, (a,), (a,))


@program
def no_grad_inside_stops(T):
    def f(t):
        with T.no_grad():
            c = t**2
        return (t * c).sum()

    return T.func.grad(f)(x(T, 3))


@program
def no_grad_outside_does_not(T):
    with T.no_grad():
        return T.func.grad(lambda t: (t**3).sum())(x(T, 3))


@program
def vjp_with_trees(T):
    out, pull = T.func.vjp(lambda a, b: {"s": a * b, "t": [a.sum()]}, x(T, 3), x(T, 3))
    return out, pull({"s": x(T, 3), "t": [x(T)]})


@program
def jvp_with_trees(T):
    return T.func.jvp(
        lambda p, b: (p[0] * b, p[1].sum()),
        ((x(T, 3), x(T, 4)), x(T, 3)),
        ((x(T, 3), x(T, 4)), x(T, 3) * 2),
    )


@program
def linearize_twice(T):
    out, push = T.func.linearize(lambda a: a.sin() * a.sum(), x(T, 3))
    return out, push(x(T, 3)), push(x(T, 3) * 3)


@program
def linear_part_after_a_look(T):
    out, pull = T.func.vjp(lambda a: (a @ a).tanh(), x(T, 3, 3))
    float(out.sum())
    return pull(x(T, 3, 3)), pull(x(T, 3, 3) * 2)


@program
def jacobians(T):
    F = T.func

    def f(a, b):
        return (a @ b).sin()

    a, b = x(T, 2, 3), x(T, 3, 4)
    return (
        F.jacrev(f)(a, b),
        F.jacfwd(f)(a, b),
        F.jacrev(f, argnums=(0, 1))(a, b),
        F.jacfwd(f, argnums=(0, 1))(a, b),
        F.jacrev(f, chunk_size=3)(a, b),
        F.jacrev(f, chunk_size=1)(a, b),
        F.jacrev(F.jacfwd(f))(a, b),
        F.jacfwd(F.jacrev(f))(a, b),
    )


@program
def jacobians_of_trees(T):
    F = T.func

    def f(p):
        return {"y": p["a"] * 2, "z": (p["b"].sum() * p["a"][0],)}

    p = {"a": x(T, 3), "b": x(T, 2, 3)}
    return F.jacrev(f)(p), F.jacfwd(f)(p)


@program
def jacobians_with_aux(T):
    def f(a):
        return (a**2, a.sum())

    return T.func.jacrev(f, has_aux=True)(x(T, 3)), T.func.jacfwd(f, has_aux=True)(x(T, 3))


@program
def hessians(T):
    def f(a, b):
        return (a @ b).sin().sum() * a.sum()

    return (
        T.func.hessian(f)(x(T, 2, 3), x(T, 3, 4)),
        T.func.hessian(f, argnums=(0, 1))(x(T, 2, 3), x(T, 3, 4)),
    )


@program
def hessian_vector_products(T):
    F = T.func

    def f(a):
        return (a**3).sum() * a.prod()

    a, v = x(T, 3), x(T, 3) * 2
    return F.jvp(F.grad(f), (a,), (v,)), F.vjp(F.grad(f), a)[1](v)


# ---------------------------------------------------------------- vmap


@program
def axes(T):
    v = T.vmap
    a, b = x(T, 5, 4, 3), x(T, 5, 4, 3)

    def f(s, t):
        return s * t.sum(0)

    return (
        v(f)(a, b),
        v(f, in_dims=1)(a, b),
        v(f, in_dims=(-1, 2), out_dims=1)(a, b),
        v(f, in_dims=(0, None))(a, b[0]),
        v(f, in_dims=(None, 0), out_dims=-1)(a[0], b),
        v(lambda s: (s, s.sum()), out_dims=(1, 0))(a),
        v(lambda d: d["a"] + d["b"], in_dims=({"a": 0, "b": None},))({"a": a, "b": b[0]}),
        v(lambda s, t: {"k": s + t}, in_dims=(0, 1))(x(T, 4, 3), x(T, 3, 4)),
    )


@program
def nested_batches(T):
    v = T.vmap
    a, b = x(T, 4, 3), x(T, 5, 3)
    outer = v(v(T.dot, in_dims=(None, 0)), in_dims=(0, None))
    return (
        outer(a, b),
        v(v(v(lambda s: s.exp())))(x(T, 5, 4, 3)),
        v(v(lambda s: s * 2, 1), 1)(x(T, 5, 4, 3)),
    )


@program
def what_is_shared_is_repeated(T):
    c = x(T, 3)
    return T.vmap(lambda t: c * 2)(x(T, 4, 3)), T.vmap(lambda t: (t, c))(x(T, 4, 3))


@program
def chunks(T):
    def f(t):
        return (t**2).sum(0)

    return T.vmap(f, chunk_size=2)(x(T, 5, 4, 3)), T.vmap(f, in_dims=1, out_dims=1, chunk_size=3)(
        x(T, 5, 4, 3)
    )


@program
def views_and_writes_inside(T):
    def f(t):
        y = t.clone()
        y[0] = y[1] * 2
        y[:, 1].mul_(3)
        z = t.new_zeros(3)
        z += t[0]
        w = T.zeros_like(t)
        w[1:] = t[:-1]
        return y, z.reshape(3, 1), w.T, t.unfold(1, 2, 1), t.transpose(0, 1).flatten()

    return T.vmap(f)(x(T, 5, 4, 3))


@program
def an_input_is_written_to(T):
    a = x(T, 5, 3).clone()
    out = T.vmap(lambda t: t.mul_(2))(a)
    return out, a


@program
def indexing(T):
    i = T.tensor([[0, 2], [1, 1], [2, 0], [0, 0]])

    def f(t, j):
        return t[j], t.gather(0, j), T.zeros_like(t).scatter_add(0, j, t[:2]), t.index_select(0, j)

    return (
        T.vmap(f)(x(T, 4, 3), i),
        T.vmap(lambda j: x(T, 5, 3)[j])(i),
        T.vmap(lambda t: t[T.tensor([2, 0])])(x(T, 4, 3)),
    )


@program
def order(T):
    def f(t):
        return (
            t.sort(0)[0],
            t.argsort(-1),
            t.topk(2)[0],
            t.cumsum(0),
            t.cumprod(1),
            t.max(1)[0],
            t.argmax(),
            t.median(),
            t.flip(0),
            t.amin(0),
            t.max(),
            t.std(),
            t.norm(),
            t.logsumexp(1),
        )

    return T.vmap(f)(x(T, 5, 4, 3))


@program
def products(T):
    v = T.vmap
    a, b = x(T, 5, 4, 3), x(T, 3, 4)
    return (
        v(T.matmul, in_dims=(0, None))(a, b),
        v(lambda t: t @ t.T)(a),
        v(T.mv, in_dims=(0, None))(a, b[:, 0]),
        v(lambda t: T.einsum("ij,kj->ik", t, t))(a),
        v(T.outer)(x(T, 5, 3), x(T, 5, 3)),
        v(lambda t: T.tril(t[:3]) @ T.eye(3, dtype=T.float64))(a),
        v(T.bmm)(
            x(T, 2, 3, 4).unsqueeze(0).expand(2, 2, 3, 4),
            x(T, 2, 3, 4).transpose(1, 2).unsqueeze(0).expand(2, 2, 4, 3),
        ),
    )


@program
def layers(T):
    F, v = T.nn.functional, T.vmap
    w = x(T, 4, 3, 3, 3)
    return (
        v(lambda t: F.conv2d(t, w, padding=1))(x(T, 5, 2, 3, 6, 6)),
        v(lambda t, k: F.conv2d(t, k, stride=2), in_dims=(0, 0))(
            x(T, 5, 2, 3, 6, 6)[:2], T.stack([w, w * 2])
        ),
        v(lambda k: F.conv2d(x(T, 5, 2, 3, 6, 6)[0], k))(T.stack([w, w * 2])),
        v(lambda t: F.max_pool2d(t, 2))(x(T, 5, 2, 3, 6, 6)),
        v(lambda t: F.avg_pool2d(t, 3, 2))(x(T, 5, 2, 3, 6, 6)),
        v(lambda t: F.layer_norm(t, (3,)))(x(T, 5, 4, 3)),
        v(lambda t: F.softmax(t, -1))(x(T, 5, 4, 3)),
        v(lambda t: F.log_softmax(t, 0))(x(T, 5, 4, 3)),
        v(lambda t: F.gelu(t))(x(T, 5, 3)),
        v(lambda t: F.scaled_dot_product_attention(t, t, t))(x(T, 5, 4, 3)),
        v(lambda t: F.group_norm(t, 3))(x(T, 5, 2, 3, 6, 6)),
        v(lambda t: F.adaptive_avg_pool2d(t, 2))(x(T, 5, 2, 3, 6, 6)),
        v(lambda t: F.pad(t, (1, 1)))(x(T, 4, 3)),
        v(lambda i: F.embedding(i, x(T, 5, 3)))(T.tensor([[0, 4], [1, 2]])),
        v(lambda i: F.one_hot(i, 5))(T.tensor([[0, 4], [1, 2]])),
        v(lambda t: F.interpolate(t, scale_factor=2))(x(T, 4, 3, 3, 3)),
    )


@program
def losses(T):
    F, v = T.nn.functional, T.vmap
    t = T.tensor([0, 2, 1, 0])
    return (
        v(lambda a, b: F.cross_entropy(a.unsqueeze(0), b.unsqueeze(0)))(x(T, 4, 3), t),
        v(F.cross_entropy)(x(T, 4, 3), t),
        v(F.mse_loss)(x(T, 4, 3), x(T, 4, 3) * 2),
        v(F.smooth_l1_loss)(x(T, 4, 3), x(T, 4, 3) * 2),
        v(lambda a: F.binary_cross_entropy_with_logits(a, a.sigmoid()))(x(T, 4, 3)),
        v(T.func.grad(lambda a, b: F.cross_entropy(a, b)))(x(T, 4, 3), t),
        v(T.func.grad(lambda a: F.max_pool1d(a.unsqueeze(0), 2).sum()))(x(T, 4, 3, 8)),
    )


@program
def gradients_of_every_sample(T):
    w = x(T, 3, 4)

    def loss(w, t):
        return (t @ w).tanh().sum() ** 2

    each = T.vmap(T.func.grad(loss), in_dims=(None, 0))(w, x(T, 5, 3))
    h = T.vmap(T.func.hessian(lambda t: (t @ w).tanh().sum()))(x(T, 5, 3))
    return (
        each,
        h,
        T.vmap(T.func.jacrev(lambda t: t**2))(x(T, 5, 3)),
        T.vmap(T.func.jacfwd(lambda t: t**2))(x(T, 5, 3)),
    )


@program
def the_gradient_of_a_batch_of_gradients(T):
    def inner(w, t):
        return (t * w).sin().sum()

    def outer(w):
        return (T.vmap(T.func.grad(inner), in_dims=(None, 0))(w, x(T, 5, 3)) ** 2).sum()

    return T.func.grad(outer)(x(T, 3))


@program
def jvp_of_vmap_and_vmap_of_jvp(T):
    def f(t):
        return t.sin() * t.sum()

    a, b = x(T, 5, 3), x(T, 5, 3) * 2
    return (
        T.func.jvp(T.vmap(f), (a,), (b,)),
        T.vmap(lambda p, q: T.func.jvp(f, (p,), (q,)))(a, b),
        T.vmap(lambda q: T.func.jvp(f, (a[0],), (q,))[1])(b),
    )


@program
def ordinary_gradients_through_vmap(T):
    a = x(T, 5, 3).requires_grad_()
    w = x(T, 3).requires_grad_()
    T.vmap(lambda t: (t * w).exp().sum())(a).sum().backward()
    g = T.func.grad(lambda t: (t * w).exp().sum())(a[0])
    g.sum().backward()
    return a.grad, w.grad


@program
def a_step_of_learning_to_learn(T):
    """MAML: the gradient of a loss after a step of gradient descent, for several tasks."""

    def loss(w, t, y):
        return ((t @ w - y) ** 2).mean()

    def task(w, t, y):
        return loss(w - 0.1 * T.func.grad(loss)(w, t, y), t, y)

    def total(w):
        return T.vmap(task, in_dims=(None, 0, 0))(w, x(T, 5, 4, 3), x(T, 5, 4, 3)[..., 0]).mean()

    return T.func.grad_and_value(total)(x(T, 3))


@program
def neural_tangent_kernel(T):
    w = {"a": x(T, 3, 4), "b": x(T, 4, 4)}

    def f(p, t):
        return (t @ p["a"]).tanh() @ p["b"]

    j = T.vmap(T.func.jacrev(f), in_dims=(None, 0))
    one, two = j(w, x(T, 5, 3)), j(w, x(T, 4, 3))
    return [
        T.einsum("Naf,Mbf->NMab", p.flatten(2), q.flatten(2))
        for p, q in zip(one.values(), two.values(), strict=True)
    ]


def module(T, make):
    m = make(T.nn).double()
    rng = np.random.default_rng(5)
    with T.no_grad():
        for p in m.parameters():
            p.copy_(T.tensor(rng.standard_normal(tuple(p.shape)) * 0.3, dtype=T.float64))
    return m


@program
def gradients_of_every_sample_of_a_module(T):
    m = module(
        T,
        lambda nn: nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1),
            nn.GroupNorm(2, 4),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(36, 3),
        ),
    )
    params = {k: v.detach() for k, v in m.named_parameters()}

    def loss(p, image, label):
        out = T.func.functional_call(m, p, (image.unsqueeze(0),))
        return T.nn.functional.cross_entropy(out, label.unsqueeze(0))

    images = x(T, 5, 2, 3, 6, 6)[:, 0]
    return T.vmap(T.func.grad(loss), in_dims=(None, 0, 0))(
        params, images, T.tensor([0, 1, 2, 1, 0])
    )


@program
def an_ensemble(T):
    ms = [
        module(T, lambda nn: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)))
        for _ in range(3)
    ]
    params, buffers = T.func.stack_module_state(ms)

    def f(p, b, t):
        return T.func.functional_call(ms[0], (p, b), (t,))

    return T.vmap(f, in_dims=(0, 0, None))(params, buffers, x(T, 5, 3))


@program
def recurrent_and_attention_modules(T):
    """Gradients of every sample through a loop over time, and through attention."""
    g = module(T, lambda nn: nn.GRU(3, 4, batch_first=True))
    e = module(T, lambda nn: nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, batch_first=True))
    found = []
    for m, data in ((g, x(T, 5, 4, 3)), (e, x(T, 2, 3, 4))):
        params = {k: v.detach() for k, v in m.named_parameters()}

        def loss(p, t, m=m):
            out = T.func.functional_call(m, p, (t.unsqueeze(0),))
            return (out[0] if isinstance(out, tuple) else out).pow(2).sum()

        if T is torch:  # PyTorch has no batching rule for its fused loop: one sample after another
            each = [T.func.grad(loss)(params, t) for t in data]
            found.append({k: T.stack([s[k] for s in each]) for k in params})
        else:
            found.append(T.vmap(T.func.grad(loss), in_dims=(None, 0))(params, data))
    return found


@program
def functions_with_gradients_by_hand(T):
    class Cube(T.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(a, w):
            return a**3 * w

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, g):
            a, w = ctx.saved_tensors
            return 3 * a**2 * w * g, g * a**3

    class Written(Cube):
        generate_vmap_rule = False

        @staticmethod
        def vmap(info, in_dims, a, w):
            assert info.batch_size == 5 and in_dims == (0, None)
            return Cube.apply(a, w.unsqueeze(0).expand(5, 3)), 0

    a, w = x(T, 5, 3), x(T, 3)
    v, g = T.vmap, T.func.grad

    def f(s, t):
        return Cube.apply(s, t).sum()

    both = v(f, in_dims=(0, None))
    return (
        both(a, w),
        v(g(f, argnums=(0, 1)), in_dims=(0, None))(a, w),
        g(g(lambda s: Cube.apply(s, T.ones_like(s))))(x(T)),
        g(lambda s: both(s, w).sum())(a),
        g(lambda s: v(g(f), in_dims=(0, None))(s, w).sum())(a),
        g(lambda s: both(a, s).sum())(w),
        v(Written.apply, in_dims=(0, None))(a, w),
        v(v(f))(x(T, 5, 4, 3), x(T, 5, 4, 3)),
    )


@program
def functional_of_autograd(T):
    A = T.autograd.functional

    def f(a, b):
        return (a * b).sin().sum() * a.sum()

    def h(a, b):
        return (a * b.exp(), a.sum())

    a, b = x(T, 3), x(T, 3) * 2
    one = x(T)
    return (
        A.vjp(h, (a, b), (b, one)),
        A.jvp(h, (a, b), (b, a)),
        A.jacobian(h, (a, b)),
        A.jacobian(h, (a, b), vectorize=True),
        A.jacobian(h, (a, b), vectorize=True, strategy="forward-mode"),
        A.hessian(f, (a, b)),
        A.hessian(f, (a, b), vectorize=True),
        A.hessian(f, (a, b), vectorize=True, outer_jacobian_strategy="forward-mode"),
        A.vhp(f, (a, b), (b, a)),
        A.hvp(f, (a, b), (b, a)),
    )


@program
def batched_gradients_of_autograd(T):
    a = x(T, 3).requires_grad_()
    y = (a**2) * a.sum()
    return T.autograd.grad(y, a, T.eye(3, dtype=T.float64), is_grads_batched=True)


@program
def dual_numbers(T):
    fw = T.autograd.forward_ad
    with fw.dual_level():
        a = fw.make_dual(x(T, 3), x(T, 3) * 2)
        b = (a.sin() * a.sum()).exp()
        out = fw.unpack_dual(b)
        return out.primal, out.tangent, fw.unpack_dual(x(T, 3)).tangent is None


@pytest.mark.filterwarnings("ignore")  # PyTorch's own tracing warns
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_same_numbers(name):
    ours, theirs = run(PROGRAMS[name], chainrule), run(PROGRAMS[name], torch)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        if isinstance(b, np.ndarray):
            assert a.shape == b.shape and a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)
        else:
            assert a == b


REFUSED = {
    "a look": lambda T: T.vmap(lambda t: t.sum().item())(x(T, 4, 3)),
    "a branch": lambda T: T.vmap(lambda t: t if t.sum() > 0 else -t)(x(T, 4, 3)),
    "chance": lambda T: T.vmap(lambda t: t + T.randn(3))(x(T, 4, 3)),
    "dropout": lambda T: T.vmap(lambda t: T.nn.functional.dropout(t))(x(T, 4, 3)),
    "sizes": lambda T: T.vmap(T.add)(x(T, 4, 3), x(T, 5, 3)),
    "no input": lambda T: T.vmap(lambda: 1)(),
    "nothing to map": lambda T: T.vmap(T.sin, in_dims=None)(x(T, 4, 3)),
    "an axis": lambda T: T.vmap(T.sin, in_dims=2)(x(T, 4, 3)),
    "a number": lambda T: T.vmap(lambda t: 1.0)(x(T, 4, 3)),
    "structure": lambda T: T.vmap(T.add, in_dims=(0, (0,)))(x(T, 4, 3), x(T, 4, 3)),
    "out_dims": lambda T: T.vmap(T.sin, out_dims="a")(x(T, 4, 3)),
    "a write to what is shared": lambda T: T.vmap(x(T, 3).add_)(x(T, 4, 3)),
    "batch norm": lambda T: T.vmap(T.nn.BatchNorm1d(3).double())(x(T, 5, 4, 3)),
    "randomness": lambda T: T.vmap(T.sin, randomness="no"),
    "chunks": lambda T: T.vmap(T.sin, chunk_size=0),
    "grad of many": lambda T: T.func.grad(lambda t: t * 2)(x(T, 3)),
    "grad of an integer": lambda T: T.func.grad(lambda t: t.sum())(T.tensor([1, 2])),
    "grad of a list": lambda T: T.func.grad(lambda t: [t.sum()])(x(T, 3)),
    "argnums": lambda T: T.func.grad(lambda t: t.sum(), argnums=1)(x(T, 3)),
    "argnums twice": lambda T: T.func.grad(lambda t: t.sum(), argnums=(0, 0))(x(T, 3)),
    "argnums none": lambda T: T.func.grad(lambda t: t.sum(), argnums=())(x(T, 3)),
    "aux": lambda T: T.func.grad(lambda t: t.sum(), has_aux=True)(x(T, 3)),
    "vjp structure": lambda T: T.func.vjp(lambda t: (t, t), x(T, 3))[1](x(T, 3)),
    "vjp of integers": lambda T: T.func.vjp(lambda t: t.long(), x(T, 3)),
    "jvp structure": lambda T: T.func.jvp(T.sin, (x(T, 3),), x(T, 3)),
    "jvp primals": lambda T: T.func.jvp(T.sin, x(T, 3), x(T, 3)),
    "jvp strict": lambda T: T.func.jvp(lambda t: T.ones(3), (x(T, 3),), (x(T, 3),), strict=True),
    "models": lambda T: T.func.stack_module_state([]),
    "models of two kinds": lambda T: T.func.stack_module_state([T.nn.ReLU(), T.nn.Tanh()]),
    "unknown parameter": lambda T: T.func.functional_call(
        T.nn.Linear(3, 3), {"a.w": x(T, 3, 3)}, x(T, 3)
    ),
    "two of one name": lambda T: T.func.functional_call(
        T.nn.ReLU(), ({"a": x(T)}, {"a": x(T)}), x(T, 3)
    ),
    "strict": lambda T: T.func.functional_call(T.nn.Linear(3, 3), {}, x(T, 3), strict=True),
    "strategy": lambda T: T.autograd.functional.jacobian(T.sin, x(T, 3), strategy="forward-mode"),
    "strict jacobian": lambda T: T.autograd.functional.jacobian(
        lambda t: T.ones(3), x(T, 3), strict=True
    ),
    "dual": lambda T: T.autograd.forward_ad.make_dual(x(T, 3), x(T, 3)),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_the_same_refusals(name):
    kinds = []
    for T in (torch, chainrule):
        with pytest.raises(Exception) as caught:
            REFUSED[name](T)
        kinds.append(caught.type)
    theirs, ours = kinds
    assert issubclass(ours, theirs) or issubclass(theirs, ours), (ours, theirs)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_same_names_and_arguments():
    for name in ("func", "autograd", "autograd.functional", "autograd.graph", "utils.checkpoint"):
        theirs = __import__(f"torch.{name}", fromlist=["x"])
        ours = __import__(f"chainrule.{name}", fromlist=["x"])
        for n in getattr(theirs, "__all__", [m for m in dir(theirs) if not m.startswith("_")]):
            f, g = getattr(theirs, n), getattr(ours, n, None)
            if inspect.isfunction(f) and g is not None and inspect.isfunction(g):
                a, b = (list(inspect.signature(h).parameters) for h in (f, g))
                assert a == b, n
