"""Every op says how many floating-point operations it takes, and the counts are those of a loop."""

import math

import numpy as np
import pytest

from chainrule import dtypes, ops
from chainrule.autodiff import derivative
from chainrule.ir import registry
from chainrule.ir.cost import Cost, below, computed, cost, count
from chainrule.testing import samples

F = dtypes.float32
NAMES = [n for n, op in registry.items() if op.domain is not None and n != "lane"]


def x(*shape, index=0, dtype=F):
    return ops.input(index=index, shape=shape, dtype=dtype)


@pytest.mark.parametrize("name", sorted(registry))
def test_every_primitive_has_a_rule_and_every_composite_inherits_one(name):
    op = registry[name]
    assert (op.flops is not None) == op.is_primitive


@pytest.mark.parametrize("name", NAMES)
def test_the_count_of_every_op_is_a_whole_number_at_all_its_samples(name):
    op = registry[name]
    for dtype in op.domain.types:
        for s in samples(op, dtype, np.random.default_rng(0)):
            made = count([op(*s.inputs, **s.attrs)])
            assert isinstance(made.flops, int) and isinstance(made.macs, int)
            assert 0 <= 2 * made.macs <= made.flops


def by_a_loop(spec, a, b):
    """Σ written out: the products, and the sums of those."""
    left, out = spec.split("->")
    la, lb = left.split(",")
    sizes = dict(zip(la, a.shape, strict=True)) | dict(zip(lb, b.shape, strict=True))
    y, operations = np.zeros([sizes[c] for c in out]), 0
    for place in np.ndindex(*sizes.values()):
        at = dict(zip(sizes, place, strict=True))
        i, j, k = (tuple(at[c] for c in letters) for letters in (la, lb, out))
        y[k] += a[i] * b[j]
        operations += 2
    return y, operations


@pytest.mark.parametrize(
    ("spec", "a", "b"),
    [
        ("ik,kj->ij", (3, 4), (4, 5)),
        ("bik,bjk->bij", (2, 3, 4), (2, 5, 4)),
        ("k,k->", (7,), (7,)),
        ("ij,k->jki", (2, 3), (4,)),
        ("nckl,ockl->no", (2, 3, 2, 2), (4, 3, 2, 2)),
    ],
)
def test_contractions_count_what_a_loop_does(spec, a, b):
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=a), rng.normal(size=b)
    y, operations = by_a_loop(spec, left, right)
    np.testing.assert_allclose(y, np.einsum(spec, left, right), atol=1e-12)
    node = ops.contract(x(*a), x(*b, index=1), spec=spec)
    assert cost(node) == Cost(operations, operations // 2)


def convolution_by_a_loop(x, w, stride, pad, groups):
    """Also what is multiplied with the zeros around the image, as everybody counts."""
    x = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    (n, c, h, b), (o, per_group, k, m) = x.shape, w.shape
    rows, columns = (h - k) // stride + 1, (b - m) // stride + 1
    operations = 0
    for _, channel, _, _ in np.ndindex(n, o, rows, columns):
        first = channel // (o // groups) * per_group
        for q, _, _ in np.ndindex(per_group, k, m):
            assert first + q < c
            operations += 2
    return operations


@pytest.mark.parametrize(("stride", "pad", "groups"), [(1, 0, 1), (2, 1, 1), (1, 1, 2), (2, 1, 4)])
def test_convolutions_count_what_a_loop_does(stride, pad, groups):
    image, kernel = (2, 4, 7, 6), (8, 4 // groups, 3, 2)
    node = ops.conv(
        x(*image), x(*kernel, index=1),
        stride=(stride,) * 2, low=(pad,) * 2, high=(pad,) * 2, dilation=(1, 1), groups=groups,
    )  # fmt: skip
    operations = convolution_by_a_loop(np.zeros(image), np.zeros(kernel), stride, pad, groups)
    assert count([node]) == Cost(operations, operations // 2)


def test_elementwise_functions_count_one_for_each_result_and_moves_nothing():
    a, b = x(3, 4), x(4, index=1)
    for made in (a + b, a * b, ops.exp(a), ops.tanh(a), ops.maximum(a, b), a < b):
        assert count([made]).flops == 12
    for made in (ops.reshape(a, shape=(12,)), ops.cat(a, a, axis=0), ops.where(a < b, a, b)):
        assert cost(made).flops == 0


def test_reductions_count_what_they_read():
    assert count([ops.sum(x(3, 4), axis=(1,))]).flops == 12
    assert count([ops.mean(x(3, 4), axis=(1,))]).flops == 12 + 3  # and a division each
    assert count([ops.argsort(x(5, 8), axis=1, descending=False)]).flops == 5 * 8 * 3


def test_indices_masks_and_constants_count_nothing():
    i = x(3, index=1, dtype=dtypes.int64)
    assert count([i + i, i * 2, i < i]).flops == 0
    assert count([ops.full((100,), 2.0, F) * 3.0]).flops == 0
    assert count([ops.where(ops.triangle(4, 4), x(4, 4), 0.0)]).flops == 0


def test_a_composite_takes_what_its_formula_takes():
    # max, minus, exp, sum, division
    assert count([ops.softmax(x(6, 10), axis=-1)]).flops == 5 * 60
    # x̄ and σ²: 2 sums of 60, 2 · 6 divisions; x − x̄, its square; + ε, √, 1/√; the product
    assert count([ops.standardize(x(6, 10), axis=(1,))]).flops == 2 * 60 + 2 * 6 + 3 * 60 + 3 * 6


def test_a_loop_takes_its_steps():
    t, b, n = 5, 2, 3
    gx, h, w = x(t, b, 4 * n), x(b, n, index=1), x(4 * n, n, index=2)
    ys = ops.item(ops.lstm(gx, h, ops.input(index=3, shape=(b, n), dtype=F), w), 0)
    sigmoid = count([ops.sigmoid(x(b, n))]).flops
    # W h, + gx; three σ, two tanh; f c + i g: 3; o · tanh: 1
    step = 2 * b * 4 * n * n + b * 4 * n + 3 * sigmoid + 2 * b * n + 4 * b * n
    assert count([ys]) == Cost(t * step, t * b * 4 * n * n)


def test_attention_counts_two_products_and_a_softmax():
    b, t, s, d = 2, 5, 7, 4
    q, k, v = x(b, t, d), x(b, s, d, index=1), x(b, s, d, index=2)
    # q · 1/√d, then Q Kᵀ, softmax, P V
    want = b * t * d + 2 * b * t * s * d + 5 * b * t * s + 2 * b * t * s * d
    assert count([ops.attention(q, k, v)]) == Cost(want, 2 * b * t * s * d)


def test_fourier_transforms_count_as_fftw_does():
    z = x(3, 8, dtype=dtypes.complex64)
    assert cost(ops.fourier(z, axis=(1,), forward=True, scale=0)).flops == 3 * 5 * 8 * 3
    assert cost(ops.fourier_to_complex(x(3, 8), axis=(1,), scale=0)).flops == 3 * 5 * 8 * 3 // 2


def test_complex_numbers_count_as_real_arithmetic():
    a, b = (x(3, index=i, dtype=dtypes.complex64) for i in range(2))
    assert [cost(y).flops for y in (a + b, a * b)] == [3 * 2, 3 * 6]
    assert cost(ops.contract(a, b, spec="k,k->")) == Cost(3 * 8, 3 * 4)


def test_matrices_count_what_books_say():
    a, b = x(2, 6, 6), x(2, 6, 4, index=1)
    assert cost(registry["cholesky"](a)).flops == 2 * 6**3 // 3
    assert cost(registry["solve"](a, b)).flops == 2 * (2 * 6**3 // 3 + 2 * 36 * 4)
    assert cost(registry["solve_triangular"](a, b, upper=True)).flops == 2 * 36 * 4


def test_a_value_that_is_used_twice_counts_once():
    y = ops.exp(x(10))
    assert count([y + y, y * y]).flops == 10 + 10 + 10


def test_a_gradient_counts_what_was_derived():
    m, k, n = 3, 4, 5
    a, w = x(m, k), x(n, k, index=1)
    y = ops.linear(a, w, x(n, index=2))
    g = x(m, n, index=3)
    forward = set(computed([y]))
    made = derivative([y], [g], [w, a]).gradients
    backward = [node for node in computed([y, *made]) if node not in forward]
    # ḡᵀ a and ḡ W: each as many multiply-adds as x Wᵀ
    assert sum(cost(node).macs for node in backward) == 2 * m * k * n
    assert math.prod(made[0].shape) == n * k


def test_below_leads_through_formulas():
    node = ops.softmax(x(2, 3), axis=-1)
    assert below(node) != node.inputs and all(n.op.is_primitive for n in computed([node]))
