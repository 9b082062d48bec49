"""A recorded computation reads as a mathematician would write it."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as torch
from chainrule import explain, nn
from chainrule.explain.printing.template import Binds, read
from chainrule.explain.printing.write import Piece, matrix_form, number
from chainrule.ir import registry
from chainrule.tensor.record import apply
from chainrule.tensor.trace import state


def arrays(**shapes):
    rng = np.random.default_rng(0)
    return {k: torch.from_numpy(rng.standard_normal(s)) for k, s in shapes.items()}


@pytest.mark.parametrize(
    ("compute", "tex"),
    [
        (lambda x, y: x + y - x, r"x + y - x"),
        (lambda x, y: x - (y - x), r"x - (y - x)"),
        (lambda x, y: (x + y) * x, r"(x + y) \odot x"),
        (lambda x, y: x * y + x, r"x \odot y + x"),
        (lambda x, y: 2 * x, r"2 x"),
        (lambda x, y: x * -2, r"-2 x"),
        (lambda x, y: x + -2 * y, r"x - 2 y"),
        (lambda x, y: x - -y, r"x - (-y)"),
        (lambda x, y: -(x + y), r"-(x + y)"),
        (lambda x, y: (x + y) ** 2, r"(x + y)^{2}"),
        (lambda x, y: torch.exp(x) ** 2, r"(e^{x})^{2}"),
        (lambda x, y: x**0.5, r"\sqrt{x}"),
        (lambda x, y: x * x, r"x^{2}"),
        (lambda x, y: torch.log(x * y), r"\log (x \odot y)"),
        (lambda x, y: torch.log(torch.exp(x).sum(1)), r"\log \sum_{j} e^{x}"),
        (lambda x, y: torch.sin(torch.cos(x)), r"\sin \cos x"),
        (lambda x, y: (x + y).sum(), r"\sum (x + y)"),
        (lambda x, y: x.sum() * y, r"\left(\sum x\right) \cdot y"),
        (lambda x, y: (x * y).mean(0), r"\frac{1}{3} \sum_{i} x \odot y"),
        (lambda x, y: ((x - y) ** 2).sum() / 6, r"\frac{1}{6} \sum (x - y)^{2}"),
        (lambda x, y: x / (x + y), r"\frac{x}{x + y}"),
        (lambda x, y: torch.tanh(x) @ y.t(), r"(\tanh x) y^{T}"),
        (lambda x, y: x.t() @ y, r"x^{T} y"),
        (lambda x, y: x @ (x.t() @ y), r"x x^{T} y"),
        (lambda x, y: (x + y).t(), r"(x + y)^{T}"),
        (lambda x, y: x[1:, 0], r"x_{1:3, 0}"),
        (lambda x, y: torch.where(x > 0, x, 0), r"x \odot [x > 0]"),
        (lambda x, y: torch.where(x > 0, 0, x), r"x \odot [x \le 0]"),
        (lambda x, y: (x > y).sum(), r"\sum [x > y]"),
        (lambda x, y: torch.cat([x, y]), r"[x, y]"),
        (lambda x, y: torch.softmax(x, 1), r"\operatorname{softmax}(x)"),
        (lambda x, y: torch.sigmoid(x) * torch.tanh(y), r"\sigma(x) \odot \tanh y"),
        (lambda x, y: x.detach().clone().reshape(-1), r"x"),
    ],
)
def test_brackets_and_signs(compute, tex):
    names = arrays(x=(3, 2), y=(3, 2))
    out = compute(**names)
    f = explain.formula(out, names=names)
    assert (f.equations[-1].right, len(f)) == (tex, 1)


@pytest.mark.parametrize(
    ("value", "tex"),
    [
        (0.5, r"\frac{1}{2}"),
        (1 / 3, r"\frac{1}{3}"),
        (0.1, "0.1"),
        (1e-8, "10^{-8}"),
        (2.5e-7, r"2.5 \cdot 10^{-7}"),
        (-2.0, "-2"),
        (float("-inf"), r"-\infty"),
        (0.999, "0.999"),
        (1e-12, "10^{-12}"),
        (2 / 7, r"\frac{2}{7}"),
        (True, r"\text{true}"),
    ],
)
def test_numbers(value, tex):
    assert number(value) == tex


def test_what_is_used_twice_gets_a_name():
    names = arrays(x=(3, 2), W=(2, 4))
    h = torch.relu(names["x"] @ names["W"] + 1)
    f = explain.formula(h * h + torch.tanh(h), names=names)
    assert [str(e) for e in f] == [r"a = \operatorname{ReLU}(x W + 1)", r"y = a^{2} + \tanh a"]


def test_what_grows_too_long_is_cut():
    names = arrays(x=(3, 3))
    y = names["x"]
    for _ in range(12):
        y = torch.tanh(y @ names["x"] + 1)
    f = explain.formula(y, names=names, width=40)
    assert len(f) > 1
    assert max(e.right.count("tanh") for e in f) < 9


def test_names_on_the_way_become_equations():
    names = arrays(x=(3, 2), W=(2, 4))
    z = names["x"] @ names["W"]
    f = explain.formula(torch.relu(z), names={**names, "z": z, "y_hat": torch.relu(z)})
    assert [str(e) for e in f] == ["z = x W", r"\hat{y} = \operatorname{ReLU}(z)"]


def test_inputs_without_names():
    x, w = torch.ones(2).numpy(), torch.tensor([1.0, 2.0], requires_grad=True)
    x = torch.from_numpy(x)
    assert explain.formula(w * x).equations[0].right == r"w \odot x"


def test_modules_name_their_parameters():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    x = arrays(x=(4, 2))["x"].float()
    f = explain.formula(model(x), names=[model, {"x": x}])
    assert f.equations[0].right == (r"\operatorname{ReLU}(x {W_{\mathrm{0}}}^{T} + b_{\mathrm{0}})")


def test_composites_stay_until_asked():
    names = arrays(x=(3, 2))
    p = torch.softmax(names["x"], 1)
    assert "softmax" in explain.formula(p, names=names).tex
    opened = explain.formula(p, names=names, expand={"softmax"})
    assert [str(e) for e in opened] == [
        r"u = e^{x - \max_{j} x}",
        r"y = \frac{u}{\sum_{j} u}",
    ]
    with pytest.raises(ValueError, match="do not exist: \\['sofmax'\\]"):
        explain.formula(p, expand={"sofmax"})


def test_loops_are_written_as_one_step():
    x = arrays(x=(5, 2, 3), h0=(2, 3), W=(3, 3))
    ys, h = apply(registry["rnn"], x["x"], x["h0"], x["W"], nonlinearity="tanh", reverse=False)
    f = explain.formula([ys, h], names=x, expand={"rnn"})
    assert [str(e) for e in f] == [
        r"h_{t} = \tanh (x_{t} + h_{t-1} W^{T})",
        r"y_{1} = h_{1:T}",
        r"y_{2} = h_{T}",
    ]


@pytest.mark.parametrize(
    ("spec", "tex"),
    [
        ("ik,kj->ij", "A B"),
        ("ki,kj->ij", "A^{T} B"),
        ("ik,jk->ij", "A B^{T}"),
        ("ik,kj->ji", "B^{T} A^{T}"),
        ("ki,jk->ij", "A^{T} B^{T}"),
        ("k,kj->j", "B^{T} A"),
        ("k,jk->j", "B A"),
        ("ik,k->i", "A B"),
        ("ki,k->i", "A^{T} B"),
        ("k,k->", "A^{T} B"),
        ("i,j->ij", "A B^{T}"),
        ("i,j->ji", "B A^{T}"),
        ("bik,bkj->bij", "A B"),
        ("bki,bkj->bij", "A^{T} B"),
    ],
)
def test_contractions_as_products_of_matrices_are_these_products(spec, tex):
    rng = np.random.default_rng(1)
    size = dict(i=2, j=3, k=4, b=5)
    left, _ = spec.split("->")
    a, b = (rng.standard_normal([size[c] for c in part]) for part in left.split(","))
    p = matrix_form(spec, Piece("A", Binds.ATOM), Piece("B", Binds.ATOM))
    assert p is not None and p.tex == tex

    def column(v):  # a vector counts as a column
        return v[:, None] if v.ndim == 1 else v

    value = {"A": column(a), "B": column(b)}
    factors = [value[f[0]].swapaxes(-1, -2) if "T" in f else value[f] for f in tex.split()]
    want = np.einsum(spec, a, b)
    np.testing.assert_allclose((factors[0] @ factors[1]).reshape(want.shape), want)


def test_every_op_says_how_it_is_written():
    wordless = {"input"}
    assert {n for n, o in registry.items() if not o.tex} <= wordless
    for op in registry.values():
        template = read(op.tex)
        assert all(isinstance(s.argument, int) for s in template.slots)


def test_nothing_is_recorded_or_computed():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    before = (len(state.trace.inputs), len(state.trace.storages), state.trace)
    explain.formula(loss, names={"w": w, "other": torch.tensor([3.0])})
    explain.gradient(loss)
    explain.graph(loss)
    assert (len(state.trace.inputs), len(state.trace.storages), state.trace) == before
    assert loss.storage.array is None


def test_as_mathematics_in_pages():
    x = arrays(x=(3, 2))["x"]
    f = explain.formula(torch.softmax(x, 0), names={"x": x})
    assert f.markdown == "```math\ny = \\mathrm{softmax}(x)\n```"
    assert f._repr_latex_() == "$$\ny = \\operatorname{softmax}(x)\n$$"
    with pytest.raises(TypeError, match="explain takes tensors"):
        explain.formula(3.0)
    with pytest.raises(TypeError, match="names takes a dictionary"):
        explain.formula(x, names=3)


def test_a_number_that_changes_from_step_to_step_is_shown_as_it_is_now():
    x = torch.tensor([1.0, 2.0])
    for rate in (3.0, 5.0, 7.0):
        y = x * rate
        assert explain.formula(y, names={"x": x}).tex == f"y = {rate:g} x"
        assert y.tolist() == [rate, 2 * rate]


def test_complex_constants():
    z = torch.tensor([1 + 2j, 3 - 1j])
    written = [explain.formula(z * c, names={"z": z}).tex for c in (2j, -1j, 1 - 2j, -2 + 0j)]
    assert written == ["y = 2 i z", "y = -i z", r"y = \left(1 - 2 i\right) z", "y = -2 z"]
